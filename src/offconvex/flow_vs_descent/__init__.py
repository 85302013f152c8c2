"""Gradient descent beside gradient flow: how far apart they are, and what bounds it."""
