"""Compares the results of a fresh execution with the committed ones, number by number."""

import functools
import json
import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from offconvex import figures, paths

CLAIM_TOLERANCE = 0.1
"""Largest change of an observed value, relative to the larger of the value and its bound.

Quantities at rounding level vary freely from machine to machine, but only far below their bound; quantities that the
bound really binds must come out again."""


@dataclass(frozen=True)
class Tolerances:
    """Largest relative change allowed in the arrays behind each figure.

    Attributes:
        default: for figures not listed.
        figures: by figure id, only where the default is too strict, each with its reason in figures.toml.
        arrays: by figure id, the arrays for which that holds; a figure that is not listed means all of its arrays.
    """

    default: float
    figures: dict[str, float]
    arrays: dict[str, set[str]] = field(default_factory=dict)

    def of(self, figure: str, array: str) -> float:
        """Tolerance of one array of a figure."""
        if array not in self.arrays.get(figure, {array}):
            return self.default
        return self.figures.get(figure, self.default)


@functools.cache
def load_tolerances(path: Path | None = None) -> Tolerances:
    """Tolerances of `book/figures.toml`.

    Raises:
        ValueError: if an entry has no tolerance or no reason, or something else.
    """
    with open(path or paths.book_file("figures.toml"), "rb") as file:
        entries = tomllib.load(file)
    default = entries.pop("default")
    for id, entry in entries.items():
        if set(entry) - {"arrays"} != {"tolerance", "reason"}:
            raise ValueError(
                f"figures.toml, {id}: expected `tolerance`, `reason` and perhaps `arrays`; got {sorted(entry)}."
            )
    arrays = {id: set(entry["arrays"]) for id, entry in entries.items() if "arrays" in entry}
    return Tolerances(default, {id: entry["tolerance"] for id, entry in entries.items()}, arrays)


def differences(fresh: Path, committed: Path, tolerances: Tolerances) -> list[str]:
    """What differs between two results folders of one chapter, one sentence each; empty when they agree."""
    found = []
    for name in sorted(_data_files(fresh) | _data_files(committed)):
        if not (fresh / name).exists() or not (committed / name).exists():
            where = "committed" if not (fresh / name).exists() else "freshly made"
            found.append(f"{name} exists only among the {where} results")
        elif name == "claims.json":
            found += _claim_differences(_json(fresh / name), _json(committed / name))
        else:
            found += _figure_differences(fresh / name, committed / name, tolerances)
    return found


def _data_files(folder: Path) -> set[str]:
    patterns = ("claims.json", "fig-*.csv", "fig-*.npz")
    return {file.name for pattern in patterns for file in folder.glob(pattern)}


def _json(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path.name}: unreadable ({error}); execute the chapter again.") from error


def _claim_differences(fresh: dict, committed: dict) -> list[str]:
    found = [f"claim {id} was measured in one of the two runs only" for id in sorted(set(fresh) ^ set(committed))]
    for id in sorted(set(fresh) & set(committed)):
        new, old = fresh[id], committed[id]
        for aspect in ("kind", "scale", "bound", "holds", "figure", "seed", "control_fails"):
            if new.get(aspect) != old.get(aspect):
                found.append(f"claim {id}: {aspect} was {old.get(aspect)!r}, is {new.get(aspect)!r}")
        values, bounds = _flat(old["observed"]), _flat(old["bound"])
        for name, value in _flat(new["observed"]).items():
            scale = max(abs(values[name]), *(abs(b) for b in _numbers(bounds[name])))
            if not math.isclose(value, values[name], rel_tol=0, abs_tol=CLAIM_TOLERANCE * scale):
                found.append(f"claim {id} {name}: observed was {values[name]:.6g}, is {value:.6g}")
    return found


def _flat(value: object) -> dict:
    return value if isinstance(value, dict) else {"": value}


def _numbers(bound: str) -> list[float]:
    return [float(part) for part in bound.replace("≥", "").replace("≤", "").split("…")]


def _figure_differences(fresh: Path, committed: Path, tolerances: Tolerances) -> list[str]:
    new, old = figures.read_data(fresh), figures.read_data(committed)
    if set(new) != set(old):
        return [f"{fresh.name}: arrays were {sorted(old)}, are {sorted(new)}"]
    found = []
    for name in sorted(new):
        a, b = new[name], old[name]
        if a.shape != b.shape or a.dtype.kind != b.dtype.kind:
            found.append(f"{fresh.name}: {name} was {b.dtype} {b.shape}, is {a.dtype} {a.shape}")
        elif a.dtype.kind == "U":
            if not np.array_equal(a, b):
                found.append(f"{fresh.name}: the text in {name} changed")
        elif (change := _relative_change(a, b)) > (tolerance := tolerances.of(fresh.stem, name)):
            found.append(
                f"{fresh.name}: {name} changed by {change:.2g} of its largest magnitude, allowed {tolerance:g}"
            )
    return found


def _relative_change(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))  # infinities of one sign are equal, and drawn as gaps
    if same.all():
        return 0.0
    if not (np.isfinite(a[~same]).all() and np.isfinite(b[~same]).all()):
        return math.inf
    scale = np.abs(b[np.isfinite(b)]).max(initial=0.0)
    return float(np.abs(a[~same] - b[~same]).max() / scale) if scale > 0 else math.inf
