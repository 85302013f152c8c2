"""Replaces a chapter's committed files, all together or not at all.

A finished run is moved, by one rename, to `_build/ready/<chapter>`. From then on it counts: its files are renamed into
place one by one, and if that is interrupted, the next command finishes it. Before that rename nothing is touched.
"""

import json
import shutil
from fnmatch import fnmatch
from pathlib import Path

from offconvex import files, paths
from offconvex.book.execution import chapters, checksums

NOTEBOOK = "notebook.ipynb"
GENERATED = ("claims.json", "provenance.json", "checksums.json", "fig-*")
"""Files of a chapter's results that an execution writes; stored experiments beside them are left alone."""


def ready_folder() -> Path:
    """Where finished runs wait to be moved into place."""
    return paths.build_folder() / "ready"


def install(staged: Path, chapter: str) -> None:
    """Move a finished run (`notebook.ipynb` and `results/` in `staged`) over the chapter's committed files."""
    # Stored experiments lie among the committed results already; a chapter vouches for those that it has read.
    kept = checksums.of(paths.committed_results(chapter), staged / NOTEBOOK)
    kept = {name: digest for name, digest in kept.items() if not any(fnmatch(name, p) for p in GENERATED)}
    written = checksums.of(staged / "results", staged / NOTEBOOK)
    checksums.save(staged / "results", kept | written)
    files.write_json(staged / "manifest.json", sorted(file.name for file in (staged / "results").iterdir()))
    finish(chapter)
    probe(chapter)
    files.move(staged, ready_folder() / chapter)
    finish(chapter)


def probe(chapter: str) -> None:
    """Find out whether a chapter's committed files can be replaced, while nothing is touched.

    Raises:
        OSError: if they cannot.
    """
    for folder in (paths.committed_results(chapter), chapters.notebook_path(chapter).parent):
        files.probe(folder)


def waits(chapter: str) -> bool:
    """Whether a finished run of a chapter is not wholly in its place yet."""
    return (ready_folder() / chapter / "manifest.json").exists()


def finish(chapter: str) -> None:
    """Complete the installation of a chapter's finished run, if one is waiting."""
    ready = ready_folder() / chapter
    if not waits(chapter):
        return
    manifest = set(json.loads((ready / "manifest.json").read_text(encoding="utf-8")))
    results = paths.committed_results(chapter)
    # Everything below may have been done before, up to any point; `glob` finds nothing in a folder that is gone.
    for file in sorted((ready / "results").glob("*")):
        files.move(file, results / file.name)
    for pattern in GENERATED:
        for file in results.glob(pattern):
            if file.name not in manifest:
                file.unlink()
    if (ready / NOTEBOOK).exists():
        files.move(ready / NOTEBOOK, chapters.notebook_path(chapter))
    # The manifest goes last: while it is there, the installation can be taken up again.
    shutil.rmtree(ready / "results", ignore_errors=True)
    (ready / "manifest.json").unlink()
    shutil.rmtree(ready)


def finish_all() -> None:
    """Complete every installation that was interrupted."""
    if ready_folder().is_dir():
        for folder in sorted(ready_folder().iterdir()):
            finish(folder.name)
