"""What the pipeline writes to committed files, each as a scenario for tests that stop it at every point.

A scenario is: prepare a version ("new" or "old"), write it, settle what was interrupted, and the number of file
operations that the writing takes.
"""

import contextlib
import json
import shutil
from dataclasses import dataclass

import numpy as np
import small_book

from offconvex import stored
from offconvex.book.execution import install, sweep
from offconvex.book.publication import published


def installation(root, chapter="one"):
    """An execution's results, moved over those of the one before."""
    staged = root / "_build/execute" / chapter

    def prepare(version):
        shutil.rmtree(staged, ignore_errors=True)
        (staged / "results").mkdir(parents=True)
        for name, length in (("claims.json", 40), ("fig-a.csv", 9000), (f"fig-{version}.pdf", 700)):
            (staged / "results" / name).write_text(json.dumps(version * length))
        (staged / "notebook.ipynb").write_text(json.dumps(version * 3000))

    return prepare, lambda _: install.install(staged, chapter), install.finish_all, 25


def swept(root):
    """The records of a sweep, one more."""

    def save(version):
        record = {"claims": {}, "error": "", "code": version * 900, "seconds": 1.0, "date": ""}
        sweep.save("one", {3: record, 4: record})

    return (lambda _: None), save, (lambda: sweep.load("one")), 3


def stored_experiment(root):
    """Arrays and their record: between the two, reading them is one clear error."""
    experiment = stored.StoredExperiment("long", "one", Settings(), None, None, None)

    def save(version):
        experiment.save({"value": np.arange(3000.0) + (version == "new")}, {"note": version * 900})

    def load():
        with contextlib.suppress(ValueError):
            experiment.load()

    return (lambda _: None), save, load, 5


def publication(root):
    """New addresses appended to those that stay."""
    file = root / "book/published_ids.txt"
    small_book.make(root)

    def prepare(version):
        small_book.write_claims(root, *(((f"one.{i}", "one") for i in range(200)) if version == "new" else ()))
        if version == "old":
            file.unlink(missing_ok=True)

    return prepare, lambda _: published.append_new(root), (lambda: published.read(root)), 15


@dataclass(frozen=True)
class Settings:
    size: int = 3000


ALL = [installation, swept, stored_experiment, publication]
TOGETHER = [installation, swept]
"""Those whose files are all of one version, once what was interrupted is settled."""


def project(root, scenario):
    """Make folders for a scenario."""
    (root / "book/results/one").mkdir(parents=True)
    if scenario is not publication:
        (root / "_toc.yml").touch()
        (root / "book/chapters").mkdir()


def versions(root, prepare, work):
    """Committed files of both versions, the old one last."""
    whole = {}
    for version in ("new", "old"):
        prepare(version)
        work(version)
        whole[version] = committed(root)
    return whole


def committed(root):
    written = ("claims.toml", ".part")  # the first by `prepare`; the second are remains that nothing reads
    files = [f for f in (root / "book").rglob("*") if f.is_file() and not f.name.endswith(written)]
    return {str(file.relative_to(root)): file.read_bytes() for file in files}
