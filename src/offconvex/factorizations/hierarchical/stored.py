"""Stored experiments of the chapter on hierarchical tensor factorization."""

from offconvex.factorizations.hierarchical import wide as hierarchical_wide
from offconvex.stored import legacy

WIDE = legacy(
    name="hierarchical-wide",
    chapter="hierarchical-tensor-factorization",
    config=hierarchical_wide.Wide(),
    parts=hierarchical_wide.parts,
    run=hierarchical_wide.run_part,
    assemble=hierarchical_wide.assemble,
)
