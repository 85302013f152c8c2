"""Stages of `make` come one after the other, also where the reader lets make run several at a time."""

import os
import shutil
import subprocess

import pytest

from offconvex import paths

ROOT = paths.require_project_root()
STUB = """\
#!/bin/sh
echo "begin $(basename "$0") $1" >> log
sleep 0.05
echo "end $(basename "$0") $1" >> log
"""


@pytest.mark.parametrize("goal", ["book", "test", "release"])
@pytest.mark.parametrize("wish", ["", "-j4"])
def test_no_stage_begins_before_the_one_before_has_ended(tmp_path, goal, wish):
    shutil.copy(ROOT / "Makefile", tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("offconvex", "jupyter-book", "python", "ruff", "mypy"):
        (programs / name).write_text(STUB)
        (programs / name).chmod(0o755)
    for name in (".venv/.ready", "requirements.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    surroundings = os.environ | {"MAKEFLAGS": wish}
    subprocess.run(["make", "-s", "-o", ".venv/.ready", goal], cwd=tmp_path, env=surroundings, check=True)
    lines = (tmp_path / "log").read_text().splitlines()
    steps = [line.removeprefix("begin ") for line in lines[::2]]
    assert lines == [f"{word} {step}" for step in steps for word in ("begin", "end")]
    if goal == "book":
        assert steps == ["offconvex execute", "jupyter-book build", "offconvex offline"]
