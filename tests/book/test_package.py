"""The library alone, as `pip install .` and a source distribution give it: without the book, and without git."""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import textwrap
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
(BACKEND,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
NOT_IN_AN_ARCHIVE = shutil.ignore_patterns(
    ".git", ".venv", "_build", "__pycache__", "results", "chapters", "*.egg-info"
)

try:
    built_with = f"hatchling=={importlib.metadata.version('hatchling')}"
except importlib.metadata.PackageNotFoundError:
    built_with = "nothing"
pytestmark = pytest.mark.skipif(built_with != BACKEND, reason=f"building needs {BACKEND}; pip install it to test it")


def python(*arguments, folder, package=None):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OFFCONVEX", "GIT_"))}
    # Where hatchling is, pip's own process must find it too.
    environment["PYTHONPATH"] = os.pathsep.join([str(package)] if package else filter(None, sys.path))
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def test_the_build_is_pinned_once_more_for_these_tests():
    assert BACKEND in [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The checkout as an archive has it, and the source distribution made of it."""
    folder = tmp_path_factory.mktemp("archive")
    shutil.copytree(ROOT, folder / "offconvex", ignore=NOT_IN_AN_ARCHIVE)
    done = python("-m", "hatchling", "build", "-t", "sdist", "-d", str(folder), folder=folder / "offconvex")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module", params=["folder", "source distribution"])
def package(request, archive):
    """Where the library was installed to, from either."""
    (made,) = archive.glob("*.tar.gz")
    source = made if request.param == "source distribution" else archive / "offconvex"
    target = archive / request.param.replace(" ", "-")
    alone = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check")
    done = python("-m", "pip", "install", "-q", *alone, "--target", str(target), str(source), folder=archive)
    assert done.returncode == 0, done.stderr
    return target


def test_a_source_distribution_holds_the_library_and_no_book(archive):
    (made,) = archive.glob("*.tar.gz")
    with tarfile.open(made) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    sources = {str(file.relative_to(ROOT)) for file in (ROOT / "src").rglob("*.py")}
    assert sources | {"book/claims.toml", "LICENSE", "README.md", "CITATION.cff", "pyproject.toml"} <= names
    assert not any(name.startswith(("book/sources", "tests", ".venv")) for name in names)


def test_the_installed_library_is_used_and_works(package, tmp_path):
    program = f"""
    import offconvex
    assert offconvex.__file__.startswith({str(package)!r})
    from offconvex import chapter, claims, datasets, paths, rng
    from offconvex.descent import autograd_objective, descend
    assert paths.project_root() is None
    rt = chapter.begin("norms", seed=3, device="cpu")
    start = rt.normal(rng.generator(3, "start"), 4, 2)
    run = descend(autograd_objective(lambda p: p[0].square().sum(1)), (start,), steps=50, step_size=0.25)
    assert run.loss[-1].max() < 1e-20
    assert len(claims.load()) > 100 and len(datasets.subset_arrays("test")[1]) > 100
    """
    done = python("-c", textwrap.dedent(program), folder=tmp_path, package=package)
    assert (done.returncode, done.stderr) == (0, "")


COMMANDS = (
    "chapters",
    "cite fig-a",
    "execute",
    "compare",
    "run ntk-curves",
    "sweep norms",
    "seal",
    "offline",
    "release",
)


def test_commands_that_need_the_book_say_so_in_one_sentence_and_others_work(package, tmp_path):
    (tmp_path / "model.txt").write_text("graph: input 784 -> dense 10 -> softmax\n")
    program = f"""
    import contextlib, io
    from offconvex.book.command_line import main
    for command in {COMMANDS}:
        with contextlib.redirect_stderr(io.StringIO()) as said:
            assert main(command.split()) == 2, command
        words = said.getvalue()
        assert words.startswith("offconvex: this command needs the book's checkout"), (command, words)
        assert words.count("\\n") == 1, (command, words)
    assert main(["razor", "model.txt"]) == 0
    """
    done = python("-c", textwrap.dedent(program), folder=tmp_path, package=package)
    assert (done.returncode, done.stderr) == (0, "") and "bits" in done.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["model.txt"]
