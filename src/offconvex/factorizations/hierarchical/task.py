"""Tensor completion with targets of low hierarchical tensor rank."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import rng
from offconvex.factorizations.hierarchical import measure as hierarchical_measure
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.tasks import Completion
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class TreeCompletion(Completion):
    """A completion task whose target is itself a hierarchical factorization (razin2022implicit, experiments).

    Attributes:
        nested: the mode tree of target and trained factorization, as nested tuples of axes.
        length: of every axis.
        rank: number of local components at every node of the target.
        observed: number of entries seen.
        norm: Frobenius norm of the target.
        width: number of local components at every node of the factorization that is trained.
        spread: targets are drawn again until, at every split of the axes that the root makes, the `rank` leading
            singular values lie within this factor of each other. Random targets are ill-conditioned, and what is a
            hundred times smaller takes far longer than everything else together. Infinity takes every draw.
    """

    nested: hierarchical.Nested = hierarchical.BINARY_4
    length: int = 8
    rank: int = 5
    observed: int = 2048
    norm: float = 64.0
    width: int = 64
    spread: float = 30.0

    def __post_init__(self):
        entries = self.length**self.tree.order
        if min(self.length, self.rank, self.width) < 1 or not self.norm > 0:
            raise ValueError(
                "A completion task needs length, rank and width >= 1 and a positive norm; "
                f"got {self.length}, {self.rank}, {self.width} and {self.norm}."
            )
        if not self.spread >= 5:
            raise ValueError(f"`spread` must be at least 5, or hardly any draw passes; got {self.spread}.")
        shapes = hierarchical.weight_shapes(self.tree, self.shape, self.rank)
        parameters = sum(rows * columns for rows, columns in shapes)
        if not min(parameters, entries) <= self.observed <= entries:
            raise ValueError(
                f"A target of rank {self.rank} has {parameters} parameters and the tensor {entries} entries; "
                f"`observed` must lie between the two; got {self.observed}."
            )

    @property
    def tree(self) -> hierarchical.ModeTree:
        """The mode tree."""
        return hierarchical.mode_tree(self.nested)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return (self.length,) * hierarchical.mode_tree(self.nested).order

    def target(self, rt: Runtime, seed: int, stream: str, replicas: range) -> Float[Tensor, "{len(replicas)} ..."]:
        """Targets, from weights N(0, 1), rescaled to the norm."""
        return torch.cat([self._draw(rt, rng.generator(seed, stream, "target", r)) for r in replicas])

    def _draw(self, rt: Runtime, generator: torch.Generator) -> torch.Tensor:
        tree = self.tree
        while True:
            weights = hierarchical.gaussian_weights(
                rt, [generator], tree=tree, shape=self.shape, width=self.rank, std=1.0
            )
            tensor = hierarchical.end_tensor(tree, weights)
            splits = [hierarchical_measure.split_values(tensor, tree.nodes[c].axes)[0] for c in tree.nodes[-1].children]
            if all(values[min(self.rank, len(values)) - 1] * self.spread >= values[0] for values in splits):
                return tensor * (self.norm / tensor.norm())

    def start(self, rt: Runtime, seed: int, stream: str, replicas: range, *, std: float) -> hierarchical.Weights:
        """Gaussian weights of the given replicas."""
        generators = [rng.generator(seed, stream, "weights", r) for r in replicas]
        return hierarchical.gaussian_weights(
            rt, generators, tree=self.tree, shape=self.shape, width=self.width, std=std
        )
