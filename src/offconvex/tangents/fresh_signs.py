"""Training with fresh random signs at every step, beside the linear term, the quadratic term and the whole network."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import rng, runtime
from offconvex.files import Arrays
from offconvex.runtime import Runtime
from offconvex.stored import Stored, StoredExperiment
from offconvex.tangents.two_layer import TwoLayer, draw

MODELS = {"linear": 1e-2, "network": 0.0, "decayed": 1e-2, "signed": 1e-2, "quadratic": 1e-2}
"""Models that are trained, each with the weight of its penalty; "network" and "decayed" are the whole network."""


@dataclass(frozen=True)
class Signed:
    """Labels (b^T x)^2 - 1 of normal inputs, learned by softplus units with a free offset, full-batch Adam.

    Attributes:
        dimension: of the inputs.
        samples: numbers of training points.
        width: units.
        steps: of Adam; its rate falls to a tenth after seven tenths of them.
        rate: first learning rate.
        replicas: independent tasks and starts.
        draws: of signs over which predictions of the signed network are averaged.
        tests: test points.
        records: steps at which the training error is kept, evenly spaced, one every `steps` / `records`.
        noise: deviation of the movement's start: at zero the signed loss has no gradient.
        seed: of tasks, starts and signs.
    """

    dimension: int = 20
    samples: tuple[int, ...] = (60, 100)
    width: int = 400
    steps: int = 1500
    rate: float = 3e-3
    replicas: int = 5
    draws: int = 50
    tests: int = 2000
    records: int = 30
    noise: float = 0.02
    seed: int = 0


def model(
    net: TwoLayer,
    name: str,
    inputs: Float[Tensor, "n d"] | Float[Tensor, "R n d"],
    start: Float[Tensor, "R n m"],
    move: Float[Tensor, "R m d"],
) -> tuple[Float[Tensor, "R n"], Float[Tensor, "R n m"]]:
    """Prediction without offset, and its derivative in v_r^T x before the factor a_r m^(-1/2).

    Args:
        net: network.
        name: "linear", "quadratic", or the whole network for anything else.
        inputs: of all replicas, or of each.
        start: `net.start(inputs)`.
        move: with its signs.
    """
    along = inputs @ move.mT
    if name == "linear":
        slope = net.act.first(start)
        return net.read(slope * along), slope
    if name == "quadratic":
        bend = net.act.second(start)
        return net.read(bend * along.square()) / 2, bend * along
    units = start + along
    return net.read(net.act.value(units)), net.act.first(units)


def fit(config: Signed, name: str, samples: int, rt: Runtime, *, steps: int | None = None) -> Arrays:
    """Train one model.

    Returns:
        "train" (records, R) and "test" (R,), squared errors over the labels' variance 2; "first" and "second" (R,),
        root mean squares of the two terms on the test points at the end. After fewer `steps` than all, "train" alone.
    """
    generator = rng.generator(config.seed, "signed", samples)
    inputs = rt.normal(generator, config.replicas, samples, config.dimension)
    labels = inputs[..., 0].square() - 1
    net = draw(rt, generator, config.replicas, config.width, config.dimension, "softplus", scale=config.dimension**-0.5)
    start, root = net.start(inputs), config.width**0.5
    move = rt.normal(generator, *net.weights.shape) * config.noise
    offset = rt.zeros(config.replicas, 1)
    flips = rng.generator(config.seed, "signed", samples, "flips")
    moments = [[torch.zeros_like(p), torch.zeros_like(p)] for p in (move, offset)]
    kept = []
    for step in range(1, (steps or config.steps) + 1):
        signs = rt.normal(flips, *net.signs.shape).sign()[..., None] if name == "signed" else 1.0
        value, slope = model(net, name, inputs, start, signs * move)
        error = value + offset - labels
        pull = (slope * error[..., None]).mT @ inputs * (2 / samples / root)
        gradient = signs * net.signs[..., None] * pull + 2 * MODELS[name] / root * move
        rate = config.rate * (1.0 if step <= 0.7 * config.steps else 0.1)
        for p, g, (m, v) in zip((move, offset), (gradient, 2 * error.mean(1, keepdim=True)), moments):
            m.mul_(0.9).add_(g, alpha=0.1)
            v.mul_(0.999).addcmul_(g, g, value=0.001)
            p.sub_(rate * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8))
        if step % (config.steps // config.records) == 0:
            kept.append(error.square().mean(1) / 2)
    found = {"train": torch.stack(kept).cpu().numpy()}
    if steps is not None and steps < config.steps:
        return found
    tests = rt.normal(rng.generator(config.seed, "signed", "tests"), config.tests, config.dimension)
    truth, begin = tests[:, 0].square() - 1, net.start(tests)
    predicted, count = 0.0, config.draws if name == "signed" else 1
    for _ in range(count):
        signs = rt.normal(flips, *net.signs.shape).sign()[..., None] if name == "signed" else 1.0
        predicted = predicted + (model(net, name, tests, begin, signs * move)[0] + offset) / count
    found["test"] = ((predicted - truth).square().mean(1) / 2).cpu().numpy()
    for key, order in (("first", 1), ("second", 2)):
        found[key] = net.term(signs * move, tests, order).square().mean(1).sqrt().cpu().numpy()
    return found


def signed_parts(config: Signed) -> dict[str, tuple[str, int]]:
    """Every model at every number of samples."""
    return {f"{name}-{samples}": (name, samples) for name in MODELS for samples in config.samples}


def run_signed(config: Signed, name: str, samples: int) -> Arrays:
    """One model at one number of samples in double precision."""
    return fit(config, name, samples, runtime.resolve("cpu"))


def assemble_signed(config: Signed, results: Mapping[tuple, Arrays]) -> Arrays:
    """Arrays of each model as "MODEL KEY", numbers of samples first."""
    return {
        f"{name} {key}": np.stack([results[name, samples][key] for samples in config.samples])
        for name in MODELS
        for key in results[name, config.samples[0]]
    }


def slice_difference(stored: Stored[Signed], rt: Runtime, name: str, place: int, records: int) -> float:
    """Largest relative difference of the first training errors, computed again, from the stored ones."""
    config = stored.config
    steps = records * (config.steps // config.records)
    fresh = fit(config, name, config.samples[place], rt, steps=steps)["train"]
    return float(np.abs(fresh / stored[f"{name} train"][place, :records] - 1).max())


SIGNED = StoredExperiment("ntk-signed", "beyond-ntk", Signed(), signed_parts, run_signed, assemble_signed)
