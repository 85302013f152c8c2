"""CP factorizations of very high order with two values a mode, evaluated exactly in the log domain.

A predictor of N binary inputs is a tensor of order N with modes of length two, f(x) = sum_r prod_n w_r^n[x_n]. Weights
are (P, R, 2, N): P independent predictors of R components, the factors of value 0 and of value 1 for each of N modes.
All predictors read the same inputs, so that their P R products over the modes are one matrix product.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.runtime import Runtime

SMALLEST = 1e-12
"""Closest to zero that a factor is taken to be: its product's gradient is the product divided by the factor."""


def ones_start(
    rt: Runtime, generators: list[torch.Generator], *, components: int, modes: int, std: float = 1e-3
) -> Float[Tensor, "{len(generators)} {components} 2 {modes}"]:
    """Weights 1 + std * N(0, 1), one generator per predictor (razin2021implicit, code).

    The mean is one because a product of hundreds of factors of any other size vanishes or overflows at the start.

    Raises:
        ValueError: if a size is below 1 or std is not positive.
    """
    if components < 1 or modes < 1 or not std > 0:
        raise ValueError(
            "Weights need components >= 1, modes >= 1 and std > 0, since equal components would stay equal; "
            f"got {components}, {modes} and {std}."
        )
    return torch.stack([1 + std * rt.normal(g, components, 2, modes) for g in generators])


def products(
    weights: Float[Tensor, "P components 2 N"], inputs: Float[Tensor, "n N"]
) -> Float[Tensor, "n P components"]:
    """Every component's product over the modes, prod_n w_r^n[x_n], at every input.

    log|product| = sum_n log|w^n[0]| + sum_n x_n log|w^n[1] / w^n[0]| is one matrix product, and the sign is the parity
    of the number of negative factors, another one, taken only for components that have any.

    Args:
        weights: of the predictors.
        inputs: zeros and ones, in the weights' type.

    Raises:
        ValueError: if the shapes do not belong together.
    """
    if weights.ndim != 4 or weights.shape[2] != 2 or inputs.ndim != 2 or inputs.shape[1] != weights.shape[3]:
        raise ValueError(
            f"Expected weights (P, R, 2, N) and inputs (n, N); got {tuple(weights.shape)} and {tuple(inputs.shape)}."
        )
    flat = weights.flatten(0, 1)
    logs = flat.abs().clamp_min(SMALLEST).log()
    value = torch.addmm(logs[:, 0].sum(-1), inputs, (logs[:, 1] - logs[:, 0]).mT).exp_()
    negative = flat < 0
    rows = negative.any(-1).any(-1).nonzero().flatten()
    if len(rows):
        counts = negative[rows].to(inputs)
        flips = torch.addmm(counts[:, 0].sum(-1), inputs, (counts[:, 1] - counts[:, 0]).mT)
        # Counts are whole numbers far below 2^24, so their parity is exact in float32.
        value[:, rows] *= flips.remainder_(2).mul_(-2).add_(1)
    return value.view(len(inputs), *weights.shape[:2])


def predictions(weights: Float[Tensor, "P components 2 N"], inputs: Float[Tensor, "n N"]) -> Float[Tensor, "n P"]:
    """Values of the P predictors at n inputs."""
    return products(weights, inputs).sum(-1)


def squared_error_gradient(
    weights: Float[Tensor, "P components 2 N"], inputs: Float[Tensor, "n N"], targets: Float[Tensor, "n P"]
) -> tuple[Float[Tensor, " P"], Float[Tensor, "P components 2 N"]]:
    """Mean squared error of each predictor over a batch, and its gradient by hand.

    With c_i = (2 / n) (f(x_i) - y_i) prod_r(x_i), d/dw_r^n[1] = sum_i c_i x_in / w_r^n[1], and d/dw_r^n[0] takes the
    rest of sum_i c_i: one matrix product for all modes, where the plain product rule needs a product of N - 1 factors
    for each mode.

    Args:
        weights: of the predictors.
        inputs: zeros and ones.
        targets: of the predictors.
    """
    value = products(weights, inputs)
    residual = value.sum(-1).sub_(targets)
    loss = residual.square().mean(0)
    value.mul_((2 / len(inputs) * residual).unsqueeze(-1))
    weighted = value.flatten(1)
    ones = (weighted.mT @ inputs).view(weights.shape[0], weights.shape[1], -1)
    rest = weighted.sum(0).view(weights.shape[:2]).unsqueeze(-1) - ones
    size = weights.abs().clamp_min(SMALLEST).copysign(weights)
    return loss, torch.stack((rest, ones), 2).div_(size)
