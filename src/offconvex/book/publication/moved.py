"""Names of the package that moved: the old ones stay as addresses on the interface pages.

`book/moved.toml` has a table for each part and a line for each old name in it: old = new, both without the part's own
name, or new as a whole, "offconvex. ...", if it is in another part now. The line of a module or a class holds for every
name inside that is still called the same, unless it went to another part; the line of a longer name goes before it.
"""

import tomllib
from pathlib import Path

from offconvex import paths
from offconvex.book.publication import api

FILE = "moved.toml"


def read(root: Path | None = None) -> dict[str, str]:
    """New dotted names by old ones."""
    file = (root or paths.require_project_root()) / "book" / FILE
    found = {}
    for part, lines in tomllib.loads(file.read_text(encoding="utf-8")).items():
        prefix = "offconvex." if part == api.INSTRUMENTS else f"offconvex.{part}."
        for old, new in lines.items():
            found[prefix + old] = new if new.startswith("offconvex.") else prefix + new
    return found


def part_of(name: str) -> str:
    """The part of the package on whose page a name stands, or stood."""
    room = name.split(".")[1]
    return room if room in api.parts() else api.INSTRUMENTS


def targets(lines: dict[str, str]) -> dict[str, str]:
    """Where every old name leads: a name that is on the interface pages now."""
    found: dict[str, str] = {}
    for old, new in sorted(lines.items(), key=lambda line: -len(line[0])):
        stays = part_of(old) == part_of(new)
        for name in api.places():
            if name == new or (stays and name.startswith(f"{new}.")):
                found.setdefault(old + name.removeprefix(new), name)
    return {old: name for old, name in found.items() if old not in api.places()}
