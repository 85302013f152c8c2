"""How a chapter opens: in one minute, and what the texts say beside what was found. Both from committed data."""

import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from offconvex import claims
from offconvex.book.publication import catalog
from offconvex.book.reading import openings, sentences

from .cards import FigureDirective
from .claim_cells import anchor
from .markup import block, paragraph, span, typeset
from .scoreboard import ClaimDirective, Row
from .verdicts import mark, separated, stored_rows

DATA = (openings.FILE, sentences.FILE)
COUNTED = {
    "holds": ("holds", "hold"),
    "refuted": ("is refuted", "are refuted"),
    "unreproduced": ("was not reproduced", "were not reproduced"),
    "misses": ("misses", "miss"),
    "open": ("is not measured yet", "are not measured yet"),
}
SAID = {
    "qualified": "true under a condition",
    "differs": "it differs",
    "refuted": "the contrary",
    "unreproduced": "not reproduced",
}


def setup(app: Sphinx) -> None:
    app.add_directive("one-minute", OneMinute)
    app.add_directive("text-and-run", TextAndRun)
    app.connect("builder-inited", judge)
    app.connect("source-read", open_chapter)


def judge(app: Sphinx) -> None:
    # A box that says something else than the book is worse than none.
    try:
        wrong = openings.faults(Path(app.srcdir)) + sentences.faults(Path(app.srcdir))
    except ValueError as error:
        wrong = [str(error)]
    if wrong:
        raise ExtensionError("\n".join(wrong))


def open_chapter(app: Sphinx, page: str, source: list[str]) -> None:
    # Put in when the page is read, so that neither the notebook nor its outputs know of it.
    if Path(page).parent.name != "chapters":
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        title = re.search(r"^# .+$", text, flags=re.MULTILINE)
        if cell["cell_type"] == "markdown" and title:
            before, after = (f"\n\n```{{{name}}} {Path(page).name}\n```\n" for name in ("one-minute", "text-and-run"))
            cell["source"] = text[: title.end()] + before + text[title.end() :].rstrip() + after
            break
    source[0] = json.dumps(notebook)


class Box(FigureDirective, ClaimDirective):
    """A box at the head of a chapter."""

    required_arguments = 1

    def prepare(self) -> tuple[catalog.Chapter, dict[str, Row]]:
        """The chapter and its claims; the page is read again when what the box says changes."""
        files = [self.root / "book" / name for name in (*DATA, "claims.toml")]
        files += [catalog.results(self.arguments[0], self.root) / "provenance.json"]
        for file in files:
            self.env.note_dependency(str(file))
        chapter = next(each for each in catalog.chapters(self.root) if each.name == self.arguments[0])
        return chapter, stored_rows(self.env.app, self.root, chapter.name)


class OneMinute(Box):
    """Question, answer, figure, what is not shown, what to know before; counts and times from the stored results."""

    def run(self) -> list[nodes.Node]:
        """A box."""
        chapter, rows = self.prepare()
        told = openings.load(self.root)[chapter.name]
        parts = {"Answer": told.answer, "Not shown": told.not_shown, "You need": told.before}
        shown = [figure for figure in chapter.figures if figure.id == told.figure and figure.image]
        content = [
            paragraph("In one minute", classes="box-title"),
            self.part("Question", told.question),
            *map(self.figure, shown),
            *(self.part(label, text) for label, text in parts.items()),
            self.checked(chapter, list(rows.values())),
        ]
        return [block(*content, classes="one-minute")]

    def part(self, label: str, text: str) -> nodes.paragraph:
        """One labeled text."""
        return paragraph(span(label, classes="label"), " ", *self.inline(text))

    def figure(self, figure: catalog.Figure) -> nodes.container:
        """The figure to remember, small, with its finding."""
        finding = self.inline(catalog.first_sentence(figure.caption))
        return block(
            self.thumbnail(figure),
            paragraph(f"Fig. {figure.number} ", *finding, classes="finding"),
            classes="minute-figure",
        )

    def checked(self, chapter: catalog.Chapter, rows: list[Row]) -> nodes.paragraph:
        """What was checked, over how many seeds, and how long it takes."""
        counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in COUNTED}
        told = [f"{count} {COUNTED[verdict][count > 1]}" for verdict, count in counts.items() if count]
        own = sum(row.claim.kind == "finding" and row.verdict == "holds" for row in rows)
        if own:
            told[0] += f" ({own} {'are our findings' if own > 1 else 'is our finding'})"
        facts = [", ".join(told)]
        if controlled := sum("control" in row.stored for row in rows):
            facts.append(f"{controlled} beside a control that breaks {'them' if controlled > 1 else 'it'}")
        drawn, seeds = sum(row.basis() == "seeds" for row in rows), max((len(row.seeds) for row in rows), default=0)
        if drawn:
            which = (
                "" if drawn == len(rows) else f"the {drawn} that depend on the seed " if drawn > 1 else "one of them "
            )
            facts.append(f"{which}run for {seeds} seeds")
        seconds = catalog.record(chapter.name, "provenance.json", self.root).get("duration_seconds")
        if seconds:
            facts.append(f"{max(1, round(seconds / 60))} min on this book’s machine")
        link = self.link("book/claims", f"{len(rows)} claims", anchor=f"chapter-{chapter.name}")
        return paragraph(span("Checked", classes="label"), " ", link, f": {'; '.join(facts)}.")


class TextAndRun(Box):
    """Where run and text differ: the sentence of the text, and what was found instead with the claims that say so."""

    def run(self) -> list[nodes.Node]:
        """A list of pairs; nothing where nothing differs."""
        chapter, rows = self.prepare()
        pairs = sentences.differing(chapter.name, self.root)
        return [block(*(self.pair(*pair, rows) for pair in pairs), classes="text-and-run")] if pairs else []

    def pair(
        self, sentence: sentences.Sentence, decided: tuple[claims.Claim, ...], rows: dict[str, Row]
    ) -> nodes.container:
        """One sentence, left as the text has it, right as the run does."""
        says = block(
            paragraph(span("The text says", classes="label")),
            paragraph(*self.inline(typeset(sentence.says))),
            paragraph(*self.source(f"{sentence.text}, {sentence.place}"), classes="claim-facts"),
            classes="says",
        )
        finds = block(
            paragraph(span(f"We find: {SAID[sentence.verdict]}", classes="label")),
            paragraph(*self.inline(typeset(sentence.because))),
            paragraph(*separated([self.decided(rows[claim.id]) for claim in decided]), classes="claim-facts"),
            classes="finds",
        )
        return block(says, finds, classes="pair")

    def decided(self, row: Row) -> nodes.inline:
        """A claim with its mark, as a link to where it is checked."""
        name = nodes.literal("", row.claim.id)
        link = nodes.reference("", "", name, refid=anchor(row.claim.id), internal=True)
        return span(*mark(row), link, classes="decided")
