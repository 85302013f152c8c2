"""From a source to an executed, installed, compared chapter."""
