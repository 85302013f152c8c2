"""A chapter's text changed and its code not: the committed notebook takes the text over and keeps its outputs."""

import nbformat

from offconvex import files
from offconvex.book.execution import chapters, checksums, convert, install


def retell(chapter: str) -> bool:
    """Bring the text, captions and alternative texts of a chapter's source into its executed notebook.

    Returns:
        Whether anything changed.

    Raises:
        ValueError: if the chapter is unknown, was never executed, or its code changed, because outputs belong to the
            code that made them.
    """
    chapters.require(chapter)
    install.finish(chapter)
    path = chapters.notebook_path(chapter)
    if not path.exists():
        raise ValueError(f"{chapter} was never executed; run `offconvex execute {chapter}`.")
    before, after = nbformat.read(path, as_version=4), convert.to_notebook(chapter)
    old, new = ([cell for cell in book.cells if cell.cell_type == "code"] for book in (before, after))
    if [cell.source for cell in old] != [cell.source for cell in new]:
        raise ValueError(f"the code of {chapter} changed, and its outputs with it; run `offconvex execute {chapter}`.")
    for mine, theirs in zip(new, old):
        mine.outputs, mine.execution_count = theirs.outputs, theirs.execution_count
    after.metadata = before.metadata
    if after == before:
        return False
    content = convert.content(after)
    # The checksum goes first: if the rest is interrupted, the notebook still differs from its source, and it is redone.
    checksums.renew_notebook(chapter, content)
    files.replace(path, content)
    return True
