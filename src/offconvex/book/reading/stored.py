"""Which numbers of a chapter rest on stored experiments, read off the code of its cells."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from offconvex.book.reading import cells

ALL = ""
"""Stands for every measure of a claim whose values a cell gives together."""


@dataclass
class _Reader:
    """Follows what is loaded through a chapter's cells, from statement to statement."""

    loaded: set[str] = field(default_factory=set)  # names whose values come from a stored experiment
    imported: dict[str, str] = field(default_factory=dict)
    entries: dict[str, dict[str, bool]] = field(default_factory=dict)  # dicts given entry by entry: which rest on it
    found: dict[str, set[str]] = field(default_factory=dict)

    def read(self, statement: ast.stmt) -> None:
        self.imported |= cells.imports(statement)
        inner = [*getattr(statement, "body", []), *getattr(statement, "orelse", [])]
        for call in (node for node in ast.walk(statement) if isinstance(node, ast.Call) and not inner):
            if cells.resolved(call.func, self.imported) == "offconvex.claims.check":
                self.found.setdefault(ast.literal_eval(call.args[0]), set()).update(self.measures(call.args[1]))
        if isinstance(statement, ast.For):
            self.bind(statement.target, self.rests(statement.iter))
        elif isinstance(statement, ast.Assign):
            for target, value in _pairs(statement.targets, statement.value):
                self.bind(target, self.rests(value))
                self.enter(target, value)
        elif not inner and self.rests(statement):
            self.loaded |= set(_changed(statement))  # x += y, x.append(y)
        for each in inner:
            self.read(each)

    def bind(self, target: ast.expr, rests: bool) -> None:
        names = {node.id for node in ast.walk(target) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        if rests:
            self.loaded |= names | set(_changed(target))
        else:
            self.loaded -= names  # they mean something else now

    def enter(self, target: ast.expr, value: ast.expr) -> None:
        # measured = {"a": x}, and later measured["b"] = y: every entry rests on what it alone was made of.
        if isinstance(target, ast.Name):
            self.entries.pop(target.id, None)
            if _literal(value):
                self.entries[target.id] = {k.value: self.rests(v) for k, v in zip(value.keys, value.values)}
        elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
            self.entries.get(ast.unparse(target.value), {})[target.slice.value] = self.rests(value)

    def rests(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute) and node.attr == "load":
            return True
        if isinstance(node, ast.Name):
            return node.id in self.loaded
        if not hasattr(node, "generators"):
            return any(map(self.rests, ast.iter_child_nodes(node)))
        outside = set(self.loaded)  # a comprehension's own names end with it
        for generator in node.generators:
            self.bind(generator.target, self.rests(generator.iter))
        found = any(map(self.rests, ast.iter_child_nodes(node)))
        self.loaded = outside
        return found

    def measures(self, observed: ast.expr) -> Iterator[str]:
        if isinstance(observed, ast.Name) and observed.id in self.entries:
            yield from (name for name, rests in self.entries[observed.id].items() if rests)
        elif _literal(observed):
            yield from (key.value for key, value in zip(observed.keys, observed.values) if self.rests(value))
        elif self.rests(observed):
            yield ALL


def measures(sources: Sequence[str]) -> dict[str, set[str]]:
    """The measures of each checked claim that rest on a stored experiment, by the claim's id.

    What a cell loads (`NAME.load()`) is followed through assignments, loops and calls in the order of the cells.

    Args:
        sources: a chapter's code cells, in the order of the page.

    Returns:
        Names of measures; `ALL` for a claim whose values are given as one thing that rests on what was loaded.
    """
    reader = _Reader()
    for source in sources:
        for statement in ast.parse(source).body:
            reader.read(statement)
    return reader.found


def _literal(value: ast.expr) -> bool:
    return isinstance(value, ast.Dict) and all(isinstance(key, ast.Constant) for key in value.keys)


def _pairs(targets: list[ast.expr], value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    for target in targets:
        both = isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List)
        if both and len(target.elts) == len(value.elts):
            yield from zip(target.elts, value.elts)
        else:
            yield target, value


def _changed(node: ast.AST) -> Iterator[str]:
    # The thing that a[0] = x, a.b += x or a.append(x) changes.
    inner = node.value if isinstance(node, ast.Expr) else getattr(node, "target", node)
    inner = inner.func if isinstance(inner, ast.Call) else inner
    while isinstance(inner, ast.Attribute | ast.Subscript):
        inner = inner.value
    if isinstance(inner, ast.Name):
        yield inner.id
