"""Posteriors on matrix manifolds: mixing along the fiber, escapes at low temperatures."""
