"""Rules of the house beyond single imports: which rooms stand on which, how large they are."""

import ast
import re
from collections import Counter

import pytest
import test_imports as house

from offconvex import paths

PACKAGE = house.PACKAGE
FILES = house.FILES

# --- rooms of factorizations ------------------------------------------------------------------------------------------

# What each room may use besides the storey that all share; nobody uses norms or penalties.
BELOW = {
    "matrix": set(),
    "tensor": {"matrix"},
    "hierarchical": {"matrix", "tensor"},
    "norms": {"matrix", "tensor"},
    "penalties": {"matrix", "tensor"},
}
OTHER_ROOMS_MAY_USE = {"matrix", "tensor", "hierarchical"}


def climbs(path, syntax):
    """Rooms of factorizations that `path` imports and may not."""
    inside = house.relative(path).startswith("factorizations/")
    names = [name.split(".") for name in house.imported(path, syntax)]
    rooms = {parts[2] for parts in names if len(parts) > 2 and parts[:2] == ["offconvex", "factorizations"]}
    own = path.parent.name if inside else None
    allowed = BELOW.get(own, set()) | {own} if inside else OTHER_ROOMS_MAY_USE
    return {(house.relative(path), room) for room in rooms & BELOW.keys() - allowed}


def test_no_room_of_factorizations_climbs():
    found = set().union(*(climbs(path, house.tree(path)) for path in FILES if "book" not in path.parts))
    assert found == set()


@pytest.mark.parametrize(
    ("path", "source", "found"),
    [
        ("factorizations/growth.py", "from offconvex.factorizations.tensor import model", True),
        ("factorizations/growth.py", "from .tensor.model import end_tensor", True),
        ("factorizations/tensor/laws.py", "from offconvex.factorizations.hierarchical import model", True),
        ("factorizations/matrix/laws.py", "from offconvex.factorizations.tensor import model", True),
        ("factorizations/penalties/laws.py", "from offconvex.factorizations.norms import task", True),
        ("factorizations/hierarchical/laws.py", "from offconvex.factorizations.penalties import model", True),
        ("flow_vs_descent/model.py", "import offconvex.factorizations.norms.task", True),
        ("flow_vs_descent/model.py", "from offconvex.factorizations.matrix import model", False),
        ("factorizations/hierarchical/laws.py", "from offconvex.factorizations.tensor import model", False),
        ("factorizations/tensor/laws.py", "from offconvex.factorizations import growth", False),
        ("factorizations/norms/laws.py", "from . import task", False),
    ],
)
def test_a_climbing_import_is_found(path, source, found):
    assert bool(climbs(PACKAGE / path, ast.parse(source))) is found


# --- rooms of bias ----------------------------------------------------------------------------------------------------

STOREY = {"certificate", "entries", "mirror", "rosenbrock"}  # what both rooms stand on


def crosses(path, syntax):
    """What `path` imports of `bias` without being allowed to: its own room and the storey; outside of it nothing."""
    place, names = house.relative(path).split("/"), [name.split(".") for name in house.imported(path, syntax)]
    used = {parts[2] for parts in names if len(parts) > 2 and parts[:2] == ["offconvex", "bias"]}
    own = {place[1]} if len(place) > 2 else set()
    allowed = STOREY | own if place[0] == "bias" else set()
    return {("/".join(place), part) for part in used - allowed}


def test_no_room_of_bias_uses_the_other():
    found = set().union(*(crosses(path, house.tree(path)) for path in FILES if "book" not in path.parts))
    assert found == set()


@pytest.mark.parametrize(
    ("path", "source", "found"),
    [
        ("bias/diagonal/descent.py", "from offconvex.bias.steepest import rules", True),
        ("bias/mirror.py", "from .diagonal.model import SparseLaw", True),
        ("flow_vs_descent/model.py", "from offconvex.bias import mirror", True),
        ("bias/steepest/margins.py", "from offconvex.bias import certificate", False),
        ("bias/diagonal/descent.py", "from offconvex.bias.diagonal import model", False),
        ("bias/mirror.py", "from offconvex.bias import entries", False),
    ],
)
def test_a_crossing_import_is_found(path, source, found):
    assert bool(crosses(PACKAGE / path, ast.parse(source))) is found


# --- names and sizes of folders ---------------------------------------------------------------------------------------

MOST_MODULES = 12
# Folders with more, and how many: a number only falls, and a fall is written down here.
LARGE = {
    "": 18,  # the package itself: what all rooms share; `plain` came for messages of `claims`, apart from the pipeline
    "flow_vs_descent": 16,
    "instahide": 14,
    "tangents": 13,
}


def modules_by_folder(names):
    """Number of modules, by folder ("" for the package itself); a package's own file does not count."""
    return dict(Counter(name.rpartition("/")[0] for name in names if not name.endswith("__init__.py")))


def named_like_folder(name):
    """Whether a file repeats the name of its folder, as in tensor/tensor_laws.py; a plural counts as its singular."""
    *_, folder, file = ("", *name.split("/"))
    return bool(folder) and re.match(rf"{re.escape(folder.rstrip('s'))}s?(_|\.|$)", file) is not None


def test_folders_stay_small():
    counts = modules_by_folder(map(house.relative, FILES))
    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES} == LARGE


def test_a_large_folder_is_counted():
    names = ["a/b/x.py", "a/b/y.py", "a/b/__init__.py", "a/z.py", "__init__.py", "top.py", "upper.py"]
    assert modules_by_folder(names) == {"a/b": 2, "a": 1, "": 2}


