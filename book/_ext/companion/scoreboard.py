"""The page of claims: every claim with its bound, what was measured, its control and its verdict."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from offconvex import claims
from offconvex.book.execution import code, sweep
from offconvex.book.publication import catalog
from offconvex.book.reading import seeds

from .claim_cells import anchor
from .markup import Generated, block, heading, number, paragraph, section, span, table, typeset

KINDS = {
    "claim": "claim",
    "control": "control",
    "finding": "our finding",
    "unreproduced": "not reproduced",
    "refuted": "refuted",
}
SCALES = {"paper": "the source’s own setting", "reduced": "reduced scale", "exact": "exact, no scale"}
VERDICTS = {"holds": "✓", "unreproduced": "≠", "refuted": "⊘", "misses": "✗", "open": "○"}
"""Marks, from the most to the least favorable."""
WORDS = {
    "holds": "Holds: ",
    "unreproduced": "Not reproduced: ",
    "refuted": "Refuted: ",
    "misses": "Misses: ",
    "open": "Not measured yet: ",
}


def setup(app: Sphinx) -> None:
    app.add_directive("scoreboard", Scoreboard)
    app.add_directive("scoreboard-line", ScoreboardLine)


@dataclass(frozen=True)
class Row:
    """A claim and what its chapter stored about it.

    Attributes:
        claim: entry of claims.toml.
        stored: entry of the chapter's claims.json; empty if it was not measured yet.
        seeds: records of the chapter's sweep over seeds.
        root: top of the book that they are from; by default the one this package was imported from.
    """

    claim: claims.Claim
    stored: Mapping
    seeds: tuple[sweep.SeedRecord, ...] = ()
    root: Path | None = None

    @property
    def verdict(self) -> str:
        """Whether it "holds", "misses" (or its control holds), or is "open": not measured under the present bound.

        A claim of kind "unreproduced" or "refuted" whose values keep their bounds has its kind for a verdict: what
        showed is not what its source says.
        """
        bounds = claims.as_mapping(self.stored.get("bound", {}))
        if not self.stored or bounds != {measure.name: measure.bound for measure in self.claim.measures}:
            return "open"
        if not self.stored["holds"] or not self.stored.get("control_fails", True):
            return "misses"
        return self.claim.kind if self.claim.kind in ("unreproduced", "refuted") else "holds"

    @property
    def observed(self) -> dict[str, float]:
        """Measured values by the names of their measures; empty if there are none yet."""
        return claims.as_mapping(self.stored["observed"]) if self.stored else {}

    @property
    def over_seeds(self) -> str:
        """At how many seeds the claim shows, as "15 of 16 seeds", where seeds change it; else "stored" or "exact".

        It is empty without a sweep, and for what the scale of the claim says already.
        """
        basis = self.basis()
        if basis == self.claim.scale:
            return ""
        return f"{self.shown} of {len(self.seeds)} seeds" if basis == "seeds" else basis

    def basis(self, measure: str | None = None) -> str:
        """Whether a measure, or any of the claim's, differs between "seeds", or is "stored" or "exact"; see `seeds`."""
        return seeds.basis(self.claim, self.seeds, self.root, measure=measure)

    @property
    def shown(self) -> int:
        """At how many seeds of the sweep the claim holds and its control fails."""
        return sum(sweep.shows(self.claim, record) for record in self.seeds)

    def spread(self, measure: str) -> str:
        """Least and largest value of a measure over the sweep, or why there is one value alone."""
        values = seeds.values(self.claim, self.seeds)[measure]
        if not values or self.basis(measure) != "seeds":
            return self.basis(measure) if values else "–"
        ends = number(min(values)), number(max(values))
        return ends[0] if ends[0] == ends[1] else " … ".join(ends)


class ClaimDirective(Generated):
    """Reads the registry and every chapter's stored claims."""

    def rows(self) -> dict[catalog.Chapter, list[Row]]:
        """Rows of each chapter, in the order of the book and of the registry."""
        chapters = self.depend_on("claims.json", "sweep.json")
        registry = claims.load(self.root / "book" / "claims.toml").values()
        found = {}
        for chapter in chapters:
            stored = catalog.record(chapter.name, "claims.json", self.root)
            records = tuple(sweep.load(chapter.name, catalog.results(chapter.name, self.root)).values())
            listed = [claim for claim in registry if claim.chapter == chapter.name]
            found[chapter] = [Row(claim, stored.get(claim.id, {}), records, self.root) for claim in listed]
        return found

    def source(self, source: str) -> list[nodes.Node]:
        """A source such as "arora2019implicit, Theorem 3; gissin2019primer" with its keys as citations."""
        known = self.bibliography()
        text = re.sub(r"[\w:-]+", lambda word: f"{{cite:t}}`{word[0]}`" if word[0] in known else word[0], source)
        return self.inline(text)


