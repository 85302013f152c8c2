"""Which of the tensors that agree with the observed entries is found: the size of the start decides."""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import rng
from offconvex.factorizations.hierarchical import measure as hierarchical_measure
from offconvex.locality.bridge import neighbors
from offconvex.locality.bridge.neighbors import Neighbors
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class Choice:
    """One task, two starts.

    Attributes:
        base: the task, and how it is learned; its start is not used.
        fraction: of the entries that are observed. With 4096 entries and an eighth of them, the tensor of root rank one
            has far fewer degrees of freedom than there are observations, and a tree of this width has more.
        small: standard deviation of the small start.
        large: of the large one.
        extra: entries that the other tensor which fits has beside the first, so many root ranks more.
    """

    base: Neighbors = field(default_factory=lambda: Neighbors(finish_steps=300))
    fraction: float = 0.125
    small: float = 3e-2
    large: float = 0.3
    extra: int = 8

    def __post_init__(self):
        if not 0 < self.fraction < 1 or not 0 < self.small < self.large or self.extra < 1:
            raise ValueError(
                "A choice needs `fraction` in (0, 1), starts 0 < `small` < `large` and `extra` >= 1; "
                f"got {self.fraction}, {self.small}, {self.large} and {self.extra}."
            )


@dataclass(frozen=True)
class Chosen:
    """What both starts lead to, one number a replica, and the tensor that neither has to avoid.

    Attributes:
        small: from the small start.
        large: from the large start.
        small_values: (R, D) singular values across 01|23 from the small start.
        large_values: (R, D) from the large start.
        other_rank: (R,) numerical rank across 01|23 of a tensor of high rank that agrees with the observed entries.
        other_error: (R,) its relative error on them.
    """

    small: neighbors.Completed
    large: neighbors.Completed
    small_values: np.ndarray
    large_values: np.ndarray
    other_rank: np.ndarray
    other_error: np.ndarray


def other_fit(
    target: Float[Tensor, "1 d d d d"], mask: Float[Tensor, "1 d d d d"], extra: int, generator: torch.Generator
) -> Float[Tensor, "1 d d d d"]:
    """The target plus `extra` unobserved entries, no two in a row or a column of the matrix 01|23: as many ranks more.

    A tree expresses it with `extra` more components at every node than the target needs.

    Raises:
        ValueError: if the observed entries leave no such places.
    """
    matrix = hierarchical_measure.matricization(mask, (0, 1))[0]
    free, places = torch.ones_like(matrix[0], dtype=torch.bool), []
    for row in torch.randperm(len(matrix), generator=generator, device="cpu").tolist():
        columns = ((matrix[row] == 0) & free).nonzero().flatten()
        if len(columns) and len(places) < extra:
            free[columns[0]] = False
            places.append((row, int(columns[0])))
    if len(places) < extra:
        raise ValueError(f"Only {len(places)} unobserved entries share no row and no column; `extra` asks for {extra}.")
    other = hierarchical_measure.matricization(target, (0, 1)).clone()
    for row, column in places:
        other[0, row, column] += target.norm() / extra**0.5
    return other.view(target.shape)


def choose(config: Choice, rt: Runtime, seed: int, replicas: range) -> Chosen:
    """Complete the same tensors from the same entries, from both starts side by side."""
    base, count = config.base, len(replicas)
    targets, masks = neighbors.draw(base, rt, seed, neighbors.NEAR, config.fraction, replicas)
    starts = [
        neighbors.gaussian_start(base, rt, seed, ("choice",), replicas, std=std) for std in (config.small, config.large)
    ]
    start = tuple(torch.cat(weights) for weights in zip(*starts))
    found = neighbors.complete(base, torch.cat([targets] * 2), torch.cat([masks] * 2), start).split(count)
    values = [hierarchical_measure.split_values(each, (0, 1)).cpu().numpy() for each in found]
    generators = [rng.generator(seed, "choice", "other", r) for r in replicas]
    pairs = zip(targets.split(1), masks.split(1), generators)
    others = torch.cat([other_fit(target, mask, config.extra, each) for target, mask, each in pairs])
    spectra = hierarchical_measure.split_values(others, (0, 1))
    return Chosen(
        *(neighbors.measured(each, targets, masks) for each in found),
        *values,
        other_rank=(spectra > 1e-10 * spectra[:, :1]).sum(1).cpu().numpy(),
        other_error=neighbors.measured(others, targets, masks).observed,
    )
