"""Tensor completion tasks: random targets of low tensor rank, random observations, random starts."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import rng
from offconvex.factorizations.tasks import Completion
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class TensorCompletion(Completion):
    """A tensor completion task with Gaussian components and uniform observations (razin2021implicit, Fig. 4).

    Attributes:
        shape: lengths of the axes.
        rank: number of components of the target.
        observed: number of entries seen.
        norm: Frobenius norm of the target.
        components: of the factorization that is trained; as many as all axes but the longest have entries suffice.
        weakest: targets are drawn again until their smallest component has this share of the largest: a far smaller one
            would take far longer to be learned than all others together.
    """

    shape: tuple[int, ...]
    rank: int
    observed: int
    norm: float
    components: int
    weakest: float = 0.3

    def __post_init__(self):
        entries = math.prod(self.shape)
        if len(self.shape) < 2 or min(self.shape) < 1 or min(self.rank, self.components) < 1 or not self.norm > 0:
            raise ValueError(
                "A completion task needs two or more axes, rank >= 1, components >= 1 and a positive norm; "
                f"got shape {self.shape}, rank {self.rank}, components {self.components}, norm {self.norm}."
            )
        if not 0 <= self.weakest <= 0.8:
            raise ValueError(f"`weakest` must lie in [0, 0.8], or hardly any draw passes; got {self.weakest}.")
        freedom = self.rank * (sum(self.shape) - len(self.shape) + 1)
        if not freedom <= self.observed <= entries:
            raise ValueError(
                f"A tensor of shape {self.shape} and rank {self.rank} has {freedom} degrees of freedom and {entries} "
                f"entries; `observed` must lie between the two; got {self.observed}."
            )

    @property
    def order(self) -> int:
        """Number of axes N."""
        return len(self.shape)

    def target(self, rt: Runtime, seed: int, stream: str, replicas: range) -> Float[Tensor, "{len(replicas)} ..."]:
        """Targets.

        The factors are N(0, 1) and share one scale, chosen for the target's norm, so that components keep the spread of
        products of Gaussian norms, up to `weakest`.
        """
        return torch.stack([self._draw(rt, rng.generator(seed, stream, "target", r))[0] for r in replicas])

    def target_norms(
        self, rt: Runtime, seed: int, stream: str, replicas: range
    ) -> Float[Tensor, "{len(replicas)} {self.rank}"]:
        """Norms of the targets' components in decreasing order."""
        return torch.stack([self._draw(rt, rng.generator(seed, stream, "target", r))[1] for r in replicas])

    def _draw(self, rt: Runtime, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        while True:
            factors = tensor.gaussian_factors(rt, [generator], shape=self.shape, components=self.rank, std=1.0)
            norms = tensor_measure.component_norms(factors)[0].sort(descending=True).values
            if norms[-1] >= self.weakest * norms[0]:
                plain = tensor.end_tensor(factors)[0]
                scale = self.norm / plain.norm()
                return scale * plain, scale * norms

    def start(self, rt: Runtime, seed: int, stream: str, replicas: range, *, std: float) -> tensor.Factors:
        """Gaussian factors of the given replicas."""
        generators = [rng.generator(seed, stream, "factors", r) for r in replicas]
        return tensor.gaussian_factors(rt, generators, shape=self.shape, components=self.components, std=std)


CUBE = TensorCompletion(shape=(16, 16, 16), rank=5, observed=2048, norm=64.0, components=256)
"""Figure 2 of razin2022post at its own size."""

FOURTH_ORDER = TensorCompletion(shape=(10, 10, 10, 10), rank=5, observed=2000, norm=1.0, components=1000)
"""Figure 4 of razin2021post at its own size."""
