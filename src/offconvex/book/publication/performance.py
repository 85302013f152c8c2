"""What the instruments cost: rows of the benchmarks, kept with their machine in one committed file."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from offconvex import files, paths

FILE = "performance.json"
REMEDY = "take it back from the repository, or run `make bench`."


@dataclass(frozen=True)
class Method:
    """What one way of solving a problem costs.

    Attributes:
        name: the method.
        milliseconds: median processor time of one unit of the problem.
        ratio: `milliseconds` over the engine's.
        bar: the ratio that is asked for, at least; None if none is.
        meaning: what the method is there for; "" if its name says it.
        reference: no other way to the same result, but a bound on all ways, a part, or another quantity.
    """

    name: str
    milliseconds: float
    ratio: float
    bar: float | None = None
    meaning: str = ""
    reference: bool = False

    @property
    def keeps_bar(self) -> bool | None:
        """Whether the ratio is at least the bar; None without one."""
        return None if self.bar is None else self.ratio >= self.bar


@dataclass(frozen=True)
class Comparison:
    """An engine and other ways to the same result, timed in turn.

    Attributes:
        engine: what is judged.
        problem: sizes and precision.
        unit: what the times are of, such as "step".
        methods: the engine first.
    """

    engine: str
    problem: str
    unit: str
    methods: tuple[Method, ...]

    @property
    def gain(self) -> float | None:
        """How many times as long as the engine the fastest other way to the same result takes; None without one."""
        return min((m.ratio for m in self.methods[1:] if not m.reference), default=None)


@dataclass(frozen=True)
class CostGrowth:
    """How an engine's cost grows with one size.

    Attributes:
        engine: what is judged.
        knob: the size that grows.
        setting: the other sizes.
        unit: what the times are of.
        sizes: of the knob, rising.
        milliseconds: median processor time of one unit at each size.
        operations: multiplications of one unit at each size, as the count says.
        count: the operation count in words or as a formula.
    """

    engine: str
    knob: str
    setting: str
    unit: str
    sizes: tuple[float, ...]
    milliseconds: tuple[float, ...]
    operations: tuple[float, ...]
    count: str

    @property
    def measured(self) -> float:
        """Exponent of the power of the size that fits the times best, in the least squares of logarithms."""
        return slope(self.sizes, self.milliseconds)

    @property
    def predicted(self) -> float:
        """Exponent that the same fit gives the operation count over the same sizes."""
        return slope(self.sizes, self.operations)


@dataclass(frozen=True)
class Skipped:
    """A benchmark that did not run.

    Attributes:
        engine: what would have been judged.
        reason: why not.
    """

    engine: str
    reason: str


Row = Comparison | CostGrowth | Skipped


@dataclass(frozen=True)
class PerformanceRecord:
    """One run of all benchmarks.

    Attributes:
        machine: what `provenance.machine` says of it, with "seconds" by the clock and "processor_seconds".
        comparisons: engines against other formulations.
        growth: how cost grows.
        skipped: benchmarks that did not run.
    """

    machine: Mapping[str, object]
    comparisons: tuple[Comparison, ...]
    growth: tuple[CostGrowth, ...]
    skipped: tuple[Skipped, ...] = ()


def slope(sizes: tuple[float, ...], costs: tuple[float, ...]) -> float:
    """Least-squares slope of log cost in log size.

    Raises:
        ValueError: unless there are at least two different sizes and all numbers are positive.
    """
    if len(sizes) != len(costs) or len(set(sizes)) < 2 or min(*sizes, *costs) <= 0:
        raise ValueError(f"A slope needs two different positive sizes and positive costs; got {sizes} and {costs}.")
    x, y = np.log(np.array(sizes, dtype=float)), np.log(np.array(costs, dtype=float))
    return round(float(np.polyfit(x, y, 1)[0]), 6) + 0.0  # no negative zero


def collect(machine: Mapping[str, object], rows: list[Row]) -> PerformanceRecord:
    """Rows of all benchmarks as one record."""
    kinds = ([row for row in rows if isinstance(row, kind)] for kind in (Comparison, CostGrowth, Skipped))
    return PerformanceRecord(dict(machine), *map(tuple, kinds))


def place(root: Path | None = None) -> Path:
    """The committed file."""
    return (root or paths.require_project_root()) / "book" / "results" / FILE


def save(record: PerformanceRecord, root: Path | None = None) -> Path:
    """Write the record, at once or not at all, with a checksum of its content."""
    return files.write_sealed(place(root), json.loads(json.dumps(dataclasses.asdict(record))))


def load(root: Path | None = None) -> PerformanceRecord:
    """The committed record.

    Raises:
        ValueError: if it is missing, truncated or altered.
    """
    content = files.read_sealed(place(root), REMEDY)
    try:
        return _record(content)
    except (LookupError, TypeError, AttributeError):
        raise ValueError(f"{FILE} is unreadable; {REMEDY}") from None


def _record(content: Mapping) -> PerformanceRecord:
    comparisons = [
        Comparison(**row | {"methods": tuple(Method(**m) for m in row["methods"])}) for row in content["comparisons"]
    ]
    listed = ("sizes", "milliseconds", "operations")
    growth = [CostGrowth(**row | {name: tuple(row[name]) for name in listed}) for row in content["growth"]]
    skipped = [Skipped(**row) for row in content["skipped"]]
    return PerformanceRecord(dict(content["machine"]), tuple(comparisons), tuple(growth), tuple(skipped))


def duration(milliseconds: float) -> str:
    """A time to three digits, in the unit that suits it."""
    for limit, unit, scale in ((1, "µs", 1e3), (1e3, "ms", 1), (12e4, "s", 1e-3), (72e5, "min", 1 / 6e4)):
        if milliseconds < limit:
            return f"{digits(milliseconds * scale)} {unit}"
    return f"{digits(milliseconds / 36e5)} h"


def digits(value: float) -> str:
    """A number to three digits without an exponent: 0.0123, 1.5, 45,600."""
    if value == 0:
        return "0"
    places = 2 - int(np.floor(np.log10(abs(value))))
    rounded = round(value, places)
    return f"{rounded:,.{max(2 - int(np.floor(np.log10(abs(rounded)))), 0)}f}"


def bar_words(method: Method) -> str:
    """The bar and whether the ratio keeps it; "" without one."""
    return "" if method.bar is None else f"{'✓' if method.keeps_bar else '✗'} at least {method.bar:.3g}"


def text(rows: list[Row]) -> str:
    """Rows as one table for a terminal: comparisons, then growth, then what was skipped."""
    record, lines = collect({}, rows), []
    if record.comparisons:
        lines.append(f"{'engine, problem, method':58} {'time':>9} {'ratio':>8}  bar; meaning")
    for row in record.comparisons:
        lines.append(f"{row.engine}: {row.problem}, per {row.unit}")
        for m in row.methods:
            notes = "; ".join(note for note in (bar_words(m), m.meaning) if note)
            lines.append(f"    {m.name:54} {duration(m.milliseconds):>9} {digits(m.ratio):>8}  {notes}".rstrip())
    if record.growth:
        lines.append(f"{'engine grows with sizes':58} {'exponent':>9} {'counted':>8}  count; times")
    for row in record.growth:
        name = f"{row.engine}: {row.knob} {', '.join(f'{size:g}' for size in row.sizes)}"
        times = ", ".join(duration(t) for t in row.milliseconds)
        lines.append(f"{name:58} {row.measured:9.2f} {row.predicted:8.2f}  {row.count}; {times} per {row.unit}")
    lines += [f"{row.engine}: skipped: {row.reason}" for row in record.skipped]
    return "\n".join(lines)
