"""The page on performance: what the instruments cost, and how the cost grows."""

import re
import statistics

from docutils import nodes
from sphinx.application import Sphinx

from offconvex.book.publication import performance
from offconvex.book.publication.performance import Comparison, CostGrowth, Method

from .markup import Generated, block, number, paragraph, section, span, table, typeset


def setup(app: Sphinx) -> None:
    app.add_directive("performance", Performance)


class Performance(Generated):
    """One part of the record: "summary", "comparisons", "growth" or "machine"."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Its paragraphs and tables."""
        self.env.note_dependency(str(performance.place(self.root)))
        parts = {"summary": summary, "comparisons": comparisons, "growth": growth, "machine": machine}
        if self.arguments[0] not in parts:
            raise self.error(f"performance: expected one of {', '.join(parts)}; got {self.arguments[0]!r}.")
        try:
            return parts[self.arguments[0]](performance.load(self.root))
        except ValueError as error:
            raise self.error(str(error)) from None


def summary(record: performance.PerformanceRecord) -> list[nodes.Node]:
    """One sentence on each part."""
    gains = [row.gain for row in record.comparisons if row.gain is not None]
    bars = [m.keeps_bar for row in record.comparisons for m in row.methods if m.keeps_bar is not None]
    apart = {row: abs(row.measured - row.predicted) for row in record.growth}
    sentences = []
    if gains:
        low, middle, high = (performance.digits(f(gains)) for f in (min, statistics.median, max))
        spread = f"between {low} and {high} times as long as the engine, in the median {middle} times"
        sentences.append(
            f"Over {counted(gains, 'problem')} the fastest of the other ways to the same result takes "
            + (f"{spread}." if len(gains) > 1 else f"{low} times as long as the engine.")
        )
    if bars:
        sentences.append(f"Of {counted(bars, 'bar')}, {sum(bars)} {'is' if sum(bars) == 1 else 'are'} kept.")
    if apart:
        furthest = max(apart, key=apart.get)
        sentences.append(
            f"Over {counted(apart, 'growth')} the exponent of the times differs from that of the counted operations by "
            f"{statistics.median(apart.values()):.2f} in the median, and most, by {apart[furthest]:.2f}, for "
            f"{furthest.engine} as {furthest.knob} grows."
        )
    return [paragraph(" ".join(sentences), classes="scoreboard-line")]


def comparisons(record: performance.PerformanceRecord) -> list[nodes.Node]:
    """A section for each engine, a table for each of its problems."""
    engines: dict[str, list[Comparison]] = {}
    for row in record.comparisons:
        engines.setdefault(row.engine, []).append(row)
    sections = []
    for engine, rows in engines.items():
        parts = [block(problem(row), methods(row), classes="comparison") for row in rows]
        sections.append(section([nodes.Text(written(engine))], identifier(engine), *parts))
    skipped = [paragraph(f"{written(row.engine)}: not run. {row.reason}") for row in record.skipped]
    return [*sections, *([section([nodes.Text("Not run")], "performance-not-run", *skipped)] if skipped else [])]


def problem(row: Comparison) -> nodes.paragraph:
    """What the times below are of."""
    return paragraph(f"{written(row.problem)}; time per {row.unit}.", classes="problem")


def methods(row: Comparison) -> nodes.table:
    """Time and ratio of each method."""
    barred = any(method.bar is not None for method in row.methods)
    body = []
    for method in row.methods:
        cells = [named(method), [performance.duration(method.milliseconds)], [performance.digits(method.ratio)]]
        body.append(cells + ([bar(method)] if barred else []))
    header = ["Method", "Time", "Ratio", *(["Bar"] if barred else [])]
    return table(header, body, classes="methods", widths=[6, 2, 2, *([2] if barred else [])])


def named(method: Method) -> list[nodes.Node | str]:
    """A method's name, and what it is there for."""
    return [method.name, *([span(f" ({typeset(method.meaning)})", classes="meaning")] if method.meaning else [])]


def bar(method: Method) -> list[nodes.Node | str]:
    """The bar, and whether it is kept."""
    if method.bar is None:
        return ["–"]
    sign, word = ("✓", "kept: ") if method.keeps_bar else ("✗", "missed: ")
    mark = span(sign, classes="verdict" if method.keeps_bar else "verdict verdict-misses")
    return [mark, span(word, classes="visually-hidden"), f"≥ {number(method.bar)}"]


def growth(record: performance.PerformanceRecord) -> list[nodes.Node]:
    """One table of all growths."""
    header = ["Engine and size", "Exponent", "Counted", "Sizes and times"]
    return [table(header, [cells(row) for row in record.growth], classes="growth", widths=[5, 2, 4, 5])]


def cells(row: CostGrowth) -> list[list[nodes.Node | str]]:
    """One growth."""
    sizes = ", ".join(f"{size:,}" for size in row.sizes)
    times = ", ".join(performance.duration(time) for time in row.milliseconds)
    return [
        [f"{written(row.engine)}: {row.knob}", span(f" ({crossed(row.setting)})", classes="meaning")],
        [f"{row.measured:.2f}"],
        [f"{row.predicted:.2f}", span(f" {row.count}", classes="meaning")],
        [f"{sizes}: ", span(f"{times} per {row.unit}", classes="meaning")],
    ]


def machine(record: performance.PerformanceRecord) -> list[nodes.Node]:
    """Where and when the times were measured."""
    about = record.machine
    commit = nodes.literal("", about["commit"][:10]) if about.get("commit") else "–"
    packages = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    minutes = f"{about['processor_seconds'] / 60:.1f} minutes of processor time on one core"
    body = [
        [["Processor"], [f"{about['cpu']}, {about['cores']} cores"]],
        [["Memory"], [f"{about['memory_gib']:g} GiB"]],
        [["System"], [about["system"]]],
        [["Software"], [f"Python {about['python']}, {packages}"]],
        [["Date (UTC)"], [about["date"][:16].replace("T", " ")]],
        [["Commit"], [commit, *([" and uncommitted changes"] if about.get("dirty") else [])]],
        [["Duration"], [f"{minutes}, {about['seconds'] / 60:.1f} by the clock"]],
    ]
    return [table(["Property", "Value"], body, classes="machine", widths=[2, 6])]


def counted(things, name: str) -> str:
    """How many, in words that fit one and several."""
    return f"one {name}" if len(things) == 1 else f"{len(things)} {name}s"


def written(text: str) -> str:
    """Text that opens a sentence or a cell, with its numbers and products written by hand."""
    text = typeset(crossed(text))
    return text[:1].upper() + text[1:]


def crossed(text: str) -> str:
    """Text with the sign of multiplication for an x between spaces."""
    return re.sub(r"(?<=\w) x (?=\w)", " × ", text)


def identifier(engine: str) -> str:
    """Address of an engine's section on the page."""
    return "performance-" + nodes.make_id(engine)
