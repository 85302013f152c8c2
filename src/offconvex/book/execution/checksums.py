"""Checksums of what a chapter's execution wrote: a file that was changed afterwards is named before it is used."""

import json
from pathlib import Path

from offconvex import files, paths

FILE = "checksums.json"
NOTEBOOK = "notebook"
APART = (FILE, "sweep.json")
"""Files of a chapter's results without an entry: this one, and the sweep, which grows later with its own checksum."""


def of(results: Path, notebook: Path) -> dict[str, str]:
    """SHA-256 of a chapter's notebook and of every file of its results, by name."""
    found = {file.name: file for file in results.glob("*") if file.name not in APART and file.suffix != ".part"}
    return {name: files.digest(file.read_bytes()) for name, file in sorted((found | {NOTEBOOK: notebook}).items())}


def write(chapter: str, root: Path | None = None) -> Path:
    """Write the checksums of a chapter's committed files as they are; return the file.

    An execution does this itself. It is needed after files were brought together by other means, such as a merge.
    """
    results, notebook = _places(chapter, root)
    return save(results, of(results, notebook))


def save(results: Path, digests: dict[str, str]) -> Path:
    """Write checksums, by name, to a folder of results; return the file."""
    return files.write_json(results / FILE, digests, sort=True)


def renew_notebook(chapter: str, notebook: bytes) -> None:
    """Replace a chapter's notebook and vouch for the new one; its results and their entries stay as they are.

    Raises:
        ValueError: if the checksums are missing or unreadable.
    """
    results, place = _places(chapter, None)
    try:
        known = json.loads((results / FILE).read_text(encoding="utf-8")) | {NOTEBOOK: files.digest(notebook)}
    except (OSError, ValueError, TypeError):
        raise ValueError(f"{FILE} of {chapter} is missing or unreadable; run `offconvex execute {chapter}`.") from None
    # The checksum goes first: if the rest is interrupted, the notebook still differs from its source, and it is redone.
    files.replace_all({results / FILE: files.as_json(known, sort=True), place: notebook})


def faults(chapter: str, root: Path | None = None) -> list[str]:
    """One sentence for each committed file that is not what the chapter's execution wrote; none before it was executed.

    Args:
        chapter: its name.
        root: top of the book's checkout; by default the one this package was imported from.
    """
    results, notebook = _places(chapter, root)
    if not (results / FILE).exists() and not (results / "claims.json").exists():
        return []
    remedy = f"take it back from the repository, or run `offconvex execute {chapter}`."
    try:
        expected = json.loads((results / FILE).read_text(encoding="utf-8"))
        expected = {str(name): str(digest) for name, digest in expected.items()}
    except (OSError, ValueError, AttributeError):
        return [f"{chapter}: {FILE} is missing or unreadable; {remedy}"]
    found = of(results, notebook) if notebook.exists() else of(results, results / FILE) | {NOTEBOOK: ""}
    wrong = []
    for name in sorted(expected.keys() | found.keys()):
        file = f"{chapter}.ipynb" if name == NOTEBOOK else name
        if not found.get(name):
            wrong.append(f"{chapter}: {file} is missing; {remedy}")
        elif name not in expected:
            wrong.append(f"{chapter}: {file} was not written by the chapter's last execution; {remedy}")
        elif found[name] != expected[name]:
            wrong.append(f"{chapter}: {file} is damaged, or was changed after the chapter's last execution; {remedy}")
    return wrong


def _places(chapter: str, root: Path | None) -> tuple[Path, Path]:
    book = (root or paths.require_project_root()) / "book"
    return book / "results" / chapter, book / "chapters" / f"{chapter}.ipynb"
