"""The map of results: which law appears in which chapters, in what form, and how it fared there."""

import yaml
from docutils import nodes
from sphinx.application import Sphinx

from offconvex.book.publication import catalog

from .claim_cells import anchor
from .markup import paragraph, section, span, table
from .scoreboard import VERDICTS, WORDS, ClaimDirective, Row


def setup(app: Sphinx) -> None:
    app.add_directive("law-map", LawMap)


class LawMap(ClaimDirective):
    """Laws by chapters, then each law with the forms it takes.

    The content is YAML: a list of {id, law, statement, places}, where `places` maps claim ids to the form of the law
    there, as MyST text.
    """

    has_content = True

    def run(self) -> list[nodes.Node]:
        """An overview table and one section per law."""
        laws = yaml.safe_load("\n".join(self.content))
        rows = {row.claim.id: (chapter, row) for chapter, listed in self.rows().items() for row in listed}
        unknown = sorted({id for law in laws for id in law["places"]} - set(rows))
        if unknown:
            raise self.error(f"law-map: no claim in a chapter of the book is named {', '.join(unknown)}.")
        order = list(rows)
        for law in laws:
            law["places"] = dict(sorted(law["places"].items(), key=lambda place: order.index(place[0])))
        return [self.overview(laws, rows), *(self.law(law, rows) for law in laws)]

    def overview(self, laws: list[dict], rows: dict[str, tuple[catalog.Chapter, Row]]) -> nodes.table:
        """A row per law, a column per chapter; a mark where the law appears."""
        chapters = list(dict.fromkeys(chapter for chapter, _ in rows.values()))
        header = ["Law", *(chapter.number for chapter in chapters)]
        body = []
        for law in laws:
            name = nodes.reference("", law["law"], refid=f"law-{law['id']}", internal=True)
            shown = {chapter: [rows[id][1] for id in law["places"] if rows[id][0] is chapter] for chapter in chapters}
            cells = [[self.mark(chapter, found)] if found else [] for chapter, found in shown.items()]
            body.append([[name], *cells])
        return table(header, body, classes="law-map", widths=[8, *(1 for _ in chapters)])

    def mark(self, chapter: catalog.Chapter, found: list[Row]) -> nodes.reference:
        """The least favorable verdict of a law in a chapter, linked to its first check there."""
        verdict = max((row.verdict for row in found), key=list(VERDICTS).index)
        link = self.link(chapter.page, VERDICTS[verdict], anchor=anchor(found[0].claim.id))
        link += span(f" {', '.join(row.claim.id for row in found)}", classes="visually-hidden")
        return link

    def law(self, law: dict, rows: dict[str, tuple[catalog.Chapter, Row]]) -> nodes.section:
        """The law in words, and its forms."""
        body = []
        for id, form in law["places"].items():
            chapter, row = rows[id]
            where = self.link(chapter.page, f"{chapter.number}. {chapter.title}", anchor=anchor(id))
            verdict = [
                span(VERDICTS[row.verdict], classes=f"verdict verdict-{row.verdict}"),
                span(WORDS[row.verdict], classes="visually-hidden"),
            ]
            name = self.link("book/claims", id, anchor=anchor(id))
            body.append([[where], self.inline(form), [*verdict, name]])
        forms = table(["Chapter", "Form", "Claim"], body, classes="law-forms", widths=[4, 6, 4])
        return section([nodes.Text(law["law"])], f"law-{law['id']}", paragraph(*self.inline(law["statement"])), forms)
