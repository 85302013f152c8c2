"""A chapter for many seeds: what each one measured, kept as data."""

import contextlib
import datetime
import json
import secrets
import shutil
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import filelock

from offconvex import claims, files, paths
from offconvex.book import processes
from offconvex.book.execution import chapters, code, execute

SeedRecord = dict[str, object]
"""One seed: "claims" (id -> "observed" and "control", as in claims.json), "error" ("" for a complete run), "code",
"seconds" and "date"; after `carry` also "carried", from which code and by how many equal files."""

FRESH = range(1_000_000, 2**31)
"""Where seeds are drawn from: beyond all that are chosen by hand, and small enough for every generator."""
MOST_FRESH = 1000

_ONE_AT_A_TIME = threading.Lock()  # an execution changes the folder of its whole process


def run(chapter: str, seeds: Sequence[int], *, workers: int = 2, scheduler: str | None = None) -> dict[int, SeedRecord]:
    """Run a chapter for the seeds that have no complete record by the present code; return the records of all seeds.

    Records are kept one by one as they arrive, in `book/results/<chapter>/sweep.json`, so that an interrupted sweep
    goes on where it stopped. A claim that misses does not end a seed's run: the others are measured all the same. The
    record of a seed whose process was killed says so, and is not kept.

    Args:
        chapter: its name.
        seeds: values of its parameter `seed`.
        workers: seeds at a time on this machine.
        scheduler: address of a Dask scheduler, "tcp://host:port", whose workers run the seeds instead; each needs this
            package and this checkout.

    Raises:
        ValueError: if the chapter is unknown, the scheduler cannot be reached, or its workers have other code.
        OSError: if records cannot be written.
    """
    chapters.require(chapter)
    present = code.version(chapter)
    kept = load(chapter)
    missing = [seed for seed in seeds if not _complete(kept.get(seed), present)]
    files.probe(place(chapter).parent)
    lost: dict[int, SeedRecord] = {}
    arriving = _on_cluster(chapter, missing, scheduler) if scheduler else _here(chapter, missing, workers)
    with contextlib.closing(arriving):
        for seed, record in arriving:
            if record["code"] != present:
                raise ValueError(
                    f"seed {seed} of {chapter} was run by other code than this checkout's; "
                    "bring the same commit to every worker and sweep again."
                )
            if record["error"] == processes.KILLED:
                lost[seed] = record  # it tells of the machine, not of the chapter
            else:
                _keep(chapter, seed, record)
            print(line(chapter, seed, record), flush=True)
    kept = load(chapter) | lost
    return {seed: kept[seed] for seed in seeds}


def place(chapter: str) -> Path:
    """The committed records of a chapter."""
    return paths.committed_results(chapter) / "sweep.json"


def load(chapter: str, folder: Path | None = None) -> dict[int, SeedRecord]:
    """The kept records of a chapter by seed; none if it was never swept.

    Args:
        chapter: its name.
        folder: the chapter's results, by default those of this checkout.

    Raises:
        ValueError: if the file cannot be read.
    """
    file = folder / "sweep.json" if folder else place(chapter)
    if not file.exists():
        return {}
    remedy = "take it back from the repository, or remove it and sweep again."
    records = files.read_sealed(file, remedy, name=f"{file.name} of {chapter}")
    return {int(seed): record for seed, record in records.items()}


def save(chapter: str, records: Mapping[int, SeedRecord]) -> None:
    """Write the records of a chapter, by seed, with a checksum of them all."""
    content = {str(seed): records[seed] for seed in sorted(records)}
    files.write_sealed(place(chapter), content)


@contextlib.contextmanager
def alone(chapter: str) -> Iterator[None]:
    """While it lasts, nobody else changes the records of a chapter."""
    locks = paths.build_folder()
    locks.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(locks / f".sweep-{chapter}.lock"):
        yield


