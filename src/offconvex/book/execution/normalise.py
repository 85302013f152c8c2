"""From an executed notebook to one worth committing: nothing volatile in it, nothing broken in it."""

import re

import nbformat

KEPT_CELL_METADATA = ("mystnb", "tags")
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(home|root|tmp|Users|var|work|opt|mnt)/\w|\b[A-Za-z]:\\\w")


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
        cell.metadata = nbformat.from_dict({k: cell.metadata[k] for k in KEPT_CELL_METADATA if cell.metadata.get(k)})
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
