"""The model cells of the chapters: what they say, run as a reader would, by themselves."""

import contextlib
import io
from functools import cache

from offconvex.book.execution import code, convert


def source(chapter: str) -> str:
    """Source of the one cell that shows a chapter's model.

    Raises:
        ValueError: if the chapter has none, or several.
    """
    cells = convert.to_notebook(chapter).cells
    found = [cell.source for cell in cells if code.SHOWN in cell.metadata.get("tags", ())]
    if len(found) != 1:
        raise ValueError(f"{chapter} has {len(found)} model cells; a chapter shows one.")
    return found[0]


@cache
def run(chapter: str) -> tuple[dict, str]:
    """What a chapter's model cell leaves behind, by name, and what it prints."""
    return _run(chapter, source(chapter))


def vary(chapter: str, *changes: tuple[str, str]) -> tuple[dict, str]:
    """The same with lines changed, as a reader would try: pairs of an old text, which occurs once, and the new one.

    Raises:
        ValueError: if an old text does not occur exactly once.
    """
    text = source(chapter)
    for old, new in changes:
        if text.count(old) != 1:
            raise ValueError(f"{old!r} occurs {text.count(old)} times in the model cell of {chapter}; expected once.")
        text = text.replace(old, new)
    return _run(chapter, text)


def _run(chapter: str, text: str) -> tuple[dict, str]:
    names, printed = {"__name__": "model"}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text, f"<model of {chapter}>", "exec"), names)
    return names, printed.getvalue()
