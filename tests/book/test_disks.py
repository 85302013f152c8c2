"""Disks that are full, read-only or several, and processes that are killed: one sentence each, and nothing is lost."""

import errno
import functools
import io
import os
import resource
import signal
import subprocess
import sys
import time
import traceback

import psutil
import pytest
import tasks
import test_release as released
import tiny_project
import writers

from offconvex import files, paths
from offconvex.book import processes
from offconvex.book.command_line import main
from offconvex.book.execution import checksums, execute, install, long_run, retell, sweep
from offconvex.book.publication import offline, printed

COMMAND = [sys.executable, "-m", "offconvex.book.command_line"]


def one_sentence(said):
    """The only line of what was said, which has no traceback."""
    (line,) = said.strip().splitlines()
    assert line.startswith("offconvex: ") and line.endswith(".") and "Errno" not in line
    return line


# --- full disks -------------------------------------------------------------------------------------------------------


def full_after(event: int, size: int) -> None:
    """From now on nothing new is written: after some file operations, or in a file beyond a size."""
    seen = 0

    def count(name, arguments):
        nonlocal seen
        writing = name == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writing or name in ("os.rename", "os.mkdir"):
            seen += 1
            if seen > event:
                named = (str(arguments[0]), None, *([str(arguments[1])] if name == "os.rename" else []))
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), *named)

    sys.addaudithook(count)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def fails_in_words(work, event: int, size: int) -> bool:
    """Run something in a copy of this process whose disk becomes full; whether it failed, in words that name a file."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            full_after(event, size)
            work()
            code = 0
        except OSError as error:
            code = 7 if error.filename and files.reason(error).startswith(str(paths.project_root())) else 1
            traceback.print_exc()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, 7), "the words do not name a file"
    return code == 7


@pytest.mark.parametrize("scenario", writers.ALL)
def test_a_disk_that_fills_at_any_moment_leaves_whole_files_and_no_remains(tmp_path, monkeypatch, scenario):
    writers.project(tmp_path, scenario)
    monkeypatch.setenv("OFFCONVEX_ROOT", str(tmp_path))
    prepare, work, settle, events = scenario(tmp_path)
    whole = writers.versions(tmp_path, prepare, work)
    failed = 0
    for event, size in [*((event, 10**9) for event in range(events)), *((10**9, size) for size in (0, 900, 8000))]:
        prepare("new")
        failed += fails_in_words(functools.partial(work, "new"), event, size)
        assert not list(tmp_path.rglob("*.part"))
        if scenario is writers.stored_experiment:
            assert writers.committed(tmp_path) in whole.values()  # arrays and their record, though two files
        settle()
        assert writers.committed(tmp_path) in whole.values(), f"a mixture after {event}, {size}"
        prepare("old")
        work("old")
        assert writers.committed(tmp_path) == whole["old"]
    assert failed >= 4


def test_a_stored_part_on_a_full_disk_is_not_taken_for_finished(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "project_root", lambda: tmp_path)
    assert fails_in_words(lambda: files.write_arrays(tmp_path / "a.npz", {}, {"seconds": 1.0}), 10**9, 10)
    assert long_run._read(tmp_path, "a") is None and not list(tmp_path.iterdir())


def test_retold_text_on_a_full_disk_leaves_notebook_and_checksums(tiny, monkeypatch, capsys):
    monkeypatch.setattr(retell.install, "finish", lambda chapter: None)
    results, notebook = tiny / "book/results/tiny", tiny / "book/chapters/tiny.ipynb"
    files.replace(results / "claims.json", "{}")
    files.replace(notebook, "old")
    before = checksums.write("tiny").read_bytes()
    assert fails_in_words(lambda: checksums.renew_notebook("tiny", b"new" * 900), 10**9, 2000)
    assert notebook.read_text() == "old" and (results / checksums.FILE).read_bytes() == before


def test_copies_that_cannot_be_made_leave_no_dead_link(tmp_path, monkeypatch, capsys):
    root = released.make(tmp_path / "book")
    monkeypatch.setenv("OFFCONVEX_ROOT", str(root))
    monkeypatch.setattr(printed, "browser", lambda: None)
    page = root / "_build/html/book/index.html"
    page.write_text('<p class="offline-copies"></p>')
    empty = page.read_bytes()
    assert main(["offline"]) == 0 and page.read_bytes() != empty
    monkeypatch.setattr(files, "_archive", _full)
    capsys.readouterr()
    for command in ("offline", "release"):
        assert main([command]) == 1
        assert one_sentence(capsys.readouterr().err).endswith("make room there and run it again.")
    assert page.read_bytes() == empty
    assert not list(root.glob("_build/release/*")) and not (root / "_build/html" / offline.ARCHIVE).exists()


def _full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# --- disks that cannot be written -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", ["execute tiny", "execute tiny -p seed 3", "sweep tiny --seeds 0", "publish", "run penalties-ratings"]
)
def test_a_read_only_checkout_is_one_sentence_before_anything_runs(tiny, capsys, monkeypatch, command):
    before, read = sorted(tiny.rglob("*")), io.open

    def refuse(path, mode="", *rest, **options):
        if isinstance(mode, str) and mode.startswith("r"):
            return read(path, mode, *rest, **options)
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    for module, name in ((os, "mkdir"), (io, "open")):
        monkeypatch.setattr(module, name, refuse)
    status = main(command.split())
    monkeypatch.undo()
    line = one_sentence(capsys.readouterr().err)
    assert status == 1 and str(tiny) in line and "Read-only file system; the book writes into its checkout" in line
    assert sorted(tiny.rglob("*")) == before


@pytest.mark.parametrize("place", ["_build", "book/results/tiny"])
def test_a_file_in_the_place_of_a_folder_is_named(tiny, capsys, place):
    (tiny / place).touch()
    assert main(["execute", "tiny"]) == 1
    line = one_sentence(capsys.readouterr().err)
    assert str(tiny / place) in line and "a folder belongs there; move away the file in its place" in line


def test_a_run_that_cannot_be_put_in_its_place_is_kept_and_put_there_later(tiny, monkeypatch, capsys):
    (job,) = execute.plan(["tiny"], given=[], profile=None, device=None)
    prepared, work, _, _ = writers.installation(tiny, "tiny")
    prepared("old")
    work("old")
    prepared("new")
    monkeypatch.setattr(install.files, "move", _only_into_build)
    with pytest.raises(OSError, match="Read-only"):
        work("new")
    monkeypatch.undo()
    monkeypatch.setenv("OFFCONVEX_ROOT", str(tiny))
    execute.report(execute.Outcome("tiny", tiny / "nowhere.ipynb", 1.0, "it failed"))
    said = capsys.readouterr().err
    assert "the next `offconvex execute` puts it into its place" in said and "no committed file" not in said
    install.finish_all()
    assert checksums.faults("tiny") == [] and "new" in (tiny / "book/chapters/tiny.ipynb").read_text()


def _only_into_build(source, target, move=files.move):
    if "_build" not in target.parts:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(target))
    return move(source, target)


def test_results_reach_another_disk_whole(tmp_path, monkeypatch):
    writers.project(tmp_path, writers.installation)
    monkeypatch.setenv("OFFCONVEX_ROOT", str(tmp_path))
    prepare, work, _, _ = writers.installation(tmp_path)
    whole = writers.versions(tmp_path, prepare, work)
    rename = os.replace

    def between_disks(source, target):
        if ("_build" in os.fspath(source)) != ("_build" in os.fspath(target)):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), source, None, target)
        rename(source, target)

    monkeypatch.setattr(os, "replace", between_disks)
    prepare("new")
    work("new")
    assert writers.committed(tmp_path) == whole["new"] and not list(tmp_path.rglob("*.part"))
    assert checksums.faults("one") == [] and not (install.ready_folder() / "one").exists()
    # A folder too: where `_build/ready` alone lies elsewhere.
    (tmp_path / "_build/a").mkdir()
    (tmp_path / "_build/a/file").write_text("1")
    files.move(tmp_path / "_build/a", tmp_path / "b")
    assert (tmp_path / "b/file").read_text() == "1" and not (tmp_path / "_build/a").exists()


def test_a_wrong_checkout_names_the_variable(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OFFCONVEX_ROOT", str(tmp_path / "nowhere"))
    for command in ("chapters", "execute", "cite fig-x", "publish"):
        assert main(command.split()) == 2
        line = one_sentence(capsys.readouterr().err)
        assert f"OFFCONVEX_ROOT is '{tmp_path / 'nowhere'}', which is no checkout" in line


# --- killed processes -------------------------------------------------------------------------------------------------


def test_a_killed_process_takes_only_its_own_task_with_it():
    with processes.at_work(tasks.die_at_one, [(number,) for number in range(4)], workers=2) as ended:
        found = {task: future for task, seconds, future in ended if seconds > 0}
    with pytest.raises(ChildProcessError, match="killed"):
        found.pop((1,)).result()
    assert {task: future.result() for task, future in found.items()} == {(0,): 0, (2,): 2, (3,): 3}


KILLING = "import os, psutil\nif seed == 1: psutil.Process(os.getppid()).kill()\nx = np.arange"
DEAF = "import re\nif seed == 1: re.match('(a+)+$', 'a' * 60 + 'b')\nx = np.arange"  # holds all threads of its process


def edit(root, new):
    source = root / "book/sources/tiny.md"
    source.write_text(source.read_text().replace("x = np.arange", new))


def test_a_killed_execution_is_named_and_changes_nothing(tiny, capsys):
    edit(tiny, KILLING)
    source = tiny / "book/sources/tiny.md"
    source.write_text(source.read_text().replace("seed = 0", "seed = 1"))
    assert main(["execute", "tiny"]) == 1
    said = capsys.readouterr().err
    assert "chapter 'tiny' failed after" in said and said.count(processes.KILLED) == 1 and "Traceback" not in said
    assert "partial notebook: _build/failed/tiny.ipynb; no committed file was changed." in said
    assert tiny_project.snapshot(tiny) == {}


def test_a_killed_seed_is_named_and_not_kept_and_the_others_are(tiny, capsys):
    edit(tiny, KILLING)
    assert main(["sweep", "tiny", "--seeds", "1,0"]) == 1
    said = capsys.readouterr()
    assert f": {processes.KILLED}" in said.out and "tiny, seed 1: failed after" in said.out
    assert ["tiny.slope", "1", "of", "2"] in [line.split() for line in said.out.splitlines()]
    assert list(sweep.load("tiny")) == [0] and said.err.count("Traceback") == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_command_told_to_end_takes_its_kernel_along(tiny, number):
    edit(tiny, DEAF)
    # Where the tests run without a terminal, a hang-up may be ignored, and the command would inherit that.
    heard = functools.partial(signal.signal, signal.SIGHUP, signal.SIG_DFL)
    command = [*COMMAND, "execute", "tiny", "-p", "seed", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    notebook, deadline = tiny / "_build/runs/tiny/seed=1/notebook.ipynb", time.monotonic() + 120
    while time.monotonic() < deadline and not (notebook.exists() and '"execution_count": 3' in notebook.read_text()):
        time.sleep(0.1)
    time.sleep(1)  # the next cell has begun
    inside = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    try:
        said = process.communicate(timeout=60)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    _, alive = psutil.wait_procs(inside, timeout=20 if number == signal.SIGKILL else 5)
    for left in alive:
        left.kill()
    assert len(inside) >= 3 and not alive
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number and said.splitlines()[-1].startswith("offconvex: interrupted;")
        assert "Traceback" not in said
