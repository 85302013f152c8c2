"""Which functions of the package draw a figure and compute what it shows, read off the code of its chapter."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from offconvex.book.publication import api

HOUSE = ("chapter", "claims", "configs", "figures", "files", "motion", "paths", "rng", "run", "runtime", "stored")
"""Instruments that compute nothing of what a figure shows."""


@dataclass(frozen=True)
class Origin:
    """Where a figure comes from.

    Attributes:
        drawn: dotted names of the plotting functions that its cell calls, in the order of the code.
        computed: dotted names of the functions whose results reach the cell, the nearest first.
    """

    drawn: tuple[str, ...]
    computed: tuple[str, ...]


@dataclass(frozen=True)
class _Statement:
    """What one statement of a chapter takes and gives."""

    reads: tuple[str, ...]  # dotted as far as the code says: "plots.growth_law", "run.loss"
    binds: frozenset[str]
    imports: dict[str, str]


def origin(cells: Sequence[str]) -> Origin:
    """Origin of the figure that the last of these cells draws; the others are the chapter's code before it."""
    *earlier, last = [[_statement(node) for node in ast.parse(cell).body] for cell in cells]
    saves = [i for i, statement in enumerate(last) if {"figures.save", "motion.save"} & set(statement.reads)]
    last = last[: saves[-1] + 1] if saves else last  # what follows judges the figure and is not in it
    statements = [statement for cell in earlier for statement in cell] + last
    front = list(range(len(statements) - len(last), len(statements)))
    seen, rounds = set(front), []
    while front:
        called, reached = [], []
        for place in front:
            for read in statements[place].reads:
                name, dot, rest = read.partition(".")
                source = _binding(statements, name, place)
                if source is not None and name in statements[source].imports:
                    called += _functions(statements[source].imports[name] + dot + rest)
                elif source is not None:
                    reached.append(source)
        rounds.append(called)
        front = [place for place in dict.fromkeys(reached) if place not in seen]
        seen |= set(front)
    house = {f"offconvex.{module}" for module in HOUSE}
    drawn = [name for name in rounds[0] if _module(name).endswith("plots")]
    computed = [name for called in rounds for name in called if _module(name) not in house]
    computed = [name for name in computed if not _module(name).endswith("plots")]
    computed.sort(key=lambda name: "theory" in _module(name))  # what runs comes before the closed form beside it
    return Origin(tuple(dict.fromkeys(drawn)), tuple(dict.fromkeys(computed)))


def _binding(statements: list[_Statement], name: str, before: int) -> int | None:
    return next((i for i in range(before - 1, -1, -1) if name in statements[i].binds), None)


def _statement(node: ast.stmt) -> _Statement:
    if isinstance(node, ast.Import | ast.ImportFrom):
        prefix = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        imports = {alias.asname or alias.name.split(".")[0]: prefix + alias.name for alias in node.names}
        return _Statement((), frozenset(imports), imports)
    inner = {name.id for part in ast.walk(node) if isinstance(part, ast.comprehension) for name in _names(part.target)}
    inner |= {argument.arg for part in ast.walk(node) if isinstance(part, ast.arguments) for argument in part.args}
    binds = {name.id for name in _names(node) if isinstance(name.ctx, ast.Store)} - inner
    if isinstance(node, ast.FunctionDef):
        inner, binds = inner | binds, {node.name}
    elif hasattr(node, "body"):
        inner |= binds  # what a loop reads it has mostly bound itself, its own variable above all
    inner |= {part.target.id for part in ast.walk(node) if isinstance(part, ast.NamedExpr)}
    reads = [read for read in _reads(node) if read.split(".")[0] not in inner]
    changed = [part.target for part in ast.walk(node) if isinstance(part, ast.AugAssign)]
    reads += [name.id for target in changed for name in _names(target)]
    return _Statement(tuple(dict.fromkeys(reads)), frozenset(binds), {})


def _names(node: ast.AST) -> Iterator[ast.Name]:
    return (part for part in ast.walk(node) if isinstance(part, ast.Name))


def _reads(node: ast.AST) -> Iterator[str]:
    name = _dotted(node)
    if name:
        yield name
        return
    for child in ast.iter_child_nodes(node):
        yield from _reads(child)


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id if isinstance(node.ctx, ast.Load) else ""
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


def _functions(name: str) -> list[str]:
    """The public function that a dotted name of a chapter stands for; that which runs it, for a stored experiment."""
    if not name.startswith("offconvex."):
        return []
    item = api.package()
    for part in name.split(".")[1:]:
        if part not in item.members:
            break
        item = item.members[part]
        item = item.final_target if item.is_alias else item
    if item.is_attribute and item.value is not None:
        value = ast.parse(str(item.value), mode="eval").body
        run = _runner(value) if isinstance(value, ast.Call) else None
        return _functions(f"{item.module.path}.{run}") if run else []
    return [item.path] if item.is_function and item.path in api.places() else []


def _runner(call: ast.Call) -> str:
    """Name of the function that a declaration of a stored experiment says runs it; "" if it declares none."""
    if _dotted(call.func).split(".")[-1] != "StoredExperiment":
        return ""
    named = {keyword.arg: keyword.value for keyword in call.keywords}
    fields = ("name", "chapter", "config", "parts", "run", "assemble")
    return _dotted((dict(zip(fields, call.args)) | named)["run"])


def _module(name: str) -> str:
    return name.rpartition(".")[0]
