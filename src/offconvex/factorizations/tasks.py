"""What completion tasks share, whatever is completed: a random target, uniformly observed entries, a random start."""

import math
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import rng
from offconvex.runtime import Runtime

Layers = tuple[Float[Tensor, "R ..."], ...]
"""Parameters of a factorization: layers of a product, factors of a sum, or weights of a tree, each (R, ...)."""


class Completion(Protocol):
    """A completion task: replica r has its own target, observed entries and start, each from a stream of its own.

    Attributes:
        shape: lengths of the axes.
        observed: number of entries seen.
        norm: Frobenius norm of the target.
    """

    shape: tuple[int, ...]
    observed: int
    norm: float

    def target(self, rt: Runtime, seed: int, stream: str, replicas: range) -> Float[Tensor, "{len(replicas)} ..."]:
        """Targets of the given replicas."""

    def start(self, rt: Runtime, seed: int, stream: str, replicas: range, *, std: float) -> Layers:
        """Gaussian parameters of the given replicas, every entry with standard deviation `std`."""

    def mask(self, rt: Runtime, seed: int, stream: str, replicas: range) -> Float[Tensor, "{len(replicas)} ..."]:
        """Ones at the observed entries, drawn uniformly without replacement."""
        draws = [rng.generator(seed, stream, "mask", r) for r in replicas]
        return torch.stack([uniform_mask(rt, draw, shape=self.shape, observed=self.observed) for draw in draws])

    def draw(
        self, rt: Runtime, seed: int, stream: str, replicas: range
    ) -> tuple[Float[Tensor, "{len(replicas)} ..."], Float[Tensor, "{len(replicas)} ..."]]:
        """Targets and masks of the given replicas."""
        return self.target(rt, seed, stream, replicas), self.mask(rt, seed, stream, replicas)


def uniform_mask(
    rt: Runtime, generator: torch.Generator, *, shape: tuple[int, ...], observed: int
) -> Float[Tensor, "..."]:
    """Ones at `observed` entries of one matrix or tensor, drawn uniformly without replacement, zeros elsewhere.

    Raises:
        ValueError: unless there are that many entries, and at least one.
    """
    entries = math.prod(shape)
    if not 1 <= observed <= entries:
        raise ValueError(f"`observed` must lie between 1 and {entries}, the number of entries; got {observed}.")
    mask = rt.zeros(entries)
    mask[rt.permutation(generator, entries)[:observed]] = 1
    return mask.view(shape)


def low_rank_matrix(rt: Runtime, generator: torch.Generator, *, size: int, rank: int) -> Float[Tensor, "{size} {size}"]:
    """Random target U V^T with Gaussian factors (size, rank), rescaled to Frobenius norm `size`, (size, size).

    Its entries then have mean square one, so the squared relative error is the mean squared error over all entries
    (arora2019implicit and razin2022implicit, code).

    Raises:
        ValueError: unless 1 <= rank <= size.
    """
    if not 1 <= rank <= size:
        raise ValueError(f"`rank` must lie between 1 and `size`; got rank {rank} for size {size}.")
    left, right = rt.normal(generator, 2, size, rank)
    product = left @ right.mT
    return product * (size / product.norm())
