"""`make book` killed at random moments: no file half-written, no process left, and the next run gives what it would."""

import functools
import os
import random
import re
import resource
import signal
import sys
import traceback
from pathlib import Path

import killing
import pytest
import writers

from offconvex.book.execution import checksums, install

SEED = 20261
KILLS = 20

CHAPTER = """\
---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

({name})=
# Chapter {name}

Parameters first.

```{{code-cell}} ipython3
:tags: [parameters]

seed = 0  # of this run
device = "cpu"  # where it runs
profile = "default"
```

Results are written where the executor says.

```{{code-cell}} ipython3
import os, pathlib
results = pathlib.Path(os.environ["OFFCONVEX_OUTPUT"])
values = ["{version}"] * 4000
(results / "claims.json").write_text('{{"{name}.claim": {{"observed": "{version}"}}}}')
(results / "fig-{name}-a.csv").write_text("x\\n" + "\\n".join(values))
(results / "fig-{name}-b.csv").write_text("y\\n" + "\\n".join(values))
print("version {version}")
```
"""
TOC = """\
format: jb-book
root: book/index
parts:
  - caption: Only
    chapters:
      - file: book/chapters/one
      - file: book/chapters/two
"""
CONFIG = """\
title: Tiny
only_build_toc_files: true
execute:
  execute_notebooks: "off"
exclude_patterns: [_build, .venv, .bin, book/sources, book/results]
"""


def make(root):
    """A project of two chapters that need no package, so that most of a run is what is to be interrupted."""
    for folder in ("book/sources", "book/results", "book/chapters"):
        (root / folder).mkdir(parents=True)
    (root / "_toc.yml").write_text(TOC)
    (root / "_config.yml").write_text(CONFIG)
    (root / "book/index.md").write_text('# Tiny\n\nTwo chapters.\n\n<p class="offline-copies"></p>\n')
    killing.prepare(root)
    killing.hide_browsers(root)
    write(root, "first")
    return root


def write(root, version):
    for name in ("one", "two"):
        (root / f"book/sources/{name}.md").write_text(CHAPTER.format(name=name, version=version))


@pytest.fixture
def project(tmp_path, monkeypatch):
    root = make(tmp_path / "project")
    monkeypatch.setenv("OFFCONVEX_ROOT", str(root))
    return root


def pages(root):
    html = root / "_build" / "html"
    # A style sheet has its checksum in its address only once it lies there, which is from the second build on.
    return {
        str(file.relative_to(html)): re.sub(r"\?v=[0-9a-f]+", "", file.read_text())
        for file in (html / "book").rglob("*.html")
    }


def torn(root, versions):
    """Chapters whose files do not all come from one version, once a waiting installation is finished."""
    install.finish_all()
    found = [fault for name in ("one", "two") for fault in checksums.faults(name)]
    for name in ("one", "two"):
        now = {file: content for file, content in undated(killing.contents(root)).items() if name in file}
        if now not in [{f: c for f, c in undated(version).items() if name in f} for version in versions]:
            found.append(f"chapter {name} is neither wholly old nor wholly new")
    return found


def undated(contents):
    return {f: c for f, c in contents.items() if Path(f).name not in ("provenance.json", checksums.FILE)}


def test_half_of_a_build_info_does_not_stop_the_next_build(project):
    killing.complete(project)
    info = project / "_build/html/.buildinfo"
    whole = info.read_text()
    info.write_text(whole[: len(whole) // 2])
    killing.complete(project)
    assert info.read_text() == whole


def test_make_book_killed_at_random_moments(project):
    versions, built, durations = [], [], []
    for name in ("second", "first"):
        write(project, name)
        durations.append(killing.complete(project))
        versions.append(killing.contents(project))
        built.append(pages(project))
    assert all(len(version) == 12 for version in versions) and killing.half_written(project, versions) == []
    assert set(built[0]) >= {"book/index.html", "book/chapters/one.html"} and built[0] != built[1]

    print(f"seed {SEED}, undisturbed runs took {durations} s")
    draws, hits = random.Random(SEED), 0
    for attempt in range(2 * KILLS):
        write(project, ("second", "first")[attempt % 2])
        after, group = draws.uniform(0, 0.9 * min(durations)), draws.random() < 0.5
        running = killing.kill(project, after, group=group)
        hits += running
        where = f"kill {attempt} after {after:.2f} s, {'group' if group else 'one process'}"
        assert killing.survivors(project) == [], where
        assert killing.half_written(project, versions) == [], where
        if draws.random() < 0.5:  # otherwise the next run finds what this one left
            assert torn(project, versions) == [], where
        if hits == KILLS:
            break
    assert hits == KILLS, "too few kills came before the command had ended"

    write(project, "second")
    killing.complete(project)
    assert undated(killing.contents(project)) == undated(versions[0])
    assert [fault for name in ("one", "two") for fault in checksums.faults(name)] == []
    assert pages(project) == built[0]


def die_at(event: int, size: int) -> None:
    """From now on, die with SIGKILL at a file operation, or as soon as any file is written beyond a size."""
    seen = 0

    def count(name, _arguments):
        nonlocal seen
        if name in ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir"):
            seen += 1
            if seen > event:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and would see an error instead
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def in_a_process_that_dies(work, event: int, size: int) -> bool:
    """Run something in a copy of this process that dies by `die_at`; whether it died before its end."""
    child = os.fork()
    if child == 0:
        try:
            die_at(event, size)
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the work itself failed"
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("scenario", writers.ALL)
def test_a_writer_killed_at_any_file_operation_or_in_the_middle_of_a_file(tmp_path, monkeypatch, scenario):
    writers.project(tmp_path, scenario)
    monkeypatch.setenv("OFFCONVEX_ROOT", str(tmp_path))
    prepare, work, settle, events = scenario(tmp_path)
    together = scenario in writers.TOGETHER
    whole = writers.versions(tmp_path, prepare, work)
    assert whole["old"] != whole["new"]
    draws, died = random.Random(SEED), 0
    print(f"seed {SEED}")
    for attempt in range(60):
        version = ("new", "old")[attempt % 2]
        prepare(version)
        event, size = draws.randrange(events), draws.choice([10**9, draws.randrange(1, 8000)])
        died += in_a_process_that_dies(functools.partial(work, version), event, size)
        for name, content in writers.committed(tmp_path).items():
            versions = [contents[name] for contents in whole.values() if name in contents]
            assert content in versions, f"{name} is half-written after {attempt}: event {event}, size {size}"
        settle()
        assert not together or writers.committed(tmp_path) in whole.values(), f"a mixture after {attempt}"
    assert died >= 20
    prepare("new")
    work("new")
    assert writers.committed(tmp_path) == whole["new"]
