"""`make gpu` on a simulated device: in order, within its budget, each part kept, whatever becomes of the others."""

import functools
import importlib.metadata
import importlib.util
import io
import json
import os
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path

import card_parts
import killing
import pytest
import tiny_project
import torch
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from offconvex import files, paths, runtime
from offconvex.book import processes
from offconvex.book.card import chapters, device, engines, parts, record, session
from offconvex.book.card.parts import Part
from offconvex.book.card.record import MeasuredPart
from offconvex.book.command_line import main
from offconvex.book.execution import chapters as book
from offconvex.book.execution import code, convert

ROOT = Path(__file__).resolve().parents[2]
ENOUGH = 2000
"""Seconds that no budget below needs."""

note, fail, fail_once, wait, hold, die, part = (
    getattr(card_parts, name) for name in ("note", "fail", "fail_once", "wait", "hold", "die", "part")
)


def measure(*listed, budget=ENOUGH, card=card_parts.card, **options):
    return session.run(listed, budget=budget, card=card, **options)


def called(root):
    """Names of the parts that were called, in order, and their processes."""
    file = root / "_build" / "called.txt"
    return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def project(tiny):
    (tiny / "_build").mkdir()
    return tiny


# --- order, budget, keeping -------------------------------------------------------------------------------------------


def test_parts_are_measured_in_order_each_in_its_process_and_kept(project, capsys):
    listed = [part(note, "first"), part(note, "second", together=True), part(note, "third")]
    assert measure(*listed) == 0
    assert called(project) == ["first", "second", "third"]
    assert len({line.split()[1] for line in (project / "_build/called.txt").read_text().splitlines()}) == 3
    kept = record.load(project)
    assert list(kept) == ["first", "second", "third"]
    for measured in kept.values():
        assert (measured.error, measured.found, measured.beside) == ("", {"device": "cuda"}, 1)
        assert measured.seconds > 0 and re.fullmatch("[0-9a-f]{16}", measured.code)
        assert {"card", "torch", "cuda", "commit", "dirty", "date", "cpu", "python", "packages"} <= set(
            measured.machine
        )
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "a simulated card, 2000 s: 3 of 3 parts to measure"
    assert [line.split("s  ")[1].split(" in ")[0] for line in said[1:]] == [
        "first", "first: done", "second", "second: done", "third", "third: done",
    ]  # fmt: skip

    assert measure(*listed) == 0  # all is there
    assert called(project) == ["first", "second", "third"]
    assert measure(*listed, part(note, "later")) == 0
    assert called(project)[3:] == ["later"] and list(record.load(project)) == ["first", "second", "third", "later"]


def test_what_other_code_measured_is_measured_again(project, monkeypatch):
    assert measure(part(note, "first")) == 0
    before = record.load(project)["first"].code
    monkeypatch.setattr(Part, "version", lambda self, known: "another")
    assert measure(part(note, "first")) == 0
    assert called(project) == ["first", "first"] and before != record.load(project)["first"].code == "another"


def test_a_part_that_the_rest_of_the_budget_does_not_suffice_for_is_left_and_said(project, capsys):
    listed = [part(note, "small"), part(note, "large", seconds=3000), part(note, "other")]
    assert measure(*listed) == 0
    assert called(project) == ["small", "other"] and "large" not in record.load(project)
    assert "left for the next call: large (3000 s)" in capsys.readouterr().out
    assert measure(*listed, budget=9000) == 0
    assert called(project) == ["small", "other", "large"]


def test_some_run_beside_each_other_where_jobs_are_asked_for(project):
    listed = [part(card_parts.meet, name, together=True) for name in ("left", "right")] + [part(note, "after")]
    assert measure(*listed, jobs=2) == 0
    assert {name: measured.beside for name, measured in record.load(project).items()} == {
        "left": 2,
        "right": 2,
        "after": 1,
    }
    assert called(project)[2:] == ["after"]


