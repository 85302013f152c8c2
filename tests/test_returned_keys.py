"""A dict of numbers is returned only where its keys are published: as columns, arrays, or measures of a claim."""

import ast
import csv
import functools
import json
import re

import numpy as np
import pytest

from offconvex import paths

PACKAGE = paths.PACKAGE
ROOMS = sorted(f for f in PACKAGE.glob("*/**/*.py") if f.relative_to(PACKAGE).parts[0] not in ("book", "data"))
NUMBERS = re.compile(r"Arrays|(dict|Mapping)\[str, (float|int|np\.ndarray)\]")
# What a run keeps is a dict of tensors by the contract of `descend`, `flow` and `ula`; its keys stay inside the room.


@functools.cache
def published() -> str:
    """Names of all columns, arrays and measures of the book, and the words in columns of words, one a line."""
    names, results = set(), paths.require_project_root() / "book" / "results"
    for file in results.rglob("*.npz"):
        names.update(np.load(file).files)
    for file in results.rglob("*.csv"):
        with file.open(encoding="utf-8", newline="") as rows:
            names.update(cell for row in csv.reader(rows) for cell in row)
    for file in results.rglob("claims.json"):
        for claim in json.loads(file.read_text(encoding="utf-8")).values():
            names.update(key for part in claim.values() if isinstance(part, dict) for key in part)
    return "\n".join(names)


def is_published(key: str) -> bool:
    """Whether a key is a published name or, in whole words, a part of one: "ratio" of "up ratio"."""
    return re.search(rf"(?<!\w){re.escape(key)}(?!\w)", published()) is not None


def parts(node: ast.AST, *leave: type):
    """A node and all below it, without what lies inside nodes of some kinds."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, leave):
            yield from parts(child, *leave)


def returned_keys(function: ast.FunctionDef) -> set[str]:
    """Literal keys of the dicts that a function returns, written at the return or before it."""
    nodes = list(parts(function, ast.FunctionDef, ast.Lambda))
    returned = [node.value for node in nodes if isinstance(node, ast.Return) and node.value]
    names = {part.id for value in returned for part in parts(ast.Expr(value), ast.Call) if isinstance(part, ast.Name)}
    found = set()
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name) and target.id in names:
                    returned.append(node.value)
                if isinstance(target, ast.Subscript) and getattr(target.value, "id", None) in names:
                    found.add(target.slice)
    for value in returned:
        found.update(
            key for part in parts(ast.Expr(value), ast.Call) if isinstance(part, ast.Dict) for key in part.keys
        )
    return {key.value for key in found if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def functions(syntax: ast.AST):
    """Functions and methods with the annotation of what they return, as text."""
    for node in ast.walk(syntax):
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield node, ast.unparse(node.returns)


@pytest.mark.parametrize("path", ROOMS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_dict_has_published_keys_or_is_a_record(path):
    for function, annotation in functions(ast.parse(path.read_text(encoding="utf-8"))):
        assert annotation not in ("dict", "Mapping"), f"`{function.name}` does not say of what"
        if NUMBERS.fullmatch(annotation):
            private = sorted(key for key in returned_keys(function) if not is_published(key))
            assert not private, f"`{function.name}` returns keys that nobody publishes: a frozen record?"


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        ("return {'a': 1, 'b c': 2} | {f'{x}': 3}", {"a", "b c"}),
        ("found = {'a': 1}\n found['b'] = 2\n found |= {'c': 3}\n return found", {"a", "b", "c"}),
        ("other = {'a': 1}\n return {k: v for k, v in pairs}", set()),
        ("return minimize(options={'a': 1})", set()),
        ("def look():\n  return {'a': 1}\n return {'b': look}", {"b"}),
    ],
)
def test_returned_keys_are_found(body, keys):
    assert returned_keys(ast.parse(f"def f(x):\n {body}").body[0]) == keys


def test_a_key_is_published_as_a_word_only():
    assert is_published("log langevin") and is_published("langevin")
    assert not is_published("langev") and not is_published("small best")
