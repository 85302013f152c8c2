"""Executes chapters: source -> notebook -> papermill -> normalised -> installed."""

import concurrent.futures
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock
import nbformat

from offconvex import claims, files, paths
from offconvex.book import surroundings
from offconvex.book.execution import chapters, code, convert, install, provenance

PATIENCE = 3.5  # seconds that a killed run may take to be really gone, and its lock with it
CELL_TIMEOUT = 1800  # seconds; a chapter takes minutes, so a cell that takes longer hangs


@dataclass(frozen=True)
class Job:
    """One chapter to execute.

    Attributes:
        chapter: its name.
        parameters: values that replace defaults of its parameters cell; none for the committed run.
        label: folder name of a run with other parameters; empty for the committed run.
        position: line of its progress bar.
        judging: whether a claim that misses its bound ends the run.
    """

    chapter: str
    parameters: dict[str, object]
    label: str
    position: int = 0
    judging: bool = True


@dataclass(frozen=True)
class Outcome:
    """How an execution ended.

    Attributes:
        chapter: its name.
        notebook: the executed notebook; after a failure, the partial one.
        seconds: duration.
        error: one screen that says what failed, or "".
    """

    chapter: str
    notebook: Path
    seconds: float
    error: str


def plan(selected: list[str], *, given: list[tuple[str, str]], profile: str | None, device: str | None) -> list[Job]:
    """Jobs for the selected chapters (all, if none is named), with every input checked before anything runs.

    Raises:
        ValueError: for an unknown chapter, parameter, profile or device, or a value of the wrong type.
    """
    jobs = []
    for position, chapter in enumerate([chapters.require(name) for name in selected] or chapters.names()):
        defaults = chapters.default_parameters(convert.to_notebook(chapter))
        parameters = chapters.profile_parameters(chapter, profile, defaults) if profile else {}
        parameters |= chapters.read_parameters(chapter, defaults, given)
        if device:
            parameters["device"] = device
        if "device" in parameters:
            from offconvex import runtime

            runtime.resolve(parameters["device"])
        jobs.append(Job(chapter, parameters, _label(profile, given, device), position))
    return jobs


def run(jobs: list[Job], *, workers: int = 2) -> list[Outcome]:
    """Execute jobs, `workers` at a time, each in its own process; report each as it ends.

    Raises:
        KeyboardInterrupt: if it is interrupted; what has not begun is not executed.
    """
    install.finish_all()
    outcomes = []
    with worker_pool(workers) as pool:
        futures = [pool.submit(execute, job) for job in jobs]
        try:
            for future in concurrent.futures.as_completed(futures):
                outcomes.append(future.result())
                report(outcomes[-1])
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return outcomes


@contextlib.contextmanager
def worker_pool(workers: int) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """A pool of `workers` fresh processes; a forked torch may deadlock, so they are spawned.

    When the process that made the pool dies, however suddenly, so do its workers, in the middle of what they do: nobody
    would hear of their results, and files that nobody asked for any more must not be replaced.
    """
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(max_workers=workers, mp_context=context, initializer=_end_together)
    with surroundings.clean(), pool:
        yield pool


