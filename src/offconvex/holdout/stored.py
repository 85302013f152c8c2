"""Stored experiments of the chapter on meta-overfitting."""

from offconvex.holdout.search import SEARCH

STORED = (SEARCH,)