def test_a_failing_part_is_kept_with_its_line_the_others_go_on_and_it_comes_last_in_the_next_call(project, capsys):
    listed = [part(fail_once, "late"), part(fail, "full"), part(note, "sound")]
    assert measure(*listed) == 2
    assert called(project) == ["late", "full", "sound"]
    kept = record.load(project)
    assert kept["late"].error == "ValueError: not yet" and kept["sound"].error == ""
    assert kept["full"].error == "OutOfMemoryError: CUDA out of memory in _build/kernel."
    assert "full: failed: OutOfMemoryError: CUDA out of memory in _build/kernel.\n" in capsys.readouterr().out
    assert measure(*listed, part(note, "new")) == 1
    assert called(project)[3:] == ["new", "late", "full"]
    assert record.load(project)["late"].error == "" and record.load(project)["full"].error


@pytest.mark.parametrize("function", [wait, hold])
def test_a_part_is_ended_after_its_seconds_and_may_take_all_that_is_left_the_next_time(project, function):
    stuck = part(function, "stuck", seconds=6)
    assert measure(stuck, part(note, "next")) == 1
    kept = record.load(project)
    assert re.fullmatch(r"ended after \d+ s, all that it is given", kept["stuck"].error) and kept["next"].error == ""
    if function is wait:
        assert measure(stuck, part(note, "next")) == 0
        assert called(project).count("next") == 1 and record.load(project)["stuck"].error == ""


def test_a_part_whose_process_is_killed_takes_no_other_with_it(project):
    assert measure(part(die, "gone"), part(note, "next")) == 1
    assert record.load(project)["gone"].error == processes.KILLED
    assert record.load(project)["next"].error == ""


PROGRAM = "import card_parts as c; from offconvex.book.card import session; session.run({}, budget=2000, card=c.card)"
LISTED = "[c.part(c.note, 'before'), c.part(c.wait, 'slow'), c.part(c.note, 'after')]"


@pytest.mark.parametrize("whole_group", [True, False])
def test_a_killed_call_loses_nothing_and_the_next_one_goes_on(project, whole_group):
    surroundings = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    options = {"env": surroundings, "start_new_session": True, "stdout": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM.format(LISTED)], **options)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and called(project) != ["before", "slow"]:
        time.sleep(0.1)
    killing.kill_command(process, whole_group=whole_group)
    assert list(record.load(project)) == ["before"]
    assert measure(part(note, "before"), part(wait, "slow"), part(note, "after")) == 0
    assert called(project) == ["before", "slow", "slow", "after"]
    assert [measured.error for measured in record.load(project).values()] == ["", "", ""]


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a card")
def test_without_a_card_one_sentence_says_so(project, capsys):
    assert main(["gpu", "--budget", "5"]) == 2
    said = capsys.readouterr()
    reason = "a torch built for CUDA" if torch.version.cuda is None else "a CUDA device, and torch sees none here"
    assert said.err.startswith(f"offconvex: `make gpu` needs {reason}") and said.err.count("\n") == 1
    assert said.out == "" and not record.place(project).exists()


@pytest.mark.parametrize(
    ("built", "seen", "words"),
    [
        (None, False, "needs a torch built for CUDA; torch "),
        ("13.0", False, "needs a CUDA device, and torch sees none here; look at its driver with `nvidia-smi`."),
        ("13.0", True, "sees a CUDA device and cannot use it: "),
    ],
)
def test_each_lack_of_a_card_has_its_sentence(monkeypatch, built, seen, words):
    monkeypatch.setattr(torch.version, "cuda", built)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen)
    if seen:
        monkeypatch.setattr(torch, "eye", lambda *a, **k: (_ for _ in ()).throw(RuntimeError("no kernel image\nmore")))
        words += "no kernel image"
    with pytest.raises(ValueError, match=re.escape(words)) as error:
        device.cuda()
    assert "\n" not in str(error.value)


def test_a_card_that_does_not_answer_and_another_card_are_said(project):
    with pytest.raises(ValueError, match="The card did not answer within 120 s, or its process was killed"):
        measure(part(note, "first"), card=card_parts.silent_card)
    assert measure(part(note, "first")) == 0
    with pytest.raises(ValueError, match="gpu.json holds measurements of another card, a simulated card; move it away"):
        measure(part(note, "second"), card=card_parts.other_card)
    assert called(project) == ["first"]


