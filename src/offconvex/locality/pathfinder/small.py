"""Pathfinder with images, networks and data that one core can train. Float32: networks, not theorems."""

from dataclasses import dataclass, replace
from functools import partial

import torch

from offconvex import configs, runtime
from offconvex.files import Arrays
from offconvex.locality import regularizer, training
from offconvex.locality.networks import Architecture
from offconvex.locality.pathfinder import images as pathfinder
from offconvex.locality.pathfinder.images import Pathfinder
from offconvex.locality.training import History, TrainingSchedule
from offconvex.runtime import Runtime

NAMES = ("train", "test", "similarity")
"""What is kept of a network's history."""

PATCH = 2  # pixels, the source's


@dataclass(frozen=True)
class PathSetting:
    """What networks learn, what they are, and how they are trained; those of one setting differ in their seeds alone.

    Attributes:
        task: the images.
        architecture: the networks.
        schedule: how they are trained.
        count: training images, each network's own.
        held_out: test images, common to all of one length.
        away: least distance in pixels of the two patches of the regularizer; 0 for any that do not overlap.
    """

    task: Pathfinder = Pathfinder(used=32).of_length(3)
    architecture: Architecture = Architecture(1, channels=16, blocks=5)
    schedule: TrainingSchedule = TrainingSchedule(epochs=100, batch=16, rate=1.5e-3, records=4)
    count: int = 512
    held_out: int = 1000
    away: int = 0

    def on(self, length: int) -> "PathSetting":
        """The same on paths of so many dashes."""
        return replace(self, task=self.task.of_length(length))


SMALL = configs.varied(
    PathSetting(),
    task={"drawn": 32, "used": 16, "border": 2.0, "start_distance": 7.0, "distractors": 4},
    schedule={"warming": 5.0},
)
"""Images of 16 pixels: a regularized step costs four plain ones, and on larger images a study costs hours."""


def train(setting: PathSetting, network: int, rt: Runtime, seed: int) -> History:
    """Train one network; pixels get its training images' mean 0 and deviation 1."""
    task = setting.task
    sets = [
        pathfinder.images(task, size, rt, seed, "small", *stream, task.length)
        for stream, size in ((("train", network), setting.count), (("test",), setting.held_out))
    ]
    mean, deviation = sets[0][0].mean(), sets[0][0].std()
    (images, labels), held_out = (((x - mean) / deviation, y) for x, y in sets)
    draw = partial(regularizer.random_pair, task.used, task.used, PATCH, away=setting.away)
    alone = range(network, network + 1)  # on a core a single network is faster than several side by side
    return training.train(
        setting.architecture, setting.schedule, (images[None], labels[None]), held_out, draw, rt, seed, alone
    )


def run(config: object, setting: PathSetting, network: int, seed: int) -> Arrays:
    """A part of a stored experiment, one network on a core: arrays (T,)."""
    history = train(setting, network, runtime.resolve("cpu", torch.float32), seed)
    return {"epochs": history.epochs} | {name: getattr(history, name)[:, 0] for name in NAMES}
