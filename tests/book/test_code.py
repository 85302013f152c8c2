"""What decides a chapter's numbers is in the hash of its code, and nothing else is."""

import ast
import shutil

import pytest

from offconvex import paths, stored
from offconvex.book.execution import code, long_run

PACKAGE = {
    "engine.py": '"""Moves."""\n\nimport numpy as np\n\nfrom offconvex import rng\n\n\ndef step(x, size=0.1):\n'
    '    """One step."""\n    return x - size * np.sign(x) + rng.draw()\n',
    "rng.py": '"""Streams."""\n\nimport math\n\n\ndef draw() -> float:\n    return math.pi\n\n\n'
    "def step(x):\n    return x\n",
    "figures.py": "def save(figure):\n    pass\n",
    "claims.py": "from offconvex import figures\n\n\ndef check(value):\n    pass\n",
    "room/__init__.py": '"""A room."""\n',
    "room/plots.py": "def curve(axes, y):\n    axes.plot(y)\n",
    "room/measure.py": "from typing import TYPE_CHECKING\n\nfrom offconvex.engine import step\n\nif TYPE_CHECKING:\n"
    "    from offconvex import stored\n\n\ndef rate(x):\n    from offconvex.room import theory\n\n"
    "    return step(x) / theory.bound(x)\n",
    "room/theory.py": "from offconvex.room.data import TABLE\n\n\ndef bound(x):\n    return TABLE['x']\n",
    "room/data.py": "TABLE = {}\n",
    "room/data.json": "{}\n",
    "stored.py": "x = 1\n",
}
CELL = (
    "from offconvex import claims, figures\nfrom offconvex.room import measure, plots\n"
    "claims.check(measure.rate(2.0))\n"
)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small package in a folder, and the version of a file of it that imports it as a chapter does."""
    root = tmp_path / "offconvex"
    for name, text in (PACKAGE | {"cell.py": CELL}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(paths, "PACKAGE", root)
    return root


def replace(file, old, new):
    text = file.read_text()
    assert old in text, f"{file.name} has no {old!r}"
    file.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("engine.py", "0.1", "0.2"),
        ("engine.py", "np.sign", "np.abs"),
        ("engine.py", "import numpy as np", "import torch as np"),
        ("rng.py", "import math", "import cmath as math"),
        ("rng.py", "math.pi", "math.e"),
        ("room/measure.py", "from offconvex.engine import step", "from offconvex.rng import step"),
        ("room/measure.py", "step(x) /", "step(x) *"),
        ("room/theory.py", "['x']", "['y']"),
        ("room/data.json", "{}", '{"x": 1}'),
        ("cell.py", "2.0", "2.5"),
    ],
)
def test_what_decides_a_number_is_in_the_hash(package, name, old, new):
    before = code.module_version(package / "cell.py")
    replace(package / name, old, new)
    assert code.module_version(package / "cell.py") != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("engine.py", "Moves.", "Moves a point."),
        ("engine.py", '    """One step."""\n', ""),
        ("engine.py", "    return x", "    # down\n    return (x)"),
        ("engine.py", "x, size=0.1", "x: float, size: float = 0.1"),
        ("engine.py", "import numpy as np\n", "from collections.abc import Mapping\n\nimport numpy as np\n"),
        ("rng.py", " -> float", ""),
        ("room/measure.py", "    from offconvex.room import theory\n\n", ""),  # and see below
        ("room/plots.py", "plot(y)", "plot(y, color='red')"),
        ("figures.py", "pass", "figure.savefig('x')"),
        ("claims.py", "pass", "print(value)"),
        ("stored.py", "1", "2"),
    ],
)
def test_what_decides_no_number_is_not(package, name, old, new):
    before = code.module_version(package / "cell.py")
    replace(package / name, old, new)
    if "import theory" in old:  # moved to the top of the file
        replace(package / name, "import step\n", "import step\nfrom offconvex.room import theory\n")
    assert code.module_version(package / "cell.py") == before


def test_every_python_reads_a_text_alike():
    text = 'class A:\n    def f(self, *, a=[]): return f"{a:>{self.x}}", None\n'
    # In the words of Python 3.11, in which the committed hashes were computed.
    assert code.syntax(text) == (
        "Module(body=[ClassDef(name='A', bases=[], keywords=[], body=[FunctionDef(name='f', "
        "args=arguments(posonlyargs=[], args=[arg(arg='self')], kwonlyargs=[arg(arg='a')], "
        "kw_defaults=[List(elts=[], ctx=Load())], defaults=[]), "
        "body=[Return(value=Tuple(elts=[JoinedStr(values=[FormattedValue(value=Name(id='a', ctx=Load()), "
        "conversion=-1, format_spec=JoinedStr(values=[Constant(value='>'), "
        "FormattedValue(value=Attribute(value=Name(id='self', ctx=Load()), attr='x', ctx=Load()), "
        "conversion=-1)]))]), Constant(value=None)], ctx=Load()))], decorator_list=[])], decorator_list=[])], "
        "type_ignores=[])"
    )


def test_a_file_that_moves_changes_nothing(package):
    before = code.module_version(package / "cell.py")
    (package / "engines").mkdir()
    (package / "engine.py").rename(package / "engines/descent.py")
    replace(package / "room/measure.py", "from offconvex.engine import", "from ..engines.descent import")
    assert code.module_version(package / "cell.py") == before
    (package / "room").rename(package / "chamber")
    for name in ("chamber/measure.py", "chamber/theory.py", "cell.py"):
        replace(package / name, "offconvex.room", "offconvex.chamber")
    assert code.module_version(package / "cell.py") == before


def test_the_code_of_a_chapter_is_its_cells_what_they_import_and_what_is_stored(tiny):
    before, names = code.version("tiny"), {file.relative_to(paths.PACKAGE).as_posix() for file in code.modules("tiny")}
    assert names == {"chapter.py", "configs.py", "runtime.py"}
    source = tiny / "book/sources/tiny.md"
    for old, new in (("Draw and check.", "Draw."), ("# of the line", "# rise"), ("claims, figures", "figures, claims")):
        replace(source, old, new)
    assert code.version("tiny") == before  # text, comments and the order of imports measure nothing
    replace(source, "slope = 2.0", "slope = 2.1")
    assert code.version("tiny") != before
    replace(source, "slope = 2.1", "slope = 2.0")
    record = tiny / "book/results/tiny/stored-a.json"
    record.parent.mkdir()
    record.write_text('{"config": {"size": 3}, "sha256": "0", "provenance": {"cpu": "one"}}')
    with_record = code.version("tiny")
    assert with_record != before
    record = record.rename(record.with_name("stored-b.json"))
    replace(record, "one", "another")  # which machine made it is not what it says
    assert code.version("tiny") == with_record
    replace(record, "3", "4")
    assert code.version("tiny") != with_record


def test_a_file_of_the_book_counts_for_the_instrument_that_reads_it(package, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "book_file", lambda name: tmp_path / "book" / name)
    (tmp_path / "book").mkdir()
    table = tmp_path / "book/engine.toml"
    table.write_text("size = 1\n")
    before = code.module_version(package / "cell.py")
    table.write_text("# What was tried.\nsize = 1\n")
    assert code.module_version(package / "cell.py") == before
    table.write_text("size = 2\n")
    assert code.module_version(package / "cell.py") != before


def test_what_was_tried_counts_for_the_chapter_that_shows_it(monkeypatch, tmp_path):
    text = paths.book_file("trials.toml").read_text()
    before = {chapter: code.version(chapter) for chapter in ("locality-tried", "norms")}
    (tmp_path / "trials.toml").write_text(text.replace("epochs = 200", "epochs = 201"))
    assert (tmp_path / "trials.toml").read_text() != text
    place = paths.book_file
    monkeypatch.setattr(paths, "book_file", lambda name: (tmp_path if name == "trials.toml" else place("")) / name)
    assert {chapter for chapter, version in before.items() if code.version(chapter) != version} == {"locality-tried"}


def test_packages_say_nothing_but_what_they_are():
    for file in paths.PACKAGE.rglob("__init__.py"):
        said = [line for line in ast.parse(file.read_text()).body if not isinstance(line, ast.Expr)]
        allowed = ["__version__"] if file.parent == paths.PACKAGE else []
        assert [ast.unparse(line.targets[0]) for line in said] == allowed, (
            f"{file}: no hash of a chapter's code reads it"
        )


def test_parts_of_a_stored_experiment_are_kept_by_the_code_that_they_reach(tmp_path, monkeypatch):
    experiment = stored.experiments()["flow-step-sizes"]
    copy = tmp_path / "offconvex"
    shutil.copytree(paths.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
    monkeypatch.setattr(paths, "PACKAGE", copy)
    before = long_run._parts_folder(experiment)
    descent = copy / "descent.py"
    descent.write_text(f"# What this says decides nothing.\n{descent.read_text()}")
    plots = copy / "flow_vs_descent/plots.py"
    plots.write_text(f"{plots.read_text()}\n\nCOLOR = 'red'\n")
    (copy / "trajectory.py").rename(copy / "path.py")
    for file in copy.rglob("*.py"):
        file.write_text(file.read_text().replace("offconvex.trajectory", "offconvex.path"))
    assert long_run._parts_folder(experiment) == before
    descent.write_text(descent.read_text() + "\n\nEXTRA = 1\n")
    assert long_run._parts_folder(experiment) != before


@pytest.mark.parametrize(
    ("same", "text"),
    [
        (True, '"""Told otherwise."""\ndef f(x):\n    # why\n    return (x + 1)\n'),
        (True, "import math\ndef f(x: int) -> int:\n    return x + 1\n"),
        (False, '"""Told."""\ndef f(x):\n    """Adds."""\n    return x + 2\n'),
        (False, '"""Told."""\ndef f(x):\n    """Adds."""\n    return x + 1, "words"\n'),
    ],
)
def test_the_syntax_of_code_is_what_it_does(same, text):
    told = '"""Told."""\ndef f(x):\n    """Adds."""\n    return x + 1\n'
    assert (code.syntax(text) == code.syntax(told)) == same
