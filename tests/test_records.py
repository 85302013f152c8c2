"""What is kept of a run is read by pure functions, and nobody reads the buffers of an objective."""

import ast
import re
import sys

import pytest
import test_imports as house

PACKAGE = house.PACKAGE
FILES = house.FILES

# How many arguments a function of these types takes.
RECORDS = {"Record": 2, "ChainRecord": 1}
MUTATING = {"append", "extend", "insert", "update", "add", "pop", "remove", "clear", "setdefault"}


def of_record(annotation):
    """How many arguments a record of this annotation takes, whatever it is wrapped in; None if it is none."""
    words = re.findall(r"\w+", ast.unparse(annotation)) if annotation else []
    return next((RECORDS[word] for word in words if word in RECORDS), None)


def takers(syntaxes):
    """Functions and methods that take a record: {name: {position or keyword: how many arguments the record takes}}."""
    found = {}
    for node in (node for syntax in syntaxes for node in ast.walk(syntax) if isinstance(node, ast.FunctionDef)):
        positional = [*node.args.posonlyargs, *node.args.args]
        bound = bool(positional) and positional[0].arg in ("self", "cls")
        for place, argument in [*enumerate(positional[bound:]), *((None, a) for a in node.args.kwonlyargs)]:
            if takes := of_record(argument.annotation):
                found.setdefault(node.name, {}).update(
                    {argument.arg: takes} | ({} if place is None else {place: takes})
                )
    return found


TAKERS = takers(map(house.tree, FILES))


def handed_over(syntax):
    """Expressions that are handed over as records, or as `until`, with the numbers of arguments that they may take."""
    for node in ast.walk(syntax):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            places = TAKERS.get(name, {})
            given = [*enumerate(node.args), *((k.arg, k.value) for k in node.keywords)]
        elif isinstance(node, ast.Dict):  # options of a call
            places = {}
            given = [(key.value, value) for key, value in zip(node.keys, node.values) if isinstance(key, ast.Constant)]
        else:
            continue
        for place, value in given:
            if place in places:
                yield value, {places[place]}
            elif place in ("record", "finish_record"):
                yield value, set(RECORDS.values())
            elif place == "until":
                yield value, set()


def nested(syntax):
    """Functions inside functions that are records by their annotations, with the numbers of arguments they may take.

    An objective has such annotations too, but returns a pair, and a step's update, which returns nothing.
    """
    for outer in (node for node in ast.walk(syntax) if isinstance(node, ast.FunctionDef)):
        inside = [node for node in ast.walk(outer) if isinstance(node, ast.FunctionDef) and node is not outer]
        returned = [node.value for node in ast.walk(outer) if isinstance(node, ast.Return) and node.value]
        if takes := of_record(outer.returns):
            names = {value.id for value in returned if isinstance(value, ast.Name)}
            yield from ((node, {takes}) for node in inside if node.name in names)
            yield from ((value, {takes}) for value in returned if isinstance(value, ast.Lambda))
        for node in inside:
            said = " ".join(ast.unparse(a.annotation) for a in node.args.args if a.annotation)
            other = node.returns is not None and re.match("tuple|None$", ast.unparse(node.returns))
            if not other and re.search(r"\bGradients\b", said):
                yield node, {2}
            elif not other and re.search(r"\bParameters\b", said):
                yield node, set()


def records(syntax):
    """Functions that are handed over or returned as records, as far as the file itself defines them.

    Returns:
        {function: how many arguments it may take; empty if that is not known}.
    """
    defined = [node for node in ast.walk(syntax) if isinstance(node, ast.FunctionDef)]
    found = {}
    for value, takes in handed_over(syntax):
        called = {id(node.func) for node in ast.walk(value) if isinstance(node, ast.Call)}
        names = {n.id for n in ast.walk(value) if isinstance(n, ast.Name) and id(n) not in called}
        functions = [node for node in ast.walk(value) if isinstance(node, ast.Lambda)]
        for function in [*functions, *(node for node in defined if node.name in names)]:
            found[function] = found.get(function) or takes
    for function, takes in nested(syntax):
        found[function] = found.get(function) or takes
    return found


