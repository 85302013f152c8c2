"""How each chapter opens: book/openings.toml, read and judged."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from offconvex import paths
from offconvex.book.publication import catalog

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
    file = (root or paths.require_project_root()) / "book" / FILE
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{FILE} cannot be read: {error}.") from None
    return {chapter: _parse(chapter, entry) for chapter, entry in entries.items()}


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


def _parse(chapter: str, entry: object) -> Opening:
    names = [field.name for field in fields(Opening)]
    if not isinstance(entry, dict):
        raise ValueError(f"{FILE}, {chapter}: expected a table with {', '.join(names)}; got {entry!r}.")
    missing, unknown = [name for name in names if name not in entry], sorted(set(entry) - set(names))
    if missing or unknown:
        raise ValueError(f"{FILE}, {chapter}: missing fields {missing}, unknown fields {unknown}.")
    for name, text in entry.items():
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"{FILE}, {chapter}: {name} must be a text; got {text!r}.")
    return Opening(**{name: " ".join(text.split()) for name, text in entry.items()})
