"""Which code a chapter runs: its source, the package's modules that it reaches by imports, its stored experiments."""

import ast
import hashlib
from pathlib import Path

from offconvex import paths
from offconvex.book import chapters, convert


def version(chapter: str) -> str:
    """Hash of all that decides what a chapter measures for a given seed: results of other code are other results."""
    digest = hashlib.sha256(chapters.source_path(chapter).read_bytes())
    records = sorted(paths.committed_results(chapter).glob("stored-*.json"))  # each holds the hash of its arrays
    for file in [*modules(chapter), *records]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def modules(chapter: str) -> list[Path]:
    """The package's files that a chapter imports, directly or through others, sorted."""
    cells = [cell.source for cell in convert.to_notebook(chapter).cells if cell.cell_type == "code"]
    found: set[Path] = set()
    waiting = [name for cell in cells for name in _imported(cell)]
    while waiting:
        for file in _files(waiting.pop()) - found:
            found.add(file)
            waiting += _imported(file.read_text(encoding="utf-8"))
    return sorted(found)


def _imported(text: str) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in names if name.split(".")[0] == "offconvex"]


def _files(name: str) -> set[Path]:
    # A dotted name is a module, a package, or something inside one; each package on the way runs as well.
    found, place = {paths.PACKAGE / "__init__.py"}, paths.PACKAGE
    for part in name.split(".")[1:]:
        if (place / f"{part}.py").exists():
            return found | {place / f"{part}.py"}
        place = place / part
        if (place / "__init__.py").exists():
            found.add(place / "__init__.py")
    return found
