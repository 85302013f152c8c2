"""The book to take along: one PDF and one archive of the pages, with links to both on the first page."""

from pathlib import Path

from offconvex import files, paths
from offconvex.book.publication import printed

ARCHIVE = "off-the-convex-path-executed.zip"
PLACE = ('<p class="offline-copies">', "</p>")  # on the first page, left empty by the build: no link is ever dead
MEGABYTE = 1e6


def make() -> list[Path]:
    """Print the built book, pack its pages, and link both from the first page; return the files' paths.

    Without a browser the PDF is left out, and so is its link.

    Raises:
        ValueError: if no pages are built.
    """
    html = paths.require_project_root() / "_build" / "html"
    first = html / "book" / "index.html"
    if not first.exists():
        raise ValueError(
            "the copies are made of the built pages, and there are none in _build/html; run `make html` first."
        )
    _fill(first, "")  # no link is dead, whatever stops this
    (html / printed.NAME).unlink(missing_ok=True)  # a copy of an earlier build is no copy of this one
    (html / ARCHIVE).unlink(missing_ok=True)
    made = [printed.make()] if printed.browser() else []
    names = {printed.NAME: "The whole book as PDF", ARCHIVE: "All pages as one archive"}
    # The archive holds the first page without the links: it cannot hold itself.
    made.append(_pack(html))
    links = [f'<a href="../{file.name}" download>{names[file.name]}</a> ({_size(file)})' for file in made]
    _fill(first, "To read offline: " + " · ".join(links) + ".")
    return made


def _pack(html: Path) -> Path:
    pages = sorted(file for file in html.rglob("*") if file.is_file() and file.suffix != ".part")
    entries = ((f"{Path(ARCHIVE).stem}/{file.relative_to(html)}", file.read_bytes()) for file in pages)
    return files.write_archive(html / ARCHIVE, entries)


def _fill(page: Path, sentence: str) -> None:
    text, (opening, closing) = page.read_text(encoding="utf-8"), PLACE
    start = text.index(opening) + len(opening)
    files.replace(page, text[:start] + sentence + text[text.index(closing, start) :])


def _size(file: Path) -> str:
    return f"{file.stat().st_size / MEGABYTE:.0f} MB"
