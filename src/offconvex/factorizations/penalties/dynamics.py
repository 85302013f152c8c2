"""Adam and gradient descent side by side on penalized completion, with a step that decays and a smoothing that may."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.descent import Parameters, replica_count
from offconvex.factorizations.matrix.model import end_to_end, matrix_objective
from offconvex.factorizations.penalties.model import SHARPEST, Penalty, penalized_loss

OPTIMIZERS = ("Adam", "descent")
FAR = 1e20


@dataclass(frozen=True)
class Schedule:
    """How a run moves.

    Attributes:
        optimizer: "Adam" (decays 0.9 and 0.999, floor 1e-8) or "descent".
        steps: number of steps.
        smoothing: the penalty's smoothing at the start; it falls geometrically over the first 60 % of the steps.
        sharpest: what it falls to; with both equal the penalty is as sharp throughout.
    """

    optimizer: str
    steps: int
    smoothing: float = SHARPEST
    sharpest: float = SHARPEST

    def __post_init__(self):
        if self.optimizer not in OPTIMIZERS or self.steps < 1 or not self.smoothing >= self.sharpest > 0:
            raise ValueError(
                f"A schedule needs an optimizer of {OPTIMIZERS}, steps >= 1 and smoothing >= sharpest > 0; "
                f"got {self.optimizer!r}, {self.steps}, {self.smoothing}, {self.sharpest}."
            )

    def decay(self, step: int) -> float:
        """Factor of the step size at step 0, 1, ...: one for half of the run, then half a cosine down to zero.

        A sharp penalty makes a constant step chatter around its kinks, at the size of the step.
        """
        late = max(0.0, 2 * step / self.steps - 1)
        return 0.5 * (1 + math.cos(math.pi * late))

    def sharpness(self, step: int) -> float:
        """Smoothing at step 0, 1, ...."""
        share = min(1.0, step / (0.6 * self.steps))
        return self.smoothing ** (1 - share) * self.sharpest**share


@dataclass(frozen=True)
class Fitted:
    """The end of a run.

    Attributes:
        product: (R, n, n') end-to-end matrix; beyond 1e20 where a run diverged.
        products: (T, R, n, n') at the steps that were asked for, or None.
    """

    product: torch.Tensor
    products: torch.Tensor | None = None


def fit(
    target: Float[Tensor, "R n m"],
    mask: Float[Tensor, "R n m"],
    layers: tuple[Float[Tensor, "R _ _"], ...],
    schedule: Schedule,
    *,
    rate: float | Float[Tensor, " R"],
    penalty: Penalty | None = None,
    weight: float | Float[Tensor, " R"] = 0.0,
    keep: tuple[int, ...] = (),
) -> Fitted:
    """Minimize mean squared error + weight * penalty over the layers, all replicas together.

    Args:
        target: (R, n, n').
        mask: ones at the observed entries.
        layers: start, each (R, ...); not modified.
        schedule: how it moves.
        rate: first step size, one for all or one per replica (R,).
        penalty: or None.
        weight: lambda, one for all or one per replica (R,).
        keep: steps at which to keep the end-to-end matrix.

    A replica that diverges does not disturb the others.

    Raises:
        ValueError: for a step that is not positive, or a negative weight.
    """
    layers = tuple(layer.detach().clone() for layer in layers)
    replicas = replica_count(layers)
    rates = torch.zeros(replicas, dtype=target.dtype, device=target.device) + rate
    if not bool((rates > 0).all()):
        raise ValueError(f"`rate` must be positive; got {float(rates.min())}.")
    rates = rates[:, None, None]
    weights = torch.zeros(replicas, dtype=target.dtype, device=target.device) + weight
    objective = matrix_objective(penalized_loss(target, mask, penalty, weights))
    update = _adam(layers) if schedule.optimizer == "Adam" else _descent
    kept = []
    for step in range(schedule.steps):
        if step in keep:
            kept.append(end_to_end(layers).clone())
        _, gradients = objective(layers, schedule.sharpness(step))
        update(layers, gradients, rates * schedule.decay(step))
        # An eigenproblem of infinities would raise for all replicas: a run that left every scale is held far away.
        for layer in layers:
            layer.nan_to_num_(nan=FAR).clamp_(-FAR, FAR)
    return Fitted(end_to_end(layers), torch.stack(kept) if kept else None)


def _descent(layers: Parameters, gradients: Parameters, rates: torch.Tensor) -> None:
    for layer, gradient in zip(layers, gradients):
        layer.addcmul_(gradient, rates, value=-1)


def _adam(layers: Parameters):
    means, squares = ([torch.zeros_like(layer) for layer in layers] for _ in range(2))
    count = 0

    def update(layers: Parameters, gradients: Parameters, rates: torch.Tensor) -> None:
        nonlocal count
        count += 1
        for layer, gradient, mean, square in zip(layers, gradients, means, squares):
            mean.lerp_(gradient, 0.1)
            square.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
            size = (square / (1 - 0.999**count)).sqrt_().add_(1e-8)
            layer.addcmul_(mean / size, rates, value=-1 / (1 - 0.9**count))

    return update
