"""The BibTeX entry of a figure: one function behind the pages' "Cite" and the command line."""

import re
from pathlib import Path

from offconvex import __version__
from offconvex.book import catalog
from offconvex.book.chapters import nearest

ESCAPED = {"&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "–": "--", "—": "---", "“": "``", "”": "''"}
ROLE = re.compile(r"(?P<space>\s*)\{(?P<role>[\w:]+)\}`(?P<text>[^`<]*?)\s*(?:<[^`]*>)?`")
KEY = re.compile(r"([a-z]+)(\d{4})")  # bib keys begin with the first author's name and the year


def bibtex(figure_id: str, *, root: Path | None = None) -> str:
    """BibTeX entry of a figure, ready to paste.

    It names the version and commit that drew the figure. The address is the figure's own place on the book's site if
    `offconvex_site_url` is set, and the book's `offconvex_doi` if there is one; without either the entry has neither,
    rather than a dead link.

    Args:
        figure_id: such as "fig-matrix-incremental".
        root: top of the book's checkout; by default the one this package was imported from.

    Raises:
        ValueError: if there is no such figure; the message names the nearest ones.
    """
    known = catalog.figures(root)
    if figure_id not in known:
        raise ValueError(
            f"unknown figure {figure_id!r}{nearest(figure_id, known)}; every figure's id stands in its address and in "
            "the gallery of figures."
        )
    figure = known[figure_id]
    provenance = catalog.record(figure.chapter, "provenance.json", root)
    version = provenance.get("version") or __version__
    title = catalog.setting("title", root)
    finding = latex(catalog.first_sentence(figure.caption)).rstrip(".")
    fields = {
        "author": f"{{{latex(catalog.setting('author', root))}}}",
        "title": f"{{{latex(title)}}}, Figure {figure.number}: {finding}",
        "year": provenance.get("date", "")[:4],
        "version": version,
        "url": address(figure, root),
        "doi": catalog.setting("offconvex_doi", root),
        "note": _note(figure_id, version, provenance),
    }
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@misc{{offconvex-{figure_id.removeprefix('fig-')},\n{body}}}"


def address(figure: catalog.Figure, root: Path | None = None) -> str:
    """Permanent address of a figure; "" while the book has no site."""
    site = catalog.setting("offconvex_site_url", root)
    return f"{site}/book/chapters/{figure.chapter}.html#{figure.id}" if site else ""


def latex(text: str) -> str:
    """MyST text as LaTeX: formulas stay, citations become names, other roles their content, the rest is escaped."""
    pieces = re.split(r"(\$[^$]*\$)", ROLE.sub(_role, text))
    return "".join(piece if piece.startswith("$") else _escaped(piece) for piece in pieces)


def _role(match: re.Match) -> str:
    if match["role"] == "cite:p":
        return ""  # an entry cannot cite another one
    source = KEY.match(match["text"]) if match["role"].startswith("cite") else None
    return match["space"] + (f"{source[1].capitalize()} ({source[2]})" if source else match["text"])


def _escaped(text: str) -> str:
    text = re.sub(r"[`*{}]", "", text)
    return "".join(ESCAPED.get(character, character) for character in text)


def _note(figure_id: str, version: str, provenance: dict) -> str:
    parts = [latex(figure_id), f"version {version}"]
    commit = provenance.get("commit")
    if commit:
        parts.append(f"commit {commit[:12]}" + (" with uncommitted changes" if provenance.get("dirty") else ""))
    return "Figure " + ", ".join(parts)
