"""Nuclear norm minimization under exact observations, the convex rival of matrix factorization."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class NuclearNormSolution:
    """Feasible matrices of least nuclear norm, with their certificate.

    Attributes:
        product: (R, n, n') matrices that agree with the observations exactly.
        nuclear_norm: (R,) sums of their singular values.
        gap: (R,) relative duality gap: no feasible matrix has a nuclear norm below (1 - gap) of this one.
        iterations: steps taken.
    """

    product: torch.Tensor
    nuclear_norm: torch.Tensor
    gap: torch.Tensor
    iterations: int


def minimize_nuclear_norm(
    target: Float[Tensor, "R n m"],
    mask: Float[Tensor, "R n m"],
    *,
    tolerance: float = 1e-6,
    iterations: int = 2000,
) -> NuclearNormSolution:
    """Least nuclear norm among matrices that equal `target` where `mask` is one, by ADMM.

    Splits |Z|_* + [X fits] with X = Z: project on the observations, soft-threshold the singular values, add up the
    difference. The running multiplier is also a dual point, Y supported on the observations with operator norm at most
    one, and <Y, T> bounds the optimum from below. The iteration stops when that bound is met, or after `iterations`
    steps: the gap that is returned says how good the result is, whatever stopped it.

    Args:
        target: (R, n, n').
        mask: ones at the observed entries, shaped like the target.
        tolerance: relative duality gap to stop at.
        iterations: most steps.

    Raises:
        ValueError: if the shapes differ, or no step is allowed.
    """
    if target.shape != mask.shape or target.ndim != 3:
        raise ValueError(
            f"`target` and `mask` must share one shape (R, n, n'); got {tuple(target.shape)}, {tuple(mask.shape)}."
        )
    if iterations < 1:
        raise ValueError(f"`iterations` must be at least 1; got {iterations}.")
    seen = mask > 0
    low_rank, excess = mask * target, torch.zeros_like(target)
    # Steps scale with the data: a tenth of the largest singular value seen balances both halves of the iteration.
    threshold = 0.15 * torch.linalg.matrix_norm(low_rank, 2)[:, None]
    for iteration in range(1, iterations + 1):
        product = torch.where(seen, target, low_rank - excess)
        left, values, right = torch.linalg.svd(product + excess, full_matrices=False)
        low_rank = (left * (values - threshold).clamp_min(0)[:, None, :]) @ right
        excess = excess + product - low_rank
        if iteration % 25 == 0 or iteration == iterations:
            solution = _certify(target, seen, low_rank, excess / threshold[:, :, None], iteration)
            if bool((solution.gap <= tolerance).all()):
                break
    return solution


def _certify(
    target: torch.Tensor, seen: torch.Tensor, low_rank: torch.Tensor, multiplier: torch.Tensor, iteration: int
) -> NuclearNormSolution:
    feasible = torch.where(seen, target, low_rank)
    primal = torch.linalg.svdvals(feasible).sum(1)
    dual = torch.where(seen, multiplier, torch.zeros_like(multiplier))
    size = torch.linalg.matrix_norm(dual, 2).clamp_min(1)
    bound = (dual * target).sum((1, 2)) / size
    return NuclearNormSolution(feasible, primal, (primal - bound) / primal, iteration)
