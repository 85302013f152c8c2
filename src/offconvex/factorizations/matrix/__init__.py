"""Deep matrix factorization."""
