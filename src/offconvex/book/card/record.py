"""What was measured on a graphics card: parts, each with its code and its machine, in one committed file."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from offconvex import files, paths

FILE = "gpu.json"
REMEDY = "take it back from the repository, or move it away and run `make gpu`."


@dataclass(frozen=True)
class MeasuredPart:
    """What became of one part.

    Attributes:
        name: of the part.
        seconds: by the clock, its process's start included.
        error: why it failed, in one line; "" if it did not.
        code: hash of the code that decides it.
        beside: how many parts could run at a time.
        machine: card, processor, versions, commit and date.
        found: what its function returned.
    """

    name: str
    seconds: float
    error: str
    code: str
    beside: int
    machine: Mapping[str, object]
    found: Mapping[str, object]


def place(root: Path | None = None) -> Path:
    """The committed file."""
    return (root or paths.require_project_root()) / "book" / "results" / FILE


def load(root: Path | None = None) -> dict[str, MeasuredPart]:
    """Parts by name, in the order in which they were first measured; none if there is no file.

    Raises:
        ValueError: if the file is truncated or altered.
    """
    if not place(root).exists():
        return {}
    content = files.read_sealed(place(root), REMEDY)
    try:
        return {part["name"]: MeasuredPart(**part) for part in content["parts"]}
    except (LookupError, TypeError):
        raise ValueError(f"{FILE} is unreadable; {REMEDY}") from None


def save(parts: Iterable[MeasuredPart], root: Path | None = None) -> Path:
    """Write parts, at once or not at all, with a checksum of the content."""
    listed = [dataclasses.asdict(part) for part in parts]
    return files.write_sealed(place(root), json.loads(json.dumps({"parts": listed})))


def store(part: MeasuredPart, root: Path | None = None) -> Path:
    """Write one part into the file as it is now, in the place of what was measured of it before."""
    return save((load(root) | {part.name: part}).values(), root)
