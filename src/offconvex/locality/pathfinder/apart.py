"""The regularizer on Pathfinder, at patches far apart: a study on more images, and what was tried before. Float32."""

from dataclasses import dataclass, replace
from typing import ClassVar

from offconvex.locality.pathfinder import small as small_pathfinder
from offconvex.locality.pathfinder import study as path_study
from offconvex.locality.pathfinder.small import PathSetting
from offconvex.locality.pathfinder.study import SMALL, PathSearch
from offconvex.stored import Arrays

MORE = replace(SMALL, length=6, count=2048, blocks=3, epochs=120, warming=2.0, away=8)
"""Four times as many images as in `path_study`. Where there is no regularizer, the surrogate is measured far apart."""


@dataclass(frozen=True)
class ApartStudy:
    """Short paths without regularizer, and long ones without it, with it, and with it at the start alone.

    Attributes:
        near: dashes of the short paths.
        far: dashes of the long ones.
        strength: lambda once it has settled.
        first: lambda at the start.
        settling: epochs over which it falls from there to `strength`.
        away: least distance of the two patches, in pixels.
        epochs: passes.
        count: training images.
        held_out: test images.
        blocks: residual blocks.
        seeds: networks of each; each has images, test images, start, batches and patches of its own, and shares them
            with its twins, the networks of its number in the other groups on the same paths.
        seed: of the first network; the settings were chosen on networks of seed 9.
    """

    near: int = 3
    far: int = 6
    strength: float = 0.1
    first: float = 100.0
    settling: float = 10.0
    away: int = 8
    epochs: int = 120
    count: int = 2048
    held_out: int = 1000
    blocks: int = 3
    seeds: int = 5
    seed: int = 0

    def __post_init__(self):
        if not 0 < self.strength <= self.first:
            raise ValueError(f"The strength falls to a positive number; got {self.first} to {self.strength}.")
        if not 1 <= self.seeds <= 9:
            raise ValueError(f"Between 1 and 9 networks: the tenth has the seed of the trials; got {self.seeds}.")

    @property
    def settings(self) -> dict[str, PathSetting]:
        """The groups by name."""
        sizes = {"epochs": self.epochs, "count": self.count, "held_out": self.held_out, "blocks": self.blocks}
        plain = replace(MORE, length=self.far, away=self.away, **sizes)
        start = replace(plain, first=self.first, settling=self.settling)
        return {
            "near": replace(plain, length=self.near),
            "plain": plain,
            "start": start,
            "regularized": replace(start, strength=self.strength),
        }

    @property
    def labels(self) -> list[str]:
        """A line for each group."""
        return [path_study.label(setting) for setting in self.settings.values()]


def run_study_part(config: ApartStudy, part: str) -> Arrays:
    """Train one network; arrays (T,)."""
    group, network = part.rsplit("-network-", 1)
    return small_pathfinder.train(config.settings[group], 0, config.seed + int(network))


_LONGER = replace(SMALL, dash=6.0, spacing=3.0, blocks=3, epochs=120, settling=30.0, away=8)
_APART = replace(MORE, settling=10.0)

TRIED = {
    "stretched-3-from-300": replace(_LONGER, strength=3.0, first=300.0),
    "stretched-10-from-1000": replace(_LONGER, strength=10.0, first=1000.0),
    "1-from-300": replace(_APART, strength=1.0, first=300.0, epochs=60),
    "0": MORE,
    ".3-from-100": replace(_APART, strength=0.3, first=100.0),
    ".1-from-100": replace(_APART, strength=0.1, first=100.0),
    "0-from-100": replace(_APART, strength=0.0, first=100.0),
    ".3": replace(_APART, strength=0.3, settling=0.0),
}
"""Settings looked at before the study, by name; a run of 60 epochs that was repeated with 120 is left out."""


@dataclass(frozen=True)
class ApartSearch(PathSearch):
    """Which of the settings are run, one network each.

    Attributes:
        names: keys of `tried`.
        seed: of images, starts and batches.
    """

    names: tuple[str, ...] = tuple(TRIED)
    tried: ClassVar[dict[str, PathSetting]] = TRIED
