"""Hierarchical tensor factorization."""
