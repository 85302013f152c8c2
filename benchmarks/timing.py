"""How every benchmark here measures: processor time, contestants in turn over several rounds, medians.

A busy machine slows all contestants alike, and processor time does not count what others take. One more round comes
before the others and is not counted, since whoever comes first pays for memory and caches.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from offconvex.book.publication import performance
from offconvex.book.publication.performance import Comparison, CostGrowth, Method, Row

LEAST = 0.02  # seconds of the shortest measurement of a growth


@dataclass(frozen=True)
class Contestant:
    """One way to solve a problem.

    Attributes:
        name: the method.
        run: does `count` units of it.
        count: how many; a fraction if `run` is a slice of one unit.
        bar: least ratio to the engine's time that is asked for; None if none is.
        meaning: what it is there for.
        reference: no other way to the same result, but a bound on all ways, a part, or another quantity.
    """

    name: str
    run: Callable[[], object]
    count: float = 1
    bar: float | None = None
    meaning: str = ""
    reference: bool = False


def seconds(run: Callable, *arguments: object) -> float:
    """Processor time of one call."""
    begin = time.process_time()
    run(*arguments)
    return time.process_time() - begin


def compare(
    engine: str, problem: str, unit: str, contestants: Sequence[Contestant], *, rounds: int = 7, warm: bool = True
) -> Comparison:
    """Median time per unit of each contestant, the engine first; `warm` runs each once before."""
    if warm:
        for contestant in contestants:
            contestant.run()
    spent: list[list[float]] = [[] for _ in contestants]
    for _ in range(rounds):
        for own, contestant in zip(spent, contestants):
            own.append(seconds(contestant.run) / contestant.count)
    medians = {c.name: statistics.median(own) for c, own in zip(contestants, spent)}
    notes = {c.name: {"bar": c.bar, "meaning": c.meaning, "reference": c.reference} for c in contestants}
    return comparison(engine, problem, unit, medians, notes)


def comparison(
    engine: str,
    problem: str,
    unit: str,
    spent: Mapping[str, float],
    notes: Mapping[str, Mapping[str, object]] | None = None,
) -> Comparison:
    """The same from seconds per unit, the engine's first, and other fields of each `Method`."""
    base = next(iter(spent.values()))
    methods = [Method(name, 1e3 * s, s / base, **(notes or {}).get(name, {})) for name, s in spent.items()]
    return Comparison(engine, problem, unit, tuple(methods))


def repeated(work: Callable[[], object]) -> Callable[[int], None]:
    """A function that works as often as it is told."""

    def run(count: int) -> None:
        for _ in range(count):
            work()

    return run


@dataclass(frozen=True)
class Knob:
    """One size of an engine, and what its operation count says.

    Attributes:
        engine: what is judged.
        name: the size that grows.
        setting: the other sizes.
        unit: what is counted and timed.
        sizes: of the knob, rising.
        build: size -> function that does a number of units.
        operations: size -> multiplications of one unit.
        count: the same in words or as a formula.
    """

    engine: str
    name: str
    setting: str
    unit: str
    sizes: tuple[int, ...]
    build: Callable[[int], Callable[[int], object]]
    operations: Callable[[int], float]
    count: str


def grow(knob: Knob, *, rounds: int = 5, least: float = LEAST) -> CostGrowth:
    """Times at every size, the sizes in turn; each measurement has so many units that it takes `least` seconds."""
    runs = [knob.build(size) for size in knob.sizes]
    counts = [_enough(run, least) for run in runs]
    spent: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for own, run, count in zip(spent, runs, counts):
            own.append(seconds(run, count) / count)
    medians = tuple(1e3 * statistics.median(own) for own in spent)
    operations = tuple(float(knob.operations(size)) for size in knob.sizes)
    return CostGrowth(knob.engine, knob.name, knob.setting, knob.unit, knob.sizes, medians, operations, knob.count)


def _enough(run: Callable[[int], object], least: float) -> int:
    run(1)  # warms up
    count = 1
    while (spent := seconds(run, count)) < least / 2:
        count = max(2 * count, math.ceil(0.8 * count * least / max(spent, 1e-5)))
    return max(count, math.ceil(count * least / spent))


def show(rows: Iterable[Row]) -> None:
    """Print rows as a table."""
    print(performance.text(list(rows)))
