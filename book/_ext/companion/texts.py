"""The claims seen from the texts: what became of the sentences of each, and what no text says."""

import re

import yaml
from docutils import nodes
from sphinx.application import Sphinx

from offconvex.book.publication import catalog

from .claim_cells import anchor
from .markup import block, heading, number, paragraph, section, span, typeset
from .scoreboard import VERDICTS, WORDS, ClaimDirective, Row, tally


def setup(app: Sphinx) -> None:
    app.add_directive("texts", Texts)
    app.add_directive("findings", Findings)


class Listing(ClaimDirective):
    """Claims one below the other, each with its verdict and where it stands."""

    def item(self, row: Row, *, source: bool) -> nodes.list_item:
        """Verdict, sentence, id, and the place in the text or the measured numbers."""
        claim = row.claim
        mark = [
            span(VERDICTS[row.verdict], classes=f"verdict verdict-{row.verdict}"),
            span(WORDS[row.verdict], classes="visually-hidden"),
        ]
        sentence = paragraph(*mark, *self.inline(typeset(claim.sentence)))
        name = self.link("book/claims", claim.id, anchor=anchor(claim.id))
        facts = [name, " ", span(*self.source(claim.source), classes="source")] if source else [name]
        if not source and row.stored:
            first = claim.measures[0]
            facts += ["; ", *self.inline(typeset(first.quantity)), f": {number(row.observed[first.name])}"]
        if claim.figure:
            page = f"book/chapters/{claim.chapter}"
            facts += ["; ", self.link(page, "figure", anchor=claim.figure)]
        return nodes.list_item("", sentence, paragraph(*facts, classes="claim-facts"))

    def listing(self, rows: list[Row], *, source: bool) -> nodes.container:
        """A list of claims."""
        items = nodes.bullet_list("", *(self.item(row, source=source) for row in rows))
        return block(items, classes="claim-list")


class Texts(Listing):
    """Every claim under the texts it comes from.

    The content is YAML: bib key of a text -> list of the bib keys of the papers behind it, in the order of the page.
    """

    has_content = True

    def run(self) -> list[nodes.Node]:
        """One section per text."""
        behind = yaml.safe_load("\n".join(self.content))
        rows = [row for listed in self.rows().values() for row in listed]
        entries = self.bibliography()
        missing = sorted({key for text, papers in behind.items() for key in (text, *papers)} - set(entries))
        if missing:
            raise self.error(f"texts: no entry in the bibliography for {', '.join(missing)}.")
        return [self.text(text, papers, entries[text], rows) for text, papers in behind.items()]

    def text(self, key: str, papers: list[str], entry, rows: list[Row]) -> nodes.section:
        """One text: who wrote it, the chapters that run it, its claims."""
        title = re.sub(r"[{}]", "", entry.fields["title"])
        about = [row for row in rows if {key, *papers} & set(re.findall(r"\w+", row.claim.source))]
        cited = ", ".join(f"{{cite:t}}`{name}`" for name in (key, *papers))
        chapters = [c for c in catalog.chapters(self.root) if c.name in {row.claim.chapter for row in about}]
        intro = [*self.inline(cited), ". "]
        for i, chapter in enumerate(chapters):
            intro += [", " if i else "Run in ", self.link(chapter.page, heading(chapter))]
        counted = f"{len(about)} claim{'s' if len(about) > 1 else ''}"
        intro.append(f". {counted}: {tally(about)}." if chapters else "No chapter runs this text yet.")
        content = [self.listing(about, source=True)] if about else []
        return section([nodes.Text(title)], f"text-{key}", paragraph(*intro), *content)


class Findings(Listing):
    """The claims of kind "finding" or "refuted", chapter by chapter: what no text says, and what one says otherwise."""

    def run(self) -> list[nodes.Node]:
        """One section per chapter that has any."""
        sections = []
        for chapter, rows in self.rows().items():
            found = [row for row in rows if row.claim.kind in ("finding", "refuted")]
            if found:
                title = [nodes.Text(heading(chapter))]
                sections.append(section(title, f"findings-{chapter.name}", self.listing(found, source=False)))
        return sections
