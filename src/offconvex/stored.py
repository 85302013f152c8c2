"""Experiments too long for a chapter: run once by a named command, stored with their settings, read by the chapter."""

import dataclasses
import hashlib
import importlib
import io
import json
import os
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import offconvex
from offconvex import paths

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class StoredExperiment:
    """A long experiment, cut into parts that are run and kept one by one, so that it can be resumed.

    Attributes:
        name: what `offconvex run` calls it, unique in the book.
        chapter: the chapter that shows it.
        config: frozen dataclass of its settings; fields are numbers, text or tuples of them.
        parts: config -> names of the parts, usable as file names.
        run: (config, part) -> arrays of one part.
        assemble: (config, arrays of each part in order) -> the arrays to store.
    """

    name: str
    chapter: str
    config: object
    parts: Callable[[object], Sequence[str]]
    run: Callable[[object, str], Arrays]
    assemble: Callable[[object, Sequence[Arrays]], Arrays]


@dataclass(frozen=True)
class Stored:
    """A stored result.

    Attributes:
        arrays: by name.
        config: the settings it was made with.
        provenance: commit, machine, versions and duration.
    """

    arrays: Arrays
    config: Mapping[str, object]
    provenance: Mapping[str, object]

    def __getitem__(self, name: str) -> np.ndarray:
        """Array `name`."""
        return self.arrays[name]


def experiments() -> dict[str, StoredExperiment]:
    """Every stored experiment by name: the tuple `STORED` of each room's module `stored`."""
    found = {}
    for room in pkgutil.iter_modules(offconvex.__path__):
        path = paths.PACKAGE / room.name / "stored.py"
        if room.ispkg and path.exists():
            for experiment in importlib.import_module(f"offconvex.{room.name}.stored").STORED:
                found[experiment.name] = experiment
    return found


def settings(config: object) -> dict[str, object]:
    """Fields of a config as they come back from JSON, so that stored and present settings can be compared."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def save(experiment: StoredExperiment, arrays: Arrays, provenance: Mapping[str, object]) -> Path:
    """Write arrays and settings to the chapter's results; the settings come last and vouch for the arrays' bytes."""
    data, record = _paths(experiment.chapter, experiment.name)
    content = pack(arrays)
    text = json.dumps(
        {
            "config": settings(experiment.config),
            "sha256": hashlib.sha256(content).hexdigest(),
            "provenance": dict(provenance),
        },
        indent=1,
    )
    data.parent.mkdir(parents=True, exist_ok=True)
    replace(data, content)
    replace(record, text.encode() + b"\n")
    return data


def load(chapter: str, name: str, config: object | None = None) -> Stored:
    """Stored result of an experiment.

    Args:
        chapter: the chapter that shows it.
        name: its name.
        config: the settings the caller believes it was made with, or None.

    Raises:
        ValueError: if it is missing, truncated or altered, or was made with other settings.
    """
    data, record = _paths(chapter, name)
    remedy = f"make it again with `offconvex run {name}`."
    try:
        content, about = data.read_bytes(), json.loads(record.read_text())
        digest, made_with, provenance = about["sha256"], about["config"], about["provenance"]
    except FileNotFoundError as error:
        raise ValueError(f"The stored experiment {name!r} is missing ({Path(error.filename).name}); {remedy}") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"The record of the stored experiment {name!r} is unreadable; {remedy}") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"The stored experiment {name!r} is damaged: its SHA-256 is not the recorded one; {remedy}")
    if config is not None and settings(config) != made_with:
        changed = sorted(k for k in {*made_with, *settings(config)} if made_with.get(k) != settings(config).get(k))
        raise ValueError(
            f"The stored experiment {name!r} was made with other settings ({', '.join(changed)}); {remedy}"
        )
    return Stored(unpack(content), made_with, provenance)


def pack(arrays: Arrays) -> bytes:
    """Arrays as the bytes of a compressed .npz; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def unpack(content: bytes) -> Arrays:
    """Inverse of `pack`."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def replace(path: Path, content: bytes) -> None:
    """Write a file so that it is never seen half-written."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(content)
    os.replace(temporary, path)


def _paths(chapter: str, name: str) -> tuple[Path, Path]:
    folder = paths.committed_results(chapter)
    return folder / f"stored-{name}.npz", folder / f"stored-{name}.json"
