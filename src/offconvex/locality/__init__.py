"""Locality: convolutional networks on tasks with long-range dependencies, and a regularizer against it."""
