"""Stored experiments of the chapters on factorizations."""

from offconvex.factorizations.hierarchical_stored import STORED as HIERARCHICAL
from offconvex.factorizations.norms_stored import STORED as NORMS
from offconvex.factorizations.tensor_stored import STORED as TENSORS

STORED = (*NORMS, *TENSORS, *HIERARCHICAL)