def root_name(node):
    """Name at the root of x.a[b].c; None of anything else."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def impurities(function, takes):
    """What a record does besides reading its arguments, as many as `takes` has, and returning something new."""
    found, arguments = [], [a.arg for a in function.args.args]
    if takes and (len(arguments) not in takes or function.args.kwonlyargs or function.args.defaults):
        found.append(f"takes {arguments}")
    nodes = [node for node in ast.walk(function) if node is not function]
    own = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for node in nodes:
        if isinstance(node, ast.Nonlocal | ast.Global):
            found.append(f"rebinds {node.names}")
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            if root_name(node) not in own:
                found.append(f"assigns to {ast.unparse(node)}")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            in_place = re.search(r"[a-z\d]_$", node.func.attr) or node.func.attr in MUTATING
            if in_place and root_name(node.func.value) is not None and root_name(node.func.value) not in own:
                found.append(f"calls {ast.unparse(node.func)}")
    return found


# What owns the buffers of gradients: it fills them and hands them out.
OWNERS = {
    "factorizations/hierarchical/model.py": {"HierarchicalObjective", "_make_tape"},
    "factorizations/matrix/model.py": {"matrix_objective"},
    "factorizations/tensor/model.py": {"TensorObjective"},
}


def outside_reads(path, syntax):
    """Classes and functions that read the buffers of an objective's gradients, but do not own them."""
    own = OWNERS.get(house.relative(path), set())
    found = []
    for top in syntax.body:
        reads = [n for n in ast.walk(top) if isinstance(n, ast.Attribute) and n.attr == "gradients"]
        if getattr(top, "name", "") not in own and any(root_name(n) != "self" for n in reads):
            found.append(getattr(top, "name", ast.unparse(top)))
    return found


@pytest.mark.parametrize("path", FILES, ids=house.relative)
def test_a_record_is_pure(path):
    syntax = house.tree(path)
    assert [fault for function in records(syntax).items() for fault in impurities(*function)] == []
    assert outside_reads(path, syntax) == []


def test_only_owners_of_buffers_are_exceptions(monkeypatch):
    owners = dict(OWNERS)
    monkeypatch.setattr(sys.modules[__name__], "OWNERS", {})
    found = {name: set(outside_reads(PACKAGE / name, house.tree(PACKAGE / name))) for name in owners}
    assert found == owners


def test_records_are_found():
    assert TAKERS.keys() >= {"descend", "flow", "run", "learn", "read_rates", "ula", "mala"}
    found = {house.relative(path): len(records(house.tree(path))) for path in FILES}
    assert sum(found.values()) >= 30, "the check above would be empty"
    rooms = [f"factorizations/{room}/incremental.py" for room in ("matrix", "tensor", "hierarchical")]
    rooms += ["factorizations/tensor/laws.py", "factorizations/matrix/measure.py", "sampling/manifolds/experiments.py"]
    assert all(found[name] for name in rooms)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("return {'w': parameters[0]}", False),
        ("kept = {}\n    kept['w'] = parameters[0]\n    return kept", False),
        ("rows = []\n    rows.append(parameters[0])\n    return {'w': rows[0]}", False),
        ("return {'w': parameters[0].abs()} | {'g': gradients[0]}", False),
        ("return {'w': parameters[0].add_(1)}", True),
        ("seen.append(parameters)\n    return {}", True),
        ("seen['w'] = parameters[0]\n    return {}", True),
        ("record.time = 1\n    return {}", True),
        ("gradients[0][:] = 0\n    return {}", True),
        ("nonlocal count\n    count = 1\n    return {}", True),
        ("clock.add_(still)\n    return {}", True),
    ],
)
def test_an_impure_record_is_found(body, found):
    source = f"def record(parameters, gradients):\n    {body}\ndescend(loss, start, steps=1, record=record)"
    (function,) = records(ast.parse(source)).items()
    assert bool(impurities(*function)) is found


IMPURE = "def look(p, g):\n    seen.append(p)\n    return {}\n"


