"""Low-rank targets and the masks of their observed entries."""

import torch

from offconvex.runtime import Runtime


def low_rank_matrix(rt: Runtime, generator: torch.Generator, *, size: int, rank: int) -> torch.Tensor:
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


def observation_mask(rt: Runtime, generator: torch.Generator, *, size: int, observed: int) -> torch.Tensor:
    """Ones at `observed` entries of a (size, size) matrix drawn uniformly without replacement, zeros elsewhere.

    Raises:
        ValueError: unless 1 <= observed <= size^2.
    """
    if not 1 <= observed <= size**2:
        raise ValueError(
            f"`observed` must lie between 1 and size^2 = {size**2}, the number of entries; got {observed}."
        )
    mask = rt.zeros(size * size)
    mask[rt.permutation(generator, size * size)[:observed]] = 1
    return mask.reshape(size, size)