def test_no_file_repeats_its_folder():
    assert [name for name in map(house.relative, FILES) if named_like_folder(name)] == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("factorizations/tensor/tensor_laws.py", True),
        ("factorizations/penalties/penalties_plots.py", True),
        ("factorizations/norms/norm.py", True),
        ("factorizations/tensor/laws.py", False),
        ("factorizations/norms/tensor.py", False),
        ("locality/pathfinder/paper.py", False),
        ("figures.py", False),
    ],
)
def test_a_repeated_folder_is_found(name, found):
    assert named_like_folder(name) is found


# --- the device argument ----------------------------------------------------------------------------------------------


def device_faults(syntax):
    """Functions that do not call a runtime `rt`, or take it after the seed."""
    found = []
    for node in ast.walk(syntax):
        if isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            names = [a.arg for a in arguments]
            runtimes = [
                a.arg for a in arguments if a.annotation and re.search(r"\bRuntime\b", ast.unparse(a.annotation))
            ]
            late = "rt" in names and "seed" in names and names.index("rt") > names.index("seed")
            if set(runtimes) - {"rt"} or late or ("rt" in names and not runtimes):
                found.append(node.name)
    return found


@pytest.mark.parametrize("path", FILES, ids=house.relative)
def test_the_device_argument_is_rt_before_seed(path):
    assert device_faults(house.tree(path)) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f(rt: Runtime, seed: int): ...", False),
        ("def f(config, rt: runtime.Runtime, seed): ...", False),
        ("def f(x, *, rt: Runtime | None = None): ...", False),
        ("def f(seed: int, rt: Runtime): ...", True),
        ("def f(runtime: Runtime): ...", True),
        ("def f(rt, seed): ...", True),
    ],
)
def test_another_device_argument_is_found(source, found):
    assert bool(device_faults(ast.parse(source))) is found


# --- seeds ------------------------------------------------------------------------------------------------------------

# Functions that compute with a seed, and why: what has been drawn or judged so stays until it is run again.
SEED_ARITHMETIC = {
    ("instahide/attack.py", "seed_of"): "the stored attack has drawn its releases so",
    ("locality/pairs/setting.py", "seed_of"): "the stored studies have drawn their pairs so",
    ("locality/pairs/study.py", "seed_again"): "the chapter's seeds were judged with it",
    ("locality/pathfinder/study.py", "seed_of"): "the stored study has drawn everything so",
}


def is_seed(node):
    return getattr(node, "id", getattr(node, "attr", None)) == "seed"


def seed_arithmetic(syntax):
    """Innermost functions, or "" outside of any, that add, multiply, ... a name or an attribute `seed`."""
    found = set()

    def visit(node, function):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            function = node.name
        operands = {
            ast.BinOp: lambda: (node.left, node.right),
            ast.UnaryOp: lambda: () if isinstance(node.op, ast.Not) else (node.operand,),
            ast.AugAssign: lambda: (node.target, node.value),
        }.get(type(node), tuple)()
        if any(map(is_seed, operands)):
            found.add(function)
        for child in ast.iter_child_nodes(node):
            visit(child, function)

    visit(syntax, "")
    return found


def test_a_seed_is_named_and_not_computed_except_where_it_is_stored():
    found = {(house.relative(path), function) for path in FILES for function in seed_arithmetic(house.tree(path))}
    assert found == SEED_ARITHMETIC.keys(), "name a stream of offconvex.rng instead"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("def f(seed):\n    return seed + 1", {"f"}),
        ("def f(config, trial):\n    def g():\n        return draw(10 * config.seed + trial)", {"g"}),
        ("def f(seed):\n    seed += 1", {"f"}),
        ("def f(seed):\n    return ~seed", {"f"}),
        ("drawn = [draw(seed ^ i) for i in range(3)]", {""}),
        ("def f(seed):\n    return draw(number + 2 * (1 + seed))", {"f"}),
        ("def f(seed, number):\n    return rng.stream_seed(seed, 'trial', number + 1) % 2**31", set()),
        ("def f(config, seed):\n    return not seed or seed == 0 or f'seed-{seed}' or config.seeds + (1,)", set()),
    ],
)
def test_arithmetic_on_a_seed_is_found(source, found):
    assert seed_arithmetic(ast.parse(source)) == found


# --- sources of formulas ----------------------------------------------------------------------------------------------

KEYS = set(re.findall(r"^@\w+\{([^,\s]+),", (paths.require_project_root() / "book/references.bib").read_text(), re.M))
FOLLOWS = (
    r"elementary|classical|own (derivation|computation)"  # where no source is named, the docstring says how it follows
)


def without_source(syntax):
    """Public functions whose docstring names no key of the bibliography, nor says how the formula follows."""
    functions = [node for node in syntax.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    docs = {node.name: ast.get_docstring(node) or "" for node in functions}
    sourced = {
        name for name, doc in docs.items() if KEYS & set(re.findall(r"\w+", doc)) or re.search(FOLLOWS, doc, re.I)
    }
    return sorted(docs.keys() - sourced)


@pytest.mark.parametrize("path", [path for path in FILES if "theory" in path.stem], ids=house.relative)
def test_every_formula_has_its_source(path):
    assert without_source(house.tree(path)) == []


@pytest.mark.parametrize(
    ("doc", "found"),
    [
        ("The growth law (arora2019implicit, Theorem 3).", False),
        ("A sum (elementary).", False),
        ("A bound.\n\n    Own derivation: by induction.", False),
        ("The growth law.", True),
        ("The growth law (nobody1999nothing).", True),
    ],
)
def test_a_formula_without_source_is_found(doc, found):
    assert bool(without_source(ast.parse(f'def f():\n    """{doc}"""'))) is found
