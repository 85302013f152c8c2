"""The studies on small Pathfinder images: long paths, and the regularizer on them. Float32."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from offconvex import configs
from offconvex.files import Arrays
from offconvex.locality.pathfinder import small
from offconvex.locality.pathfinder.small import NAMES, SMALL, PathSetting
from offconvex.stored import StoredExperiment


class Groups(Protocol):
    """A study whose groups of networks differ in their setting."""

    seeds: int
    seed: int

    @property
    def groups(self) -> dict[str, PathSetting]:
        """The groups by name."""


@dataclass(frozen=True)
class SmallPathfinder:
    """Networks without regularizer on short and on long paths.

    Attributes:
        lengths: dashes of the paths.
        base: everything else.
        seeds: networks for each length.
        seed: of images, starts and batches; the settings were chosen on networks of seed 9.
    """

    lengths: tuple[int, ...] = (3, 9)
    base: PathSetting = PathSetting()
    seeds: int = 5
    seed: int = 0

    @property
    def groups(self) -> dict[str, PathSetting]:
        """One for each length."""
        return {f"dashes-{length}": self.base.on(length) for length in self.lengths}

    def settings(self) -> dict[str, object]:
        """What the stored result is known by."""
        network = ("base.architecture.channels", "base.architecture.blocks")
        course = [f"base.schedule.{name}" for name in ("epochs", "batch", "rate", "strength")]
        sizes = ("base.task.used", "base.count", "base.held_out")
        return configs.flat(self, ("lengths", *sizes, *network, *course, "seeds", "seed"))


@dataclass(frozen=True)
class PathStudy:
    """Short paths without regularizer, and long ones without and with it.

    Attributes:
        near: dashes of the short paths.
        far: dashes of the long ones.
        strengths: values of lambda on long paths; the first is 0.
        base: everything else.
        seeds: networks of each.
        seed: of images, starts and batches; the settings were chosen on networks of seed 9.
    """

    near: int = 3
    far: int = 6
    strengths: tuple[float, ...] = (0.0, 0.1, 0.3)
    base: PathSetting = configs.varied(SMALL, architecture={"blocks": 3})
    seeds: int = 6
    seed: int = 0

    def __post_init__(self):
        if not self.strengths or self.strengths[0] or min(self.strengths[1:], default=1.0) <= 0:
            raise ValueError(f"`strengths` starts with 0 and goes on with positive numbers; got {self.strengths}.")

    @property
    def groups(self) -> dict[str, PathSetting]:
        """Short paths first."""
        far = {f"far-{s:g}": configs.varied(self.base.on(self.far), schedule={"strength": s}) for s in self.strengths}
        return {"near": self.base.on(self.near)} | far

    @property
    def labels(self) -> list[str]:
        """A line for each group."""
        return [label(setting) for setting in self.groups.values()]

    def settings(self) -> dict[str, object]:
        """What the stored result is known by."""
        sizes = ("base.architecture.blocks", "base.schedule.epochs", "base.count", "base.held_out")
        return configs.flat(self, ("near", "far", "strengths", *sizes, "seeds", "seed"))


@dataclass(frozen=True)
class ApartStudy:
    """Short paths without regularizer, and long ones without it, with it, and with it at the start alone.

    There are four times as many images as in the study before, and patches lie far apart. Where there is no
    regularizer, the surrogate is measured far apart.

    Attributes:
        near: dashes of the short paths.
        far: dashes of the long ones.
        base: everything else, with the regularizer.
        seeds: networks of each; each has images, test images, start, batches and patches of its own, and shares them
            with its twins, the networks of its number in the other groups on the same paths.
        seed: of the first network; the settings were chosen on networks of seed 9.
    """

    near: int = 3
    far: int = 6
    base: PathSetting = configs.varied(
        SMALL,
        architecture={"blocks": 3},
        schedule={"epochs": 120, "warming": 2.0, "strength": 0.1, "first": 100.0, "settling": 10.0},
        count=2048,
        away=8,
    )
    seeds: int = 5
    seed: int = 0

    def __post_init__(self):
        schedule = self.base.schedule
        if not 0 < schedule.strength <= schedule.first:
            raise ValueError(f"The strength falls to a positive number; got {schedule.first} to {schedule.strength}.")
        if not 1 <= self.seeds <= 9:
            raise ValueError(f"Between 1 and 9 networks: the tenth has the seed of the trials; got {self.seeds}.")

    @property
    def groups(self) -> dict[str, PathSetting]:
        """The groups by name."""
        regularized = self.base.on(self.far)
        start = configs.varied(regularized, schedule={"strength": 0.0})
        plain = configs.varied(start, schedule={"first": 0.0, "settling": 0.0})
        return {"near": plain.on(self.near), "plain": plain, "start": start, "regularized": regularized}

    @property
    def labels(self) -> list[str]:
        """A line for each group."""
        return [label(setting) for setting in self.groups.values()]

    def settings(self) -> dict[str, object]:
        """What the stored result is known by."""
        course = [f"base.schedule.{name}" for name in ("strength", "first", "settling")]
        sizes = ("base.schedule.epochs", "base.count", "base.held_out", "base.architecture.blocks")
        return configs.flat(self, ("near", "far", *course, "base.away", *sizes, "seeds", "seed"))


def label(setting: PathSetting) -> str:
    """What differs between groups, in one line; 512 images, 3 blocks and no regularizer go without saying."""
    usual, task, schedule = PathStudy.base, setting.task, setting.schedule
    said = [f"{task.length} {'long ' if task.dash > SMALL.task.dash else ''}dashes"]
    if setting.count != usual.count:
        said.append(f"{setting.count} images")
    if setting.architecture.blocks != usual.architecture.blocks:
        said.append(f"{setting.architecture.blocks} blocks")
    if schedule.strength or schedule.first:
        falls = f"{schedule.first:g} → " if schedule.first else ""
        within = f" within {schedule.settling:g} epochs" if schedule.settling else ""
        said.append(f"λ {falls}{schedule.strength:g}{within}{', far patches' if setting.away else ''}")
    return ", ".join(said)


def parts(config: Groups) -> dict[str, tuple[PathSetting, int, int]]:
    """A setting, a network's number and its seed, for each group and network."""
    return {
        f"{group}-network-{network}": (setting, network, config.seed)
        for group, setting in config.groups.items()
        for network in range(config.seeds)
    }


