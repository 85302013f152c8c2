"""The source's two convolutional networks, by automatic differentiation: for the paper profile, hours a network."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from offconvex import rng
from offconvex.descent import Objective, Parameters, autograd_objective, descend
from offconvex.files import Arrays
from offconvex.flow_vs_descent.model import ImageColumns, images
from offconvex.flow_vs_descent.step_sizes import StepSizes, distance
from offconvex.runtime import Runtime

NAMES = ("adapted", "lenet")
"""Strides instead of pooling and no offsets, 61,470 parameters; and LeNet with max-pooling and offsets, 61,706."""

_KERNELS = ((6, 1, 5, 5), (16, 6, 5, 5))
_MATRICES = ((120, 400), (84, 120), (10, 84))


def start(name: str, rt: Runtime, seed: int) -> tuple[Float[Tensor, "1 ..."], ...]:
    """Weights, each (1, ...), then offsets: kernels and offsets uniform on +-fan-in^(-1/2), matrices by Glorot.

    Raises:
        ValueError: if there is no such network.
    """
    if name not in NAMES:
        raise ValueError(f"The convolutional networks are {', '.join(NAMES)}; got {name!r}.")
    weights, offsets = [], []
    for index, shape in enumerate((*_KERNELS, *_MATRICES)):
        draws = rng.generator(seed, "convolutional", name, index)
        fan_in = int(np.prod(shape[1:]))
        reach = fan_in**-0.5 if len(shape) == 4 else (6 / sum(shape)) ** 0.5
        weights.append(rt.uniform(draws, 1, *shape).mul_(2).sub_(1).mul_(reach))
        offsets.append(rt.uniform(draws, 1, shape[0]).mul_(2).sub_(1).mul_(fan_in**-0.5))
    return tuple(weights) if name == "adapted" else (*weights, *offsets)


def objective(name: str, data: ImageColumns) -> Objective:
    """Mean cross-entropy of one network, for one replica."""
    pixels, labels = data.inputs.T.reshape(-1, 1, 28, 28), data.labels
    logits = _adapted if name == "adapted" else _lenet

    def loss(parameters: Parameters) -> torch.Tensor:
        return functional.cross_entropy(logits([p[0] for p in parameters], pixels), labels)[None]

    return autograd_objective(loss)


def compare(name: str, config: StepSizes, rt: Runtime, seed: int, iterations: int) -> Arrays:
    """Runs at all steps: "times" (T,), "loss" and "travel" (runs, T), and "gap" (runs, T) to the run at the largest.

    As in the source, offsets are left out of distances.

    Raises:
        ValueError: if the iterations are no positive multiple of the records, which are evenly spaced.
    """
    if iterations < 1 or iterations % config.records:
        raise ValueError(
            f"`convolutional_iterations` must be a positive multiple of {config.records}, the number of records; "
            f"got {iterations}."
        )
    first = start(name, rt, seed)
    loss = objective(name, images(rt, count=config.count))
    every = iterations // config.records
    runs = [
        descend(
            loss,
            first,
            steps=iterations * ratio,
            step_size=config.rate / ratio,
            record=lambda p, _: {"weights": torch.cat([w.flatten(1) for w in p[:5]], 1)},
            record_every=every * ratio,
        )
        for ratio in config.ratios
    ]
    weights = [run["weights"][:, 0].cpu().numpy() for run in runs]
    return {
        "times": runs[0].times[:, 0].numpy(),
        "loss": np.stack([run.loss[:, 0].cpu().numpy() for run in runs]),
        "travel": np.stack([distance(w, w[:1]) for w in weights]),
        "gap": np.stack([distance(w, weights[0]) for w in weights]),
    }


def _adapted(weights: list[torch.Tensor], pixels: torch.Tensor) -> torch.Tensor:
    hidden = functional.relu(functional.conv2d(pixels, weights[0], stride=2, padding=2))
    hidden = functional.relu(functional.conv2d(hidden, weights[1], stride=2)).flatten(1)
    hidden = functional.relu(hidden @ weights[2].T)
    return functional.relu(hidden @ weights[3].T) @ weights[4].T


def _lenet(weights: list[torch.Tensor], pixels: torch.Tensor) -> torch.Tensor:
    kernels, matrices, offsets = weights[:2], weights[2:5], weights[5:]
    hidden = functional.conv2d(pixels, kernels[0], offsets[0], padding=2)
    hidden = functional.max_pool2d(functional.relu(hidden), 2)
    hidden = functional.max_pool2d(functional.relu(functional.conv2d(hidden, kernels[1], offsets[1])), 2).flatten(1)
    hidden = functional.relu(functional.linear(hidden, matrices[0], offsets[2]))
    hidden = functional.relu(functional.linear(hidden, matrices[1], offsets[3]))
    return functional.linear(hidden, matrices[2], offsets[4])
