"""Executes a chapter's cells at smoke size: `smoke.py CHAPTER DEVICE FOLDER`, with the simulated device for "cuda".

Results go to the folder, as the executor's do, and with them `events.json`, what the simulated device counted. A cell
that fails ends the run with its error; those after it would miss what it defines.
"""

import contextlib
import os
import sys
import traceback
from pathlib import Path

import matplotlib
import simulated

from offconvex import files
from offconvex.book.execution import chapters, convert


def execute(chapter: str, device: str, folder: Path) -> None:
    """Execute a chapter's code cells in this process, its results going to the folder.

    Raises:
        RuntimeError: if a cell fails; the message names the cell, and the place in the package.
    """
    matplotlib.use("Agg")
    notebook = convert.to_notebook(chapter)
    parameters = chapters.profile_parameters(chapter, "smoke", chapters.default_parameters(notebook))
    parameters["device"] = device
    os.environ["OFFCONVEX_OUTPUT"] = str(folder)
    os.chdir(chapters.notebook_path(chapter).parent)
    names = {"__name__": "__main__"}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, 1):
        try:
            exec(compile(cell.source, f"cell {number}", "exec"), names)
        except Exception as error:
            raise RuntimeError(f"{chapter}, code cell {number}: {_told(error)}") from error
        if chapters.PARAMETERS_TAG in cell.metadata.get("tags", []):
            names |= parameters


def _told(error: Exception) -> str:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "offconvex" in f.filename or "cell" in f.filename]
    return f"{type(error).__name__}: {error} ({frames[-1].filename.split('/src/')[-1]}:{frames[-1].lineno})"


def main(chapter: str, device: str, folder: str) -> int:
    output = Path(folder).resolve()
    output.mkdir(parents=True, exist_ok=True)
    with simulated.installed() if device != "cpu" else contextlib.nullcontext():
        try:
            execute(chapter, device, output)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            events = [[*key, count] for key, count in sorted(simulated.EVENTS.items())]
            files.write_json(output / "events.json", events)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
