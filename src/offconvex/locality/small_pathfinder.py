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

NAMES = ("train", "test", "similarity")


@dataclass(frozen=True)
class SmallPathfinder:
    """Networks without regularizer on short and on long paths.

    Attributes:
        lengths: dashes of the paths.
        used: side of the images, drawn at 64 pixels.
        count: training images, each network's own.
        held_out: test images, common to all of one length.
        channels: of a hidden layer.
        blocks: residual blocks.
        epochs: passes.
        batch: images a step.
        rate: of Adam.
        strength: lambda.
        seeds: networks for each length.
        seed: of images, starts and batches; the settings were chosen on networks of seed 9.
    """

    lengths: tuple[int, ...] = (3, 9)
    used: int = 32
    count: int = 512
    held_out: int = 1000
    channels: int = 16
    blocks: int = 5
    epochs: int = 100
    batch: int = 16
    rate: float = 1.5e-3
    strength: float = 0.0
    seeds: int = 5
    seed: int = 0

    @property
    def architecture(self) -> Architecture:
        """The networks."""
        return Architecture(1, self.channels, self.blocks)

    def task(self, length: int) -> Pathfinder:
        """The images."""
        return Pathfinder(length=length, used=self.used, distractor_length=max(length // 3, 1))


def run(config: SmallPathfinder, length: int, network: int, rt: Runtime) -> History:
    """Train one network of one length; pixels get its training images' mean 0 and deviation 1."""
    sets = [
        pathfinder.images(config.task(length), size, rt, config.seed, "small", *stream, length)
        for stream, size in ((("train", network), config.count), (("test",), config.held_out))
    ]
    mean, deviation = sets[0][0].mean(), sets[0][0].std()
    (images, labels), held_out = (((x - mean) / deviation, y) for x, y in sets)
    schedule = Schedule(
        config.epochs, config.batch, config.rate, config.strength, record_every=max(config.epochs // 4, 1)
    )
    draw = partial(regularizer.random_pair, config.used, config.used, 2)
    alone = range(network, network + 1)  # on a core a single network is faster than several side by side
    return training.train(
        config.architecture, schedule, (images[None], labels[None]), held_out, draw, rt, config.seed, alone
    )


def parts(config: SmallPathfinder) -> list[str]:
    """One for each length and network."""
    return [f"dashes-{length}-network-{network}" for length in config.lengths for network in range(config.seeds)]


def run_part(config: SmallPathfinder, part: str) -> Arrays:
    """Train one network; arrays (T,)."""
    _, length, _, network = part.split("-")
    history = run(config, int(length), int(network), runtime.resolve("cpu", torch.float32))
    return {"epochs": history.epochs} | {name: getattr(history, name)[:, 0] for name in NAMES}


def assemble(config: SmallPathfinder, arrays: Sequence[Arrays]) -> Arrays:
    """Arrays (lengths, R, T)."""
    shape = len(config.lengths), config.seeds, -1
    return {"epochs": arrays[0]["epochs"]} | {
        name: np.stack([a[name] for a in arrays]).reshape(shape) for name in NAMES
    }
