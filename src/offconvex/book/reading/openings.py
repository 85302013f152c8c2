"""How each chapter opens: book/openings.toml, read and judged."""

from dataclasses import dataclass, fields
from pathlib import Path

from offconvex.book.publication import catalog
from offconvex.book.reading import tables

FILE = "openings.toml"


@dataclass(frozen=True)
class Opening:
    """The entry of a chapter; all but the figure are MyST text.

    Attributes:
        question: what the chapter asks.
        answer: what it finds.
        figure: id of the one figure to remember.
        not_shown: what it does not show.
        before: what to know before reading.
    """

    question: str
    answer: str
    figure: str
    not_shown: str
    before: str


def load(root: Path | None = None) -> dict[str, Opening]:
    """Openings by chapter, in the order of the file.

    Raises:
        ValueError: if the file cannot be read, or an entry is not an opening with all its fields; the message names it.
    """
    entries = tables.read(FILE, root, required=[field.name for field in fields(Opening)])
    return {
        chapter: Opening(**{name: tables.text(name, text) for name, text in entry.items()})
        for chapter, entry in entries.items()
    }


def faults(root: Path | None = None) -> list[str]:
    """What does not fit the book, one sentence each: chapters without an entry, entries without a chapter, figures."""
    told, known = load(root), {chapter.name: chapter for chapter in catalog.chapters(root)}
    found = [f"{FILE}: no entry for the chapter {name}." for name in known if name not in told]
    found += [f"{FILE}, {name}: no such chapter in _toc.yml." for name in told if name not in known]
    for name, chapter in known.items():
        figures = [figure.id for figure in chapter.figures]
        if name in told and figures and told[name].figure not in figures:
            found.append(f"{FILE}, {name}: the figure {told[name].figure!r} is not in the chapter.")
    return found
