"""Separation rank: how many products it takes to write a function of two groups of patches."""

from dataclasses import dataclass

import numpy as np

from offconvex import rng
from offconvex.factorizations import measure
from offconvex.factorizations.hierarchical import measure as hierarchical_measure
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.runtime import Runtime

NUMERICAL_ZERO = 1e-10
"""Singular values below this share of the largest count as zero; rounding leaves about 1e-15."""


@dataclass(frozen=True)
class Separation:
    """Tensors of known dependence between the axes 0, 1 and the axes 2, 3.

    Attributes:
        length: of each of four axes.
        terms: numbers of summands; each summand is a random tensor over axes 0, 1 times one over axes 2, 3.
        width: number of local components below the root.
    """

    length: int = 4
    terms: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16)
    width: int = 16

    def __post_init__(self):
        if min(self.terms) < 1 or max(self.terms) > min(self.length**2, self.width):
            raise ValueError(
                f"Between one and min(length^2, width) = {min(self.length**2, self.width)} summands can be "
                f"independent; got {self.terms}."
            )


@dataclass(frozen=True)
class SeparationRecord:
    """Ranks of matricizations.

    Attributes:
        terms: (M,) summands.
        ranks: (M,) across the split 01|23 that the summands respect.
        crossing_ranks: (M,) of the same tensors across 02|13.
        tree_ranks: (M,) across 01|23, of factorizations with that many nonzero local components at the root.
        tree_crossing_ranks: (M,) of the same across 02|13.
        copy: rank of the tensor that is one where the pair of indices of axes 0, 1 equals that of axes 2, 3.
    """

    terms: np.ndarray
    ranks: np.ndarray
    crossing_ranks: np.ndarray
    tree_ranks: np.ndarray
    tree_crossing_ranks: np.ndarray
    copy: int


def measure_separation(config: Separation, rt: Runtime, seed: int) -> SeparationRecord:
    """Build the tensors and count singular values."""
    shape, square = (config.length,) * 4, config.length**2
    tree = hierarchical.mode_tree(hierarchical.BINARY_4)
    rows = []
    for terms in config.terms:
        generator = rng.generator(seed, "separation", terms)
        # Summed one at a time: no factorization of the matrix is used to build it.
        whole = sum(rt.normal(generator, square)[:, None] * rt.normal(generator, square)[None] for _ in range(terms))
        weights = hierarchical.gaussian_weights(rt, [generator], tree=tree, shape=shape, width=config.width, std=1.0)
        weights[-1][:, terms:] = 0
        tensors = whole.view(1, *shape), hierarchical.end_tensor(tree, weights)
        rows.append([_rank(tensor, axes) for tensor in tensors for axes in ((0, 1), (0, 2))])
    ranks, crossing, tree_ranks, tree_crossing = np.array(rows).T
    return SeparationRecord(
        terms=np.array(config.terms),
        ranks=ranks,
        crossing_ranks=crossing,
        tree_ranks=tree_ranks,
        tree_crossing_ranks=tree_crossing,
        copy=_rank(rt.eye(square).view(1, *shape), (0, 1)),
    )


def _rank(tensor, axes: tuple[int, ...]) -> int:
    return int(measure.counted(hierarchical_measure.split_values(tensor, axes)[0].cpu().numpy(), share=NUMERICAL_ZERO))
