"""Every chapter at smoke size on the simulated device: no cell fails, and what is measured is what the CPU measures."""

import subprocess
import sys
from pathlib import Path

import pytest

from offconvex import paths
from offconvex.book import repository
from offconvex.book.execution import chapters, compare

AT_A_TIME = 3  # chapters of a turn


def turn(names: list[str], commits: int) -> list[str]:
    """Chapters whose turn it is at a commit with so many in its history, itself counted: each commit takes the next."""
    return [names[(AT_A_TIME * commits + place) % len(names)] for place in range(AT_A_TIME)]


def test_every_chapter_has_its_turn():
    names = chapters.names()
    seen = [name for commits in range(100, 100 + len(names)) for name in turn(names, commits)]
    assert len(set(turn(names, 7))) == AT_A_TIME
    assert {name: seen.count(name) for name in names} == dict.fromkeys(names, AT_A_TIME)
    rounds = -(-len(names) // AT_A_TIME)
    assert set(seen[: rounds * AT_A_TIME]) == set(names)


def selected():
    commits = int(repository.ask(paths.require_project_root(), "rev-list", "--count", "HEAD") or 0)
    now = turn(chapters.names(), commits)
    return [pytest.param(name, marks=pytest.mark.turn if name in now else ()) for name in chapters.names()]


def smoke(chapter: str, device: str, folder: Path) -> Path:
    command = [sys.executable, Path(__file__).parent / "smoke.py", chapter, device, folder]
    done = subprocess.run(command, cwd=paths.require_project_root(), capture_output=True, text=True)
    assert done.returncode == 0, f"on {device}: {done.stderr[-3000:]}"
    return folder


@pytest.mark.simulated
@pytest.mark.parametrize("chapter", selected())
def test_a_chapter_measures_there_what_it_measures_on_the_cpu(chapter, tmp_path):
    there, here = (smoke(chapter, device, tmp_path / device) for device in ("cuda", "cpu"))
    assert compare.differences(there, here, compare.load_tolerances()) == []
