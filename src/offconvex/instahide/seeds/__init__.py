"""All seeds of 32 bits: the released generator for many of them at once, and the search through the whole space."""
