"""Which code decides the numbers of a chapter: its cells, and the package's modules that they reach by imports.

Each module's version is a hash of what it says and of the versions of what it imports, so that what is reached is in it
however deep, while the names and places of files are not: a file that moves changes nothing, and a function of the same
name taken from another module does.

Two kinds of modules decide no number and are left out. Ink (`figures`, `motion`, and whatever has "plots" in its name)
draws what was computed before; the floor plan keeps computing out of it. And `claims`, `run`, `files` and `paths` judge
numbers, name the chapter they belong to, and say where they lie: bounds are read anew at every look at a record, and
what is written is read back in tests. The `__init__` files of packages hold nothing but a docstring, which a test asks
for. A cell counts whole, its lines of drawing included: what they do cannot be told from what they compute. The cell
that shows a chapter's model does not count, nor does its check: nothing uses a name that they define, which a test
asks for.
"""

import ast
import inspect
import json
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from offconvex import files, paths

SHOWN = "model"
"""Tag of the cell that shows a chapter's model, and stands alone."""
MODEL = {SHOWN, "model-check"}
"""The same, and the tag of the cell that holds it against the engine."""

APART = ("figures", "motion", "claims", "run", "files", "paths")


def version(chapter: str, sources: Sequence[str] | None = None, known: dict[Path, str] | None = None) -> str:
    """Hash of all that decides what a chapter measures for a given seed: results of other code are other results.

    It covers cells, modules and the stored experiments: their settings and the hash of their arrays. Text, comments,
    docstrings, layout, annotations of functions and the places of imports decide nothing.

    Args:
        chapter: its name.
        sources: of its cells that decide numbers, where they are known; by default they are read.
        known: versions of modules already read, as in `module_version`.
    """
    records = (json.loads(file.read_bytes()) for file in paths.committed_results(chapter).glob("stored-*.json"))
    stored = sorted(json.dumps([record["config"], record["sha256"]]) for record in records)
    sources = cells(chapter) if sources is None else sources
    known = {} if known is None else known
    return _hash(_text_version("\n".join(sources), (), known), *stored)[:16]


def function_version(*functions: Callable) -> str:
    """Hash of the modules that define some functions, and of all that these reach."""
    known: dict[Path, str] = {}
    places = (Path(inspect.getfile(inspect.unwrap(function))) for function in functions)
    return _hash(*(module_version(place, known) for place in places))


def module_version(file: Path, known: dict[Path, str] | None = None) -> str:
    """Hash of what a module says and imports.

    Args:
        file: the module.
        known: versions of modules already read, which gets those of all that this one reaches.
    """
    known = {} if known is None else known
    if file not in known:
        package = file.relative_to(paths.PACKAGE.parent).parts[:-1] if file.is_relative_to(paths.PACKAGE) else ()
        known[file] = _hash(_text_version(file.read_text(encoding="utf-8"), package, known), _data(file))
    return known[file]


def cells(chapter: str) -> list[str]:
    """Sources of a chapter's code cells that decide numbers."""
    from offconvex.book.execution import convert  # needs what reads MyST

    found = (cell for cell in convert.to_notebook(chapter).cells if cell.cell_type == "code")
    return [cell.source for cell in found if not MODEL & set(cell.metadata.get("tags", ()))]


def modules(chapter: str) -> list[Path]:
    """The package's files that decide what a chapter measures, directly or through others, sorted."""
    known: dict[Path, str] = {}
    _text_version("\n".join(cells(chapter)), (), known)
    return sorted(known)


def syntax(text: str) -> str:
    """What a piece of Python does, without comments, layout, docstrings, imports and annotations of functions."""
    return _written(_Bare().visit(ast.parse(text)))


def _written(tree: ast.AST) -> str:
    # As Python 3.11 writes it, whichever reads it: 3.13 leaves empty lists out unless it is asked for them.
    return ast.dump(tree, **({"show_empty": True} if sys.version_info >= (3, 13) else {}))


class _Bare(ast.NodeTransformer):
    """Takes away all that decides no number; what is imported is looked at apart."""

    def generic_visit(self, node):
        # From 3.12 on, what has no type parameters says so.
        if not getattr(node, "type_params", True):
            del node.type_params
        return super().generic_visit(node)

    def visit_Expr(self, node):
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else self.generic_visit(node)

    def visit_Import(self, node):
        return None

    visit_ImportFrom = visit_Import

    def visit_If(self, node):
        return None if _for_type_checkers(node) else self.generic_visit(node)

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_FunctionDef(self, node):
        node.returns = None
        return self.generic_visit(node)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_JoinedStr(self, node):
        # Some releases of 3.12 end a format in an empty text.
        node.values = [part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")]
        return self.generic_visit(node)


def _text_version(text: str, package: tuple[str, ...], known: dict[Path, str]) -> str:
    tree = ast.parse(text)
    imports = list(_imports(tree, package))
    tree = _Bare().visit(tree)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    links = set()
    for bound, module, attribute in imports:
        if module.split(".")[0] != paths.PACKAGE.name:
            if bound in used:
                links.add((bound, attribute, module))  # another's code: its version is the environment's
            continue
        inside = _file(f"{module}.{attribute}")
        file, attribute = (inside, "") if inside else (_file(module), attribute)
        if file and not _apart(file):  # what does not exist decides nothing: its import fails
            links.add((bound, attribute, module_version(file, known)))
    return _hash(_written(tree), *map(json.dumps, sorted(links)))


def _imports(tree: ast.AST, package: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    # Bound name, module and attribute of every import, also inside functions.
    if isinstance(tree, ast.Import):
        for alias in tree.names:
            yield alias.asname or alias.name.split(".")[0], alias.name, ""
    elif isinstance(tree, ast.ImportFrom):
        above = package[: len(package) + 1 - tree.level] if tree.level else ()
        module = ".".join([*above, *filter(None, [tree.module])])
        for alias in tree.names:
            yield alias.asname or alias.name, module, alias.name
    elif not _for_type_checkers(tree):
        for node in ast.iter_child_nodes(tree):
            yield from _imports(node, package)


def _for_type_checkers(node: ast.AST) -> bool:
    tests = ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    return isinstance(node, ast.If) and not node.orelse and ast.unparse(node.test) in tests


def _data(file: Path) -> str:
    # What a module reads lies beside it under its own name or, for an instrument, among the book's files.
    beside, book = file.with_suffix(".json"), paths.book_file(f"{file.stem}.toml")
    if beside.exists():
        return beside.read_text(encoding="utf-8")
    if file.parent == paths.PACKAGE and book.exists():
        return json.dumps(tomllib.loads(book.read_text(encoding="utf-8")))
    return ""


def _file(name: str) -> Path | None:
    place = paths.PACKAGE.parent.joinpath(*name.split("."))
    return next((file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()), None)


def _apart(file: Path) -> bool:
    place = file.relative_to(paths.PACKAGE).with_suffix("").parts
    return place in [(name,) for name in APART] or any("plots" in part for part in place)


def _hash(*parts: str) -> str:
    return files.digest(json.dumps(parts).encode())