def test_a_damaged_record_is_not_written_over(project):
    assert measure(part(note, "first")) == 0
    file = record.place(project)
    file.write_text(file.read_text().replace('"beside": 1', '"beside": 2'))
    with pytest.raises(ValueError, match="gpu.json is damaged: .*or move it away and run `make gpu`"):
        measure(part(note, "second"))
    assert called(project) == ["first"] and '"beside": 2' in file.read_text()


def test_packages_that_are_not_there_are_asked_for_in_one_sentence(monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n in ("scipy", "tqdm") else find(n, *a))
    assert main(["gpu"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("offconvex: `make gpu` needs scipy, tqdm, which this Python does not have; install")
    assert said.count("\n") == 1 and "make gpu PYTHON=python3" in said


# --- chapters and engines ---------------------------------------------------------------------------------------------


@pytest.fixture
def executed(project):
    """The tiny project with a notebook and results of its chapter."""
    files.replace(book.notebook_path("tiny"), convert.content(convert.to_notebook("tiny")))
    files.replace(paths.committed_results("tiny") / "claims.json", "{}")
    return project


def test_a_chapter_runs_on_the_device_and_its_committed_files_stay(executed):
    before = tiny_project.snapshot(executed)
    default = Part("tiny", card_parts.chapter, 500, "tiny")
    smoke = Part("smoke of tiny", functools.partial(card_parts.chapter, profile="smoke"), 500, "tiny")
    assert measure(smoke, default) == 0
    assert tiny_project.snapshot(executed) == before
    kept = record.load(executed)
    assert kept["tiny"].found == {
        "chapter": "tiny",
        "profile": "default",
        "claims": {"tiny.slope": {"observed": 2.0, "control": 3.0}},
    }
    assert kept["tiny"].code == code.version("tiny")
    runs = executed / "_build" / "runs" / "tiny"
    lines = [
        (runs / f"card,{profile}/results/fig-tiny-line.csv").read_text().splitlines()
        for profile in ("smoke", "default")
    ]
    assert [len(text) - 1 for text in lines] == [3, 5]
    assert "✓ tiny.slope\n" in (runs / "card,default" / "output.txt").read_text()


def edit_notebook(root, old, new):
    file = root / "book" / "chapters" / "tiny.ipynb"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_a_missed_bound_ends_nothing_and_a_failing_cell_keeps_what_was_measured(executed):
    edit_notebook(executed, "slope = 2.0 ", "slope = 9.0 ")
    edit_notebook(executed, 'claims.control(\\"tiny.slope\\", slope + 1)', "rt.zeros(2).numpy()")
    assert measure(Part("tiny", card_parts.chapter, 500, "tiny")) == 1
    kept = record.load(executed)["tiny"]
    assert kept.found["claims"] == {"tiny.slope": {"observed": 9.0}}
    assert kept.error.startswith("code cell 4: TypeError: can't convert sim:0 device type tensor to numpy")


def test_a_chapter_without_a_notebook_is_said(tiny):
    with pytest.raises(ValueError, match="tiny has no committed notebook; run `offconvex execute tiny` first"):
        chapters.cells("tiny")


def test_the_committed_notebooks_have_the_versions_of_their_sources():
    known = {}
    for chapter in book.names():
        assert chapters.version(chapter, known) == code.version(chapter, known=known), chapter


def test_engines_agree_with_the_processor_and_both_are_timed(project):
    assert measure(Part("engine", card_parts.engine, 500)) == 0
    problems = record.load(project)["engine"].found["problems"]
    assert [row["sizes"] for row in problems] == [problem.sizes for problem in card_parts.problems()]
    assert all(row["card"] > 0 and row["processor"] > 0 for row in problems)


def test_results_that_differ_are_no_comparison():
    def build(rt):
        value = rt.tensor([1.0, 2.0 + 1e-6 * (runtime.resolve.calls == 0)])
        runtime.resolve.calls += 1
        return lambda count: [value]

    runtime.resolve.calls = 0
    try:
        with pytest.raises(ValueError, match="small: the results differ by 5e-07 of the largest entry"):
            engines.compare(engines.EngineProblem("small", "step", build), "cpu")
    finally:
        del runtime.resolve.calls


@pytest.mark.parametrize(
    "problem", [p for problems in engines.ENGINES.values() for p in problems], ids=lambda p: p.sizes
)
def test_every_problem_of_an_engine_makes_a_step(problem, rt):
    for mine in problem.build(rt)(1):
        assert mine.dtype == torch.float64 and mine.isfinite().all()


# --- the list of parts, and what it needs -----------------------------------------------------------------------------


def test_the_list_has_every_chapter_at_tiny_size_then_engines_then_chapters_as_committed():
    listed = parts.listed()
    names = [each.name for each in listed]
    assert len(set(names)) == len(names)
    smoke = [f"smoke of {chapter}" for chapter in book.names()]
    rest = ["locality", "hierarchical-tensor-factorization", "predicting-generalization", "instahide"]
    assert names == [*smoke, *(f"engine: {name}" for name in engines.ENGINES), *rest]
    assert [pickle.loads(pickle.dumps(each)).name for each in listed] == names
    versions = parts.versions([each for each in listed if each.name.endswith(("matrix-factorization", "locality"))])
    assert versions["locality"] == versions["smoke of locality"] == code.version("locality")
    assert len(versions) == 3 == len(set(versions.values())) + 1


def closure(names):
    """Distributions that some need, themselves included."""
    from packaging.requirements import Requirement

    found, waiting = {}, list(names)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another system
        needed = map(Requirement, found[name].requires or ())
        waiting += [r.name for r in needed if not r.marker or r.marker.evaluate({"extra": ""})]
    return found.values()


ALONE = """
import sys
sys.path[:0] = {places}
import ast, pathlib
from offconvex.book.card import chapters, device, parts, session
device.require()
for name in {names}:
    for cell in chapters.read(pathlib.Path("{root}/book/chapters", name + ".ipynb")):
        if cell.cell_type == "code":
            for node in ast.parse(cell.source).body:
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    exec(compile(ast.Module([node], []), name, "exec"))
session.ask = lambda card: card()
card = lambda: {{"card": "none", "card_gib": 0.0, "torch": "", "cuda": ""}}
sys.exit(session.run([parts.of_chapter("tiny", "smoke", 500)], budget=2000, device="cpu", card=card))
"""


def test_a_python_with_the_needed_packages_alone_suffices(executed):
    # As on a machine with a card and no network: neither Jupyter nor papermill nor what reads MyST.
    site = executed / "site"
    site.mkdir()
    for distribution in closure({"PIL": "pillow", "yaml": "pyyaml"}.get(name, name) for name in device.NEEDED):
        for top in {file.parts[0] for file in distribution.files or () if file.parts[0] not in ("..", "__pycache__")}:
            if not (site / top).exists():
                (site / top).symlink_to(distribution.locate_file(top))
    assert not any((site / name).exists() for name in ("jupytext", "nbformat", "IPython", "ipykernel", "papermill"))
    every = [path.stem for path in (ROOT / "book" / "chapters").glob("*.ipynb")]
    program = ALONE.format(places=[str(paths.PACKAGE.parent), str(site)], names=every, root=ROOT)
    done = subprocess.run([sys.executable, "-S", "-P", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0 and len(every) > 12, done.stdout + done.stderr
    assert record.load(executed)["smoke of tiny"].error == ""


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], ".venv/bin/python -m offconvex.book.command_line gpu --budget 600 --jobs 1"),
        (["BUDGET=5", "JOBS=3", "PYTHON=python9"], "python9 -m offconvex.book.command_line gpu --budget 5 --jobs 3"),
    ],
)
def test_make_gpu_takes_a_budget_jobs_and_an_interpreter(given, words):
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHON", "BUDGET", "JOBS", "MAKEFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "-n", "gpu", *given], cwd=ROOT, env=clean, capture_output=True, text=True)
    assert done.returncode == 0 and words in " ".join(done.stdout.replace("\\\n", "").split()), done.stderr
    assert not given or "venv" not in done.stdout


