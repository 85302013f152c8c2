"""Fits predictors of fixed tensor rank to labelled binary inputs: Adam on whitened logarithms, then on the factors.

Everything is float32: a fit is judged by its error, and no theorem is tested with it.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from offconvex.factorizations.tensor.binary import predictions, squared_error_gradient
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class FitSettings:
    """Settings of one fit.

    Adam on the factors alone needs very many small steps (razin2021implicit, code: 120,000): a factor shared by most
    inputs, such as that of a corner pixel, moves every output at once. In coordinates in which the inputs are centered
    and whitened all directions are alike, and a fit comes within a few hundred steps. These coordinates are logarithms
    and cannot reach zero, so the last steps are taken on the factors.

    Attributes:
        log_steps: steps on the whitened logarithms.
        factor_steps: steps on the factors, from where the former ended.
        batch: inputs a step, drawn without replacement until all have been seen.
        log_rate: largest rate of Adam on the logarithms; both rates rise over a few steps and fall like a cosine.
        factor_rate: largest rate of Adam on the factors.
        ridge: added to the inputs' covariance, whose directions without variance must not be amplified.
        spread: standard deviation of the first whitened logarithms, which sets the components apart.
    """

    log_steps: int = 2000
    factor_steps: int = 1000
    batch: int = 5000
    log_rate: float = 3e-3
    factor_rate: float = 1e-3
    ridge: float = 0.1
    spread: float = 1e-2

    def __post_init__(self):
        if self.log_steps < 0 or self.factor_steps < 0 or self.batch < 1:
            raise ValueError(
                "A fit needs log_steps >= 0, factor_steps >= 0 and batch >= 1; "
                f"got {self.log_steps}, {self.factor_steps} and {self.batch}."
            )
        if not min(self.log_rate, self.factor_rate, self.ridge, self.spread) > 0:
            raise ValueError(
                "A fit needs positive rates, ridge and spread; "
                f"got {self.log_rate}, {self.factor_rate}, {self.ridge} and {self.spread}."
            )


@dataclass(frozen=True)
class Whitening:
    """Coordinates (phi, b) of components prod_n w^n[x_n] = +- exp(b + phi . S (x - mean)).

    Attributes:
        mean: (N,) mean of the inputs.
        root: (N, N) symmetric S = (Cov + ridge I)^(-1/2).
        signs: (R,) sign of each component, which logarithms cannot change.
    """

    mean: torch.Tensor
    root: torch.Tensor
    signs: torch.Tensor

    def factors(
        self, phi: Float[Tensor, "P components N"], b: Float[Tensor, "P components"]
    ) -> Float[Tensor, "P components 2 N"]:
        """Weights of coordinates phi and b; the scale is spread evenly over the modes."""
        half = 0.5 * phi @ self.root
        scale = (b - 2 * (half @ self.mean) + half.sum(-1)) / half.shape[-1]
        weights = torch.stack((scale.unsqueeze(-1) - half, scale.unsqueeze(-1) + half), 2).exp()
        return torch.cat((weights[..., :1] * self.signs.view(1, -1, 1, 1), weights[..., 1:]), -1)


def whitening(inputs: Shaped[Tensor, "n N"], *, components: int, ridge: float, rt: Runtime) -> Whitening:
    """Coordinates for inputs; components alternate in sign, so that a sum can also subtract."""
    # Sums of zeros and ones in float32 stay exact up to 2^24, far above any number of inputs here.
    total = rt.zeros(inputs.shape[1], inputs.shape[1])
    for block in inputs.split(10_000):
        values = block.to(rt.dtype)
        total.addmm_(values.mT, values)
    second = total.double() / len(inputs)
    mean = second.diagonal()
    values, vectors = torch.linalg.eigh(second - mean.outer(mean))
    root = (vectors * (values.clamp_min(0) + ridge).rsqrt()) @ vectors.mT
    signs = rt.zeros(components) + 1
    signs[1::2] = -1
    return Whitening(mean.to(rt.dtype), root.to(rt.dtype), signs)


def fit(
    inputs: UInt8[Tensor, "n N"],
    targets: Float[Tensor, "n P"],
    *,
    components: int,
    settings: FitSettings,
    start: torch.Generator,
    order: torch.Generator,
    rt: Runtime,
) -> Float[Tensor, "P {components} 2 N"]:
    """Weights of P predictors with R components each, fitted to the same inputs.

    Args:
        inputs: zeros and ones.
        targets: with positive means: the positive components start with that sum.
        components: R, the largest tensor rank a predictor can have.
        settings: steps and rates.
        start: stream of the first weights.
        order: stream of the order of the inputs.
        rt: device and precision.

    Raises:
        ValueError: if inputs and targets do not belong together or there are fewer inputs than a batch.
    """
    if len(inputs) != len(targets) or len(inputs) < settings.batch:
        raise ValueError(
            f"Expected as many targets as inputs and at least a batch of {settings.batch}; "
            f"got {len(inputs)} inputs and {len(targets)} targets."
        )
    chart = whitening(inputs, components=components, ridge=settings.ridge, rt=rt)
    phi = settings.spread * rt.normal(start, targets.shape[1], components, inputs.shape[1])
    positive = math.ceil(components / 2)
    b = (targets.mean(0) / positive).log().unsqueeze(1).repeat(1, components)
    batches = _batches(inputs, targets, settings.batch, order, rt)
    logs = (phi.requires_grad_(), b.requires_grad_())
    _adam(logs, lambda p: chart.factors(*p), batches, settings.log_steps, settings.log_rate)
    weights = chart.factors(*(p.detach() for p in logs)).requires_grad_()
    _adam((weights,), lambda p: p[0], batches, settings.factor_steps, settings.factor_rate)
    return weights.detach()


def mean_error(
    weights: Float[Tensor, "P components 2 N"],
    inputs: Shaped[Tensor, "n N"],
    targets: Float[Tensor, "n P"],
    *,
    cap: float = math.inf,
) -> Float[Tensor, " P"]:
    """Mean squared error of each predictor; each input's error counts at most `cap`."""
    total = torch.zeros_like(weights[:, 0, 0, 0])
    for block, wanted in zip(inputs.split(5000), targets.split(5000)):
        total += (predictions(weights, block.to(weights.dtype)) - wanted).square().clamp_max(cap).sum(0)
    return total / len(inputs)


def _adam(parameters, weights_of, batches, steps: int, rate: float) -> None:
    optimizer = torch.optim.Adam(parameters, lr=rate, betas=(0.9, 0.99))
    for step in range(steps):
        inputs, targets = next(batches)
        weights = weights_of(parameters)
        _, gradient = squared_error_gradient(weights.detach(), inputs, targets)
        for p, g in zip(parameters, torch.autograd.grad(weights, parameters, gradient)):
            p.grad = g
        optimizer.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / 50) * (1 + math.cos(math.pi * step / steps)) / 2
        optimizer.step()


def _batches(inputs, targets, size: int, order: torch.Generator, rt: Runtime):
    while True:
        shuffled = rt.permutation(order, len(inputs))
        for chosen in shuffled[: len(inputs) // size * size].split(size):
            yield inputs[chosen].to(rt.dtype), targets[chosen]
