"""The settings looked at on the way to the studies on pairs: kept, so that the chapter can show all of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from offconvex import trials
from offconvex.files import Arrays
from offconvex.locality.pairs import setting as settings
from offconvex.locality.pairs.setting import NAMES, PairSetting
from offconvex.stored import StoredExperiment
from offconvex.trials import TriedSetting

START = PairSetting()
"""The setting at which the search began."""


@dataclass(frozen=True)
class PairSearch:
    """What was tried before one of the studies.

    Attributes:
        name: its table in trials.toml.
    """

    name: str = "locality-tried"

    @property
    def trials(self) -> tuple[TriedSetting[PairSetting], ...]:
        """All of it, in order."""
        return trials.load(self.name, START)

    @property
    def labels(self) -> list[str]:
        """A line for each."""
        return [label(trial) for trial in self.trials]

    def settings(self) -> dict[str, object]:
        """What the stored result is known by."""
        return {"names": [trial.name for trial in self.trials]}


def label(trial: TriedSetting[PairSetting]) -> str:
    """What differs from one trial to the next, in one line."""
    schedule, channels = trial.setting.schedule, trial.setting.architecture.channels
    falls, within = "", ","
    if schedule.settling and schedule.first:
        falls, within = f"{schedule.first:g} → ", f" in {schedule.settling:g} of"
    wide = f", {channels} channels" if channels != START.architecture.channels else ""
    others = f", seed {trial.seed}" if trial.seed else ""
    course = f"λ {falls}{schedule.strength:g}{within} {schedule.epochs} epochs"
    return f"gap {trial.setting.task.gap}, {trial.setting.count} pairs, {course}{wide}{others}"


def parts(config: PairSearch) -> dict[str, tuple[PairSetting, tuple[int, ...], int]]:
    """A setting, the networks and their seed, for each trial."""
    return {trial.name: (trial.setting, trial.networks, trial.seed) for trial in config.trials}


def assemble(config: PairSearch, results: Mapping[tuple, Arrays]) -> Arrays:
    """At the end, one row for each setting, one column for each network, the rest NaN."""
    ends = [{name: arrays[name][-1] for name in NAMES} for arrays in results.values()]
    most = max(len(end["test"]) for end in ends)
    return {
        name: np.array([np.pad(end[name], (0, most - len(end[name])), constant_values=np.nan) for end in ends])
        for name in NAMES
    }


TRIED = StoredExperiment(
    "locality-tried", "locality-tried", PairSearch("locality-tried"), parts, settings.run, assemble
)
"""Every setting that was looked at before the first study was fixed, with its result, whatever it was."""

LATER = StoredExperiment(
    "locality-tried-later", "locality-tried", PairSearch("locality-tried-later"), parts, settings.run, assemble
)
"""Every setting that was looked at between the first study and the second."""
