"""The part of the page on performance that tells what was measured on a graphics card, or that none was."""

from collections.abc import Mapping

from docutils import nodes
from sphinx.application import Sphinx

from offconvex import claims
from offconvex.book.card import parts, record
from offconvex.book.card.record import MeasuredPart
from offconvex.book.publication import catalog, performance

from .folding import folded
from .markup import Generated, block, number, paragraph, section, span, table, typeset
from .performance import counted, written

NONE = "No graphics card has been measured yet: `make gpu` does it where there is one."


def setup(app: Sphinx) -> None:
    app.add_directive("graphics-card", GraphicsCard)


class GraphicsCard(Generated):
    """All that was measured."""

    def run(self) -> list[nodes.Node]:
        """A sentence, and sections on what there is."""
        self.env.note_dependency(str(record.place(self.root)))
        try:
            kept = list(record.load(self.root).values())
        except ValueError as error:
            raise self.error(str(error)) from None
        if not kept:
            return [paragraph(*self.inline(NONE))]
        present = versions()
        profiles = {part.name: part.found.get("profile") for part in kept}
        judged = [part for part in kept if profiles[part.name] == "default"]
        parts = {
            "Engines on the card": [engine(part, present) for part in kept if "problems" in part.found],
            "Chapters on the card": self.chapters(judged, present),
            "Not to its end": [failure(part, present) for part in kept if part.error],
            "The card and its machine": [machines(kept)],
        }
        sections = [
            section([nodes.Text(title)], nodes.make_id(title), *content) for title, content in parts.items() if content
        ]
        return [paragraph(summary(kept, present), classes="scoreboard-line"), *sections]

    def chapters(self, kept: list[MeasuredPart], present: Mapping[str, str]) -> list[nodes.Node]:
        """Times and claims of the chapters at their committed sizes, beside the committed run."""
        if not kept:
            return []
        self.depend_on("claims.json", "provenance.json")
        registry = claims.load(self.root / "book" / "claims.toml")
        rows, folds = [], []
        for part in kept:
            name = str(part.found["chapter"])
            committed = catalog.record(name, "claims.json", self.root)
            spent = catalog.record(name, "provenance.json", self.root).get("duration_seconds")
            listed = [claim for claim in registry.values() if claim.chapter == name]
            here = {id: entry for id, entry in part.found["claims"].items() if id in registry}
            kept_here, kept_there = (
                sum(holds(claim, found.get(claim.id)) for claim in listed) for found in (here, committed)
            )
            rows.append([
                [name, *remark(part, present)],
                [performance.duration(1e3 * part.seconds) + (" (stopped)" if part.error else "")],
                [performance.duration(1e3 * spent) if spent else "–"],
                [f"{kept_here} of {len(listed)}"],
                [f"{kept_there} of {len(listed)}"],
            ])  # fmt: skip
            folds.append(folded(f"Measures of {name}", measures(listed, here, committed), classes="fold-measures"))
        header = ["Chapter", "Card", "Processor", "Claims within bounds: card", "Processor"]
        return [table(header, rows, classes="card-chapters", widths=[4, 2, 2, 2, 2]), *folds]


def versions() -> dict[str, str]:
    """Hash of the present code of every part."""
    return parts.versions(parts.listed())


def summary(kept: list[MeasuredPart], present: Mapping[str, str]) -> str:
    """What there is, and of which code."""
    names = sorted({str(part.machine["card"]) for part in kept})
    missing = sum(name not in {part.name for part in kept} for name in present)
    earlier = sum(bool(remark(part, present)) for part in kept)
    smoke = [part for part in kept if part.found.get("profile") == "smoke" or part.name.startswith("smoke of ")]
    said = [f"Measured on {' and '.join(names)}: {counted(kept, 'part')}"]
    said[0] += f", {missing} more not yet." if missing else "."
    if earlier:
        said.append(f"{earlier} of them by code that has changed since, which is said where they stand.")
    if smoke:
        ended = sum(not part.error for part in smoke)
        said.append(f"At tiny sizes {ended} of {len(smoke)} chapters run there to their end.")
    return " ".join(said)


