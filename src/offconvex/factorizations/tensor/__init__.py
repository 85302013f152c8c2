"""Sums of outer products: CP factorization."""
