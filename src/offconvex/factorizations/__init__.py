"""Matrices, tensors and hierarchical tensors as products of factors, trained by gradient descent."""
