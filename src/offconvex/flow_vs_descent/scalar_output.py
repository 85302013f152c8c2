"""Deep linear networks with one output: from random starts near zero, and from starts close to the worst one."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import rng
from offconvex.descent import descend
from offconvex.factorizations.matrix.model import Layers, matrix_objective, squared_loss
from offconvex.files import Arrays
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class ScalarOutput:
    """1/2 |W_n ... W_1 - target|^2 with a unit target: regression on whitened data, one output.

    Attributes:
        depths: n.
        inputs: d.
        hidden: width of the layers between.
        starts: random starts per depth.
        norm: typical size of the end-to-end vector at the start.
        rate: step of gradient descent.
        loss: at which a run has converged.
        steps: largest number of steps.
    """

    depths: tuple[int, ...] = (2, 3, 4)
    inputs: int = 10
    hidden: int = 5
    starts: int = 256
    norm: float = 0.01
    rate: float = 0.2
    loss: float = 1e-6
    steps: int = 20_000

    def __post_init__(self):
        if min(self.depths) < 2 or min(self.inputs, self.hidden, self.starts, self.steps) < 1:
            raise ValueError(
                "Depths must be at least 2, and inputs, hidden, starts and steps positive; "
                f"got {self.depths}, {self.inputs}, {self.hidden}, {self.starts}, {self.steps}."
            )
        if not (0 < self.norm < 1 and 0 < self.rate * max(self.depths) < 2 and self.loss > 0):
            # At a minimum the largest curvature is n, for balanced layers.
            raise ValueError(
                "The start must be inside the unit ball, the step below 2 / depth, and the loss positive; "
                f"got {self.norm}, {self.rate}, {self.loss}."
            )


def random_starts(config: ScalarOutput, rt: Runtime, seed: int, depth: int) -> Layers:
    """Layers with independent normal entries, (starts, rows, columns), all of one deviation, so not balanced."""
    sizes = [config.inputs, *[config.hidden] * (depth - 1), 1]
    # Of the norm of the product: prod of the deviations times (hidden^(n-1) inputs)^(1/2), in the mean square.
    deviation = (config.norm / (config.hidden ** (depth - 1) * config.inputs) ** 0.5) ** (1 / depth)
    draws = rng.generator(seed, "scalar output", "start", depth)
    return tuple(deviation * rt.normal(draws, config.starts, b, a) for a, b in zip(sizes, sizes[1:]))


def balanced_starts(
    config: ScalarOutput, rt: Runtime, depth: int, cosines: Float[np.ndarray, " R"]
) -> tuple[Layers, Float[Tensor, "1 1 {config.inputs}"]]:
    """Balanced layers with end-to-end vectors of size `norm` at the given cosines to the target, and the target."""
    root = config.norm ** (1 / depth)
    first = rt.zeros(len(cosines), config.hidden, config.inputs)
    first[:, 0, 0] = root * rt.tensor(cosines)
    first[:, 0, 1] = root * rt.tensor(np.sqrt(1 - np.asarray(cosines) ** 2))
    between = rt.zeros(len(cosines), config.hidden, config.hidden)
    between[:, 0, 0] = root
    last = rt.zeros(len(cosines), 1, config.hidden)
    last[:, 0, 0] = root
    target = rt.zeros(1, 1, config.inputs)
    target[..., 0] = 1
    return (first, *(between.clone() for _ in range(depth - 2)), last), target


def converge(config: ScalarOutput, rt: Runtime, seed: int, depth: int, *, every: int = 2) -> Arrays:
    """Gradient descent from all random starts of one depth until every run has converged, or the steps are used up.

    Returns:
        "times" (T,), "loss" (T, starts), "cosine" (starts,) between the first end-to-end vector and the target.
    """
    layers = random_starts(config, rt, seed, depth)
    target = rt.normal(rng.generator(seed, "scalar output", "target", depth), 1, 1, config.inputs)
    target = target / torch.linalg.vector_norm(target)
    product = layers[0]
    for layer in layers[1:]:
        product = layer @ product
    cosine = (product * target).sum((1, 2)) / torch.linalg.vector_norm(product, dim=(1, 2))
    run = _descend(config, layers, target, every)
    return {"times": run.times[:, 0].numpy(), "loss": run.loss.cpu().numpy(), "cosine": cosine.cpu().numpy()}


def arrivals(
    config: ScalarOutput, rt: Runtime, depth: int, cosines: Float[np.ndarray, " R"], *, every: int = 5
) -> Float[np.ndarray, " R"]:
    """Flow times at which balanced starts reach the loss, (cosines,), linear in the logarithm between records.

    A run that does not arrive has infinity.
    """
    layers, target = balanced_starts(config, rt, depth, cosines)
    run = _descend(config, layers, target, every)
    times, losses = run.times[:, 0].numpy(), run.loss.cpu().numpy()
    found = np.full(len(cosines), np.inf)
    for replica, loss in enumerate(losses.T):
        below = np.flatnonzero(loss <= config.loss)
        if len(below):
            k = below[0]
            log = np.log(loss[k - 1 : k + 1])
            found[replica] = np.interp(-np.log(config.loss), -log, times[k - 1 : k + 1])
    return found


def _descend(config: ScalarOutput, layers: Layers, target: torch.Tensor, every: int):
    objective = matrix_objective(squared_loss(target, torch.ones_like(target)))
    return descend(
        objective,
        layers,
        steps=config.steps,
        step_size=config.rate,
        record_every=every,
        stop=lambda loss: bool((loss <= config.loss).all()),
    )