def measure(chapter: str, seed: int, position: int = 0) -> SeedRecord:
    """Execute a chapter with one seed, judging nothing; its record. `position` is the line of its progress bar."""
    label = f"sweep,seed={seed}"
    job = execute.Job(chapter, {"seed": seed}, label, position, judging=False)
    with _ONE_AT_A_TIME:
        outcome = execute.execute(job)
    folder = execute.run_folder(job)
    file = folder / "results" / "claims.json"
    measured = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if not outcome.error:
        shutil.rmtree(folder)  # everything that a sweep keeps is in the record
    return {
        "claims": {id: {k: c[k] for k in ("observed", "control") if k in c} for id, c in measured.items()},
        "error": outcome.error,
        "code": code.version(chapter),
        "seconds": round(outcome.seconds, 1),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def missed(registry: Mapping[str, claims.Claim], chapter: str, record: SeedRecord) -> list[str]:
    """Claims of the chapter that a seed did not show: not measured, outside a bound, or their control inside it."""
    return [claim.id for claim in registry.values() if claim.chapter == chapter and not shows(claim, record)]


def shows(claim: claims.Claim, record: SeedRecord) -> bool:
    """Whether a seed's values keep a claim's present bounds and its controls break them."""
    entry = record["claims"].get(claim.id)
    if entry is None:
        return False
    observed, control = (claims.as_mapping(entry.get(name, {})) for name in ("observed", "control"))
    names = {measure.name: measure for measure in claim.measures}
    if set(observed) != set(names) or not set(control) <= set(names):
        return False  # measured under other names, so under another reading of the claim
    return all(names[n].holds(v) for n, v in observed.items()) and not any(
        names[n].holds(v) for n, v in control.items()
    )


def line(chapter: str, seed: int, record: SeedRecord) -> str:
    """One line about one seed."""
    wrong = missed(claims.load(), chapter, record)
    if record["error"]:
        return f"{chapter}, seed {seed}: failed after {record['seconds']:.0f} s: {record['error']}"
    found = f"not shown: {', '.join(wrong)}" if wrong else "every claim keeps its bounds and every control breaks them"
    return f"{chapter}, seed {seed}: {found} ({record['seconds']:.0f} s)"


def read_seeds(text: str, kept: Collection[int] = ()) -> Sequence[int]:
    """Seeds from "first:end", where the end is not included, from "seed,seed,...", or fresh ones from "random:count".

    Args:
        text: what the user gave.
        kept: seeds that have a record already; none of them is fresh.

    Raises:
        ValueError: if the text is none of these, names no seed or too large a one, or asks for too many.
    """
    first, colon, end = text.partition(":")
    if first == "random":
        if not end.isdecimal() or not 1 <= int(end) <= MOST_FRESH:
            raise ValueError(f"random:N draws N fresh seeds, with N from 1 to {MOST_FRESH}; got {text!r}.")
        return fresh_seeds(int(end), kept)
    parts = [first, end] if colon else text.split(",")
    numbers = [int(part) for part in parts if part.isdecimal()]
    found = range(*numbers) if colon and len(numbers) == 2 else tuple(dict.fromkeys(numbers))
    if len(numbers) < len(parts) or not found or max(numbers) > FRESH.stop:
        raise ValueError(
            "seeds are given as FIRST:END, such as 0:16 for 0, 1, ..., 15, as numbers with commas between them, or as "
            f"random:N, and are at most {FRESH.stop}; got {text!r}."
        )
    return found


def fresh_seeds(count: int, kept: Collection[int] = ()) -> tuple[int, ...]:
    """Different seeds from the operating system's randomness, in order, that have no record yet.

    Nobody has tried them, so what they show was not chosen; a record is kept under its number like any other, and the
    number alone gives the same run again.
    """
    found: set[int] = set()
    while len(found) < count:
        found |= {FRESH[secrets.randbelow(len(FRESH))]} - set(kept)
    return tuple(sorted(found))


def _complete(record: SeedRecord | None, present: str) -> bool:
    return record is not None and record["code"] == present and not record["error"]


def _here(chapter: str, seeds: list[int], workers: int) -> Iterator[tuple[int, SeedRecord]]:
    tasks = [(chapter, seed, i % workers) for i, seed in enumerate(seeds)]
    with processes.at_work(measure, tasks, workers=workers) as ended:
        for (_, seed, _), seconds, future in ended:
            try:
                yield seed, future.result()
            except ChildProcessError:
                yield seed, _killed(chapter, seconds)


def _killed(chapter: str, seconds: float) -> SeedRecord:
    return {"claims": {}, "error": processes.KILLED, "code": code.version(chapter), "seconds": seconds, "date": ""}


def _on_cluster(chapter: str, seeds: list[int], scheduler: str) -> Iterator[tuple[int, SeedRecord]]:
    try:
        import distributed
    except ImportError:
        raise ValueError("--scheduler needs the package distributed: pip install 'offconvex[cluster]'.") from None
    try:
        client = distributed.Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise ValueError(f"no Dask scheduler answers at {scheduler!r} ({type(error).__name__}).") from None
    with client:
        # A worker that dies takes no result with it: its seeds go to another one.
        futures = {client.submit(measure, chapter, seed, pure=False): seed for seed in seeds}
        for future in distributed.as_completed(futures):
            try:
                yield futures[future], future.result()
            except distributed.KilledWorker:  # it took several workers with it
                yield futures[future], _killed(chapter, 0.0)


def _keep(chapter: str, seed: int, record: SeedRecord) -> None:
    with alone(chapter):  # two sweeps may add to one file
        save(chapter, load(chapter) | {seed: record})