def parts_apart(config: ApartStudy) -> dict[str, tuple[PathSetting, int, int]]:
    """The same where networks of different numbers share nothing: each is number 0 of a seed of its own."""
    return {name: (setting, 0, seed_of(config, network)) for name, (setting, network, _) in parts(config).items()}


def seed_of(config: ApartStudy, network: int) -> int:
    """Seed of all that a network has.

    A sum, so that trials and studies with one seed each could be run by the same function. The stored study has drawn
    everything so, hence it stays until it is run again; new code names its streams.
    """
    return config.seed + network


def assemble(config: Groups, results: Mapping[tuple, Arrays]) -> Arrays:
    """Arrays (groups, R, T)."""
    arrays, shape = list(results.values()), (len(config.groups), config.seeds, -1)
    return {"epochs": arrays[0]["epochs"]} | {
        name: np.stack([a[name] for a in arrays]).reshape(shape) for name in NAMES
    }


PATHFINDER = StoredExperiment("locality-pathfinder", "locality", SmallPathfinder(), parts, small.run, assemble)
"""Small networks on short and long paths."""

PATH_STUDY = StoredExperiment("locality-pathfinder-study", "locality-tried", PathStudy(), parts, small.run, assemble)
"""The regularizer on long paths."""

APART_STUDY = StoredExperiment(
    "locality-pathfinder-apart", "locality-tried", ApartStudy(), parts_apart, small.run, assemble
)
"""The regularizer on long paths, with more images and its patches far apart."""
