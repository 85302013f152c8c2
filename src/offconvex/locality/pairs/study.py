"""The studies on pairs of images: gaps, strengths and seeds. Float32: networks, not theorems."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from offconvex import configs
from offconvex.files import Arrays
from offconvex.locality.pairs import setting as settings
from offconvex.locality.pairs.setting import NAMES, PairSetting
from offconvex.locality.training import TrainingSchedule
from offconvex.runtime import Runtime
from offconvex.stored import StoredExperiment


@dataclass(frozen=True)
class PairStudy:
    """Gaps x strengths, with everything else as in a setting, and networks too short to span any of the gaps.

    Settings were chosen on networks of seed 0, and the largest gap on networks of seed 4, which is why the study has
    another.

    Attributes:
        gaps: between the images.
        strengths: values of lambda at the end.
        base: everything else; lambda starts and settles as in its schedule wherever it is not 0 at the end.
        short_blocks: blocks of the networks that cannot span.
        short_gap: at this gap, the control's only one.
        seeds: networks for each.
        together: how many of them make one part.
        seed: of pairs, starts and batches.
    """

    gaps: tuple[int, ...] = (0, 4, 8, 9)
    strengths: tuple[float, ...] = (0.0, 4.0, 8.0)
    base: PairSetting = PairSetting(
        schedule=TrainingSchedule(epochs=200, rate=3e-3, first=30.0, settling=40.0, records=8), count=256, held_out=2000
    )
    short_blocks: int = 2
    short_gap: int = 12
    seeds: int = 8
    together: int = 4
    seed: int = 2

    def __post_init__(self):
        if self.seeds % self.together:
            raise ValueError(f"`together` must divide `seeds`; got {self.together} and {self.seeds}.")
        if self.setting(self.short_gap, 0.0, short=True).spans:
            raise ValueError(f"The control's networks must not see both images at once; those of {self} do.")
        if not all(self.setting(gap, 0.0).spans for gap in self.gaps):
            raise ValueError(f"The networks must see both images at once at every gap; those of {self} do not.")

    def setting(self, gap: int, strength: float, *, short: bool = False) -> PairSetting:
        """One point of the study."""
        course = {"strength": strength} if strength else {"strength": 0.0, "first": 0.0, "settling": 0.0}
        blocks = self.short_blocks if short else self.base.architecture.blocks
        return configs.varied(self.base, task={"gap": gap}, architecture={"blocks": blocks}, schedule=course)

    @property
    def points(self) -> dict[str, PairSetting]:
        """All points by name."""
        whole = {f"gap-{g}-strength-{s:g}": self.setting(g, s) for g in self.gaps for s in self.strengths}
        short = {f"short-strength-{s:g}": self.setting(self.short_gap, s, short=True) for s in self.strengths}
        return whole | short

    def groups(self, count: int) -> list[range]:
        """The first `count` networks, in groups that are trained together."""
        return [range(start, min(start + self.together, count)) for start in range(0, count, self.together)]

    def settings(self) -> dict[str, object]:
        """What the stored result is known by."""
        network = ("base.architecture.channels", "base.architecture.blocks")
        course = ("base.schedule.first", "base.schedule.settling")
        size = ("base.schedule.epochs", "base.count", "base.held_out")
        short = ("short_blocks", "short_gap")
        names = ("gaps", "strengths", *course, *short, "seeds", "together", *size, *network, "seed")
        return configs.flat(self, names)


def parts(config: PairStudy) -> dict[str, tuple[PairSetting, range, int]]:
    """A setting, a group of its networks and their seed, for each point and group."""
    return {
        f"{name}-networks-{group.start}": (setting, group, config.seed)
        for name, setting in config.points.items()
        for group in config.groups(config.seeds)
    }


def assemble(config: PairStudy, results: Mapping[tuple, Arrays]) -> Arrays:
    """Arrays (gaps, strengths, T, R) of networks that span, and "short ..." (strengths, T, R) of those that do not.

    "choose" and "short choose" have no axis T.
    """
    arrays, each, columns = list(results.values()), len(config.groups(config.seeds)), len(config.strengths)
    together = {"epochs": arrays[0]["epochs"]}
    for name in (*NAMES, "choose"):
        points = [
            np.concatenate([a[name] for a in arrays[place : place + each]], -1) for place in range(0, len(arrays), each)
        ]
        whole = np.stack(points[:-columns])
        together[name] = whole.reshape(len(config.gaps), columns, *whole.shape[1:])
        together[f"short {name}"] = np.stack(points[-columns:])
    return together


def again(
    config: PairStudy, gap: int, strength: float, count: int, rt: Runtime, seed: int
) -> Float[np.ndarray, " {count}"]:
    """Train the first `count` networks of a point, in the study's groups; test accuracies at the end, (count,).

    With the study's own seed these are its networks, with another they are new ones. Groups matter for rounding alone.
    """
    setting = config.setting(gap, strength)
    return np.concatenate([settings.train(setting, rt, seed, group).test[-1] for group in config.groups(count)])


def seed_again(config: PairStudy, seed: int) -> int:
    """Seed of the study's networks for a chapter of seed 0, and of new ones for any other.

    Ten apart, so that they are those of no trial and of neither study. The chapter's seeds were judged with this
    arithmetic, hence it stays until they are run again; new code names its streams.
    """
    return config.seed + 10 * seed


FIRST_STUDY = StoredExperiment(
    "locality-first-study", "locality", PairStudy(gaps=(0, 4, 8, 10), seed=1), parts, settings.run, assemble
)
"""The study that was made first: the same, but for the seed, and up to gap 10, where the regularizer failed."""

STUDY = StoredExperiment("locality-study", "locality", PairStudy(), parts, settings.run, assemble)
"""Gaps x strengths x seeds, and the networks that cannot span."""

AGAIN = StoredExperiment(
    "locality-again",
    "locality-tried",
    PairStudy(gaps=(9,), strengths=(0.0, 4.0), seeds=24, seed=601),
    parts,
    settings.run,
    assemble,
)
"""The study's largest gap without the term and with the strength it chose, once more, on 24 networks."""
