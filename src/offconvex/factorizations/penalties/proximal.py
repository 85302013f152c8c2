"""Completion by soft-thresholding of singular values: the convex rival to its optimum, the ratio to a local one."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class SoftImputed:
    """Minimizers along a path of thresholds.

    Attributes:
        products: (K, R, n, n') one matrix a threshold.
        gaps: (K, R) relative duality gap of each: its objective exceeds the optimum by at most this share.
        iterations: thresholdings taken in all.
    """

    products: torch.Tensor
    gaps: torch.Tensor
    iterations: int


def soft_impute(
    target: Float[Tensor, "R n m"],
    mask: Float[Tensor, "R n m"],
    thresholds: list[float],
    *,
    tolerance: float = 1e-4,
    iterations: int = 500,
) -> SoftImputed:
    """Minimize (1/2) sum_observed (W - T)^2 + tau |W|_* for each tau in turn (mazumder2010spectral).

    Each path starts from the last solution: W <- S_tau(W + P(T - W)), where P keeps the observed entries and S_tau
    soft-thresholds singular values; with Nesterov's momentum, restarted where it points uphill. It stops at the
    duality gap, so the result does not depend on the algorithm.

    Args:
        target: T.
        mask: ones at the observed entries.
        thresholds: tau, positive; decreasing ones make the warm starts good.
        tolerance: relative duality gap to stop at.
        iterations: most thresholdings for each tau.

    Raises:
        ValueError: if the shapes differ or a threshold is not positive.
    """
    if target.shape != mask.shape or target.ndim != 3 or not all(tau > 0 for tau in thresholds):
        raise ValueError(
            "`target` and `mask` must share one shape (R, n, n') and thresholds be positive; "
            f"got {tuple(target.shape)}, {tuple(mask.shape)} and {thresholds}."
        )
    seen = mask * target
    current, products, gaps, taken = torch.zeros_like(target), [], [], 0
    for tau in thresholds:
        ahead, momentum, levels = current, 1.0, torch.full_like(target[:, 0, 0], tau)
        for iteration in range(1, iterations + 1):
            new, _ = soft_threshold(ahead + seen - mask * ahead, levels)
            following = 0.5 * (1 + (1 + 4 * momentum**2) ** 0.5)
            uphill = ((ahead - new) * (new - current)).sum((1, 2), keepdim=True) > 0
            push = torch.where(uphill, 0.0, (momentum - 1) / following)
            ahead, current, momentum = new + push * (new - current), new, 1.0 if bool(uphill.all()) else following
            if iteration % 10 == 0 or iteration == iterations:
                gap = duality_gap(seen, mask, current, tau)
                if bool((gap <= tolerance).all()):
                    break
        taken += iteration
        products.append(current)
        gaps.append(gap)
    return SoftImputed(torch.stack(products), torch.stack(gaps), taken)


def proximal_ratio(
    target: Float[Tensor, "R n m"],
    mask: Float[Tensor, "R n m"],
    start: Float[Tensor, "R n m"],
    weight: float,
    iterations: int,
) -> Float[Tensor, "R n m"]:
    """Descend mean squared error + weight |W|_* / |W|_F by accelerated proximal steps from `start`.

    A gradient step of size m / 2 on the error and on the smooth part of the ratio, - |W|_* W / |W|_F^3, then the
    proximal map of the rest, soft-thresholding by m weight / (2 |W|_F). One common step for all entries, as in gradient
    descent, but small singular values become exactly zero instead of chattering around it.

    Args:
        target: what is seen of it.
        mask: ones at the observed entries.
        start: not zero.
        weight: lambda, positive.
        iterations: number of steps.

    Raises:
        ValueError: if the weight or the start is zero, where the ratio has no gradient.
    """
    size = torch.linalg.matrix_norm(start)
    if not weight > 0 or not bool((size > 0).all()):
        raise ValueError("The ratio needs a positive weight and a start that is not zero.")
    half = mask.sum((1, 2)) / 2
    values = torch.linalg.svdvals(start)
    current = ahead = start
    momentum = 1.0
    for _ in range(iterations):
        size, total = values.norm(dim=1), values.sum(1)
        growth = (half * weight * total / size**3)[:, None, None]
        new, values = soft_threshold(ahead + mask * (target - ahead) + growth * ahead, half * weight / size)
        following = 0.5 * (1 + (1 + 4 * momentum**2) ** 0.5)
        uphill = ((ahead - new) * (new - current)).sum((1, 2), keepdim=True) > 0
        push = torch.where(uphill, 0.0, (momentum - 1) / following)
        ahead, current, momentum = new + push * (new - current), new, 1.0 if bool(uphill.any()) else following
    return current


def soft_threshold(
    matrix: Float[Tensor, "R n m"], tau: Float[Tensor, " R"]
) -> tuple[Float[Tensor, "R n m"], Float[Tensor, "R r"]]:
    """Matrices with singular values max(sigma - tau, 0), and these values; tau is positive.

    By the smaller of their Gram matrices, which blurs only values below 1e-8 of the largest.
    """
    wide = matrix.shape[1] < matrix.shape[2]
    tall = matrix.mT if wide else matrix
    squares, right = torch.linalg.eigh(tall.mT @ tall)
    values, tau = squares.clamp_min(0).sqrt(), tau[:, None]
    kept = 1 - tau / torch.maximum(values, tau)
    out = tall @ ((right * kept[:, None, :]) @ right.mT)
    return out.mT if wide else out, (values - tau).clamp_min(0)


def duality_gap(
    seen: Float[Tensor, "R n m"], mask: Float[Tensor, "R n m"], product: Float[Tensor, "R n m"], tau: float
) -> Float[Tensor, " R"]:
    """Relative gap between the objective at W and the dual value of its scaled residual.

    Any Y on the observed entries with operator norm at most tau bounds the optimum from below by <Y, T> - |Y|_F^2 / 2.
    """
    residual = seen - mask * product
    values = torch.linalg.svdvals(torch.stack([residual, product]))
    primal = 0.5 * residual.square().sum((1, 2)) + tau * values[1].sum(1)
    dual = residual * (tau / values[0, :, 0].clamp_min(tau))[:, None, None]
    bound = (dual * seen).sum((1, 2)) - 0.5 * dual.square().sum((1, 2))
    return (primal - bound) / primal
