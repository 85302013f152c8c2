"""Seed records carried over to code that gives the same bytes: a changed hash alone is no reason to run seeds again."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from offconvex import paths
from offconvex.book.execution import chapters, checksums, code, sweep

NUMBERS = ("*.npz", "*.csv", "claims.json")
"""Files of a chapter's results that hold its numbers."""

RUN = ("seed", "profile", "device")
"""Entries of a chapter's provenance that say which run it was."""

ASK = """\
import importlib, json, sys

def code():
    for name in ("offconvex.book.execution.code", "offconvex.book.code"):  # where it lives, and where it once did
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            missing = error
    raise missing

json.dump({chapter: code().version(chapter) for chapter in sys.argv[1:]}, sys.stdout)
"""


@dataclass(frozen=True)
class Equality:
    """A chapter that two versions of its code, executed on one machine, gave the same numbers.

    Attributes:
        chapter: its name.
        old: version of the other checkout's code.
        new: version of this checkout's code.
        files: number of files that were compared.
    """

    chapter: str
    old: str
    new: str
    files: int


def carry(selected: list[str], checkout: Path) -> list[str]:
    """Make the seed records of a checkout's code those of this one's, which was seen to give the same bytes.

    What is seen is one execution by each; each record that is carried over says how many files were equal. Records of
    yet other code stay as they are.

    Args:
        selected: chapters; all, if none is named.
        checkout: top of a checkout of an earlier commit, in which they have been executed on this machine.

    Returns:
        A line on each chapter.

    Raises:
        ValueError: if a chapter is unknown, was not executed by both codes, or came out differently; nothing is changed
            then, in no chapter.
    """
    names = [chapters.require(name) for name in selected] or chapters.names()
    other = checkout.resolve()
    if other == paths.require_project_root() or not (other / "src").is_dir() or not (other / "book").is_dir():
        raise ValueError(f"--from takes the top of another checkout of the book; got {str(checkout)!r}.")
    versions = _ask(other, names)
    return [_rewrite(equality) for equality in [_prove(name, other, versions[name]) for name in names]]


def _ask(checkout: Path, names: list[str]) -> dict[str, str]:
    # Only its own code knows its version: what is hashed, and how, may have been other at its commit.
    surroundings = os.environ | {"PYTHONPATH": str(checkout / "src")}
    surroundings.pop("OFFCONVEX_ROOT", None)
    asked = [sys.executable, "-c", ASK, *names]
    said = subprocess.run(asked, cwd=checkout, env=surroundings, capture_output=True, encoding="utf-8")
    if said.returncode:
        reason = (said.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ValueError(f"the code in {checkout} does not tell its version ({reason}).")
    return json.loads(said.stdout)


def _prove(chapter: str, checkout: Path, old: str) -> Equality:
    sweep.load(chapter)  # whatever can fail does so before anything is changed
    new = code.version(chapter)
    here, there = paths.committed_results(chapter), checkout / "book" / "results" / chapter
    # Results from before executions noted their code are taken for those of the code beside them, but not here.
    runs = [_run(chapter, checkout, old, unsaid=old), _run(chapter, paths.require_project_root(), new, unsaid="")]
    for entry in RUN:
        values = [run.get(entry) for run in runs]
        if values[0] != values[1]:
            raise ValueError(
                f"{chapter} was executed with {entry} {values[0]!r} in {checkout} and {values[1]!r} here; "
                "execute it alike in both."
            )
    names = sorted({file.name for folder in (there, here) for pattern in NUMBERS for file in folder.glob(pattern)})
    for name in names:
        files = [folder / name for folder in (there, here)]
        if not all(file.exists() for file in files) or files[0].read_bytes() != files[1].read_bytes():
            raise ValueError(
                f"{chapter}: {name} differs from that in {checkout}; other numbers need seeds of their own: "
                f"`offconvex sweep {chapter}`."
            )
    return Equality(chapter, old, new, len(names))


def _run(chapter: str, root: Path, version: str, unsaid: str) -> dict:
    results, remedy = root / "book" / "results" / chapter, f"run `offconvex execute {chapter}` there."
    if not (results / "claims.json").exists():
        raise ValueError(f"{chapter} was not executed in {root}; {remedy}")
    if wrong := checksums.faults(chapter, root):
        raise ValueError(f"in {root}, {wrong[0]}")
    run = json.loads((results / "provenance.json").read_text(encoding="utf-8"))
    if run.get("code", unsaid) != version:
        raise ValueError(f"the results of {chapter} in {root} were made by other code than lies there now; {remedy}")
    return run


def _rewrite(equality: Equality) -> str:
    chapter, old, new = equality.chapter, equality.old, equality.new
    with sweep.alone(chapter):
        records = sweep.load(chapter)
        carried = {seed: _carried(record, equality) for seed, record in records.items() if record["code"] == old != new}
        if carried:
            sweep.save(chapter, records | carried)
    left = len(records) - len(carried)
    return f"{chapter}: {len(carried)} records carried over, {left} left as they are ({equality.files} files are equal)"


def _carried(record: sweep.SeedRecord, equality: Equality) -> sweep.SeedRecord:
    step = {"from": equality.old, "equal": equality.files}
    return record | {"code": equality.new, "carried": [*record.get("carried", []), step]}