def engine(part: MeasuredPart, present: Mapping[str, str]) -> nodes.container:
    """Times of one engine, card and processor."""
    head = paragraph(written(str(part.found["engine"])), *remark(part, present), "; float64.", classes="problem")
    rows = [
        [
            [written(row["sizes"])],
            [row["unit"]],
            [performance.duration(row["card"])],
            [performance.duration(row["processor"])],
            [performance.digits(row["processor"] / row["card"])],
        ]
        for row in part.found["problems"]
    ]
    header = ["Sizes", "Time per", "Card", "One core", "Ratio"]
    return block(head, table(header, rows, classes="card-engines", widths=[5, 3, 2, 2, 2]), classes="comparison")


def failure(part: MeasuredPart, present: Mapping[str, str]) -> nodes.paragraph:
    """What stopped a part."""
    return paragraph(f"{written(part.name)}", *remark(part, present), f": {part.error}")


def remark(part: MeasuredPart, present: Mapping[str, str]) -> list[nodes.Node]:
    """That a part was measured by other code than the present one, if so."""
    return [] if present.get(part.name) == part.code else [span(" (by earlier code)", classes="meaning")]


def holds(claim: claims.Claim, entry: Mapping | None) -> bool:
    """Whether measured values keep the present bounds, and those of the control break them."""
    if not entry:
        return False
    values, broken = (claims.as_mapping(entry.get(key, {})) for key in ("observed", "control"))
    named = {measure.name: measure for measure in claim.measures}
    return all(m.name in values and m.holds(values[m.name]) for m in claim.measures) and not any(
        name in named and named[name].holds(value) for name, value in broken.items()
    )


def measures(listed: list[claims.Claim], here: Mapping, committed: Mapping) -> nodes.table:
    """Every measure on the card and of the committed run."""
    rows = []
    for claim in listed:
        found = [claims.as_mapping(side.get(claim.id, {}).get("observed", {})) for side in (here, committed)]
        for measure in claim.measures:
            values = [side.get(measure.name) for side in found]
            rows.append([
                [nodes.literal("", claim.id), f" {measure.name}".rstrip()],
                [typeset(measure.bound)],
                *([("–" if value is None else number(value))] for value in values),
                [verdict(measure, values[0])],
            ])  # fmt: skip
    return table(["Claim", "Bound", "Card", "Processor", "On the card"], rows, classes="card-measures")


def verdict(measure: claims.Measure, value: float | None) -> nodes.inline | str:
    """Whether a value keeps the bound."""
    if value is None:
        return "not measured"
    kept = measure.holds(value)
    return span("within" if kept else "misses", classes="verdict" if kept else "verdict verdict-misses")


def machines(kept: list[MeasuredPart]) -> nodes.table:
    """Each machine and state of the code once."""
    facts: dict[str, list[str]] = {}
    for part in kept:
        about = part.machine
        commit = f"commit {about['commit'][:10]}" if about.get("commit") else "no commit known"
        changed = " and uncommitted changes" if about.get("dirty") else ""
        said = (
            f"{about['card']}, {about['card_gib']:g} GiB; {about['cpu']}, {about['cores']} cores; {about['system']}; "
            f"Python {about['python']}, torch {about['torch']}, CUDA {about['cuda']}; {commit}{changed}; "
            f"{about['date'][:16].replace('T', ' ')}"
            + (f"; up to {part.beside} parts at a time" if part.beside > 1 else "")
        )
        facts.setdefault(said, []).append(part.name)
    rows = [[[counted(names, "part")], [said]] for said, names in facts.items()]
    return table(["Measured", "Where and when (UTC)"], rows, classes="machine", widths=[2, 6])