# --- the page ---------------------------------------------------------------------------------------------------------

MACHINE = {
    "date": "2031-02-03T04:05:06+00:00",
    "commit": "abcdef0123456789",
    "dirty": False,
    "cpu": "a processor",
    "cores": 16,
    "memory_gib": 127.5,
    "system": "a system",
    "python": "3.12.3",
    "packages": {"torch": "2.0"},
    "card": "A Card 9000",
    "card_gib": 139.8,
    "torch": "2.0+cu130",
    "cuda": "13.0",
}


@pytest.fixture
def build(tiny, monkeypatch):
    """Builds the page of what is kept: parts and the present versions -> its text, and the warnings."""
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    from companion import graphics_card

    (tiny / "_card_page.py").write_text("from companion import graphics_card\nsetup = graphics_card.setup\n")
    monkeypatch.syspath_prepend(str(tiny))
    monkeypatch.delitem(sys.modules, "_card_page", raising=False)
    (tiny / "index.rst").write_text("Page\n====\n\n.. graphics-card::\n")

    def make(kept=(), present=None):
        if kept:
            record.save(kept, tiny)
        monkeypatch.setattr(graphics_card, "versions", lambda: present or {})
        said = io.StringIO()
        settings = {"extensions": ["_card_page"], "include_patterns": ["index.rst"]}
        folders = (tiny, None, tiny / "out", tiny / "trees")
        with docutils_namespace():
            Sphinx(*folders, "pseudoxml", settings, status=None, warning=said, freshenv=True).build()
        return " ".join((tiny / "out" / "index.pseudoxml").read_text().split()), said.getvalue()

    return make


