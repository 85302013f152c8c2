"""Executes chapters: source -> notebook -> papermill -> normalised -> installed."""

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock
import nbformat

from offconvex import claims, files, paths
from offconvex.book import processes, surroundings
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
        OSError: if results cannot be written; nothing is executed.
    """
    files.probe(paths.build_folder())
    install.finish_all()
    for job in jobs:
        if not job.label:
            install.probe(job.chapter)
    outcomes = []
    with processes.at_work(execute, [(job,) for job in jobs], workers=workers) as ended:
        for (job,), seconds, future in ended:
            try:
                outcome = future.result()
            except OSError as error:
                outcome = Outcome(job.chapter, _partial(job), seconds, files.reason(error))
            outcomes.append(outcome)
            report(outcome)
    return outcomes


def execute(job: Job) -> Outcome:
    """Execute one chapter; a failure is an outcome with a message, and leaves every committed file as it was."""
    import papermill
    from papermill.exceptions import PapermillExecutionError

    folder = run_folder(job)
    start = time.monotonic()
    with _only_one(folder) as free:
        if not free:
            return Outcome(job.chapter, folder, 0.0, f"{job.chapter} is being executed by another process already.")
        notebook, output = folder / install.NOTEBOOK, folder / "results"
        try:
            shutil.rmtree(folder, ignore_errors=True)
            output.mkdir(parents=True)
            files.replace(notebook, convert.content(convert.to_notebook(job.chapter)))
            version = _code_version(job.chapter)  # before anybody may change it
            working_directory = chapters.notebook_path(job.chapter).parent
            working_directory.mkdir(parents=True, exist_ok=True)
            given = {"OFFCONVEX_OUTPUT": str(output)} | ({} if job.judging else {claims.RECORD_ONLY: "1"})
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
            seconds = time.monotonic() - start
            defaults = chapters.default_parameters(convert.to_notebook(job.chapter))
            record = provenance.describe(job.chapter, defaults | job.parameters, seconds)
            record |= surroundings.ask(provenance.software) | {"code": version}
            files.write_json(output / "provenance.json", record)
            files.replace(notebook, convert.content(executed))
        except PapermillExecutionError as error:
            return Outcome(job.chapter, _partial(job), time.monotonic() - start, _screen(error))
        except Exception as error:  # whatever stops a chapter is reported like a failing cell, beside the others
            disk = isinstance(error, OSError) and error.errno is not None
            if disk and error.filename is None:
                error.filename = str(folder)  # papermill writes there, and a full disk names no file
            said = files.reason(error) if disk else f"{type(error).__name__}: {error}"
            return Outcome(job.chapter, _partial(job), time.monotonic() - start, said)
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


def _partial(job: Job) -> Path:
    notebook, kept = run_folder(job) / install.NOTEBOOK, paths.build_folder() / "failed" / f"{job.chapter}.ipynb"
    try:
        return files.move(notebook, kept)
    except OSError:
        return notebook  # on a full disk it stays where it is, if it is


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
    if install.waits(outcome.chapter):
        print("    The finished run is kept; the next `offconvex execute` puts it into its place.", file=sys.stderr)
        return
    partial = f"partial notebook: {where}; " if outcome.notebook.is_file() else ""
    print(f"    {partial}no committed file was changed.", file=sys.stderr)
