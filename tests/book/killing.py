"""Kills `make book` at random moments, and tells whether anything was left half-done.

On a small project this is a test (test_killed.py). On the whole book it takes hours; `make killed` runs it on a clone
of this checkout: every kill comes at a moment drawn uniformly from the duration of an undisturbed run.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import psutil

from offconvex.book.execution import checksums

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ".bin"
PATIENCE = 30
"""Seconds that a process may take to notice that nobody waits for it any more."""


def prepare(root: Path) -> None:
    """Give a project this checkout's Makefile and environment, with nothing left to install."""
    shutil.copy(ROOT / "Makefile", root)
    environment = root / ".venv"
    environment.mkdir()
    for part in Path(sys.prefix).iterdir():
        if part.name != ".ready":
            (environment / part.name).symlink_to(part)
    for name in ("requirements.txt", "pyproject.toml"):
        (root / name).touch()
    (environment / ".ready").touch()


def hide_browsers(root: Path) -> None:
    """Let the project's commands find no browser: printing the book is tested elsewhere, and takes long."""
    (root / PROGRAMS).mkdir()
    for name in ("bash", "sh", "make", "git", "env", "touch", "rm", "grep"):
        if (program := shutil.which(name)) is not None:
            (root / PROGRAMS / name).symlink_to(program)


def kill_command(process: subprocess.Popen, *, whole_group: bool) -> None:
    """Kill a command that leads its session, with its workers or alone; then they have to notice and end."""
    workers = psutil.Process(process.pid).children(recursive=True)
    (os.killpg if whole_group else os.kill)(process.pid, signal.SIGKILL)
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=PATIENCE)
    assert workers and not alive


def start(root: Path) -> subprocess.Popen:
    """Start `make book` in a project, in its own session."""
    surroundings = os.environ | {"OFFCONVEX_ROOT": str(root), "PYTHONPATH": str(ROOT / "src")}
    if (root / PROGRAMS).exists():
        surroundings["PATH"] = str(root / PROGRAMS)
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(["make", "-s", "book"], cwd=root, env=surroundings, start_new_session=True, **options)


def complete(root: Path) -> float:
    """Run `make book` to its end; its duration in seconds.

    Raises:
        RuntimeError: if it fails.
    """
    begin = time.monotonic()
    process = start(root)
    _, said = process.communicate()
    if process.returncode:
        raise RuntimeError(f"`make book` failed: {said[-2000:]}")
    return time.monotonic() - begin


def kill(root: Path, after: float, *, group: bool) -> bool:
    """Start `make book`, kill it after some seconds; whether it still ran.

    Args:
        root: the project.
        after: seconds.
        group: kill all that belongs to the command, as a closing terminal does; else only the newest of make's
            children, as a machine that runs out of memory does.
    """
    process = start(root)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after)
    running = process.poll() is None
    # It may end by itself at any moment, and earlier than others did where a machine has become less busy.
    with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
        if group or not (children := psutil.Process(process.pid).children()):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            children[-1].kill()
    process.communicate()
    return running


def survivors(root: Path) -> list[str]:
    """Processes that belong to the project and live on although everyone who waited for them is dead."""
    _, alive = psutil.wait_procs([p for p in psutil.process_iter() if _belongs(p, root)], timeout=PATIENCE)
    return [" ".join(process.cmdline()) for process in alive]


def contents(root: Path) -> dict[str, bytes]:
    """Every committed file of notebooks and results; what a killed writer leaves, nothing reads and git ignores."""
    folders = (root / "book" / "chapters", root / "book" / "results")
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file() and file.suffix != ".part"]
    return {str(file.relative_to(root)): file.read_bytes() for file in files}


def half_written(root: Path, complete_versions: list[dict[str, bytes]]) -> list[str]:
    """Committed files that are in none of the complete versions, or cannot be read."""
    found = []
    for name, content in contents(root).items():
        versions = [version[name] for version in complete_versions if name in version]
        # Provenance holds the date, and the checksums its digest: those are judged by what they say.
        dated = Path(name).name in ("provenance.json", checksums.FILE)
        if not dated and content not in versions:
            found.append(f"{name} is neither the old nor the new version ({len(content)} bytes)")
        if not _readable(root / name):
            found.append(f"{name} cannot be read ({len(content)} bytes)")
    return found


def _readable(file: Path) -> bool:
    try:
        if file.suffix == ".json":
            json.loads(file.read_text())
        elif file.suffix == ".ipynb":
            nbformat.validate(nbformat.read(file, as_version=4))
        elif file.suffix == ".npz":
            with np.load(file, allow_pickle=False) as archive:
                [archive[name] for name in archive.files]
        elif file.suffix == ".pdf":
            return file.read_bytes().rstrip().endswith(b"%%EOF")
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return False
    return True


def _belongs(process: psutil.Process, root: Path) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get("OFFCONVEX_ROOT") == str(root)
    except (psutil.Error, OSError):
        return False


def main() -> int:
    """Kill `make book` of a clone of this checkout's commit, and report."""
    parser = argparse.ArgumentParser(description="Kill `make book` at random moments in a clone of this checkout.")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draws = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "book"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(root)], check=True)
        for name in ("Makefile", "requirements.txt", "pyproject.toml"):
            (root / name).unlink()
        prepare(root)
        versions = [contents(root)]
        duration = complete(root)
        versions.append(contents(root))
        wrong = []
        for number in range(options.kills):
            after, group = draws.uniform(0, duration), draws.random() < 0.5
            running = kill(root, after, group=group)
            faults = survivors(root) + half_written(root, versions)
            print(f"kill {number + 1} after {after:.1f} of {duration:.1f} s, running: {running}; {faults or 'whole'}")
            wrong += faults
        complete(root)
        differs = [name for name, content in contents(root).items() if half_written_name(name, content, versions)]
        print(f"the next run completes; {differs or 'same'}")
    return int(bool(wrong or differs))


def half_written_name(name: str, content: bytes, versions: list[dict[str, bytes]]) -> bool:
    """Whether a file after the last run is not that of the undisturbed one."""
    return Path(name).name not in ("provenance.json", checksums.FILE) and versions[-1].get(name) != content


if __name__ == "__main__":
    sys.exit(main())
