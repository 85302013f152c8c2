"""Which code a chapter runs: its cells, the package's modules that it reaches by imports, its stored experiments."""

import ast
import hashlib
from pathlib import Path

from offconvex import paths
from offconvex.book.execution import convert


def version(chapter: str) -> str:
    """Hash of all that decides what a chapter measures for a given seed: results of other code are other results.

    Text, comments, docstrings and layout decide nothing, so the hash is that of the syntax without them.
    """
    digest = hashlib.sha256()
    for cell in cells(chapter):
        digest.update(syntax(cell).encode() + b"\0")
    for file in modules(chapter):
        digest.update(file.name.encode() + b"\0" + syntax(file.read_text(encoding="utf-8")).encode())
    for file in sorted(paths.committed_results(chapter).glob("stored-*.json")):  # each holds the hash of its arrays
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def cells(chapter: str) -> list[str]:
    """Sources of a chapter's code cells."""
    return [cell.source for cell in convert.to_notebook(chapter).cells if cell.cell_type == "code"]


def syntax(text: str) -> str:
    """What a piece of Python says, without comments, layout and docstrings."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [line for line in node.body if not _is_text(line)] or [ast.Pass()]
    return ast.dump(tree)


def modules(chapter: str) -> list[Path]:
    """The package's files that a chapter imports, directly or through others, sorted."""
    found: set[Path] = set()
    waiting = [name for cell in cells(chapter) for name in _imported(cell)]
    while waiting:
        for file in _files(waiting.pop()) - found:
            found.add(file)
            waiting += _imported(file.read_text(encoding="utf-8"))
    return sorted(found)


def _is_text(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


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