def execute(job: Job) -> Outcome:
    """Execute one chapter; a failure is an outcome with a message, and leaves every committed file as it was."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    folder = run_folder(job)
    start = time.monotonic()
    with _only_one(folder) as free:
        if not free:
            return Outcome(job.chapter, folder, 0.0, f"{job.chapter} is being executed by another process already.")
        shutil.rmtree(folder, ignore_errors=True)
        notebook, output = folder / install.NOTEBOOK, folder / "results"
        output.mkdir(parents=True)
        files.replace(notebook, convert.content(convert.to_notebook(job.chapter)))
        version = _code_version(job.chapter)  # before anybody may change it
        working_directory = chapters.notebook_path(job.chapter).parent
        working_directory.mkdir(parents=True, exist_ok=True)
        given = {"OFFCONVEX_OUTPUT": str(output)} | ({} if job.judging else {claims.RECORD_ONLY: "1"})
        try:
            executed = papermill.execute_notebook(
                notebook,
                notebook,
                parameters=job.parameters,
                kernel_name="python3",
                kernel_manager_class=surroundings.kernel(folder.parent / f".{folder.name}.log", given),
                cwd=working_directory,
                execution_timeout=CELL_TIMEOUT,
                start_timeout=120,
                progress_bar={"desc": f"{job.chapter:24.24}", "position": job.position, "disable": None},
            )
            executed = convert.normalise(executed)
        except PapermillExecutionError as error:
            return Outcome(job.chapter, *_failed(job, notebook, start), error=_screen(error))
        except Exception as error:  # whatever stops a chapter is reported like a failing cell, beside the others
            return Outcome(job.chapter, *_failed(job, notebook, start), error=f"{type(error).__name__}: {error}")
        seconds = time.monotonic() - start
        defaults = chapters.default_parameters(convert.to_notebook(job.chapter))
        record = provenance.describe(job.chapter, defaults | job.parameters, seconds)
        record |= surroundings.ask(provenance.software) | {"code": version}
        files.write_json(output / "provenance.json", record)
        files.replace(notebook, convert.content(executed))
        if job.label:
            return Outcome(job.chapter, notebook, seconds, "")
        install.install(folder, job.chapter)
    return Outcome(job.chapter, chapters.notebook_path(job.chapter), seconds, "")


def alone(source: str) -> list[nbformat.NotebookNode]:
    """Outputs of one cell that needs no other.

    Raises:
        ValueError: if it fails, or what it shows is not fit to commit.
    """
    import nbclient

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    folder = paths.build_folder() / "execute"
    folder.mkdir(parents=True, exist_ok=True)
    client = nbclient.NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        kernel_manager_class=surroundings.kernel(folder / ".alone.log", {}),
        store_widget_state=False,
    )
    try:
        client.execute()
    except nbclient.exceptions.CellExecutionError as error:
        raise ValueError(f"the model cell failed: {error.ename}: {error.evalue}.") from None
    return convert.normalise(notebook).cells[0].outputs


def run_folder(job: Job) -> Path:
    """Where a job is executed, and where a run with other parameters stays."""
    build = paths.build_folder()
    return build / "runs" / job.chapter / job.label if job.label else build / "execute" / job.chapter


def _code_version(chapter: str) -> str:
    try:
        return code.version(chapter)
    except SyntaxError:
        return ""  # the execution will fail there, and say in which cell


def _end_together() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _label(profile: str | None, given: list[tuple[str, str]], device: str | None) -> str:
    parts = [profile] if profile else []
    parts += [f"{name}={value}" for name, value in given]
    parts += [f"device={device}"] if device else []
    text = ",".join(parts)
    label = "".join(c for c in text if c.isalnum() or c in "=,._-")[:80]
    # Where something had to go, a hash keeps runs with different parameters in different folders.
    return label if label == text else f"{label}-{files.digest(text.encode())[:8]}"


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[bool]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder.parent / f".{folder.name}.lock", timeout=PATIENCE)
    try:
        lock.acquire()  # the system drops it with the process, so a killed run leaves nothing that blocks
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _failed(job: Job, notebook: Path, start: float) -> tuple[Path, float]:
    kept = paths.build_folder() / "failed" / f"{job.chapter}.ipynb"
    if notebook.exists():
        files.move(notebook, kept)
    return kept, time.monotonic() - start


def _screen(error) -> str:
    source = "\n".join(f"    | {line}" for line in error.source.strip().splitlines()[:14])
    return f"code cell {error.exec_count} failed:\n{source}\n    {error.ename}: {str(error.evalue).strip()[:1200]}"


def report(outcome: Outcome) -> None:
    """Print how one execution ended: where the notebook is, or what failed and where."""
    root = paths.require_project_root()
    where = outcome.notebook.relative_to(root) if outcome.notebook.is_relative_to(root) else outcome.notebook
    if not outcome.error:
        print(f"{outcome.chapter}: done in {outcome.seconds:.0f} s -> {where}")
        return
    print(
        f"\noffconvex: chapter {outcome.chapter!r} failed after {outcome.seconds:.0f} s: {outcome.error}",
        file=sys.stderr,
    )
    print(f"    partial notebook: {where}; no committed file was changed.", file=sys.stderr)
