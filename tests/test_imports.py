"""The floor plan, read off the source: who may import whom, and what no file may do."""

import ast
import graphlib
import sys
from collections import Counter

import pytest
from torch.utils._device import _device_constructors

from offconvex import paths

PACKAGE = paths.PACKAGE
FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = {f.parent.name for f in PACKAGE.glob("*/__init__.py")} - {"book", "data"}
LONGEST = 400
OPEN_TO_ALL = "factorizations"  # the one room that other rooms may use

# What makes a tensor from nothing or from Python data, and so needs a device.
FACTORIES = {f.__name__ for f in _device_constructors()} | {"Generator"}
# Streams are made by offconvex.rng alone; these make one with its own seed or share one for all.
GLOBAL_RANDOMNESS = {
    ("torch", name) for name in ("manual_seed", "seed", "initial_seed", "set_rng_state", "default_generator")
}
SEEDED = {"default_rng", "Generator", "SeedSequence", "PCG64"}
# The generator that the released code of InstaHide used is itself the object of these: it is searched and broken.
ATTACKED = {"instahide/keys.py", "instahide/prng.py", "instahide/seeds/twister.py"}


def tree(path):
    return ast.parse(path.read_text(), filename=str(path))


def imported(path, syntax):
    """Dotted names of all modules that a file imports, relative ones resolved; `from a import b` counts as a.b."""
    package = path.relative_to(PACKAGE.parent).with_suffix("").parts[:-1]
    names = set()
    for node in ast.walk(syntax):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) + 1 - node.level]) if node.level else ""
            base = ".".join(part for part in (base, node.module) if part)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


def module_named(name):
    """File of the package's module that a dotted name is, or lies in; None outside the package."""
    place = PACKAGE.parent.joinpath(*name.split("."))
    for file in (place.with_suffix(".py"), place / "__init__.py"):
        if file.exists() and file.is_relative_to(PACKAGE):
            return file
    return module_named(name.rpartition(".")[0]) if "." in name else None


def needed(syntax):
    """The syntax without what is imported for type checkers alone."""
    for node in ast.walk(syntax):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            node.body = [ast.Pass()]
    return syntax


def circle(imports):
    """Modules that import each other in a circle, the first one again at the end; none if there is no circle."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def within(name, allowed):
    return any(name == a or name.startswith(a + ".") for a in allowed)


def room_of(path):
    top = path.relative_to(PACKAGE).parts[0]
    return top if top in ROOMS else None


def forbidden_imports(path, syntax):
    """Names of `path`'s imports that the floor plan forbids."""
    names, room = imported(path, syntax), room_of(path)
    shared = room is None and path.parent == PACKAGE
    wrong = set()
    if room and "theory" in path.stem:
        # An oracle that used the code it judges would agree with it whatever it did. Names of shapes compute nothing.
        standard = set(sys.stdlib_module_names)
        wrong |= {n for n in names if n.split(".")[0] not in {"numpy", "scipy", "jaxtyping"} | standard}
    if room and "plots" in path.stem:
        allowed = {"offconvex.figures", "offconvex.fits", "matplotlib", "numpy", *sys.stdlib_module_names}
        # A room's plots may share ink: modules such as matrix.plots of the same room are plots themselves.
        own = f"offconvex.{room}."
        ink = {n for n in names if n.startswith(own) and any("plots" in part for part in n.split(".")[:-1])}
        wrong |= {n for n in names - ink if not within(n, allowed) and not n.endswith(".plots")} - {own.rstrip(".")}
    others = {f"offconvex.{r}" for r in ROOMS - {room, OPEN_TO_ALL}}
    if shared:
        others.add(f"offconvex.{OPEN_TO_ALL}")
    if room or shared:
        wrong |= {n for n in names if within(n, others | {"offconvex.book"})}
    return wrong