def tally(rows: Sequence[Row]) -> str:
    """What became of some claims, in words: "12 hold, 3 of them findings of ours; 1 is refuted"."""
    count = {verdict: sum(row.verdict == verdict for row in rows) for verdict in VERDICTS}
    ours = sum(row.claim.kind == "finding" and row.verdict == "holds" for row in rows)
    held = "all hold" if count["holds"] == len(rows) > 1 else _agree(count["holds"], "holds", "hold")
    said = [held + (f", {_agree(ours, 'of them a finding', 'of them findings')} of ours" if ours else "")]
    said += [_agree(count["refuted"], "is refuted", "are refuted")] if count["refuted"] else []
    said += [_agree(count["unreproduced"], "was", "were") + " not reproduced"] if count["unreproduced"] else []
    said += [f"{count['misses']} not within bounds"] if count["misses"] else []
    said += [f"{count['open']} not measured yet"] if count["open"] else []
    return "; ".join(said) if ours and len(said) > 1 else ", ".join(said)


def _agree(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


class ScoreboardLine(ClaimDirective):
    """One sentence that counts the claims."""

    def run(self) -> list[nodes.Node]:
        """A paragraph."""
        rows = [row for chapter in self.rows().values() for row in chapter]
        held = [row for row in rows if row.verdict == "holds"]
        scale = {name: sum(row.claim.scale == name for row in held) for name in SCALES}
        controlled = sum("control" in row.stored for row in held)
        verdict, measured = tally(rows), all(row.verdict != "open" for row in rows)
        places = {"paper": "at the sources’ own scale", "exact": "exact", "reduced": "at reduced scale"}
        scales = ", ".join(f"{scale[name]} {words}" for name, words in places.items() if scale[name])
        text = f": {verdict}. Of those that hold, {scales}; {controlled} beside a control that must fail, and does."
        line = self.link("book/claims", f"{len(rows)} claims" + (" checked" if measured else ""))
        return [paragraph(line, text if held else f": {verdict}.", classes="scoreboard-line")]


class Scoreboard(ClaimDirective):
    """An overview table, then each chapter's claims one by one."""

    def run(self) -> list[nodes.Node]:
        """A table and one section per chapter."""
        rows = self.rows()
        return [self.overview(rows), *(self.chapter(chapter, listed) for chapter, listed in rows.items())]

    def overview(self, rows: Mapping[catalog.Chapter, list[Row]]) -> nodes.table:
        """Counts per chapter."""
        # Soft hyphens: with them eleven columns fit the page.
        header = ["Chapter", "Claims", "Hold", "Find\u00adings", "Re\u00adfuted", "Not re\u00adpro\u00adduced"]
        header += ["Own scale", "Exact", "Re\u00adduced", "With control", "Over seeds"]
        body = []
        for chapter, listed in rows.items():
            counts = [len(listed), sum(row.verdict == "holds" for row in listed)]
            counts.append(sum(row.claim.kind == "finding" for row in listed))
            counts += [sum(row.verdict == verdict for row in listed) for verdict in ("refuted", "unreproduced")]
            counts += [sum(row.claim.scale == scale for row in listed) for scale in ("paper", "exact", "reduced")]
            counts.append(sum("control" in row.stored for row in listed))
            # A link to a section of this page: its address has no file part.
            name = nodes.reference("", chapter.title, refid=f"chapter-{chapter.name}", internal=True)
            drawn = [row for row in listed if row.basis() == "seeds"]  # others would only repeat one run
            tried = sum(len(row.seeds) for row in drawn)
            shown = f"{sum(row.shown for row in drawn)} of {tried}" if tried else "–"
            body.append([[name], *([str(count)] for count in counts), [shown]])
        return table(header, body, classes="overview", widths=[4, *(1 for _ in header[2:]), 2])

    def chapter(self, chapter: catalog.Chapter, rows: list[Row]) -> nodes.section:
        """One chapter's claims."""
        intro = [self.link(chapter.page, "Read the chapter")]
        if not any(row.stored for row in rows):
            intro = ["This chapter has not been executed yet, so nothing is measured here. ", *intro]
        records = rows[0].seeds if rows else ()
        if records:
            present = code.version(chapter.name)
            by = ""
            if any(record["code"] != present for record in records):
                by = ", some of them by earlier code"
            elif any("carried" in record for record in records):
                by = ", by earlier code whose results for the committed seed have the same bytes as the present code's"
            drawn = sum(row.basis() == "seeds" for row in rows)
            intro += [f". Run for {len(records)} seeds{by}; the seed matters to {drawn} of {len(rows)} claims."]
        title = heading(chapter)
        entries = [self.claim(chapter, row) for row in rows]
        return section([nodes.Text(title)], f"chapter-{chapter.name}", paragraph(*intro), *entries)

    def claim(self, chapter: catalog.Chapter, row: Row) -> nodes.container:
        """One claim, with its own address."""
        claim, verdict = row.claim, row.verdict
        mark = [span(VERDICTS[verdict], classes="verdict"), span(WORDS[verdict], classes="visually-hidden")]
        sentence = paragraph(*mark, *self.inline(typeset(claim.sentence)), classes="claim-sentence")
        facts = [
            nodes.reference("", "", nodes.literal("", claim.id), refid=anchor(claim.id), internal=True),
            span(KINDS[claim.kind], classes=f"kind kind-{claim.kind}"),
            span(SCALES[claim.scale], classes="scale"),
            span(*self.source(claim.source), classes="source"),
        ]
        if row.over_seeds:
            facts.append(span(row.over_seeds, classes="seeds"))
        if row.stored:
            facts.append(self.link(chapter.page, "where it is checked", anchor=anchor(claim.id)))
        if claim.figure:
            facts.append(self.link(chapter.page, "figure", anchor=claim.figure))
        meta = [node for fact in facts for node in (nodes.Text(" "), fact)][1:]
        why = paragraph(
            span("Why this bound: ", classes="label"), *self.inline(typeset(claim.reason)), classes="claim-reason"
        )
        facts = paragraph(*meta, classes="claim-facts")
        parts = [sentence, facts, self.measures(row), why, *self.luck(claim), *self.uses(claim)]
        return block(*parts, classes=f"claim claim-{verdict}", ids=(anchor(claim.id),))

    def luck(self, claim: claims.Claim) -> list[nodes.paragraph]:
        """How often a measure misses its bound by chance, where that is known; named, if the claim has others."""
        found = []
        for measure in (each for each in claim.measures if each.luck):
            which = [" (", *self.inline(typeset(measure.quantity)), ")"] if len(claim.measures) > 1 else []
            label = span("Chance of a miss by bad luck", *which, ": ", classes="label")
            known = [f"at most {number(measure.luck.chance)}. ", *self.inline(typeset(measure.luck.how))]
            found.append(paragraph(label, *known, classes="claim-reason"))
        return found

    def uses(self, claim: claims.Claim) -> list[nodes.paragraph]:
        """The claims that this one rests on, linked."""
        if not claim.uses:
            return []
        names = [nodes.reference("", "", nodes.literal("", u), refid=anchor(u), internal=True) for u in claim.uses]
        separated = [piece for name in names for piece in (", ", name)][1:]
        return [paragraph(span("Rests on: ", classes="label"), *separated, classes="claim-reason")]

    def measures(self, row: Row) -> nodes.table:
        """Quantity, measured value, bound, control, and where seeds change any of them the range over all seeds."""
        observed = row.observed
        control = claims.as_mapping(row.stored["control"]) if "control" in row.stored else {}
        drawn = row.basis() == "seeds"
        body = []
        for measure in row.claim.measures:
            value = number(observed[measure.name]) if measure.name in observed else "not measured yet"
            broken = number(control[measure.name]) if measure.name in control else "–"
            cells = [self.inline(typeset(measure.quantity)), [value], [typeset(measure.bound)], [broken]]
            spread = row.spread(measure.name)
            over = spread if row.basis(measure.name) == "seeds" else span(spread, classes="one-value")
            body.append(cells + ([[over]] if drawn else []))
        header = ["Quantity", "Measured", "Bound", "Control"]
        if drawn:
            header.append(f"Over {len(row.seeds)} seeds")
            return table(header, body, classes="measures", widths=[6, 2, 2, 2, 3])
        return table(header, body, classes="measures", widths=[6, 2, 2, 2])
