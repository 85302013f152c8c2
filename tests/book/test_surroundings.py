"""A chapter comes out the same whatever the reader has set up on the machine."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib
import nbformat
import papermill
import pytest
import tiny_project

from offconvex import claims, figures, paths
from offconvex.book import processes
from offconvex.book.command_line import main
from offconvex.book.execution import execute, sweep

ROOT = Path(__file__).parents[2]
NOWHERE = "/proc/nohome"  # no folder can be made there, not even by root

# A cell that keeps what its process was set up with among the chapter's results.
SETTINGS = """
What is the process set up with?

```{code-cell} ipython3
import builtins, os, sys, warnings
import torch
warnings.warn("CUDA initialization: The NVIDIA driver on your system is too old (found version 11040).")
found = {"hash": hash("offconvex"), "flags": (sys.flags.optimize, sys.flags.utf8_mode, sys.flags.dev_mode),
         "threads": os.environ["OMP_NUM_THREADS"], "arithmetic": torch.backends.cpu.get_cpu_capability(),
         "startup": hasattr(builtins, "startup"), "user": os.environ["PYTHONNOUSERSITE"], "zone": os.environ.get("TZ")}
figures.save(fig, "fig-tiny-settings", {"name": list(found), "value": [str(value) for value in found.values()]})
```

