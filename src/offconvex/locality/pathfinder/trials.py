"""The settings looked at on the way to the studies on paths: kept, so that the chapter can show all of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from offconvex import trials
from offconvex.files import Arrays
from offconvex.locality.pathfinder import small, study
from offconvex.locality.pathfinder.small import NAMES, SMALL, PathSetting
from offconvex.stored import StoredExperiment
from offconvex.trials import TriedSetting


@dataclass(frozen=True)
class PathSearch:
    """What was tried before one of the studies, one network each.

    Attributes:
        name: its table in trials.toml.
    """

    name: str = "locality-pathfinder-tried"

    @property
    def trials(self) -> tuple[TriedSetting[PathSetting], ...]:
        """All of it, in order.

        Raises:
            ValueError: if there is no such table, an entry is malformed, or the result could not be known by one seed.
        """
        found = trials.load(self.name, SMALL)
        if len({trial.seed for trial in found}) > 1 or any(len(trial.networks) > 1 for trial in found):
            raise ValueError(f"trials.toml, {self.name}: on paths there is one network a trial, and one seed for all.")
        return found

    @property
    def labels(self) -> list[str]:
        """A line for each."""
        return [study.label(trial.setting) for trial in self.trials]

    def settings(self) -> dict[str, object]:
        """What the stored result is known by."""
        return {"names": [trial.name for trial in self.trials], "seed": self.trials[0].seed}


def parts(config: PathSearch) -> dict[str, tuple[PathSetting, int, int]]:
    """A setting, the network and its seed, for each trial."""
    return {trial.name: (trial.setting, *trial.networks, trial.seed) for trial in config.trials}


def assemble(config: PathSearch, results: Mapping[tuple, Arrays]) -> Arrays:
    """Arrays (settings,) at the end."""
    return {name: np.array([arrays[name][-1] for arrays in results.values()]) for name in NAMES}


TRIED = StoredExperiment(
    "locality-pathfinder-tried", "locality-tried", PathSearch("locality-pathfinder-tried"), parts, small.run, assemble
)
"""Every setting that was looked at before the study of paths."""

APART_TRIED = StoredExperiment(
    "locality-pathfinder-apart-tried",
    "locality-tried",
    PathSearch("locality-pathfinder-apart-tried"),
    parts,
    small.run,
    assemble,
)
"""Every setting that was looked at before the study with patches far apart."""