@pytest.mark.parametrize(
    "source",
    [
        IMPURE + "learn(objective, start, look, adaptive, finish, norms, reading)",
        IMPURE + "incremental.learn(objective, start, {1: other, 100: look}, adaptive, finish, norms, reading)",
        IMPURE + "learn(objective, start, other, adaptive, finish, norms, reading, finish_record=look)",
        IMPURE + "read_rates(lambda: objective, {2: look}, start, window, step=1, steps=2)",
        IMPURE + "Phase(10, rule).run(objective, start, look)",
        IMPURE + "adaptive.run(objective, start, record=look)",
        IMPURE.replace("p, g", "p") + "ula(target, state, rt, generator, step=1, steps=2, record=look)",
        IMPURE.replace("p, g", "p") + "mala(target, state, rt, generator, step=1, steps=2, record=look)",
        IMPURE.replace("p, g", "p") + "ula(target, state, rt, generator, step=1, steps=2, until=look)",
        IMPURE.replace("p, g", "p") + "options = {'record': look}\nmove(target, state, rt, generator, **options)",
        "ula(target, state, rt, generator, step=1, steps=2, until=lambda x: x.add_(y))",
        "def a():\n    def look(p):\n        y.add_(p)\n    ula(t, record=look)\n"
        "def b():\n    def look(p):\n        return {}\n    ula(t, record=look)",
        "def make() -> Record:\n    def look(p, g):\n        seen.append(p)\n        return {}\n    return look",
        "def make() -> ChainRecord:\n    return lambda x: x.add_(y)",
        "def f():\n    def look(p: Weights, g: Gradients):\n        seen.append(p)\n        return {}",
        "def f():\n    def look(p: descent.Parameters):\n        seen.append(p)\n        return {}",
    ],
)
def test_an_impure_record_is_found_wherever_it_is_handed_over(source):
    syntax = ast.parse(source)
    assert len([fault for function in records(syntax).items() for fault in impurities(*function)]) == 1
    for impure, pure in (("seen.append(p)", "p[0].abs()"), ("x.add_(y)", "x + y"), ("y.add_(p)", "y + p")):
        source = source.replace(impure, pure)
    assert records(ast.parse(source))
    assert [fault for function in records(ast.parse(source)).items() for fault in impurities(*function)] == []


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    def objective(p: Parameters) -> tuple[Tensor, Gradients]:\n        nonlocal tape",
        "def f():\n    def update(p: Parameters, g: Gradients) -> None:\n        p.add_(g)",
        "learn(objective, start, make(look), adaptive)\ndef make(x):\n    seen.append(x)",
        "subprocess.run(asked, cwd, look)\nlearn(config, d, size)",
        "def look(p, g):\n    seen.append(p)\nlearn(objective, look, other)",
    ],
)
def test_what_is_no_record_is_left_alone(source):
    assert not records(ast.parse(source))


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("flow(loss, start, times, record=lambda p, _: {'w': p[0]})", 0),
        ("flow(loss, start, times, record=lambda p: {'w': p[0]})", 1),
        ("descent.descend(loss, start, record={1: lambda p, g, seen=[]: {}, 5: lambda p, g: {}})", 1),
        ("learn(objective, start, lambda p: {}, adaptive)", 1),
        ("read_rates(make, {1: lambda p: {}}, start)", 1),
        ("ula(target, state, rt, generator, record=lambda x: {})", 0),
        ("mala(target, state, rt, generator, record=lambda x, _: {})", 1),
        ("ula(target, state, rt, generator, until=lambda x, goal=goal: x > goal)", 0),
    ],
)
def test_a_record_takes_parameters_and_gradients(source, count):
    assert len([fault for function in records(ast.parse(source)).items() for fault in impurities(*function)]) == count


@pytest.mark.parametrize(
    ("path", "source", "found"),
    [
        ("factorizations/tensor/laws.py", "def f():\n    return objective.gradients", True),
        ("factorizations/tensor/model.py", "def f():\n    return objective.gradients", True),
        ("factorizations/tensor/model.py", "class Tape: ...\ndef f():\n    return tape.gradients", True),
        (
            "factorizations/tensor/model.py",
            "class Tape:\n    def f(self, other):\n        return other.gradients",
            True,
        ),
        ("factorizations/tensor/model.py", "class TensorObjective:\n    def f(s):\n        return s.gradients", False),
        ("factorizations/matrix/model.py", "def matrix_objective():\n    return tape.gradients", False),
        ("instahide/model.py", "class Tape: ...\ndef f():\n    return tape.gradients", True),
        ("factorizations/tensor/laws.py", "kept = objective.gradients", True),
        ("factorizations/tensor/laws.py", "class A:\n    def f(self):\n        return self.gradients", False),
    ],
)
def test_a_read_of_gradients_buffers_is_found(path, source, found):
    assert bool(outside_reads(PACKAGE / path, ast.parse(source))) is found
