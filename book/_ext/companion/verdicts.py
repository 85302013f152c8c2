"""Check lines of a chapter as verdicts: the sentence, what was measured against the bound, the control, the seeds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

from offconvex import claims
from offconvex.book.execution import sweep
from offconvex.book.publication import catalog
from offconvex.book.reading import seeds

from . import gauge
from .claim_cells import LINE, anchor
from .folding import code_cells, folded, read_purposes
from .markup import block, number, paragraph, span, typeset
from .scoreboard import KINDS, SCALES, VERDICTS, WORDS, Row

FILES = ("claims.json", "sweep.json")
MEANING = {
    "unreproduced": "What the source says did not show here; the bounds describe what showed instead. ",
    "refuted": "The experiment shows the contrary of what the source says; the bounds describe the contrary. ",
}


@dataclass(frozen=True)
class Page:
    """The chapter that is being read.

    Attributes:
        app: the build.
        rows: its claims, by id, with what is stored about them.
        keys: keys of the bibliography.
    """

    app: Sphinx
    rows: dict[str, Row]
    keys: frozenset[str]


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", show_verdicts)


def show_verdicts(app: Sphinx, document: nodes.document) -> None:
    if Path(app.env.docname).parent.name != "chapters":
        return
    page = read(app, Path(app.srcdir), Path(app.env.docname).name)
    shown: set[str] = set()
    made = code_cells(document)
    for cell, purpose in zip(made, read_purposes(made)):
        for node in list(cell.findall(nodes.literal_block)):
            lines = [LINE.fullmatch(line) for line in node.astext().strip().splitlines()]
            if lines and all(lines):
                told = cards(page, lines, shown)
                node.parent.replace(node, block(*told, classes="checks"))
        # Without its output a check has no card yet; what leads to it arrives at its cell.
        missing = [claim for claim in purpose.checks if claim not in shown]
        cell["ids"] += [anchor(claim) for claim in missing]
        shown.update(missing)


def read(app: Sphinx, root: Path, chapter: str) -> Page:
    """What is known about a chapter's claims; its page is read again when one of the files changes."""
    for file in app.config.bibtex_bibfiles:
        app.env.note_dependency(str(root / file))
    keys = app.env.get_domain("cite").bibdata.data.entries
    return Page(app, stored_rows(app, root, chapter), frozenset(keys))


def stored_rows(app: Sphinx, root: Path, chapter: str) -> dict[str, Row]:
    """A chapter's claims by id, with what is stored about them; the page depends on the files."""
    folder, registry = catalog.results(chapter, root), root / "book" / "claims.toml"
    for file in (registry, *(folder / name for name in FILES)):
        app.env.note_dependency(str(file))
    stored = catalog.record(chapter, "claims.json", root)
    records = tuple(sweep.load(chapter, folder).values())
    entries = claims.load(registry).items()
    return {id: Row(claim, stored.get(id, {}), records, root) for id, claim in entries if claim.chapter == chapter}


def cards(page: Page, lines: list[re.Match], shown: set[str]) -> Iterator[nodes.Node]:
    """One card a claim; the line of a control that a card of the same cell already shows is left out."""
    here = set()
    for line in lines:
        row = page.rows[line["claim"]]
        if not line["control"]:
            here.add(row.claim.id)
            shown.add(row.claim.id)
            yield card(page, row)
        elif row.claim.id not in here:
            yield control_line(row)


def card(page: Page, row: Row) -> nodes.container:
    """Sentence, measures, and a fold with the reason and the links."""
    control = controls(row)
    found = seeds.values(row.claim, row.seeds)
    measures = [
        measure(each, row.observed.get(each.name), control.get(each.name), found[each.name])
        for each in row.claim.measures
    ]
    sentence = paragraph(*mark(row), *words(row.claim.sentence), classes="claim-sentence")
    parts = [sentence, block(*measures, classes="measured"), why(page, row)]
    return block(*parts, classes=f"verdict-card verdict-card-{row.verdict}", ids=(anchor(row.claim.id),))


def mark(row: Row) -> list[nodes.Node]:
    """The sign of a verdict, with its word for those who do not see it."""
    return [
        span(VERDICTS[row.verdict], classes=f"verdict verdict-{row.verdict}"),
        span(WORDS[row.verdict], classes="visually-hidden"),
    ]


