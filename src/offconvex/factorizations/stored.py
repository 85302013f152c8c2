"""Stored experiments of the chapters on factorizations."""

from offconvex.factorizations.norms_stored import STORED as NORMS

STORED = (*NORMS,)
