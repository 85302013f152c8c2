"""Stored experiments of the chapters on factorizations."""

from offconvex.factorizations.hierarchical.stored import STORED as HIERARCHICAL
from offconvex.factorizations.norms.stored import STORED as NORMS
from offconvex.factorizations.penalties.stored import STORED as PENALTIES
from offconvex.factorizations.tensor.stored import STORED as TENSORS

STORED = (*NORMS, *PENALTIES, *TENSORS, *HIERARCHICAL)
