"""Stored experiments of the chapters on factorizations."""

from offconvex.factorizations.hierarchical_stored import STORED as HIERARCHICAL
from offconvex.factorizations.norms_stored import STORED as NORMS
from offconvex.factorizations.penalties_stored import STORED as PENALTIES
from offconvex.factorizations.tensor_stored import STORED as TENSORS

STORED = (*NORMS, *PENALTIES, *TENSORS, *HIERARCHICAL)
