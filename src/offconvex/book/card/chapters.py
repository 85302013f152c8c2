"""A chapter's cells on another device, in this process: what is executed there needs no kernel and no Jupyter."""

import contextlib
import json
import os
import shutil
import types
from collections.abc import Mapping
from pathlib import Path

from offconvex import claims, files, paths
from offconvex.book.execution import chapters, code

KEPT = ("observed", "control")
"""What is kept of a claim: its bounds stand in the registry, and are read whenever it is judged."""


def cells(chapter: str) -> list[types.SimpleNamespace]:
    """Cells of a chapter's committed notebook, as `read` gives them.

    Raises:
        ValueError: if the chapter was never executed.
    """
    file = chapters.notebook_path(chapter)
    if not file.exists():
        raise ValueError(f"{chapter} has no committed notebook; run `offconvex execute {chapter}` first.")
    return read(file)


def read(notebook: Path) -> list[types.SimpleNamespace]:
    """Cells of a notebook, each with its `cell_type`, `source` and `metadata`, without what Jupyter reads it with."""
    found = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [types.SimpleNamespace(**cell | {"source": "".join(cell["source"])}) for cell in found]


def version(chapter: str, known: dict[Path, str] | None = None) -> str:
    """Hash of the code that the committed notebook runs; that of `code.version` unless the source is newer."""
    counted = (c for c in cells(chapter) if c.cell_type == "code" and not code.MODEL & set(c.metadata.get("tags", ())))
    return code.version(chapter, [cell.source for cell in counted], known)


def run(device: str, chapter: str, profile: str) -> dict[str, object]:
    """Run a chapter's cells; what its claims measured, and where it "stopped" if it did.

    Its results go to `_build/runs`, never over the committed ones. A missed bound ends nothing.

    Args:
        device: where.
        chapter: its name.
        profile: a profile of it, or "default".
    """
    folder = paths.build_folder() / "runs" / chapter / f"card,{profile}"
    shutil.rmtree(folder, ignore_errors=True)
    output = folder / "results"
    output.mkdir(parents=True)
    notebook = types.SimpleNamespace(cells=cells(chapter))
    defaults = chapters.default_parameters(notebook)
    given = {} if profile == "default" else chapters.profile_parameters(chapter, profile, defaults)
    with _surroundings(output, chapters.notebook_path(chapter).parent), files.log(folder / "output.txt") as log:
        with contextlib.redirect_stdout(log):
            stopped = _through(notebook.cells, given | {"device": device})
    file = output / "claims.json"
    measured = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    kept = {id: {key: entry[key] for key in KEPT if key in entry} for id, entry in measured.items()}
    return {"chapter": chapter, "profile": profile, "claims": kept} | ({"stopped": stopped} if stopped else {})


def _through(listed: list[types.SimpleNamespace], given: Mapping[str, object]) -> str:
    # Names that the cells define belong to no module, as in a kernel.
    names: dict[str, object] = {"__name__": "__main__"}
    counted = (cell for cell in listed if cell.cell_type == "code")
    for number, cell in enumerate(counted, start=1):
        try:
            exec(compile(cell.source, f"cell {number}", "exec"), names)
        except Exception as error:
            return f"code cell {number}: {said(error)}"
        if chapters.PARAMETERS_TAG in cell.metadata.get("tags", ()):
            names |= given
    return ""


@contextlib.contextmanager
def _surroundings(output: Path, place: Path):
    import matplotlib

    before, here = dict(os.environ), Path.cwd()
    matplotlib.use("Agg")
    os.environ |= {"OFFCONVEX_OUTPUT": str(output), claims.RECORD_ONLY: "1"}
    os.chdir(place)
    try:
        yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)


def said(error: BaseException) -> str:
    """An error in one line without places of this machine."""
    first = next(iter(str(error).strip().splitlines()), "")
    text = f"{type(error).__name__}: {first}".removesuffix(": ")
    return text.replace(f"{paths.require_project_root()}{os.sep}", "")[:300]