The slope is judged."""


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """A project whose chapter keeps its settings, executed as usual, and its files."""
    root = tiny_project.make(tmp_path_factory.mktemp("usual") / "project")
    source = root / "book/sources/tiny.md"
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace("\nThe slope is judged.", SETTINGS), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OFFCONVEX_ROOT", str(root))
        assert run().error == ""
    return root, tiny_project.snapshot(root)


@pytest.fixture
def project(usual, monkeypatch):
    """The same project, and its files as they shall be."""
    root, files = usual
    monkeypatch.setenv("OFFCONVEX_ROOT", str(root))
    return root, files


def run(**job):
    return execute.execute(execute.Job(**{"chapter": "tiny", "parameters": {}, "label": ""} | job))


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path.parent)


def matplotlib_settings(folder):
    red = write(folder / "mpl/matplotlibrc", "axes.facecolor: red\nlines.linewidth: 12\nsavefig.bbox: tight\n")
    write(folder / "config/matplotlib/matplotlibrc", "axes.facecolor: red\n")
    return {"MPLCONFIGDIR": red, "MATPLOTLIBRC": red, "MPLBACKEND": "svg", "XDG_CONFIG_HOME": str(folder / "config")}


def ipython_settings(folder):
    for profile in (folder / "ipython/profile_default", folder / "home/.ipython/profile_default"):
        write(profile / "ipython_kernel_config.py", "get_config().InlineBackend.figure_formats = {'svg'}\n")
        write(profile / "startup/first.py", "import builtins; builtins.startup = True\n")
    return {"IPYTHONDIR": str(folder / "ipython"), "HOME": str(folder / "home")}


def python_settings(folder):
    startup = write(folder / "startup.py", "import builtins; builtins.startup = True\n")
    return {
        "PYTHONSTARTUP": str(Path(startup) / "startup.py"),
        "PYTHONWARNINGS": "error",
        "PYTHONHASHSEED": "3",
        "PYTHONOPTIMIZE": "2",
        "PYTHONDEVMODE": "1",
        "PYTHONNOUSERSITE": "",
    }


def foreign_packages(folder):
    write(folder / "shadow/numpy.py", "raise ImportError('another NumPy')\n")
    write(folder / "shadow/sitecustomize.py", "import builtins; builtins.startup = True\n")
    path = os.pathsep.join(filter(None, [str(folder / "shadow"), os.environ.get("PYTHONPATH")]))
    return {"PYTHONPATH": path}


def foreign_kernels(folder):
    kernel = {"argv": ["/bin/false", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    for place in ("path", "user"):
        write(folder / place / "kernels/python3/kernel.json", json.dumps(kernel))
    return {
        "JUPYTER_PATH": str(folder / "path"),
        "JUPYTER_DATA_DIR": str(folder / "user"),
        "JUPYTER_PREFER_ENV_PATH": "0",
        "JUPYTER_DEFAULT_PROVISIONER_NAME": "a-cluster",
    }


def arithmetic(folder):
    return {
        "OMP_NUM_THREADS": "3",
        "MKL_NUM_THREADS": "3",
        "OPENBLAS_NUM_THREADS": "3",
        "ATEN_CPU_CAPABILITY": "default",
        "TZ": "Asia/Tokyo",
    }


def own_variables(folder):
    return {claims.RECORD_ONLY: "1", "OFFCONVEX_OUTPUT": str(folder / "elsewhere")}


def nothing_writable(folder):
    names = ("HOME", "MPLCONFIGDIR", "IPYTHONDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
    jupyter = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "XDG_RUNTIME_DIR")
    return dict.fromkeys([*names, *jupyter], NOWHERE)


def hostile(folder):
    """All of them at once; but with another NumPy on its path the command itself would not start."""
    settings = {name: value for case in CASES for name, value in case(folder).items()}
    encodings = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    return os.environ | settings | encodings | {"PYTHONPATH": str(ROOT / "src"), "PYTHONDEVMODE": ""}


CASES = (
    matplotlib_settings,
    ipython_settings,
    python_settings,
    foreign_packages,
    foreign_kernels,
    arithmetic,
    own_variables,
    nothing_writable,
)


@pytest.mark.parametrize("settings", CASES)
def test_no_setting_of_the_reader_changes_a_byte(settings, project, tmp_path, monkeypatch):
    root, files = project
    for name, value in settings(tmp_path).items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    assert run().error == ""
    assert tiny_project.snapshot(root) == files
    assert dict(os.environ) == before


def test_a_missed_claim_ends_a_run_though_the_reader_has_set_the_variable_of_sweeps(project, monkeypatch):
    monkeypatch.setenv(claims.RECORD_ONLY, "1")
    assert "misses its bound" in run(parameters={"slope": 3.5}, label="slope=3.5").error


def test_the_command_works_where_nothing_is_writable_nothing_is_utf8_and_stderr_is_no_terminal(project, tmp_path):
    root, files = project
    command = [sys.executable, "-m", "offconvex.book.command_line", "execute", "tiny"]
    done = subprocess.run(command, env=hostile(tmp_path), capture_output=True, encoding="utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("tiny: done in ")
    assert tiny_project.snapshot(root) == files


def test_what_a_library_says_on_stderr_is_passed_on_and_fails_no_chapter(project, monkeypatch, capfd):
    execute_notebook = papermill.execute_notebook

    def talkative(*given, **options):
        print("some library says something", file=sys.stderr)
        os.write(2, b"and so does its C part\n")
        return execute_notebook(*given, **options)

    monkeypatch.setattr(papermill, "execute_notebook", talkative)
    assert run().error == ""
    said = capfd.readouterr().err
    assert "some library says something" in said and "and so does its C part" in said


def test_provenance_describes_the_packages_of_the_kernel(project, tmp_path, monkeypatch):
    root, _ = project
    write(tmp_path / "nbval-9.9.dist-info/METADATA", "Metadata-Version: 2.1\nName: nbval\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert run().error == ""
    record = json.loads((root / "book/results/tiny/provenance.json").read_text(encoding="utf-8"))
    pinned = [line for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines() if "nbval" in line]
    assert any(f"nbval=={record['packages']['nbval']}" in line for line in pinned)


def test_a_model_cell_alone_gets_no_settings_either(project, tmp_path):
    cell = (
        "import os, numpy, IPython; print(IPython.core.application.SYSTEM_CONFIG_DIRS, os.environ['OMP_NUM_THREADS'])"
    )
    program = f"from offconvex.book.execution import execute; print(execute.alone({cell!r})[0].text)"
    done = subprocess.run([sys.executable, "-c", program], env=hostile(tmp_path), capture_output=True, encoding="utf-8")
    assert done.stdout == "[] 1\n\n", done.stderr  # and nothing from /etc/ipython


def test_a_sweep_judges_nothing_and_gets_no_settings_either(project, tmp_path, monkeypatch):
    root, _ = project
    monkeypatch.setenv("MPLCONFIGDIR", NOWHERE)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    source = root / "book/sources/tiny.md"
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace('check("tiny.slope", slope)', 'check("tiny.slope", 10 * slope)'), encoding="utf-8")
    try:
        record = sweep.measure("tiny", 3)
    finally:
        source.write_text(text, encoding="utf-8")
    assert record["error"] == "" and record["claims"]["tiny.slope"]["observed"] == 20.0


def test_stored_experiments_are_computed_without_settings(tiny, monkeypatch):
    for name, value in {"OMP_NUM_THREADS": "3", "ATEN_CPU_CAPABILITY": "default", "PYTHONHASHSEED": "3"}.items():
        monkeypatch.setenv(name, value)
    names = ("OMP_NUM_THREADS", "ATEN_CPU_CAPABILITY", "PYTHONHASHSEED")
    with processes.at_work(os.getenv, [(name,) for name in names], workers=1) as ended:
        seen = {name: future.result() for (name,), _, future in ended}
    assert [seen[name] for name in names] == ["1", None, "0"]
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_nbval_starts_kernels_without_settings(project, tmp_path):
    root, files = project
    shutil.copy(ROOT / "conftest.py", root)
    inside = hostile(tmp_path) | {"PYTHONUTF8": "1"}  # as in the Makefile
    options = ["-q", "-p", "no:cacheprovider", "-n", "1", "--nbval", "--nbval-current-env"]
    command = [sys.executable, "-m", "pytest", *options, "book/chapters/tiny.ipynb"]
    done = subprocess.run(command, cwd=root, env=inside, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout
    live = {file.name: file.read_bytes() for file in (root / "_build/live/tiny").iterdir()}
    assert live == {name: content for name, content in files.items() if name in live} and "claims.json" in live


def test_nbval_starts_kernels_without_settings_of_the_machine(tmp_path):
    shutil.copy(ROOT / "conftest.py", tmp_path)
    cell = nbformat.v4.new_code_cell("from IPython.core import application; print(application.SYSTEM_CONFIG_DIRS)")
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="[]\n")]  # where /etc/ipython would stand
    cell.execution_count = 1
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "asked.ipynb")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env"]
    done = subprocess.run([*command, "asked.ipynb"], cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout


def test_make_keeps_the_settings_of_python_to_itself(tmp_path):
    (tmp_path / "shown.mk").write_text("shown:\n\t@env\n", encoding="utf-8")
    settings = matplotlib_settings(tmp_path) | python_settings(tmp_path) | arithmetic(tmp_path)
    settings |= {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "PYTEST_ADDOPTS": "--exitfirst"}
    command = ["make", "-s", "-f", "Makefile", "-f", str(tmp_path / "shown.mk"), "shown"]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | settings, capture_output=True, encoding="utf-8", check=True
    )
    shown = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert shown["PYTHONUTF8"] == shown["OMP_NUM_THREADS"] == "1"
    assert shown["DOCUTILSCONFIG"] == ""  # so that ~/.docutils is not read either
    gone = {"MPLBACKEND", "PYTHONIOENCODING", "PYTHONOPTIMIZE", "PYTHONSTARTUP", "PYTHONWARNINGS", "PYTEST_ADDOPTS"}
    assert not gone & set(shown)


def test_a_chapter_run_by_hand_is_drawn_from_the_defaults_of_matplotlib(open_chapter):
    def drawn():
        output = open_chapter()
        figure, axes = figures.new()
        axes.plot([0, 1], [0, 1], "--")
        figures.save(figure, "fig-line", {"x": [0, 1]})
        return (output / "fig-line.pdf").read_bytes()

    usual = drawn()
    with matplotlib.rc_context({"axes.axisbelow": True, "lines.dashed_pattern": (9, 9), "pdf.compression": 0}):
        assert drawn() == usual


def test_a_citation_is_printed_whatever_the_terminal_can_show(capsys):
    figure = "fig-locality-later"
    assert main(["cite", figure]) == 0
    shown = capsys.readouterr().out
    inside = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "offconvex.book.command_line", "cite", figure]
    assert subprocess.run(command, env=inside, capture_output=True, encoding="utf-8").stdout == shown


# `factorizations.penalties.ratings` reads numbers alone, and a word more in it would make its stored results outdated.
ASCII = {paths.PACKAGE / "factorizations/penalties/ratings.py"}
CODE = sorted({*(ROOT / "src").rglob("*.py"), *(ROOT / "book/_ext").rglob("*.py")} - ASCII)


def without_encoding(text):
    """Lines of a program that read or write text in whatever encoding the machine prefers."""
    for call in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)):
        name = getattr(call.func, "attr", getattr(call.func, "id", ""))
        named = {keyword.arg: keyword.value for keyword in call.keywords}
        mode = ast.unparse(named.get("mode") or (call.args[1] if len(call.args) > 1 else ast.Constant("r")))
        opens = isinstance(call.func, ast.Name) and name == "open" and "b" not in mode
        process = name in ("run", "Popen", "check_output") and "text" in named
        if (opens or process or name in ("read_text", "write_text")) and "encoding" not in named:
            yield call.lineno


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("path.read_text()", [1]),
        ("path.write_text(x)", [1]),
        ("open(path)", [1]),
        ("open(path, 'w')", [1]),
        ("subprocess.run(command, text=True)", [1]),
        ("path.read_text(encoding='utf-8')", []),
        ("open(path, 'rb')", []),
        ("open(path, mode='wb')", []),
        ("subprocess.run(command, encoding='utf-8')", []),
    ],
)
def test_a_text_without_an_encoding_is_found(text, found):
    assert list(without_encoding(text)) == found


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_texts_are_utf8_in_every_language(path):
    assert not list(without_encoding(path.read_text(encoding="utf-8")))
