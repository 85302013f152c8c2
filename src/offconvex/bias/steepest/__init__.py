"""The optimizer chooses the norm: steepest descent, Muon and Adam on separable data."""
