"""`.ci/interpreter` takes the newest supported Python that makes environments, or says in one sentence what to do."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path):
    """A folder with the Makefile and what it asks for an interpreter."""
    (tmp_path / ".ci").mkdir()
    for name in ("Makefile", ".ci/interpreter", ".ci/run"):
        shutil.copy(ROOT / name, tmp_path / name)
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    return tmp_path


def program(file, text):
    """Writes a small program."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def machine(project, pythons):
    """Folder of a machine's programs: Pythons of some versions, each with what it lacks, or none that runs."""
    folder = project / "bin"
    folder.mkdir()
    for name, version in pythons.items():
        program(folder / name, f"echo {version} {folder / name}" if version else "exit 127")
    return folder


def ask(project, pythons, **given):
    """What the finder says on such a machine, outputs as text."""
    surroundings = {"PATH": str(machine(project, pythons)), **given}
    command = [shutil.which("bash"), project / ".ci/interpreter"]
    return subprocess.run(command, cwd=project, env=surroundings, capture_output=True, text=True)


def refusal(asked):
    """The one sentence of a refusal."""
    assert asked.returncode == 1
    assert asked.stdout == ""
    (sentence,) = asked.stderr.splitlines()
    assert sentence.endswith(".")
    return sentence


@pytest.mark.parametrize(
    ("pythons", "taken"),
    [
        ({"python3.11": "3.11 -", "python3.13": "3.13 -", "python3": "3.11 -"}, "python3.13"),
        ({"python3.11": "3.11 -"}, "python3.11"),
        ({"python3": "3.13 -"}, "python3"),
        ({"python": "3.12 -"}, "python"),
        ({"python3.13": "", "python3.12": "3.12 -"}, "python3.12"),  # a shim of a version that is not chosen
        ({"python3.13": "3.13 ensurepip", "python3.11": "3.11 -"}, "python3.11"),
        ({"python3.14": "3.14 -", "python3": "3.12 -"}, "python3"),
        ({"python3": "PyPy3.11 -", "python3.13": "3.13t -", "python3.11": "3.11 -"}, "python3.11"),
    ],
)
def test_the_newest_that_is_proved_and_complete_is_taken(project, pythons, taken):
    asked = ask(project, pythons)
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, f"{project}/bin/{taken}\n", "")


def test_one_more_version_is_accepted_with_one_line(project):
    asked = ask(project, {"python3": "3.14 -"})
    assert (asked.returncode, asked.stdout) == (0, f"{project}/bin/python3\n")
    assert asked.stderr == "Python 3.14 is accepted; the book is proved on 3.11 to 3.13.\n"


@pytest.mark.parametrize(
    ("pythons", "says"),
    [
        ({}, "but found none; install one"),
        ({"python3": "3.9 -"}, "bin/python3, which is 3.9; install one"),
        ({"python3": "3.15 -"}, "bin/python3, which is 3.15; install one"),
        ({"python3": ""}, "but found none; install one"),
        ({"python3": "3.13 ensurepip"}, 'without ensurepip, .* "apt install python3.13-venv"'),
        ({"python3.11": "3.11 venv+ensurepip"}, 'without venv and ensurepip, .* "apt install python3.11-venv"'),
    ],
)
def test_a_machine_without_one_is_told_what_to_install(project, pythons, says):
    sentence = refusal(ask(project, pythons))
    assert re.search(says, sentence), sentence


def test_debian_and_fedora_are_told_their_commands(project):
    sentence = refusal(ask(project, {}))
    assert '"apt install python3 python3-venv"' in sentence
    assert '"dnf install python3.13"' in sentence


def test_a_given_interpreter_is_taken_and_checked(project):
    asked = ask(project, {"python3.13": "3.13 -", "mine": "3.11 -"}, PYTHON="mine")
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, f"{project}/bin/mine\n", "")


@pytest.mark.parametrize(("version", "says"), [("3.10 -", "PYTHON=mine is 3.10"), ("", "PYTHON=mine is no Python")])
def test_a_given_interpreter_that_cannot_be_is_refused(project, version, says):
    assert says in refusal(ask(project, {"python3.13": "3.13 -", "mine": version}, PYTHON="mine"))


def test_an_environment_keeps_its_python(project):
    program(project / ".venv/bin/python", "echo 3.11 - /its/own")
    asked = ask(project, {"python3.13": "3.13 -"})
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, "/its/own\n", "")


@pytest.mark.parametrize(
    ("version", "given", "says"),
    [
        ("3.10 -", {}, "but .venv was made with 3.10"),
        ("3.11 -", {"PYTHON": "python3.13"}, "here 3.13, but .venv was made with 3.11"),
        ("", {}, "but .venv was made with one that is gone"),
    ],
)
def test_an_environment_that_does_not_fit_is_named(project, version, given, says):
    program(project / ".venv/bin/python", f"echo {version} /its/own" if version else "exit 1")
    sentence = refusal(ask(project, {"python3.13": "3.13 -"}, **given))
    assert says in sentence
    assert "rm -r .venv" in sentence


def test_the_interpreter_of_these_tests_is_known(project):
    with_it = os.environ | {"PYTHON": sys.executable}
    found = subprocess.run([project / ".ci/interpreter"], env=with_it, capture_output=True, text=True)
    assert Path(found.stdout.strip()).samefile(sys._base_executable), found.stderr


def make(project, *arguments, **given):
    """What `make` says in a project, outputs as text."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTHON"))}
    command = ["make", "-s", *arguments]
    return subprocess.run(command, cwd=project, env=surroundings | given, capture_output=True, text=True)


def test_make_installs_nothing_with_a_python_that_is_refused(project):
    program(project / "old", "echo 3.10 - /old")
    said = make(project, "env", f"PYTHON={project}/old")
    assert said.returncode == 2
    assert f"but PYTHON={project}/old is 3.10; install one" in said.stderr.splitlines()[0]
    assert not (project / ".venv").exists()


def test_make_names_an_environment_whose_python_is_gone(project):
    (project / ".venv/bin").mkdir(parents=True)
    (project / ".venv/bin/python").symlink_to("/gone/python3.11")
    (project / ".venv/.ready").touch()
    said = make(project, "env")
    assert said.returncode == 2
    assert "but .venv was made with one that is gone; remove it (rm -r .venv)" in said.stderr.splitlines()[0]


@pytest.mark.parametrize(
    ("pythons", "installed"),
    [
        ({"python3.11": "3.11 -"}, []),
        ({"python3": "3.13 -"}, []),
        ({"python3": "3.13 ensurepip"}, ["python3", "python3-venv"]),
        ({}, ["python3", "python3-venv"]),
    ],
)
def test_continuous_integration_installs_a_python_only_where_none_fits(project, pythons, installed):
    folder = machine(project, pythons)
    for name in ("bash", "dirname", "env"):
        (folder / name).symlink_to(shutil.which(name))
    for name in ("make", "chromium"):
        program(folder / name, "true")
    program(folder / "apt-get", f'echo "$@" >>{project}/installed')
    subprocess.run([project / ".ci/run"], cwd=project, env={"PATH": str(folder)}, check=True)
    log = project / "installed"
    packages = log.read_text().split()[1:] if log.exists() else []
    assert [name for name in packages if name.startswith("python")] == installed
