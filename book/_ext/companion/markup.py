"""Small pieces of pages: blocks, tables, numbers, links, and what a generated page depends on."""

import re
from collections.abc import Mapping
from pathlib import Path

from docutils import nodes
from pybtex.database import Entry
from sphinx.util.docutils import SphinxDirective

from offconvex.book.publication import catalog

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Generated(SphinxDirective):
    """A directive whose content comes from the book's committed results."""

    @property
    def root(self):
        """Top of the book that is being built."""
        return Path(self.env.srcdir)

    def depend_on(self, *names: str) -> list[catalog.Chapter]:
        """The chapters; the page is read again whenever one of their files changes, appears or disappears."""
        chapters = catalog.chapters(self.root)
        watched = [self.root / "_toc.yml", self.root / "_config.yml", self.root / "book" / "claims.toml"]
        watched += [self.root / f"{chapter.page}.ipynb" for chapter in chapters]
        watched += [catalog.results(chapter.name, self.root) / name for chapter in chapters for name in names]
        for file in watched:
            self.env.note_dependency(str(file))
        return chapters

    def bibliography(self) -> Mapping[str, Entry]:
        """Entries of the bibliography by key; the page is read again when they change."""
        for file in self.config.bibtex_bibfiles:
            self.env.note_dependency(str(self.root / file))
        return self.env.get_domain("cite").bibdata.data.entries

    def link(self, page: str, text: str, *, anchor: str = "", classes: tuple[str, ...] = ()) -> nodes.reference:
        """Link to a page of the book, or to a place on it."""
        return nodes.reference("", text, refuri=self.uri(page, anchor), internal=True, classes=list(classes))

    def uri(self, page: str, anchor: str = "") -> str:
        """Address of a page, relative to this one."""
        uri = self.env.app.builder.get_relative_uri(self.env.docname, page)
        return f"{uri}#{anchor}" if anchor else uri

    def inline(self, text: str) -> list[nodes.Node]:
        """MyST text without paragraphs: formulas, citations, emphasis."""
        parsed, messages = self.parse_inline(" ".join(text.split()))
        return [*parsed, *messages]


def heading(chapter: catalog.Chapter) -> str:
    """Number and title, as in the contents."""
    return f"{chapter.number}. {chapter.title}" if chapter.number else chapter.title


def block(*children: nodes.Node, classes: str, ids: tuple[str, ...] = ()) -> nodes.container:
    """A division of the page."""
    node = nodes.container("", *children, classes=classes.split())
    node["ids"].extend(ids)
    return node


def paragraph(*children: nodes.Node | str, classes: str = "") -> nodes.paragraph:
    """A paragraph of text and inline nodes."""
    return nodes.paragraph("", "", *texts(children), classes=classes.split())


def span(*children: nodes.Node | str, classes: str) -> nodes.inline:
    """Inline text with a class."""
    return nodes.inline("", "", *texts(children), classes=classes.split())


def section(title: list[nodes.Node], id: str, *children: nodes.Node) -> nodes.section:
    """A section of the page, listed in its contents."""
    return nodes.section("", nodes.title("", "", *title), *children, ids=[id], names=[id])


def table(header: list[str], rows: list[list[list[nodes.Node | str]]], *, classes: str, widths=None) -> nodes.table:
    """A table; the first cell of each row is its heading."""
    group = nodes.tgroup("", cols=len(header))
    group += [nodes.colspec("", colwidth=width) for width in (widths or [1] * len(header))]
    group += nodes.thead("", nodes.row("", *(nodes.entry("", paragraph(name)) for name in header)))
    body = [nodes.row("", *(nodes.entry("", paragraph(*cell)) for cell in row)) for row in rows]
    group += nodes.tbody("", *body)
    return nodes.table("", group, classes=classes.split(), stub=True)


def number(value: object) -> str:
    """A number to three digits, as it is written by hand: 0.0123, 3.1 × 10⁻⁷."""
    return typeset(f"{value:.3g}")


def typeset(text: str) -> str:
    """Text with its numbers written by hand: 1e-07 becomes 10⁻⁷, a hyphen before a digit a minus sign.

    Formulas between dollar signs stay as they are.
    """

    def power(match: re.Match) -> str:
        mantissa = "" if match[1] == "1" else f"{match[1]}\u00a0×\u00a0"  # a number does not break
        return f"{mantissa}10{str(int(match[2])).translate(SUPERSCRIPTS)}"

    def piece(text: str) -> str:
        if text.startswith("$"):
            return text
        text = re.sub(r"\b(\d(?:\.\d+)?)e([+-]?\d+)\b", power, text)
        return re.sub(r"(?<![\w-])-(?=[\d∞])", "−", re.sub(r"\binf\b", "∞", text))

    return "".join(piece(part) for part in re.split(r"(\$[^$]*\$)", text))


def texts(children) -> list[nodes.Node]:
    """Nodes, with plain strings made text."""
    return [nodes.Text(child) if isinstance(child, str) else child for child in children]