def measure(
    each: claims.Measure, value: float | None, control: float | None, over_seeds: list[float]
) -> nodes.paragraph:
    """Quantity, value, bound, and the control's value, in one line that reads as a sentence."""
    missed = value is not None and not each.holds(value)
    shown = span("not measured yet" if value is None else number(value), classes="value" + " missed" * missed)
    parts = [span(*words(each.quantity), classes="quantity"), span(": ", classes="visually-hidden"), shown]
    parts += [" ", span(bound(each), classes="bound"), " "]
    broken = []
    if control is not None:
        outcome = " keeps it" if each.holds(control) else " breaks it"
        broken = [span("control ", classes="label"), number(control), span(outcome, classes="visually-hidden")]
    parts += [
        span(*broken, classes="broken"),
        nodes.raw("", gauge.draw(each, value, control, over_seeds), format="html"),
    ]
    return paragraph(*parts, classes="measure")


def why(page: Page, row: Row) -> nodes.Element:
    """The fold of a card: the reason of its bounds, luck, its source, and where all its numbers are."""
    claim = row.claim
    facts = [KINDS[claim.kind]] if claim.kind != "claim" else []
    facts += [fact for fact in (row.over_seeds, SCALES[claim.scale], "why this bound") if fact]
    reason = [MEANING.get(claim.kind, ""), span("Why this bound: ", classes="label"), *words(claim.reason)]
    where = [span("Source: ", classes="label"), *cited(page, claim.source), " " if claim.source[-1] in ".?!" else ". "]
    if claim.uses:
        where += [span("Rests on: ", classes="label"), *separated([on_claims(page, used) for used in claim.uses]), ". "]
    where += [span("All numbers: ", classes="label"), on_claims(page, claim.id), "."]
    parts = [paragraph(*reason), *luck(claim), paragraph(*where)]
    return folded(" · ".join(facts), *parts, hidden=f" ({claim.id})", classes="fold-why")


def luck(claim: claims.Claim) -> list[nodes.paragraph]:
    """How often a measure misses its bound by chance, where that is known; the measure is named if there are others."""
    known = [each for each in claim.measures if each.luck is not None]
    found = []
    for each in known:
        which = [" (", *words(each.quantity), ")"] if len(claim.measures) > 1 else []
        label = span("Chance of a miss by bad luck", *which, ": ", classes="label")
        found.append(paragraph(label, f"at most {number(each.luck.chance)}. ", *words(each.luck.how)))
    return found


def on_claims(page: Page, claim: str) -> nodes.reference:
    """Link to a claim on the page of claims."""
    uri = page.app.builder.get_relative_uri(page.app.env.docname, "book/claims")
    return nodes.reference("", "", nodes.literal("", claim), refuri=f"{uri}#{anchor(claim)}", internal=True)


def separated(parts: list[nodes.Node]) -> list[nodes.Node | str]:
    """Parts with commas between them."""
    return [piece for part in parts for piece in (", ", part)][1:]


def control_line(row: Row) -> nodes.container:
    """A control measured in another cell than its claim."""
    control = controls(row)
    measured = [each for each in row.claim.measures if each.name in control]
    values = [f"{number(control[each.name])} against {bound(each)}" for each in measured]
    link = nodes.reference("", "", nodes.literal("", row.claim.id), refid=anchor(row.claim.id), internal=True)
    broken = row.stored.get("control_fails", False)
    sign = span("✓" if broken else "✗", classes="verdict" if broken else "verdict verdict-misses")
    said = " breaks without its hypothesis, as it must: " if broken else " holds without its hypothesis: "
    line = paragraph(sign, link, said, ", ".join(values), ".")
    return block(line, classes="verdict-card verdict-card-control")


def bound(each: claims.Measure) -> str:
    """A bound on one line."""
    return typeset(each.bound).replace(" ", "\u00a0")


def controls(row: Row) -> dict[str, float]:
    """Values of a claim's control by the names of their measures."""
    return claims.as_mapping(row.stored["control"]) if "control" in row.stored else {}


def words(text: str) -> list[nodes.Node]:
    """Text with its formulas as formulas."""
    parts = re.split(r"\$([^$]+)\$", typeset(text))
    return [nodes.math(part, part) if i % 2 else nodes.Text(part) for i, part in enumerate(parts) if part]


def cited(page: Page, text: str) -> list[nodes.Node]:
    """A source with its keys as citations."""
    found: list[nodes.Node] = []
    for piece in re.split(r"([\w:-]+)", text):
        if piece in page.keys:
            at = {"refdomain": "cite", "reftype": "t", "reftarget": piece, "refdoc": page.app.env.docname}
            found.append(pending_xref("", nodes.inline("", piece), **at, refexplicit=False, refwarn=True))
        else:
            found += words(piece)
    return found
