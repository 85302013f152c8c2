"""Nuclear norm minimization under exact observations, the convex rival of matrix factorization."""

from dataclasses import dataclass

import torch


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
    target: torch.Tensor,
    mask: torch.Tensor,
    *,
    threshold: float = 2.0,
    tolerance: float = 1e-6,
    iterations: int = 3000,
) -> NuclearNormSolution:
    """Least nuclear norm among matrices that equal `target` where `mask` is one, by ADMM.

    Splits |Z|_* + [X fits] with X = Z: project on the observations, soft-threshold the singular values, add up the
    difference. The running multiplier is also a dual point, Y supported on the observations with operator norm at most
    one, and <Y, T> bounds the optimum from below; the iteration stops when that bound is met.

    Args:
        target: (R, n, n').
        mask: ones at the observed entries, shaped like the target.
        threshold: soft threshold on singular values, the inverse penalty; about a tenth of the smallest that matters.
        tolerance: relative duality gap to stop at.
        iterations: most steps.

    Raises:
        ValueError: if the shapes differ.
        FloatingPointError: if the gap is still open after `iterations` steps.
    """
    if target.shape != mask.shape or target.ndim != 3:
        raise ValueError(
            f"`target` and `mask` must share one shape (R, n, n'); got {tuple(target.shape)}, {tuple(mask.shape)}."
        )
    seen = mask > 0
    low_rank, excess = mask * target, torch.zeros_like(target)
    for iteration in range(1, iterations + 1):
        product = torch.where(seen, target, low_rank - excess)
        left, values, right = torch.linalg.svd(product + excess, full_matrices=False)
        low_rank = (left * (values - threshold).clamp_min(0)[:, None, :]) @ right
        excess = excess + product - low_rank
        if iteration % 25 == 0:
            solution = _certify(target, seen, low_rank, excess / threshold, iteration)
            if bool((solution.gap <= tolerance).all()):
                return solution
    worst = solution.gap.max().item() if iterations >= 25 else float("inf")
    raise FloatingPointError(
        f"Nuclear norm minimization stopped after {iterations} steps at a relative gap of {worst:.2g}, above "
        f"{tolerance:.2g}; allow more iterations or change the threshold."
    )


def _certify(
    target: torch.Tensor, seen: torch.Tensor, low_rank: torch.Tensor, multiplier: torch.Tensor, iteration: int
) -> NuclearNormSolution:
    feasible = torch.where(seen, target, low_rank)
    primal = torch.linalg.svdvals(feasible).sum(1)
    dual = torch.where(seen, multiplier, torch.zeros_like(multiplier))
    size = torch.linalg.matrix_norm(dual, 2).clamp_min(1)
    bound = (dual * target).sum((1, 2)) / size
    return NuclearNormSolution(feasible, primal, (primal - bound) / primal, iteration)
