"""A dict of numbers is returned only where its keys are published: as columns, arrays, or measures of a claim."""

import ast
import csv
import functools
import json
import re
from collections import Counter

import numpy as np
import pytest

from offconvex import paths

PACKAGE = paths.PACKAGE
ROOMS = sorted(f for f in PACKAGE.glob("*/**/*.py") if f.relative_to(PACKAGE).parts[0] not in ("book", "data"))
NUMBERS = {"float", "int", "bool", "ndarray", "Tensor"}
SHAPED = {"Float", "Int", "Bool", "Shaped"}  # of jaxtyping: what is shaped stands first
# Functions whose keys stay inside the room, and how many do: a number only falls, and a fall is written down here.
PRIVATE = {
    # What a run keeps is a dict of tensors by the contract of `descend`, `flow` and `ula`; these are read to the end of
    # the run, and what is published is made of them.
    "factorizations/hierarchical/incremental.py norms": 2,
    "factorizations/norms/curves.py _record": 1,
    "factorizations/tensor/laws.py growth": 1,
    "sampling/manifolds/experiments.py look": 3,
    # Parts of such records, with the names that `growth.read_rates` and `incremental.learn` ask for.
    "factorizations/matrix/measure.py growth_projections": 1,
    "factorizations/tensor/measure.py growth_projections": 1,
}


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
    """Functions and methods that say what they return."""
    return [node for node in ast.walk(syntax) if isinstance(node, ast.FunctionDef) and node.returns is not None]


def name(node: ast.AST) -> str:
    """Last name of a.b.c, and of a.b.c[...]; "" of anything else."""
    node = node.value if isinstance(node, ast.Subscript) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def is_numbers(node: ast.AST) -> bool:
    """Whether an annotation is of a number, of an array, or of a list of them; a tuple is a part's arguments."""
    if isinstance(node, ast.BinOp):
        return is_numbers(node.left) or is_numbers(node.right)
    if not isinstance(node, ast.Subscript):
        return name(node) in NUMBERS
    if name(node) in SHAPED:
        return is_numbers(node.slice.elts[0])
    return name(node) in ("list", "Sequence") and is_numbers(node.slice)


def of_numbers(annotation: ast.AST) -> bool:
    """Whether a dict of numbers by name is what an annotation says, or anything inside it."""
    dicts = [n for n in ast.walk(annotation) if isinstance(n, ast.Subscript) and name(n) in ("dict", "Mapping")]
    named = [n.slice.elts[1] for n in dicts if isinstance(n.slice, ast.Tuple) and name(n.slice.elts[0]) == "str"]
    return any(map(is_numbers, named)) or any(name(n) == "Arrays" for n in ast.walk(annotation))


def is_bare(annotation: ast.AST) -> bool:
    """Whether an annotation, or anything inside it, is a dict that does not say of what."""
    said = {id(n.value) for n in ast.walk(annotation) if isinstance(n, ast.Subscript)}
    plain = [n for n in ast.walk(annotation) if not isinstance(n, ast.Subscript) and id(n) not in said]
    return any(name(n) in ("dict", "Mapping") for n in plain)


def private_keys(syntax: ast.AST) -> list[tuple[str, str]]:
    """Functions that return dicts of numbers with keys that nobody publishes, and the keys."""
    found = [(node.name, returned_keys(node)) for node in functions(syntax) if of_numbers(node.returns)]
    return [(function, key) for function, keys in found for key in sorted(keys) if not is_published(key)]


def relative(path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@pytest.mark.parametrize("path", ROOMS, ids=relative)
def test_a_dict_has_published_keys_or_is_a_record(path):
    syntax, own = ast.parse(path.read_text(encoding="utf-8")), relative(path)
    assert [node.name for node in functions(syntax) if is_bare(node.returns)] == [], "a dict that does not say of what"
    keys = private_keys(syntax)
    allowed = {function: count for function, count in PRIVATE.items() if function.startswith(own + " ")}
    assert Counter(f"{own} {function}" for function, _ in keys) == allowed, f"a frozen record for {keys}?"


def test_an_exception_is_of_a_file_that_is_there():
    assert {function.split()[0] for function in PRIVATE} <= set(map(relative, ROOMS))


@pytest.mark.parametrize(
    ("annotation", "found"),
    [
        ("dict[str, float]", True),
        ("Mapping[str, np.ndarray]", True),
        ("dict[str, torch.Tensor]", True),
        ("dict[str, list[float]]", True),
        ("dict[str, Float[Tensor, 'R n']]", True),
        ("dict[str, Shaped[np.ndarray, '...']]", True),
        ("dict[str, float | None]", True),
        ("dict[str, dict[str, int]]", True),
        ("tuple[Mixtures, dict[str, torch.Tensor]]", True),
        ("list[Arrays]", True),
        ("tuple[files.Arrays, float]", True),
        ("Arrays", True),
        ("dict[int, np.ndarray]", False),
        ("dict[str, tuple[int, ...]]", False),
        ("dict[str, PathSetting]", False),
        ("dict[str, object]", False),
        ("tuple[Mixtures, torch.Tensor]", False),
        ("Callable[[str, float], float]", False),
    ],
)
def test_dicts_of_numbers_are_found(annotation, found):
    source = f"def f() -> {annotation}:\n    return {{'nobody publishes this': 1}}"
    assert bool(private_keys(ast.parse(source))) is found


@pytest.mark.parametrize(
    ("annotation", "found"),
    [
        ("dict", True),
        ("Mapping", True),
        ("collections.abc.Mapping", True),
        ("tuple[torch.Tensor, dict]", True),
        ("dict[str, dict]", True),
        ("dict[str, float]", False),
        ("tuple[int, typing.Mapping[str, float]]", False),
        ("float", False),
    ],
)
def test_a_dict_of_anything_is_found(annotation, found):
    assert is_bare(ast.parse(annotation, mode="eval").body) is found


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