def measured(name, found, *, error="", code="now", seconds=30.0, **machine):
    return MeasuredPart(name, seconds, error, code, 2, MACHINE | machine, found)


def test_without_measurements_the_page_says_so_in_one_sentence(build):
    text, warnings = build()
    assert warnings == "" and "No graphics card has been measured yet: make gpu does it where there is one." in re.sub(
        r" ?<[^>]*> ?", " ", text
    ).replace("  ", " ")


def test_the_page_shows_what_was_measured(build, tiny):
    results = tiny / "book/results/tiny"
    results.mkdir()
    (results / "claims.json").write_text(json.dumps({"tiny.slope": {"observed": 2.1, "control": 3.0}}))
    (results / "provenance.json").write_text(json.dumps({"duration_seconds": 90.0}))
    slope = {"tiny.slope": {"observed": 2.9, "control": 3.0}}
    row = {"sizes": "64 x 64", "unit": "iteration", "card": 0.5, "processor": 2.0}
    kept = [
        measured("smoke of tiny", {"chapter": "tiny", "profile": "smoke", "claims": {}}),
        measured("smoke of other", {}, error="RuntimeError: it broke"),
        measured("engine: an engine", {"engine": "an engine", "problems": [row]}, code="before", dirty=True),
        measured("tiny", {"chapter": "tiny", "profile": "default", "claims": slope}),
    ]  # fmt: skip
    present = {
        "smoke of tiny": "now",
        "smoke of other": "now",
        "engine: an engine": "now",
        "tiny": "now",
        "more": "now",
    }
    text, warnings = build(kept, present)
    assert warnings == ""
    for words in (
        "Measured on A Card 9000: 4 parts, 1 more not yet.",
        "1 of them by code that has changed since",
        "At tiny sizes 1 of 2 chapters run there to their end.",
        "64 × 64", "500 µs", "2.00 ms", "4.00", "(by earlier code)",
        "30.0 s", "90.0 s", "0 of 1", "1 of 1", "1.5 … 2.5", "2.9", "2.1", "misses",
        "Smoke of other", ": RuntimeError: it broke",
        "A Card 9000, 139.8 GiB; a processor, 16 cores; a system; ",
        "Python 3.12.3, torch 2.0+cu130, CUDA 13.0; commit abcdef0123;",
        "commit abcdef0123 and uncommitted changes", "up to 2 parts at a time",
    ):  # fmt: skip
        assert words in text, words
    assert text.count("(by earlier code)") == 1


def test_the_page_is_made_of_what_a_session_wrote(build, project):
    assert measure(part(fail, "full"), Part("engine", card_parts.engine, 500)) == 1
    text, warnings = build()
    assert warnings == ""
    for words in ("All engines", "Double well on the line, 5 chains", "OutOfMemoryError", "a simulated card, 1.5 GiB"):
        assert words in text, words


def test_a_damaged_record_is_named_on_the_page(build, tiny):
    record.save([measured("first", {})], tiny)
    file = record.place(tiny)
    file.write_text(file.read_text().replace("30.0", "3.0"))
    assert "gpu.json is damaged" in build()[1]
