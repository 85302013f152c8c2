"""Pathfinder with images, networks and data that one core can train. Float32: networks, not theorems."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from offconvex import runtime
from offconvex.locality import pathfinder, regularizer, training
from offconvex.locality.networks import Architecture
from offconvex.locality.pathfinder import Pathfinder
from offconvex.locality.training import History, Schedule
from offconvex.runtime import Runtime
from offconvex.stored import Arrays


@dataclass(frozen=True)
class SmallPathfinder:
    """Networks without regularizer on short and on long paths.

    Attributes:
        lengths: dashes of the paths.
        used: side of the images, drawn at 64 pixels.
        count: training images.
        held_out: test images.
        channels: of a hidden layer.
        blocks: residual blocks.
        epochs: passes.
        batch: images a step.
        rate: of Adam.
        strength: lambda.
        seeds: networks for each length, with the same images.
    """

    lengths: tuple[int, ...] = (3, 9)
    used: int = 32
    count: int = 1000
    held_out: int = 1000
    channels: int = 8
    blocks: int = 5
    epochs: int = 30
    batch: int = 50
    rate: float = 3e-3
    strength: float = 0.0
    seeds: int = 1

    @property
    def architecture(self) -> Architecture:
        """The networks."""
        return Architecture(1, self.channels, self.blocks)

    def task(self, length: int) -> Pathfinder:
        """The images."""
        return Pathfinder(length=length, used=self.used, distractor_length=max(length // 3, 1))


def run(config: SmallPathfinder, length: int, rt: Runtime, seed: int) -> History:
    """Train the networks of one length; pixels get the training images' mean 0 and deviation 1."""
    sets = [
        pathfinder.images(config.task(length), size, rt, seed, "small", split, length)
        for split, size in (("train", config.count), ("test", config.held_out))
    ]
    mean, deviation = sets[0][0].mean(), sets[0][0].std()
    (images, labels), held_out = (((x - mean) / deviation, y) for x, y in sets)
    schedule = Schedule(
        config.epochs, config.batch, config.rate, config.strength, record_every=max(config.epochs // 4, 1)
    )
    data = images.expand(config.seeds, *images.shape), labels.expand(config.seeds, *labels.shape)
    draw = partial(regularizer.random_pair, config.used, config.used, 2)
    return training.train(config.architecture, schedule, data, held_out, draw, rt, seed, range(config.seeds))


def parts(config: SmallPathfinder) -> list[str]:
    """One for each length."""
    return [f"dashes-{length}" for length in config.lengths]


def run_part(config: SmallPathfinder, part: str) -> Arrays:
    """Train one length; arrays (T, R)."""
    history = run(config, int(part.rsplit("-", 1)[1]), runtime.resolve("cpu", torch.float32), 0)
    return {"epochs": history.epochs, "train": history.train, "test": history.test}


def assemble(config: SmallPathfinder, arrays: Sequence[Arrays]) -> Arrays:
    """Arrays (lengths, T, R)."""
    return {"epochs": arrays[0]["epochs"]} | {name: np.stack([a[name] for a in arrays]) for name in ("train", "test")}
