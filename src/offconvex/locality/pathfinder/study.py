"""The regularizer on Pathfinder: a study on long paths, and the settings looked at before it. Float32."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np

from offconvex.locality.pathfinder import small as small_pathfinder
from offconvex.locality.pathfinder.small import NAMES, PathSetting
from offconvex.stored import Arrays

SMALL = PathSetting(drawn=32, used=16, border=2.0, start_distance=7.0, distractors=4, warming=5.0)
"""Images of 16 pixels: a regularized step costs four plain ones, and on larger images a study costs hours."""


class Groups(Protocol):
    """A study whose groups of networks differ in their setting."""

    seeds: int
    seed: int

    @property
    def settings(self) -> dict[str, PathSetting]:
        """The groups by name."""


@dataclass(frozen=True)
class PathStudy:
    """Short paths without regularizer, and long ones without and with it.

    Attributes:
        near: dashes of the short paths.
        far: dashes of the long ones.
        strengths: values of lambda on long paths; the first is 0.
        blocks: residual blocks.
        epochs: passes.
        count: training images.
        held_out: test images.
        seeds: networks of each.
        seed: of images, starts and batches; the settings were chosen on networks of seed 9.
    """

    near: int = 3
    far: int = 6
    strengths: tuple[float, ...] = (0.0, 0.1, 0.3)
    blocks: int = 3
    epochs: int = 100
    count: int = 512
    held_out: int = 1000
    seeds: int = 6
    seed: int = 0

    def __post_init__(self):
        if not self.strengths or self.strengths[0] or min(self.strengths[1:], default=1.0) <= 0:
            raise ValueError(f"`strengths` starts with 0 and goes on with positive numbers; got {self.strengths}.")

    @property
    def settings(self) -> dict[str, PathSetting]:
        """The groups by name, short paths first."""
        base = replace(SMALL, blocks=self.blocks, epochs=self.epochs, count=self.count, held_out=self.held_out)
        near = {"near": replace(base, length=self.near)}
        return near | {f"far-{s:g}": replace(base, length=self.far, strength=s) for s in self.strengths}

    @property
    def labels(self) -> list[str]:
        """A line for each group."""
        return [label(setting) for setting in self.settings.values()]


def label(setting: PathSetting) -> str:
    """What differs between groups, in one line; 512 images, 3 blocks and no regularizer go without saying."""
    s = setting
    said = [f"{s.length} {'long ' if s.dash > SMALL.dash else ''}dashes"]
    said += [f"{s.count} images"] * (s.count != PathStudy.count) + [f"{s.blocks} blocks"] * (
        s.blocks != PathStudy.blocks
    )
    if s.strength or s.first:
        falls, within = f"{s.first:g} → " if s.first else "", f" within {s.settling:g} epochs" if s.settling else ""
        said.append(f"λ {falls}{s.strength:g}{within}{', far patches' if s.away else ''}")
    return ", ".join(said)


def study_parts(config: Groups) -> list[str]:
    """One for each group and network."""
    return [f"{group}-network-{network}" for group in config.settings for network in range(config.seeds)]


def run_study_part(config: PathStudy, part: str) -> Arrays:
    """Train one network; arrays (T,)."""
    group, network = part.rsplit("-network-", 1)
    return small_pathfinder.train(config.settings[group], int(network), config.seed)


def assemble_study(config: Groups, arrays: Sequence[Arrays]) -> Arrays:
    """Arrays (groups, R, T)."""
    shape = len(config.settings), config.seeds, -1
    return {"epochs": arrays[0]["epochs"]} | {
        name: np.stack([a[name] for a in arrays]).reshape(shape) for name in NAMES
    }


_LONG = replace(SMALL, length=5, epochs=80)
_MORE = replace(SMALL, length=6, count=2048, blocks=3, epochs=40, warming=2.0)
_STRETCHED = replace(SMALL, dash=6.0, spacing=3.0, blocks=3, epochs=80)

TRIED = {
    "short": SMALL,
    "long": _LONG,
    "long-.1": replace(_LONG, strength=0.1),
    "long-.3": replace(_LONG, strength=0.3, settling=3.0),
    "long-1": replace(_LONG, strength=1.0, settling=20.0),
    "long-3": replace(_LONG, strength=3.0, settling=80.0),
    "more": _MORE,
    "more-.1": replace(_MORE, strength=0.1, settling=5.0),
    "stretched": _STRETCHED,
    "stretched-.1": replace(_STRETCHED, strength=0.1),
    "stretched-.3-away": replace(_STRETCHED, strength=0.3, away=8),
    "stretched-1-away": replace(_STRETCHED, strength=1.0, away=8),
    "stretched-8-from-30-away": replace(_STRETCHED, strength=8.0, first=30.0, settling=30.0, away=8, epochs=120),
}
"""Settings looked at before the study, by name."""


@dataclass(frozen=True)
class PathSearch:
    """Which of the settings are run, one network each.

    Attributes:
        names: keys of `tried`.
        seed: of images, starts and batches.
    """

    names: tuple[str, ...] = tuple(TRIED)
    seed: int = 9
    tried: ClassVar[dict[str, PathSetting]] = TRIED

    def __post_init__(self):
        if not set(self.names) <= set(self.tried):
            raise ValueError(f"Settings tried are {', '.join(self.tried)}; got {', '.join(self.names)}.")

    @property
    def labels(self) -> list[str]:
        """A line for each."""
        return [label(self.tried[name]) for name in self.names]


def search_parts(config: PathSearch) -> list[str]:
    """The names."""
    return list(config.names)


def run_search_part(config: PathSearch, part: str) -> Arrays:
    """Train network 0 of a setting; arrays (T,)."""
    return small_pathfinder.train(config.tried[part], 0, config.seed)


def assemble_search(config: PathSearch, arrays: Sequence[Arrays]) -> Arrays:
    """Arrays (settings,) at the end."""
    return {name: np.array([a[name][-1] for a in arrays]) for name in NAMES}
