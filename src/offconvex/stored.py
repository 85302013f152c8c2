"""Experiments too long for a chapter: run once by a named command, stored with their settings, read by the chapter."""

import dataclasses
import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from offconvex import files, paths
from offconvex.files import Arrays

Config = TypeVar("Config")


@dataclass(frozen=True)
class Stored(Generic[Config]):
    """A stored result.

    Attributes:
        arrays: by name.
        config: the settings it was made with.
        provenance: commit, machine, versions and duration.
    """

    arrays: Arrays
    config: Config
    provenance: Mapping[str, object]

    def __getitem__(self, name: str) -> np.ndarray:
        """Array `name`."""
        return self.arrays[name]


def stack(config: object, results: Mapping[tuple, Arrays]) -> Arrays:
    """Every array of the parts, parts first: what most experiments store."""
    parts = list(results.values())
    return {name: np.stack([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True)
class StoredExperiment(Generic[Config]):
    """A long experiment, cut into parts that are run and kept one by one, so that it can be resumed.

    It is declared once, as a constant of the module that runs it.

    Attributes:
        name: what `offconvex run` calls it, unique in the book.
        chapter: the chapter that shows it.
        config: frozen dataclass of its settings; fields are numbers, text, tuples of them, or such records.
        parts: config -> for each part's name, usable as a file name, the arguments that make it what it is.
        run: (config, *arguments) -> arrays of one part.
        assemble: (config, arrays of each part by its arguments, in the order of `parts`) -> the arrays to store.
    """

    name: str
    chapter: str
    config: Config
    parts: Callable[[Config], Mapping[str, tuple]]
    run: Callable[..., Arrays]
    assemble: Callable[[Config, Mapping[tuple, Arrays]], Arrays] = stack

    def save(self, arrays: Arrays, provenance: Mapping[str, object]) -> Path:
        """Write arrays and settings to the chapter's results; the settings, which vouch for the arrays, come last."""
        data = _place(self.chapter, self.name)
        return files.write_arrays(data, arrays, {"config": settings(self.config), "provenance": dict(provenance)})

    def load(self, config: Config | None = None) -> Stored[Config]:
        """The stored result.

        Args:
            config: the settings that it must have been made with, by default the declared ones.

        Raises:
            ValueError: if it is missing, truncated or altered, or was made with other settings.
        """
        config = self.config if config is None else config
        name, remedy = f"The stored experiment {self.name!r}", f"make it again with `offconvex run {self.name}`."
        arrays, about = files.read_arrays(_place(self.chapter, self.name), remedy, name=name)
        made_with, provenance = (about.get(entry) for entry in ("config", "provenance"))
        if not isinstance(made_with, dict) or not isinstance(provenance, dict):
            raise ValueError(f"{name} is unreadable: its record lacks settings or provenance; {remedy}")
        wanted = settings(config)
        if wanted != made_with:
            changed = sorted(k for k in {*made_with, *wanted} if made_with.get(k) != wanted.get(k))
            raise ValueError(f"{name} was made with other settings ({', '.join(changed)}); {remedy}")
        return Stored(arrays, config, provenance)


def experiments() -> dict[str, StoredExperiment]:
    """Every stored experiment of the book by name.

    The modules whose text declares one are imported, and their constants looked at. So there is no list beside the
    declarations that could forget one, nothing else is imported, and importing a module does no more than define.
    """
    found: dict[str, StoredExperiment] = {}
    for file in sorted(paths.PACKAGE.rglob("*.py")):
        if "= StoredExperiment(" in file.read_text(encoding="utf-8"):
            place = file.relative_to(paths.PACKAGE.parent).with_suffix("")
            constants = vars(importlib.import_module(".".join(place.parts))).values()
            found |= {each.name: each for each in constants if isinstance(each, StoredExperiment)}
    return found


def settings(config: Any) -> dict[str, object]:
    """Settings of a config as they come back from JSON, so that stored and present ones can be compared.

    They are its fields, or what its method `settings` says: a config that holds records names its settings itself.
    """
    named = config.settings() if hasattr(config, "settings") else dataclasses.asdict(config)
    return json.loads(json.dumps(named))


def _place(chapter: str, name: str) -> Path:
    return paths.committed_results(chapter) / f"stored-{name}.npz"
