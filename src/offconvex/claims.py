"""Every claim of the book, looked up in claims.toml and judged there, never beside the plot."""

import functools
import graphlib
import json
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from offconvex import files, paths, plain
from offconvex.run import active_run

KINDS = ("claim", "control", "finding", "unreproduced", "refuted")
SCALES = ("paper", "reduced", "exact")
LARGEST_CHANCE = 1e-4
"""A whole chapter may miss a bound by bad luck at most this often, so no single measure may do so more often."""
RECORD_ONLY = "OFFCONVEX_RECORD_ONLY"
"""Environment variable under which a missed bound is stored and printed but ends nothing: for runs over many seeds."""


@dataclass(frozen=True)
class Luck:
    """How often a measure misses its bound by bad luck alone.

    Attributes:
        chance: probability over the chapter's seed, at most LARGEST_CHANCE.
        how: how that is known: a theorem, a tail with its standard error, or a simulation.
    """

    chance: float
    how: str


@dataclass(frozen=True)
class Measure:
    """One number that a claim rests on.

    Attributes:
        name: its key when a claim has several; empty when it has one.
        quantity: what is measured, in words, with its unit; formulas between dollar signs.
        at_least: lower bound, or None.
        at_most: upper bound, or None.
        luck: how often it misses by bad luck, or None if nobody has said so.
    """

    name: str
    quantity: str
    at_least: float | None
    at_most: float | None
    luck: Luck | None = None

    def holds(self, value: float) -> bool:
        """Whether the value is finite and inside the bound."""
        return (
            math.isfinite(value)
            and (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
        )

    @property
    def bound(self) -> str:
        """The bound as a short formula."""
        if self.at_least is not None and self.at_most is not None:
            return f"{self.at_least:g} … {self.at_most:g}"
        return f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"


@dataclass(frozen=True)
class Claim:
    """One entry of claims.toml.

    Attributes:
        id: stable name that is cited.
        chapter: the one chapter that measures it.
        kind: "claim" (a source says it), "control" (a hypothesis is removed), "finding" (ours), "unreproduced" (a
            source says it and it did not show at this scale; the measures bound what showed instead), or "refuted" (a
            source says it and the experiment shows the contrary, which the measures bound).
        sentence: the statement, in words, with formulas between dollar signs.
        source: bib key and place.
        scale: "paper" (the source's own setting), "reduced", or "exact" (an identity or theorem).
        figure: id of the figure that shows it, or "".
        reason: why the bounds are what they are.
        measures: the numbers it rests on.
        uses: ids of other claims that it rests on.
    """

    id: str
    chapter: str
    kind: str
    sentence: str
    source: str
    scale: str
    figure: str
    reason: str
    measures: tuple[Measure, ...]
    uses: tuple[str, ...] = ()


class ClaimFailed(AssertionError):
    """A measured value misses its bound, or a control fails to miss it."""


def load(path: Path | None = None) -> dict[str, Claim]:
    """All claims by id, in the order of the file.

    Raises:
        ValueError: if an entry is incomplete or contradicts itself, or claims rest on each other in a circle; the
            message names them.
    """
    with open(path or paths.book_file("claims.toml"), "rb") as file:
        registry = {id: _parse(id, entry) for id, entry in tomllib.load(file).items()}
    for claim in registry.values():
        if unknown := set(claim.uses) - set(registry):
            raise ValueError(f"claims.toml, {claim.id}: uses what is no claim: {', '.join(sorted(unknown))}.")
    try:
        graphlib.TopologicalSorter({claim.id: claim.uses for claim in registry.values()}).prepare()
    except graphlib.CycleError as error:
        circle = " uses ".join(reversed(error.args[1]))
        raise ValueError(f"claims.toml: claims cannot rest on each other in a circle: {circle}.") from None
    return registry


_registry = functools.cache(load)


def check(id: str, observed: float | Mapping[str, float]) -> None:
    """Judge a measured value by its bound, print one line without digits, store it in claims.json.

    Args:
        id: entry of claims.toml that belongs to the open chapter.
        observed: the value, or one value per named measure.

    Raises:
        ClaimFailed: with the numbers, if a value misses its bound (not under the smoke profile).
        ValueError: if the id is unknown, belongs to another chapter, or the measures do not fit.
    """
    claim, values = _claim(id), _values(id, observed)
    missing = {m.name for m in claim.measures} - set(values)
    if missing:
        raise ValueError(f"{id}: no value for {_names(missing)}; every measure of a claim must be given.")
    missed = [m for m in claim.measures if not m.holds(values[m.name])]
    run = active_run()
    record = {
        "kind": claim.kind,
        "scale": claim.scale,
        "observed": _plain(values),
        "bound": _plain({m.name: m.bound for m in claim.measures}),
        "holds": not missed,
        "figure": claim.figure,
        "seed": run.seed,
    }
    _store(run.output, id, record)
    _verdict(id, missed, values, f"✓ {id}", "misses its bound")


def control(id: str, observed: float | Mapping[str, float]) -> None:
    """Judge a control beside a claim: each value given must violate the claim's bound.

    Args:
        id: a claim already checked in this run.
        observed: the value with the hypothesis removed, or values for some of the named measures.

    Raises:
        ClaimFailed: with the numbers, if a value keeps the bound that it should break, or is not finite: a control
            that could not be measured shows nothing.
        ValueError: if the id is unknown or was not checked before, or the measures do not fit.
    """
    claim, values = _claim(id), _values(id, observed)
    given = [m for m in claim.measures if m.name in values]
    kept = [m for m in given if m.holds(values[m.name]) or not math.isfinite(values[m.name])]
    run = active_run()
    stored = _read(run.output).get(id)
    if stored is None:
        raise ValueError(f"{id}: check the claim before its control, so that both are stored together.")
    _store(run.output, id, stored | {"control": _plain(values), "control_fails": not kept})
    _verdict(id, kept, values, f"✓ {id} fails on its control", "does not break its bound on its control")


def as_mapping(value: object) -> dict[str, object]:
    """Values as stored, by the names of their measures; that of a single measure is ""."""
    return dict(value) if isinstance(value, Mapping) else {"": value}


def reset(output: Path) -> None:
    """Forget the claims of an earlier run in the same folder."""
    (output / "claims.json").unlink(missing_ok=True)


def _verdict(id: str, wrong: list[Measure], values: Mapping[str, float], line: str, complaint: str) -> None:
    if active_run().profile == "smoke":
        # Smoke sizes only show that the code runs; bounds are stated for the committed sizes.
        print(f"· {id}: run, not judged at smoke size")
        return
    if wrong and os.environ.get(RECORD_ONLY):
        print(f"✗ {id} {complaint}")
        return
    if wrong:
        details = "; ".join(f"{plain.text(m.quantity)}: {values[m.name]:.6g}, bound {m.bound}" for m in wrong)
        raise ClaimFailed(f"{id} {complaint}. {details}.")
    print(line)


def _claim(id: str) -> Claim:
    claim = _registry().get(id)
    if claim is None:
        raise ValueError(f"Unknown claim {id!r}: no such entry in claims.toml.")
    run = active_run()
    if claim.chapter != run.chapter:
        raise ValueError(f"{id} belongs to the chapter {claim.chapter!r}, but the open chapter is {run.chapter!r}.")
    return claim


def _values(id: str, observed: float | Mapping[str, float]) -> dict[str, float]:
    names = {m.name for m in _registry()[id].measures}
    values = dict(observed) if isinstance(observed, Mapping) else {"": observed}
    unknown = set(values) - names
    if unknown or not values:
        raise ValueError(f"{id} has the measures {_names(names)}; got {_names(values)}.")
    try:
        return {name: float(value) for name, value in values.items()}
    except (TypeError, ValueError, RuntimeError):
        kinds = ", ".join(sorted({type(value).__name__ for value in values.values()}))
        raise ValueError(f"{id}: each observed value must be one number; got {kinds}.") from None


def _names(names) -> str:
    return ", ".join(repr(n) if n else "its single value" for n in sorted(names)) or "none"


def _plain(values: Mapping[str, object]) -> object:
    return values[""] if set(values) == {""} else dict(values)


def _read(output: Path) -> dict[str, dict]:
    file = output / "claims.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def _store(output: Path, id: str, record: dict) -> None:
    records = _read(output) | {id: record}
    # Sorted, so that equal runs give equal bytes in whatever order the chapter checks.
    files.write_json(output / "claims.json", records, sort=True)


def _parse(id: str, entry: dict) -> Claim:
    words = ("chapter", "kind", "sentence", "source", "scale", "figure", "reason")
    if not isinstance(entry, dict):
        raise ValueError(f"claims.toml, {id}: expected a table with {', '.join(words)}, measures; got {entry!r}.")
    missing, unknown = {*words, "measures"} - set(entry), set(entry) - {*words, "measures", "uses"}
    if missing or unknown:
        raise ValueError(f"claims.toml, {id}: missing fields {sorted(missing)}, unknown fields {sorted(unknown)}.")
    if entry["kind"] not in KINDS or entry["scale"] not in SCALES:
        raise ValueError(f"claims.toml, {id}: kind must be one of {KINDS} and scale one of {SCALES}.")
    if not all(isinstance(entry[f], str) for f in words) or not isinstance(entry["measures"], list):
        raise ValueError(f"claims.toml, {id}: measures must be a list of tables and every other field text.")
    uses = entry.get("uses", [])
    if not isinstance(uses, list) or not all(isinstance(used, str) for used in uses) or len(set(uses)) < len(uses):
        raise ValueError(f"claims.toml, {id}: uses must be a list of claims, each once; got {uses!r}.")
    measures = tuple(_measure(id, m) for m in entry["measures"])
    names = [m.name for m in measures]
    if not names or len(set(names)) < len(names) or (len(names) > 1 and "" in names):
        raise ValueError(f"claims.toml, {id}: measures need distinct names, and none only when there is one.")
    return Claim(id=id, **{f: entry[f] for f in words}, measures=measures, uses=tuple(uses))


def _measure(id: str, entry: dict) -> Measure:
    # A misspelt bound would be no bound.
    fields = {"name", "quantity", "at_least", "at_most", "luck"}
    if not isinstance(entry, dict) or set(entry) - fields or "quantity" not in entry:
        raise ValueError(
            f"claims.toml, {id}: a measure has quantity, at_least, at_most, name and luck only; got {entry!r}."
        )
    if not all(isinstance(entry.get(field, ""), str) for field in ("name", "quantity")):
        raise ValueError(f"claims.toml, {id}: name and quantity of a measure are text; got {entry!r}.")
    bounds = [entry[side] for side in ("at_least", "at_most") if side in entry]
    if not bounds:
        raise ValueError(f"claims.toml, {id}: every measure needs at_least, at_most or both.")
    if not all(map(_finite, bounds)) or bounds != sorted(bounds):
        raise ValueError(f"claims.toml, {id}: bounds must be finite numbers with at_least <= at_most; got {bounds}.")
    luck = _luck(id, entry["luck"]) if "luck" in entry else None
    return Measure(entry.get("name", ""), entry["quantity"], entry.get("at_least"), entry.get("at_most"), luck)


def _luck(id: str, entry: dict) -> Luck:
    if not isinstance(entry, dict) or set(entry) != {"chance", "how"}:
        raise ValueError(f"claims.toml, {id}: luck has chance and how; got {entry!r}.")
    chance, how = entry["chance"], entry["how"]
    if not _finite(chance) or not 0 <= chance <= LARGEST_CHANCE:
        raise ValueError(f"claims.toml, {id}: chance must be between 0 and {LARGEST_CHANCE:g}; got {chance!r}.")
    if not isinstance(how, str) or not how.strip():
        raise ValueError(f"claims.toml, {id}: how must say in words how the chance is known; got {how!r}.")
    return Luck(float(chance), how)


def _finite(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
