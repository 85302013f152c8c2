"""MyST source -> notebook with stable cell ids; executed notebook -> one worth committing."""

import hashlib
import re

import jupytext
import nbformat
import yaml

from offconvex import __version__, paths
from offconvex.book.execution import chapters

KEPT_METADATA = ("mystnb", "tags")
"""Entries of a cell's metadata that the book needs."""

MACHINE_PATH = re.compile(r"(?<![\w.:/])/(home|root|tmp|Users|var|work|opt|mnt)/\w|\b[A-Za-z]:\\\w")
"""Path of one machine."""


def to_notebook(chapter: str) -> nbformat.NotebookNode:
    """Unexecuted notebook of a chapter's source; equal sources give equal bytes.

    A first cell, not shown in the book, tells whoever opens the notebook alone how to get the package.
    """
    notebook = jupytext.read(chapters.source_path(chapter), fmt="md:myst")
    cells = [_install_cell(), *notebook.cells]
    for cell in cells:
        cell.metadata = _cell_metadata(cell)
    _name_cells(cells)
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python", "file_extension": ".py"},
    }
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata, nbformat_minor=5)


def repository_url() -> str:
    """The one repository setting, `repository: url:` of `_config.yml`; empty when there is none."""
    config = yaml.safe_load((paths.require_project_root() / "_config.yml").read_text(encoding="utf-8"))
    return ((config.get("repository") or {}).get("url") or "").rstrip("/")


def content(notebook: nbformat.NotebookNode) -> bytes:
    """Bytes of a notebook, the one way the repository stores them."""
    nbformat.validate(notebook)
    return (nbformat.writes(notebook, version=4, indent=1) + "\n").encode()


def normalise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A copy without timestamps and other volatile metadata.

    Raises:
        ValueError: if it is not fit to commit; the message lists every fault, see `faults`.
    """
    notebook = nbformat.from_dict(notebook)
    kept = {key: notebook.metadata[key] for key in ("kernelspec",) if key in notebook.metadata}
    notebook.metadata = nbformat.from_dict(kept | {"language_info": {"name": "python", "file_extension": ".py"}})
    for cell in notebook.cells:
        # papermill gives every cell a list of tags, empty or not.
        cell.metadata = nbformat.from_dict({k: cell.metadata[k] for k in KEPT_METADATA if cell.metadata.get(k)})
        if cell.cell_type == "code":
            cell.outputs = _joined_streams(cell.outputs)
    wrong = faults(notebook)
    if wrong:
        raise ValueError("the executed notebook is not fit to commit: " + "; ".join(wrong) + ".")
    return notebook


def faults(notebook: nbformat.NotebookNode) -> list[str]:
    """What makes an executed notebook unfit: unexecuted cells, errors, stderr, paths of one machine."""
    found = []
    for number, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1):
        if cell.execution_count is None and cell.source.strip():
            found.append(f"code cell {number} was never executed")
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"code cell {number} ended in {output.ename}")
            elif output.get("name") == "stderr":
                found.append(f"code cell {number} wrote to stderr: {output.text.strip()[:200]!r}")
            elif match := MACHINE_PATH.search(_text(output)):
                found.append(f"code cell {number} shows a machine's path near {match.group()!r}")
    return found


def _install_cell() -> nbformat.NotebookNode:
    url = repository_url()
    command = f"pip install git+{url}@v{__version__}" if url else "pip install ."
    where = "run" if url else "get the book's repository and, in its folder, run"
    return nbformat.v4.new_markdown_cell(
        "This notebook is a chapter of *Off the Convex Path, Executed*. It needs Python 3.11 to 3.13 and the "
        f"book's package `offconvex`. If `import offconvex` fails here, {where}\n\n"
        f"    {command}\n\n"
        "and restart the kernel. Formulas, figure numbers and references are typeset in the book's pages.",
        metadata={"tags": ["remove-cell"]},
    )


def _cell_metadata(cell: nbformat.NotebookNode) -> dict:
    metadata = {key: cell.metadata[key] for key in KEPT_METADATA if key in cell.metadata}
    mystnb = metadata.get("mystnb", {})
    if "figure" in mystnb:
        # The dark theme dims images, which falsifies color maps; this class keeps true colors on a light card.
        image = mystnb.setdefault("image", {})
        image["classes"] = " ".join(dict.fromkeys([*str(image.get("classes", "")).split(), "dark-light"]))
    return metadata


def _name_cells(cells: list[nbformat.NotebookNode]) -> None:
    seen: dict[str, int] = {}
    for cell in cells:
        # From content, not from position: inserting a cell leaves every other cell's id alone.
        id = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[id] = seen.get(id, 0) + 1
        cell.id = id if seen[id] == 1 else f"{id}-{seen[id]}"


def _joined_streams(outputs: list) -> list:
    """Adjacent pieces of one stream joined: how the kernel cuts them depends on timing."""
    joined: list = []
    for output in outputs:
        output.pop("transient", None)
        last = joined[-1] if joined else None
        if last and output.output_type == "stream" == last.output_type and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _text(output) -> str:
    data = output.get("data", {})
    texts = [output.get("text", ""), *(v for k, v in data.items() if k.startswith("text/") and isinstance(v, str))]
    return "\n".join(texts)
