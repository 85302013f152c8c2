"""Instruments and experiments of the book "Off the Convex Path, Executed"."""

__version__ = "0.1.0"
