"""From factors and gradients to numbers: component norms, their growth, imbalance, errors.

Written for any factors (B, d_n, R) whose columns multiply up to components, such as those of a CP factorization or the
vectors around one node of a hierarchical one.
"""

from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.factorizations.tensor.model import Factors, as_matrix, khatri_rao, split_order


def vector_norms(factors: Factors) -> Float[Tensor, "R axes components"]:
    """|w_r^n| for every axis n and component r, (B, N, R)."""
    return torch.stack([torch.linalg.vector_norm(f, dim=1) for f in factors], dim=1)


def component_norms(factors: Factors) -> Float[Tensor, "R components"]:
    """sigma_r = prod_n |w_r^n|, the Frobenius norm of each component, (B, R)."""
    return vector_norms(factors).prod(1)


def growth_projections(factors: Factors, gradients: Factors) -> dict[str, Float[Tensor, "R components"]]:
    """sigma_r and gamma_r = <-G, C_r> for every component, each (B, R), with C_r the component scaled to norm one.

    Any factor's gradient gives them: <w_r^n, dloss/dw_r^n> = sigma_r <G, C_r> for every n.
    """
    norms = component_norms(factors)
    pull = -(factors[0] * gradients[0]).sum(1)
    # A component of norm zero has no direction, and no pull either.
    return {"norms": norms, "projections": pull / norms.clamp_min(torch.finfo(norms.dtype).tiny)}


def imbalance(factors: Factors) -> Float[Tensor, "R gaps components"]:
    """|w_r^n|^2 - |w_r^1|^2 for n = 2, ..., N, (B, N - 1, R): constant along gradient flow (razin2021implicit)."""
    squares = vector_norms(factors).square()
    return squares[:, 1:] - squares[:, :1]


def merged_norms(factors: Factors, count: int, *, cosine: float = 0.9) -> Float[Tensor, "R {count}"]:
    """The `count` largest component norms in decreasing order, split components counted as one, (B, count).

    Components that are parallel on all axes but one add up to a single outer product: only their sum is determined, and
    descent may keep the parts for long. Going down from the largest, each component takes in those of the ten times
    `count` largest whose vectors have a cosine of at least `cosine` with its own, up to sign, on all axes but one; the
    norm is that of their sum.

    Raises:
        ValueError: unless 0 < cosine <= 1 and there are at least `count` components.
    """
    if not 0 < cosine <= 1 or not 1 <= count <= factors[0].shape[2]:
        raise ValueError(
            f"Merging needs 0 < cosine <= 1 and 1 <= count <= {factors[0].shape[2]}, the number of components; "
            f"got {cosine} and {count}."
        )
    return torch.stack([_merged(tuple(f[b] for f in factors), count, cosine) for b in range(factors[0].shape[0])])


def _merged(factors: tuple[Tensor, ...], count: int, cosine: float) -> torch.Tensor:
    norms = component_norms(tuple(f[None] for f in factors))[0]
    largest = norms.argsort(descending=True)[: 10 * count]
    norms = norms[largest]
    vectors = [f[:, largest] for f in factors]
    inner = torch.stack([v.mT @ v for v in vectors]).prod(0)
    units = [torch.nn.functional.normalize(v, dim=0) for v in vectors]
    cosines = torch.stack([(u.mT @ u).abs() for u in units])
    close = cosines.sort(0).values[1] >= cosine
    free = torch.ones_like(norms, dtype=torch.bool)
    merged = torch.zeros_like(norms)
    for r in range(len(norms)):
        group = close[r] & free
        if free[r]:
            merged[r] = inner[group][:, group].sum().clamp_min(0).sqrt()
            free &= ~group
    return merged.sort(descending=True).values[:count]


def observed_shares(factors: Factors, mask: Float[Tensor, "#R ..."]) -> Float[Tensor, "R components"]:
    """Share of each component's squared norm that lies on the observed entries, (B, R).

    About the observed fraction for a component that is spread over the tensor; near one or zero for one that observed
    entries alone, or hidden ones alone, have shaped.

    Args:
        factors: (B, d_n, R) each, no component zero.
        mask: ones at the observed entries, (B, d_1, ..., d_N).
    """
    cut = split_order(len(factors))
    units = [torch.nn.functional.normalize(f, dim=1).square() for f in factors]
    rows, columns = reduce(khatri_rao, units[:cut]), reduce(khatri_rao, units[cut:])
    return (rows * (as_matrix(mask) @ columns)).sum(1)
