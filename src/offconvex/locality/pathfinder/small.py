"""Pathfinder with images, networks and data that one core can train. Float32: networks, not theorems."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from offconvex import runtime
from offconvex.locality import regularizer, training
from offconvex.locality.networks import Architecture
from offconvex.locality.pathfinder import images as pathfinder
from offconvex.locality.pathfinder.images import Pathfinder
from offconvex.locality.training import History, TrainingSchedule
from offconvex.runtime import Runtime
from offconvex.stored import Arrays

NAMES = ("train", "test", "similarity")
PATCH = 2  # pixels, the source's


@dataclass(frozen=True)
class PathSetting:
    """One group of networks that differ in their seeds alone.

    Attributes:
        length: dashes of the paths.
        drawn: side of the canvas.
        used: side of the images.
        dash: length of a dash on the canvas.
        spacing: between dashes.
        border: kept free.
        start_distance: between the starts of the two paths.
        distractors: number of distracting paths.
        count: training images, each network's own.
        held_out: test images, common to all of one length.
        channels: of a hidden layer.
        blocks: residual blocks.
        epochs: passes.
        batch: images a step.
        rate: of Adam.
        warming: epochs over which the rate rises to that.
        strength: lambda.
        first: lambda at the start.
        settling: epochs over which it goes from there to `strength`.
        away: least distance in pixels of the two patches of the regularizer; 0 for any that do not overlap.
    """

    length: int = 3
    drawn: int = 64
    used: int = 32
    dash: float = 3.0
    spacing: float = 2.0
    border: float = 4.0
    start_distance: float = 9.0
    distractors: int = 8
    count: int = 512
    held_out: int = 1000
    channels: int = 16
    blocks: int = 5
    epochs: int = 100
    batch: int = 16
    rate: float = 1.5e-3
    warming: float = 0.0
    strength: float = 0.0
    first: float = 0.0
    settling: float = 0.0
    away: int = 0

    @property
    def task(self) -> Pathfinder:
        """The images."""
        return Pathfinder(
            length=self.length, drawn=self.drawn, used=self.used, dash=self.dash, spacing=self.spacing,
            border=self.border, start_distance=self.start_distance, distractors=self.distractors,
            distractor_length=max(self.length // 3, 1),
        )  # fmt: skip

    @property
    def architecture(self) -> Architecture:
        """The networks."""
        return Architecture(1, self.channels, self.blocks)

    @property
    def schedule(self) -> TrainingSchedule:
        """How they are trained."""
        return TrainingSchedule(
            self.epochs, self.batch, self.rate, self.strength, self.first, self.settling,
            record_every=max(self.epochs // 4, 1), warming=self.warming,
        )  # fmt: skip


def run(setting: PathSetting, network: int, rt: Runtime, seed: int) -> History:
    """Train one network; pixels get its training images' mean 0 and deviation 1."""
    sets = [
        pathfinder.images(setting.task, size, rt, seed, "small", *stream, setting.length)
        for stream, size in ((("train", network), setting.count), (("test",), setting.held_out))
    ]
    mean, deviation = sets[0][0].mean(), sets[0][0].std()
    (images, labels), held_out = (((x - mean) / deviation, y) for x, y in sets)
    draw = partial(regularizer.random_pair, setting.used, setting.used, PATCH, away=setting.away)
    alone = range(network, network + 1)  # on a core a single network is faster than several side by side
    return training.train(
        setting.architecture, setting.schedule, (images[None], labels[None]), held_out, draw, rt, seed, alone
    )


def train(setting: PathSetting, network: int, seed: int) -> Arrays:
    """Train one network on a core; arrays (T,)."""
    history = run(setting, network, runtime.resolve("cpu", torch.float32), seed)
    return {"epochs": history.epochs} | {name: getattr(history, name)[:, 0] for name in NAMES}


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

    def setting(self, length: int) -> PathSetting:
        """The group of one length."""
        return PathSetting(
            length=length, used=self.used, count=self.count, held_out=self.held_out, channels=self.channels,
            blocks=self.blocks, epochs=self.epochs, batch=self.batch, rate=self.rate, strength=self.strength,
        )  # fmt: skip


def parts(config: SmallPathfinder) -> list[str]:
    """One for each length and network."""
    return [f"dashes-{length}-network-{network}" for length in config.lengths for network in range(config.seeds)]


def run_part(config: SmallPathfinder, part: str) -> Arrays:
    """Train one network; arrays (T,)."""
    _, length, _, network = part.split("-")
    return train(config.setting(int(length)), int(network), config.seed)


def assemble(config: SmallPathfinder, arrays: Sequence[Arrays]) -> Arrays:
    """Arrays (lengths, R, T)."""
    shape = len(config.lengths), config.seeds, -1
    return {"epochs": arrays[0]["epochs"]} | {
        name: np.stack([a[name] for a in arrays]).reshape(shape) for name in NAMES
    }