def attribute_path(node):
    """("np", "random", "rand") of np.random.rand; () of anything that is not a plain name."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else ()


def global_randomness(syntax):
    """Lines that use a generator which is not a stream of offconvex.rng."""
    found = []
    for node in ast.walk(syntax):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            if "random" in modules or "numpy.random" in modules:
                found.append(node.lineno)
        elif isinstance(node, ast.Attribute):
            name = attribute_path(node)
            legacy = len(name) == 3 and name[:2] in {("np", "random"), ("numpy", "random")} and name[2] not in SEEDED
            shared = name in GLOBAL_RANDOMNESS or (name[:1] == ("torch",) and name[-1].startswith("manual_seed"))
            if legacy or shared:
                found.append(node.lineno)
    return sorted(set(found))


def without_device(syntax):
    """Lines that make a tensor or a generator without `device=`."""
    found = []
    for node in ast.walk(syntax):
        if isinstance(node, ast.Call):
            name = attribute_path(node.func)
            keywords = {k.arg for k in node.keywords}
            factory = len(name) == 2 and name[0] == "torch" and name[1] in FACTORIES
            if (factory and not keywords & {"device", None}) or name in {("torch", "Tensor"), ("torch", "FloatTensor")}:
                found.append(node.lineno)
    return found


def public_types(syntax):
    """Public classes and capitalized aliases that a file defines; a type variable is a blank, not an alias."""
    for node in syntax.body:
        targets = [node.name] if isinstance(node, ast.ClassDef) else []
        if isinstance(node, ast.Assign) and "TypeVar" not in ast.unparse(node.value):
            targets = [target.id for target in node.targets if isinstance(target, ast.Name)]
        yield from (name for name in targets if name[0].isupper() and not name.isupper())


def relative(path):
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_file_keeps_the_floor_plan(path):
    syntax = tree(path)
    assert not forbidden_imports(path, syntax)
    assert len(path.read_text().splitlines()) <= LONGEST, "a file over 400 lines is two files"
    assert ast.get_docstring(syntax), "every file says in its first line what it holds"


@pytest.mark.parametrize("path", [f for f in FILES if f.name != "rng.py" and relative(f) not in ATTACKED], ids=relative)
def test_a_file_draws_from_named_streams_only(path):
    assert not global_randomness(tree(path))


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_file_names_the_device_of_every_tensor(path):
    assert not without_device(tree(path))


def test_a_class_name_means_one_thing():
    found = Counter(name for path in FILES for name in public_types(tree(path)))
    assert [name for name, count in found.items() if count > 1] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("class Growth:\n    class Inner: pass", ["Growth"]),
        ("Layers = tuple", ["Layers"]),
        ("Result = TypeVar('Result')", []),
        ("LIMIT = 3\nx = 2\n_Hidden = 1\ndef Make(): pass", []),
    ],
)
def test_public_types_are_found(source, found):
    assert list(public_types(ast.parse(source))) == found


@pytest.mark.parametrize("name", sorted(ATTACKED))
def test_an_attacked_generator_is_the_only_other_one(name):
    source = (PACKAGE / name).read_text()
    assert global_randomness(ast.parse(source)), "an exception that nobody needs"
    assert not global_randomness(ast.parse(source.replace("np.random.RandomState(", "legacy(")))


def test_no_modules_import_each_other_in_a_circle():
    """An import inside a function counts: it hides a circle, and opens none."""
    imports = {path: {module_named(name) for name in imported(path, needed(tree(path)))} - {None} for path in FILES}
    assert sum(map(len, imports.values())) > len(FILES), "the check would be empty"
    assert not [relative(path) for path in circle(imports)]


@pytest.mark.parametrize(
    ("imports", "found"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, False),
        ({"a": {"b", "c"}, "b": {"c"}}, False),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}}, True),
        ({"a": {"a"}}, True),
    ],
)
def test_a_circle_is_found(imports, found):
    assert bool(circle(imports)) is found


def test_only_a_chapters_beginning_knows_its_device_and_its_run():
    both = {PACKAGE / "run.py", PACKAGE / "runtime.py"}
    found = [path for path in FILES if both <= {module_named(name) for name in imported(path, tree(path))}]
    assert found == [PACKAGE / "chapter.py"]


def test_an_import_leads_to_its_module():
    assert module_named("offconvex.rng.generator") == PACKAGE / "rng.py"
    assert module_named("offconvex.book.execution") == PACKAGE / "book/execution/__init__.py"
    assert module_named("numpy.random") is None
    hidden = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from offconvex import rng\n"
    plain = "def late():\n    from offconvex import rng\n"
    assert "offconvex.rng" not in imported(PACKAGE / "x.py", needed(ast.parse(hidden)))
    assert "offconvex.rng" in imported(PACKAGE / "x.py", needed(ast.parse(plain)))


def test_rooms_are_found():
    assert OPEN_TO_ALL in ROOMS, "the checks above would be empty"


def verdict(path, source):
    return forbidden_imports(PACKAGE / path, ast.parse(source))


@pytest.fixture
def two_rooms(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOMS", {"tangents", "sampling", OPEN_TO_ALL})


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("tangents/theory.py", "import torch"),
        ("tangents/theory.py", "from offconvex import rng"),
        ("tangents/theory.py", "from offconvex.tangents.model import Net"),
        ("tangents/theory.py", "from . import model"),
        ("tangents/theory.py", "from .dynamics import step"),
        ("tangents/theory_bounds.py", "def f():\n    import torch"),
        ("tangents/norms_theory.py", "import torch"),
        ("tangents/plots.py", "import torch"),
        ("tangents/plots.py", "import scipy.stats"),
        ("tangents/plots.py", "from offconvex import rng"),
        ("tangents/plots.py", "from .measure import rank"),
        ("tangents/model.py", "from offconvex import sampling"),
        ("tangents/model.py", "import offconvex.sampling.model"),
        ("tangents/model.py", "from ..sampling import model"),
        ("tangents/model.py", "from offconvex.book.execution import execute"),
        ("descent.py", "from offconvex import tangents"),
        ("descent.py", "from offconvex.factorizations import matrix"),
        ("descent.py", "from .sampling.model import x"),
        ("descent.py", "import offconvex.book.execution.execute"),
    ],
)
def test_a_forbidden_import_is_found(two_rooms, path, source):
    assert verdict(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("tangents/theory.py", "import math\nimport numpy as np\nfrom scipy.special import zeta"),
        ("tangents/plots.py", "import numpy as np\nfrom matplotlib.axes import Axes\nfrom offconvex import figures"),
        ("tangents/plots.py", "from offconvex.figures import THEORY"),
        ("tangents/wide_plots.py", "from offconvex.tangents.plots import curve"),
        ("tangents/model.py", "import torch\nfrom offconvex.factorizations import matrix\nfrom offconvex import rng"),
        ("tangents/model.py", "from offconvex.tangents import theory\nfrom . import measure"),
        ("descent.py", "from offconvex.trajectory import Trajectory"),
        ("book/execution/execute.py", "from offconvex import tangents"),
    ],
)
def test_an_allowed_import_passes(two_rooms, path, source):
    assert not verdict(path, source)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("torch.manual_seed(0)", True),
        ("torch.cuda.manual_seed_all(0)", True),
        ("torch.random.manual_seed(0)", True),
        ("np.random.seed(0)", True),
        ("x = np.random.rand(3)", True),
        ("numpy.random.normal()", True),
        ("import random", True),
        ("from random import shuffle", True),
        ("from numpy.random import rand", True),
        ("torch.Generator(device='cpu').manual_seed(3)", False),
        ("np.random.default_rng(3)", False),
        ("def f(g: np.random.Generator): return g.normal()", False),
    ],
)
def test_global_randomness_is_found(source, found):
    assert bool(global_randomness(ast.parse(source))) is found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("torch.zeros(3)", True),
        ("torch.randn(3, dtype=torch.float64)", True),
        ("torch.Generator()", True),
        ("torch.Tensor([1])", True),
        ("torch.zeros(3, device=rt.device)", False),
        ("torch.zeros(3, **rt.options)", False),
        ("torch.stack([a, b])", False),
        ("rt.zeros(3)", False),
        ("torch.zeros_like(x)", False),
    ],
)
def test_a_tensor_without_a_device_is_found(source, found):
    assert bool(without_device(ast.parse(source))) is found
