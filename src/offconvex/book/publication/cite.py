"""How a figure is cited: the functions behind the pages' "Cite", the bundles and the command line."""

import re
from dataclasses import dataclass
from pathlib import Path

from offconvex import __version__
from offconvex import plain as formulas
from offconvex.book.execution.chapters import nearest
from offconvex.book.publication import catalog

ESCAPED = {"&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "–": "--", "—": "---", "“": "``", "”": "''"}
ROLE = re.compile(r"(?P<space>\s*)\{(?P<role>[\w:]+)\}`(?P<text>[^`<]*?)\s*(?:<[^`]*>)?`")
COMMIT = re.compile(r"[0-9a-f]{40}")
KEY = re.compile(r"([a-z]+)(\d{4})")  # bib keys begin with the first author's name and the year


def bibtex(figure_id: str, *, root: Path | None = None) -> str:
    """BibTeX entry of a figure, ready to paste.

    It names the version and commit that drew the figure, the commit also by its identifier in archives of software. The
    address is the figure's own place on the book's site if `offconvex_site_url` is set, and the book's `offconvex_doi`
    if there is one; without either the entry has neither, rather than a dead link.

    Args:
        figure_id: such as "fig-matrix-incremental".
        root: top of the book's checkout; by default the one this package was imported from.

    Raises:
        ValueError: if there is no such figure; the message names the nearest ones.
    """
    facts = _facts(figure_id, root)
    fields = {
        "author": f"{{{latex(facts.author)}}}",
        "title": f"{{{latex(facts.book)}}}, Figure {facts.number}: {latex(facts.finding).rstrip('.')}",
        "year": facts.year,
        "version": facts.version,
        "url": facts.url,
        "doi": facts.doi,
        "swhid": facts.swhid,  # a field of biblatex-software; other styles pass over it
        "note": f"Figure {latex(figure_id)}, {facts.state}",
    }
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@misc{{offconvex-{figure_id.removeprefix('fig-')},\n{body}}}"


def ris(figure_id: str, *, root: Path | None = None) -> str:
    """RIS record of a figure, with the same content as `bibtex` and the same errors."""
    facts = _facts(figure_id, root)
    fields = {
        "TY": "FIGURE",
        "ID": f"offconvex-{figure_id.removeprefix('fig-')}",
        "AU": facts.author,
        "TI": f"{facts.book}, Figure {facts.number}: {plain(facts.finding).rstrip('.')}",
        "PY": facts.year,
        "ET": facts.version,
        "UR": facts.url,
        "DO": facts.doi,
        "AN": facts.swhid,
        "N1": f"Figure {figure_id}, {facts.state}",
    }
    return "".join(f"{tag}  - {value}\n" for tag, value in fields.items() if value) + "ER  - \n"


def text(figure_id: str, *, root: Path | None = None) -> str:
    """One line of plain text that cites a figure, with the same content as `bibtex` and the same errors."""
    facts = _facts(figure_id, root)
    year = f" ({facts.year})" if facts.year else ""
    place = facts.doi and f"https://doi.org/{facts.doi}" or facts.url
    title = f"{facts.book}, Figure {facts.number}: {plain(facts.finding).rstrip('.')}"
    return " ".join(filter(None, [f"{facts.author}{year}. {title}. {figure_id}, {facts.state}.", facts.swhid, place]))


FORMATS = {"bibtex": bibtex, "ris": ris, "text": text}
"""What a citation can be written as."""


@dataclass(frozen=True)
class _Facts:
    author: str
    book: str
    number: str
    finding: str
    year: str
    version: str
    url: str
    doi: str
    swhid: str
    state: str


def _facts(figure_id: str, root: Path | None) -> _Facts:
    known = catalog.figures(root)
    if figure_id not in known:
        raise ValueError(
            f"unknown figure {figure_id!r}{nearest(figure_id, known)}; every figure's id stands in its address and in "
            "the gallery of figures."
        )
    figure = known[figure_id]
    provenance = catalog.record(figure.chapter, "provenance.json", root)
    version = provenance.get("version") or __version__
    return _Facts(
        author=catalog.setting("author", root),
        book=catalog.setting("title", root),
        number=figure.number,
        finding=catalog.first_sentence(figure.caption),
        year=provenance.get("date", "")[:4],
        version=version,
        url=address(figure, root),
        doi=catalog.setting("offconvex_doi", root),
        # Uncommitted changes are in no commit, and in no archive.
        swhid="" if provenance.get("dirty") else swhid(provenance.get("commit")),
        state=_state(version, provenance),
    )


def swhid(commit: str | None) -> str:
    """Identifier of a commit that stays the same wherever it is archived (SWHID, ISO/IEC 18670); "" for no whole hash.

    It follows from the commit's hash alone, so nobody is asked. It has no `path`: that qualifies a file or a folder,
    whose own hash would have to come before it.
    """
    return f"swh:1:rev:{commit}" if COMMIT.fullmatch(commit or "") else ""


def address(figure: catalog.Figure, root: Path | None = None) -> str:
    """Permanent address of a figure; "" while the book has no site."""
    site = catalog.setting("offconvex_site_url", root)
    return f"{site}/book/chapters/{figure.chapter}.html#{figure.id}" if site else ""


def latex(text: str) -> str:
    """MyST text as LaTeX: formulas stay, citations become names, other roles their content, the rest is escaped."""
    pieces = re.split(r"(\$[^$]*\$)", ROLE.sub(_role, text))
    return "".join(piece if piece.startswith("$") else _escaped(piece) for piece in pieces)


def plain(text: str) -> str:
    """MyST text without markup: formulas in Unicode, citations become names.

    Raises:
        ValueError: if a formula has a command that `offconvex.plain` does not know.
    """
    pieces = re.split(r"(\$[^$]*\$)", ROLE.sub(_role, text))
    return "".join(formulas.text(piece) if piece.startswith("$") else re.sub(r"[`*{}]", "", piece) for piece in pieces)


def _role(match: re.Match) -> str:
    if match["role"] == "cite:p":
        return ""  # an entry cannot cite another one
    source = KEY.match(match["text"]) if match["role"].startswith("cite") else None
    return match["space"] + (f"{source[1].capitalize()} ({source[2]})" if source else match["text"])


def _escaped(text: str) -> str:
    text = re.sub(r"[`*{}]", "", text)
    return "".join(ESCAPED.get(character, character) for character in text)


def _state(version: str, provenance: dict) -> str:
    commit = provenance.get("commit")
    changes = " with uncommitted changes" if provenance.get("dirty") else ""
    return f"version {version}" + (f", commit {commit[:12]}{changes}" if commit else "")
