"""Files of the book that hold one table of texts for each name, read with one sentence for what is wrong."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from offconvex import paths


def read(
    name: str, root: Path | None = None, *, required: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, dict[str, object]]:
    """Tables of a file of the book by name, in the order of the file.

    Args:
        name: the file, in `book/`.
        root: top of the book's checkout; by default the one this package was imported from.
        required: entries that each table has, all of them texts.
        optional: entries that it may have; what they are is the caller's to judge.

    Raises:
        ValueError: if the file cannot be read, or a table lacks an entry, has another one, or an empty text.
    """
    file = (root or paths.require_project_root()) / "book" / name
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{name} cannot be read: {error}.") from None
    known = [*required, *optional]
    for id, table in tables.items():
        if not isinstance(table, dict):
            raise ValueError(f"{name}, {id}: expected a table with {', '.join(known)}; got {table!r}.")
        missing, unknown = [entry for entry in required if entry not in table], sorted(set(table) - set(known))
        if missing or unknown:
            raise ValueError(f"{name}, {id}: missing fields {missing}, unknown fields {unknown}.")
        for entry in required:
            text(f"{name}, {id}: {entry}", table[entry])
    return tables


def text(place: str, value: object) -> str:
    """An entry on one line.

    Raises:
        ValueError: if it is no text, or an empty one; the message begins with the place.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{place} must be a text; got {value!r}.")
    return " ".join(value.split())
