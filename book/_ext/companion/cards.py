"""Figures away from home: the gallery, and the chapters' cards on the first page."""

import io
import os
from pathlib import Path

from docutils import nodes
from PIL import Image
from sphinx.application import Sphinx

from offconvex.book.publication import catalog
from offconvex.book.reading import openings

from .markup import Generated, block, heading, paragraph, section

THUMBNAIL_WIDTH = 640  # pixels; twice the width it is shown at, for sharp text


def setup(app: Sphinx) -> None:
    app.add_directive("gallery", Gallery)
    app.add_directive("chapter-cards", ChapterCards)


class FigureDirective(Generated):
    """Draws thumbnails of the chapters' figures."""

    def thumbnail(self, figure: catalog.Figure) -> nodes.reference:
        """The figure made small, linked to its address."""
        folder = Path(self.env.app.doctreedir).parent / "thumbnails"
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{figure.id}.png"
        image = Image.open(io.BytesIO(figure.image)).convert("RGB")
        image.thumbnail((THUMBNAIL_WIDTH, THUMBNAIL_WIDTH), Image.Resampling.LANCZOS)
        image.save(file, optimize=True)
        here = Path(self.env.doc2path(self.env.docname)).parent
        uri = Path(os.path.relpath(file, here)).as_posix()
        picture = nodes.image(uri=uri, alt=figure.alt, loading="lazy", classes=["dark-light"])
        return nodes.reference("", "", picture, refuri=self.figure_uri(figure), internal=True)

    def figure_uri(self, figure: catalog.Figure) -> str:
        """Address of a figure, relative to this page."""
        return self.uri(f"book/chapters/{figure.chapter}", figure.id)


class Gallery(FigureDirective):
    """Every figure of the book, chapter by chapter."""

    def run(self) -> list[nodes.Node]:
        """One section per chapter."""
        sections = []
        for chapter in self.depend_on():
            shown = [self.card(figure) for figure in chapter.figures if figure.image]
            content = block(*shown, classes="gallery") if shown else paragraph("Not executed yet.")
            title = heading(chapter)
            sections.append(section([nodes.Text(title)], f"figures-{chapter.name}", content))
        return sections

    def card(self, figure: catalog.Figure) -> nodes.container:
        """Thumbnail, number and finding."""
        name = nodes.reference("", f"Fig. {figure.number}", refuri=self.figure_uri(figure), internal=True)
        finding = self.inline(catalog.first_sentence(figure.caption))
        caption = paragraph(name, nodes.Text(" "), *finding, classes="finding")
        return block(self.thumbnail(figure), caption, classes="gallery-card")


class ChapterCards(FigureDirective):
    """A card per chapter: its question and its most telling figure, both from openings.toml."""

    def run(self) -> list[nodes.Node]:
        """A grid of cards, in the order of the book."""
        self.env.note_dependency(str(self.root / "book" / openings.FILE))
        told = openings.load(self.root)
        return [block(*(self.card(each, told[each.name]) for each in self.depend_on()), classes="chapter-cards")]

    def card(self, chapter: catalog.Chapter, told: openings.Opening) -> nodes.container:
        """Figure, title, question."""
        drawn = [figure for figure in chapter.figures if figure.id == told.figure and figure.image]
        picture = self.thumbnail(drawn[0]) if drawn else paragraph("Not executed yet.")
        title = self.link(chapter.page, heading(chapter))
        question = paragraph(*self.inline(told.question), classes="question")
        return block(picture, paragraph(title, classes="card-title"), question, classes="chapter-card")
