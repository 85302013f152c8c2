"""What a code cell of a chapter is for, read off the functions that it calls."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Purpose:
    """What one cell does.

    Attributes:
        begins: it opens the chapter, so the set-up ends with it.
        figures: ids of the figures that it saves.
        checks: ids of the claims that it checks.
        controls: ids of the claims whose control it judges.
        names: what it assigns, in order.
    """

    begins: bool
    figures: tuple[str, ...]
    checks: tuple[str, ...]
    controls: tuple[str, ...]
    names: tuple[str, ...]


def purposes(cells: Sequence[str]) -> list[Purpose]:
    """The purpose of each cell of a chapter, given as code in the order of the page.

    Calls are followed to the module that they come from, so it does not matter under which name it was imported.
    """
    known: dict[str, str] = {}
    found = []
    for cell in cells:
        tree = ast.parse(cell)
        known |= imports(tree)
        calls = [(resolved(node.func, known), _identifier(node)) for node in _calls(tree)]
        found.append(
            Purpose(
                begins=any(function == "offconvex.chapter.begin" for function, _ in calls),
                figures=_given(calls, "offconvex.figures.save", "offconvex.motion.save"),
                checks=_given(calls, "offconvex.claims.check"),
                controls=_given(calls, "offconvex.claims.control"),
                names=tuple(dict.fromkeys(_assigned(tree))),
            )
        )
    return found


def _given(calls: list[tuple[str, str]], *functions: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(id for function, id in calls if function in functions and id))


def _calls(tree: ast.AST) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _identifier(call: ast.Call) -> str:
    # An id is the first text among the arguments: figures.save(fig, "fig-a", data), claims.check("room.name", value).
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    texts = [each.value for each in arguments if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return texts[0] if texts else ""


def imports(tree: ast.AST) -> dict[str, str]:
    """What each name that is imported stands for, dotted."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            # `import a.b` binds a, `import a.b as c` binds c to a.b.
            found |= {alias.asname or alias.name.split(".")[0]: alias.asname and alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return {name: path or name for name, path in found.items()}


def resolved(function: ast.expr, known: dict[str, str]) -> str:
    """Dotted name of a function as it is called, by what is known of imports."""
    head, dot, rest = ast.unparse(function).partition(".")
    return known.get(head, head) + dot + rest


def _assigned(tree: ast.Module) -> Iterator[str]:
    for statement in tree.body:
        for target in getattr(statement, "targets", [getattr(statement, "target", None)]):
            if target is not None and not isinstance(statement, ast.For):
                yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))
