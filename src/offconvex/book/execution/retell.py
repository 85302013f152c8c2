"""A chapter's text or model cell changed and its other code did not: the committed notebook takes over what is new."""

import nbformat

from offconvex.book.execution import chapters, checksums, code, convert, execute, install


def retell(chapter: str) -> bool:
    """Bring the text, captions, alternative texts and model cell of a chapter's source into its executed notebook.

    The model cell stands alone, so it is executed alone, if it changed; every other output is kept.

    Returns:
        Whether anything changed.

    Raises:
        ValueError: if the chapter is unknown, was never executed, or its code changed, because outputs belong to the
            code that made them; or if the model cell fails.
    """
    chapters.require(chapter)
    install.finish(chapter)
    path = chapters.notebook_path(chapter)
    if not path.exists():
        raise ValueError(f"{chapter} was never executed; run `offconvex execute {chapter}`.")
    before, after = nbformat.read(path, as_version=4), convert.to_notebook(chapter)
    (old_models, old), (new_models, new) = _code_cells(before), _code_cells(after)
    if [cell.source for cell in old] != [cell.source for cell in new]:
        raise ValueError(f"the code of {chapter} changed, and its outputs with it; run `offconvex execute {chapter}`.")
    for mine, theirs in zip(new, old):
        mine.outputs = theirs.outputs
    known = {cell.source: cell.outputs for cell in old_models}
    for cell in new_models:
        cell.outputs = known[cell.source] if cell.source in known else execute.alone(cell.source)
    for count, cell in enumerate((cell for cell in after.cells if cell.cell_type == "code"), start=1):
        cell.execution_count = count
    after.metadata = before.metadata
    if after == before:
        return False
    checksums.renew_notebook(chapter, convert.content(after))
    return True


def _code_cells(notebook: nbformat.NotebookNode) -> tuple[list, list]:
    # The model cell, and all others: a check of the model needs what they define.
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    models = [cell for cell in cells if code.SHOWN in cell.metadata.get("tags", ())]
    return models, [cell for cell in cells if cell not in models]
