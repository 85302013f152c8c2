"""Everything about one figure in one archive: picture, data, the cell that drew it, its origin, how to cite it."""

import json
from pathlib import Path

from offconvex import files
from offconvex.book.publication import catalog, cite


def write(figure: catalog.Figure, target: Path, *, root: Path | None = None) -> None:
    """Write the archive of a figure; the same figure always gives the same bytes.

    Args:
        figure: an entry of the catalog.
        target: the archive's path.
        root: top of the book's checkout; by default the one this package was imported from.
    """
    entries = sorted(contents(figure, root=root).items())
    files.write_archive(target, ((f"{figure.id}/{name}", content) for name, content in entries))


def contents(figure: catalog.Figure, *, root: Path | None = None) -> dict[str, bytes]:
    """Files of a figure's archive by name."""
    folder = catalog.results(figure.chapter, root)
    stored = {file.name: file.read_bytes() for file in folder.glob(f"{figure.id}.*")}
    claims = {
        id: entry
        for id, entry in catalog.record(figure.chapter, "claims.json", root).items()
        if entry["figure"] == figure.id
    }
    made = {
        f"{figure.id}.png": figure.image,
        f"{figure.id}.py": figure.code.encode() + b"\n",
        "claims.json": json.dumps(claims, indent=1, ensure_ascii=False).encode() + b"\n",
        "provenance.json": json.dumps(catalog.record(figure.chapter, "provenance.json", root), indent=1).encode()
        + b"\n",
        "README.txt": _readme(figure, root).encode(),
    }
    for suffix, style in (("bib", cite.bibtex), ("ris", cite.ris), ("txt", cite.text)):
        made[f"cite.{suffix}"] = style(figure.id, root=root).rstrip().encode() + b"\n"
    return stored | made


def _readme(figure: catalog.Figure, root: Path | None) -> str:
    return f"""{cite.text(figure.id, root=root)}

{" ".join(cite.plain(figure.caption).split())}

{figure.id}.pdf, .png   the figure
{figure.id}.csv, .npz   the numbers drawn in it
{figure.id}.py          the notebook cell that draws it; the cells before it in the chapter compute what it uses
claims.json, provenance.json   what was checked with it, and when, where and by which commit it was made
cite.bib, .ris, .txt    how to cite it

Make it again, in a checkout of the book:  offconvex execute {figure.chapter}
Code: MIT License. Text and figure: CC BY 4.0.
"""
