"""Occam's razor: descriptions of networks, their bits, and the bound on the true error that follows."""
