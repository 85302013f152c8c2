"""Learners of low-rank polynomials: ridge regression with a kernel, and a quadratic model of least nuclear norm."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class LeastNuclear:
    """Symmetric matrices of least nuclear norm among those that fit, and how far the iteration was from done.

    Attributes:
        matrix: (R, D, D).
        misfit: (R,) norm of the error on the samples over the norm of the labels.
        gap: (R,) relative duality gap: no fitting matrix has a nuclear norm below (1 - gap) of this one.
        iterations: steps taken.
    """

    matrix: torch.Tensor
    misfit: torch.Tensor
    gap: torch.Tensor
    iterations: int


def least_nuclear(
    features: Float[Tensor, "R n h"],
    labels: Float[Tensor, "R n"],
    *,
    tolerance: float = 1e-3,
    iterations: int = 3000,
) -> LeastNuclear:
    """Least nuclear norm of symmetric M with h_i^T M h_i = y_i: the bias of a decayed quadratic Taylor model.

    A two-layer quadratic model sum_r a_r (w_r^T h)^2 with penalty sum_r |w_r|^2 has this norm as its least penalty,
    since M = sum_r a_r w_r w_r^T costs at least its nuclear norm and its eigenvectors reach it; ADMM finds the minimum
    without the detour. It projects on the samples (M + A*(A A*)^-1 (y - A M), with (A A*)_ij = (h_i^T h_j)^2),
    thresholds eigenvalues, and adds up the difference. The multiplier, projected on the range of A*, is a dual point.

    Args:
        features: of the samples.
        labels: one a sample.
        tolerance: duality gap to stop at.
        iterations: most steps.

    Raises:
        ValueError: if the shapes do not fit.
    """
    if features.ndim != 3 or labels.shape != features.shape[:2]:
        raise ValueError(
            f"`features` must be (R, n, D) and `labels` (R, n); got {tuple(features.shape)} and {tuple(labels.shape)}."
        )
    gram = (features @ features.mT).square()
    # Where samples outnumber the space of quadratic forms the system is singular but consistent; the smallest ridge
    # that double precision notices keeps its factorization alive.
    ridge = 1e-11 * torch.diagonal(gram, dim1=1, dim2=2).mean(1)
    factor = torch.linalg.cholesky(
        gram + ridge[:, None, None] * torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    )
    pulled = _pull(features, _solve(factor, labels))
    low, excess = pulled, torch.zeros_like(pulled)
    threshold = 0.3 * torch.linalg.matrix_norm(pulled, 2)[:, None]
    for iteration in range(1, iterations + 1):
        product = low - excess
        product = product + _pull(features, _solve(factor, labels - _push(features, product)))
        values, vectors = torch.linalg.eigh(product + excess)
        shrunk = values.sign() * (values.abs() - threshold).clamp_min(0)
        low = (vectors * shrunk[:, None]) @ vectors.mT
        excess = excess + product - low
        if iteration % 20 == 0 or iteration == iterations:
            nuclear = torch.linalg.eigvalsh(product).abs().sum(1)
            weights = _solve(factor, _push(features, excess))
            size = torch.linalg.matrix_norm(_pull(features, weights), 2)
            gap = 1 - (weights * labels).sum(1) / size / nuclear
            if bool((gap <= tolerance).all()):
                break
    misfit = (_push(features, product) - labels).norm(dim=1) / labels.norm(dim=1)
    return LeastNuclear(product, misfit, gap, iteration)


def quadratic_values(matrix: Float[Tensor, "... h h"], features: Float[Tensor, "... n h"]) -> Float[Tensor, "... n"]:
    """h^T M h for each sample."""
    return _push(features, matrix)


def kernel_fit(
    kernel: Float[Tensor, "R n n"],
    across: Float[Tensor, "R t n"],
    labels: Float[Tensor, "R n"],
    *,
    ridge: float = 1e-10,
) -> Float[Tensor, "R t"]:
    """Predictions of kernel ridge regression.

    Args:
        kernel: between samples.
        across: between test points and samples.
        labels: of the samples.
        ridge: added to the diagonal, as a share of its mean; tiny, so that samples are interpolated.
    """
    size = kernel.shape[1]
    scale = ridge * torch.diagonal(kernel, dim1=1, dim2=2).mean(1)
    factor = torch.linalg.cholesky(
        kernel + scale[:, None, None] * torch.eye(size, dtype=kernel.dtype, device=kernel.device)
    )
    return (across @ _solve(factor, labels)[..., None])[..., 0]


def even_kernel(left: Float[Tensor, "n d"], right: Float[Tensor, "m d"], degree: int) -> Float[Tensor, "n m"]:
    """Inner-product kernel sum of t^j over even j up to `degree`, t = <x, x'> / d: it spans the even polynomials."""
    square = (left @ right.mT / left.shape[-1]).square()
    return sum(square**j for j in range(degree // 2 + 1))


def tangent_kernel(left: Float[Tensor, "n d"], right: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """Infinite-width tangent kernel of two-layer ReLU nets with trained bottom layer, <x, x'> (pi - angle) / 2 pi."""
    inner = left @ right.mT
    norms = left.norm(dim=-1)[..., :, None] * right.norm(dim=-1)[..., None, :]
    angle = torch.arccos((inner / norms).clamp(-1, 1))
    return inner * (torch.pi - angle) / (2 * torch.pi)


def _push(features: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    return ((features @ matrix) * features).sum(-1)


def _pull(features: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return (features * weights[..., None]).mT @ features


def _solve(factor: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    return torch.cholesky_solve(right[..., None], factor)[..., 0]
