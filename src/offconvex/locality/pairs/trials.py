"""The settings looked at on the way to the studies: kept, so that the chapter can show all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from offconvex import runtime
from offconvex.locality.pairs import study as experiments
from offconvex.locality.pairs.study import PairSetting
from offconvex.stored import Arrays


@dataclass(frozen=True)
class PairTrial:
    """One setting and the networks that it was tried on.

    Attributes:
        setting: what was trained.
        networks: their numbers.
        seed: of their pairs, starts and batches.
    """

    setting: PairSetting
    networks: range = range(1, 4)
    seed: int = 0

    @property
    def label(self) -> str:
        """What differs from one trial to the next, in one line."""
        s = self.setting
        falls, within = (f"{s.first:g} → ", f" in {s.settling:g} of") if s.settling and s.first else ("", ",")
        wide = f", {s.channels} channels" if s.channels != PairSetting().channels else ""
        others = f", seed {self.seed}" if self.seed else ""
        return f"gap {s.gap}, {s.count} pairs, λ {falls}{s.strength:g}{within} {s.epochs} epochs{wide}{others}"


def _trial(gap: int, epochs: int, networks: range = range(1, 4), **more) -> PairTrial:
    return PairTrial(PairSetting(gap=gap, epochs=epochs, **more), networks)


FIRST = range(1)

TRIED = {
    "near": _trial(0, 100, range(2)),
    "far": _trial(8, 40, FIRST),
    "far-2": _trial(8, 25, FIRST, strength=2.0, settling=3.0),
    "far-8": _trial(8, 25, FIRST, strength=8.0, settling=3.0),
    "far-100": _trial(8, 25, FIRST, strength=100.0),
    "far-8-longer": _trial(8, 50, FIRST, strength=8.0, settling=3.0),
    "far-8-others": _trial(8, 100, strength=8.0, settling=3.0),
    "far-others": _trial(8, 100),
    "farthest": _trial(12, 100),
    "farthest-8": _trial(12, 100, strength=8.0, settling=3.0),
    "farthest-8-from-30": _trial(12, 100, strength=8.0, first=30.0, settling=10.0),
    "farthest-8-from-10000": _trial(12, 60, strength=8.0, first=10000.0, settling=20.0),
    "farther": _trial(10, 100),
    "farther-8-from-300": _trial(10, 60, strength=8.0, first=300.0, settling=20.0),
    "farther-8-from-30": _trial(10, 100, strength=8.0, first=30.0, settling=20.0),
    "farther-8-from-100": _trial(10, 100, strength=8.0, first=100.0, settling=20.0),
    "farther-20": _trial(10, 100, strength=20.0),
    "between": _trial(9, 100),
    "far-wider": _trial(8, 100, channels=32),
    "far-fewer": _trial(8, 100, count=256),
    "far-fewer-8": _trial(8, 200, count=256, strength=8.0, settling=3.0),
    "farther-12-from-40": _trial(10, 150, strength=12.0, first=40.0, settling=25.0),
    "far-fewer-longer": _trial(8, 200, range(1, 7), count=256),
    "near-fewer": _trial(0, 200, count=256),
    "far-fewer-8-others": _trial(8, 200, range(4, 7), count=256, strength=8.0, settling=3.0),
    "far-fewer-4": _trial(8, 200, count=256, strength=4.0, settling=3.0),
    "farther-fewer": _trial(10, 200, range(1, 7), count=256),
    "farther-fewer-8-from-30": _trial(10, 200, count=256, strength=8.0, first=30.0, settling=40.0),
    "farther-fewer-8": _trial(10, 200, count=256, strength=8.0, settling=3.0),
}
"""By name, in the order in which they were tried, before the first study; all of seed 0."""


def _later(gap: int, networks: range, seed: int, strength: float = 8.0, first: float = 30.0, settling: float = 40.0):
    setting = PairSetting(gap=gap, epochs=200, count=256, strength=strength, first=first, settling=settling)
    return PairTrial(setting, networks, seed)


LATER = {
    **{f"farther-8-from-30-seed-{seed}": _later(10, range(4, 8), seed) for seed in range(4)},
    "farther-8-from-100-seed-4": _later(10, range(4), 4, first=100.0),
    "farther-8-from-300-seed-4": _later(10, range(4), 4, first=300.0),
    "farther-8-from-1000-seed-4": _later(10, range(4), 4, first=1000.0),
    "farther-8-from-300-slowly-seed-4": _later(10, range(4), 4, first=300.0, settling=100.0),
    "between-8-from-30-seed-4": _later(9, range(4), 4),
    "between-seed-4": _later(9, range(4), 4, 0.0, 0.0, 0.0),
}
"""The same, between the first study and the second."""


@dataclass(frozen=True)
class PairSearch:
    """Which of the settings are run.

    Attributes:
        names: keys of `TRIED` or of `LATER`.
    """

    names: tuple[str, ...] = tuple(TRIED)

    def __post_init__(self):
        if not set(self.names) <= set(TRIED | LATER):
            raise ValueError(f"Settings tried are {', '.join(TRIED | LATER)}; got {', '.join(self.names)}.")

    @property
    def labels(self) -> list[str]:
        """A line for each."""
        return [(TRIED | LATER)[name].label for name in self.names]


def parts(config: PairSearch) -> list[str]:
    """The names."""
    return list(config.names)


def run_part(config: PairSearch, part: str) -> Arrays:
    """Train one setting; each array (R,) at the end."""
    trial = (TRIED | LATER)[part]
    history = experiments.run(trial.setting, runtime.resolve("cpu", torch.float32), trial.seed, trial.networks)
    return {name: getattr(history, name)[-1] for name in experiments.NAMES}


def assemble(config: PairSearch, arrays: Sequence[Arrays]) -> Arrays:
    """One row for each setting, one column for each network, the rest NaN: train, loss, test and similarity."""
    most = max(len(a["test"]) for a in arrays)
    return {
        name: np.array([np.pad(a[name], (0, most - len(a[name])), constant_values=np.nan) for a in arrays])
        for name in experiments.NAMES
    }
