"""Executing chapters: reproducible bytes, nothing lost on failure, clear words for bad input."""

import json
import subprocess
import sys
import time

import killing
import nbformat
import pytest
import tiny_project

from offconvex import files, runtime
from offconvex.book import command_line
from offconvex.book.command_line import main
from offconvex.book.execution import chapters, checksums, code, compare, convert, execute, install


def run_tiny(**options):
    defaults = {"given": [], "profile": None, "device": None}
    (job,) = execute.plan(["tiny"], **(defaults | options))
    return execute.execute(job)


def edit_source(root, old, new):
    path = root / "book/sources/tiny.md"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_two_executions_give_the_same_bytes_and_results_that_compare_equal(tiny):
    first = run_tiny()
    assert first.error == ""
    before = tiny_project.snapshot(tiny)
    assert set(before) == {"tiny.ipynb", "claims.json", "fig-tiny-line.pdf", "fig-tiny-line.csv"}
    assert run_tiny().error == ""
    assert tiny_project.snapshot(tiny) == before
    claim = json.loads(before["claims.json"])["tiny.slope"]
    assert claim == {
        "kind": "claim",
        "scale": "exact",
        "observed": 2.0,
        "bound": "1.5 … 2.5",
        "holds": True,
        "figure": "fig-tiny-line",
        "seed": 0,
        "control": 3.0,
        "control_fails": True,
    }
    provenance = json.loads((tiny / "book/results/tiny/provenance.json").read_text())
    assert {"chapter", "date", "duration_seconds", "commit", "cpu", "device", "python", "packages"} <= set(provenance)
    assert provenance["seed"] == 0


def test_a_changed_array_claim_or_file_is_found_by_the_comparison(tiny, tmp_path):
    assert run_tiny().error == ""
    committed, fresh = tiny / "book/results/tiny", tmp_path / "fresh"
    tolerances = compare.Tolerances(1e-6, {})
    subprocess.run(["cp", "-r", committed, fresh], check=True)
    assert compare.differences(fresh, committed, tolerances) == []

    data = committed / "fig-tiny-line.csv"
    data.write_text(data.read_text().replace("8.0", "8.001"))
    (message,) = compare.differences(fresh, committed, tolerances)
    assert "fig-tiny-line.csv" in message and "y" in message
    assert compare.differences(fresh, committed, compare.Tolerances(1e-3, {})) == []
    assert compare.differences(fresh, committed, compare.Tolerances(1e-6, {"fig-tiny-line": 1e-3})) == []
    of_y, of_x = (compare.Tolerances(1e-6, {"fig-tiny-line": 1e-3}, {"fig-tiny-line": {name}}) for name in "yx")
    assert compare.differences(fresh, committed, of_y) == []
    assert len(compare.differences(fresh, committed, of_x)) == 1

    data.unlink()
    assert any("exists only among the freshly made" in d for d in compare.differences(fresh, committed, tolerances))

    claims = committed / "claims.json"
    claims.write_text(claims.read_text().replace('"observed": 2.0', '"observed": 2.4'))
    assert any("tiny.slope" in d for d in compare.differences(fresh, committed, tolerances))


def test_a_failing_cell_leaves_every_committed_file_and_names_chapter_cell_and_error(tiny, capsys):
    assert run_tiny().error == ""
    before = tiny_project.snapshot(tiny)
    edit_source(tiny, 'claims.check("tiny.slope", slope)', 'raise RuntimeError("it broke")')
    outcome = run_tiny()
    execute.report(outcome)
    screen = capsys.readouterr().err
    assert "'tiny'" in screen and "code cell 4" in screen and "RuntimeError: it broke" in screen
    assert len(screen.splitlines()) < 24
    assert tiny_project.snapshot(tiny) == before
    partial = nbformat.read(tiny / "_build/failed/tiny.ipynb", as_version=4)
    assert any(o.output_type == "error" for c in partial.cells if c.cell_type == "code" for o in c.outputs)


def test_a_missed_claim_stops_the_run_with_its_numbers(tiny):
    outcome = run_tiny(given=[("slope", "3.5")])
    assert "tiny.slope misses its bound. slope: 3.5, bound 1.5 … 2.5" in outcome.error
    assert tiny_project.snapshot(tiny) == {}


def test_output_on_stderr_is_refused(tiny):
    edit_source(
        tiny,
        'claims.check("tiny.slope", slope)',
        'claims.check("tiny.slope", slope); import warnings; warnings.warn("hm")',
    )
    assert "wrote to stderr" in run_tiny().error


def test_parameterised_runs_go_below_build_and_leave_the_committed_files(tiny):
    assert run_tiny().error == ""
    before = tiny_project.snapshot(tiny)
    outcome = run_tiny(given=[("slope", "2.25"), ("seed", "7")])
    assert outcome.error == ""
    assert outcome.notebook.relative_to(tiny).parts[:3] == ("_build", "runs", "tiny")
    assert json.loads((outcome.notebook.parent / "results/claims.json").read_text())["tiny.slope"]["seed"] == 7
    assert tiny_project.snapshot(tiny) == before


def test_smoke_profile_runs_without_judging(tiny):
    outcome = run_tiny(profile="smoke", given=[("slope", "9.0")])
    assert outcome.error == ""
    text = outcome.notebook.read_text()
    assert "not judged" in text and "✓ tiny.slope" not in text


@pytest.mark.parametrize("whole_group", [True, False])
def test_a_killed_run_changes_nothing_and_the_next_one_completes(tiny, whole_group):
    assert run_tiny().error == ""
    before = tiny_project.snapshot(tiny)
    edit_source(tiny, "slope * x)", "3 * x)")
    edit_source(tiny, "x = np.arange", "import time; time.sleep(3)\nx = np.arange")
    command = [sys.executable, "-m", "offconvex.book.command_line", "execute", "tiny"]
    process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
    notebook = tiny / "_build/execute/tiny/notebook.ipynb"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (notebook.exists() and '"execution_count": 2' in notebook.read_text()):
        time.sleep(0.1)
    # The command dies alone when a machine runs out of memory.
    killing.kill_command(process, whole_group=whole_group)
    assert tiny_project.snapshot(tiny) == before
    edit_source(tiny, "import time; time.sleep(3)\n", "")
    edit_source(tiny, "3 * x)", "slope * x)")
    assert run_tiny().error == ""
    assert tiny_project.snapshot(tiny) == before


@pytest.mark.parametrize("moved", [0, 1, 2, 3, 4])
def test_an_installation_interrupted_after_any_file_is_completed_later(tiny, moved, monkeypatch):
    staged = tiny / "_build/execute/tiny"
    (staged / "results").mkdir(parents=True)
    for name in ("claims.json", "fig-a.pdf"):
        (staged / "results" / name).write_text("new")
    (staged / "notebook.ipynb").write_text("new")
    committed = tiny / "book/results/tiny"
    committed.mkdir(parents=True)
    for name in ("claims.json", "fig-a.pdf", "fig-gone.pdf", "stored-sweep.npz"):
        (committed / name).write_text("old")

    move, done = files.move, []

    def interrupted(source, target):
        if len(done) == moved + 1:  # the first rename makes the run count
            raise KeyboardInterrupt
        done.append(target)
        return move(source, target)

    monkeypatch.setattr(files, "move", interrupted)
    if moved < 4:
        with pytest.raises(KeyboardInterrupt):
            install.install(staged, "tiny")
    else:
        install.install(staged, "tiny")
    monkeypatch.setattr(files, "move", move)
    install.finish_all()
    kept = {file.name: file.read_text() for file in committed.iterdir()}
    digests = json.loads(kept.pop("checksums.json"))
    assert set(digests) == {"claims.json", "fig-a.pdf", "notebook", "stored-sweep.npz"}
    assert checksums.faults("tiny") == []
    assert kept == {
        "claims.json": "new",
        "fig-a.pdf": "new",
        "stored-sweep.npz": "old",
    }
    assert chapters.notebook_path("tiny").read_text() == "new"
    assert not (install.ready_folder() / "tiny").exists()


def test_one_chapter_is_executed_by_one_process_at_a_time(tiny):
    folder = tiny / "_build/execute/tiny"
    with execute._only_one(folder) as first:
        assert first
        assert "another process" in run_tiny().error


def test_runs_with_different_parameters_have_different_plain_folder_names(tiny):
    values = ["2.0", "[1, 2]", "[[1], [2]]", "x" * 200, "x" * 201, "../up"]
    labels = [execute._label("smoke", [("slope", value)], "cpu") for value in values]
    assert labels[0] == "smoke,slope=2.0,device=cpu"
    assert len(set(labels)) == len(values)
    assert all(len(label) < 100 and "/" not in label and " " not in label for label in labels)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tiney"], ["unknown chapter 'tiney'", "did you mean 'tiny'?"]),
        (["tiny", "-p", "slop", "3"], ["no parameter 'slop'", "did you mean 'slope'?", "slope"]),
        (["tiny", "-p", "size", "many"], ["'size' takes an integer", "'many'"]),
        (["tiny", "-p", "size", "2.5"], ["'size' takes an integer", "'2.5'"]),
        (["tiny", "-p", "slope", "[1]"], ["'slope' takes a number"]),
        (["tiny", "--profile", "papers"], ["no profile 'papers'", "smoke"]),
        (["tiny", "-p", "profile", "smoke"], ["--profile smoke", "sizes"]),
        (["tiny", "-p", "device", "tpu"], ["`device` must be", "'tpu'"]),
    ],
)
def test_bad_input_is_one_sentence_before_anything_runs(tiny, capsys, arguments, words):
    assert main(["execute", *arguments]) == 2
    message = capsys.readouterr().err
    assert len(message.splitlines()) == 1
    for word in words:
        assert word in message
    assert not (tiny / "_build").exists()


def test_the_command_offers_the_devices_of_the_runtime():
    assert command_line.DEVICES == runtime.DEVICES


def test_an_integer_is_a_number_and_a_notebook_says_how_to_get_the_package(tiny):
    notebook = convert.to_notebook("tiny")
    defaults = chapters.default_parameters(notebook)
    assert chapters.read_parameters("tiny", defaults, [("slope", "3")]) == {"slope": 3.0}
    assert "pip install" in notebook.cells[0].source and notebook.cells[0].metadata.tags == ["remove-cell"]
    (tiny / "_config.yml").write_text("repository:\n  url: https://example.org/book/\n")
    assert "git+https://example.org/book@v" in convert.to_notebook("tiny").cells[0].source


def test_cell_ids_come_from_content_not_position(tiny):
    before = {cell.source: cell.id for cell in convert.to_notebook("tiny").cells}
    edit_source(
        tiny, "Parameters first.", "A new paragraph.\n\n```{code-cell} ipython3\n1 + 1;\n```\n\nParameters first."
    )
    after = {cell.source: cell.id for cell in convert.to_notebook("tiny").cells}
    assert all(after[source] == id for source, id in before.items() if source in after)
    assert len(after) == len(before) + 2


MODEL_CELL = """
The model.

```{code-cell} ipython3
:tags: [model]

import numpy as np
print(np.arange(3) * 2)
```

Draw and check."""


def test_a_model_cell_is_executed_alone(tiny, capsys):
    assert run_tiny().error == ""
    path, version = tiny / "book/chapters/tiny.ipynb", code.version("tiny")
    edit_source(tiny, "Draw and check.", MODEL_CELL)
    assert main(["retell", "tiny"]) == 0
    retold = path.read_bytes()
    assert b"[0 2 4]" in retold and checksums.faults("tiny") == []
    assert code.version("tiny") == version  # it decides no number
    assert run_tiny().error == "" and path.read_bytes() == retold
    edit_source(tiny, "* 2)", "* 3)")
    assert main(["retell", "tiny"]) == 0 and b"[0 3 6]" in path.read_bytes()
    retold = path.read_bytes()
    edit_source(tiny, "* 3)", "* three)")
    capsys.readouterr()
    assert main(["retell", "tiny"]) == 2 and path.read_bytes() == retold
    assert "the model cell failed: NameError" in capsys.readouterr().err


def test_changed_text_is_taken_over_and_changed_code_is_not(tiny, capsys):
    assert run_tiny().error == ""
    path = tiny / "book/chapters/tiny.ipynb"
    assert main(["retell"]) == 0 and capsys.readouterr().out == ""
    before = nbformat.read(path, as_version=4)
    edit_source(tiny, "The slope is judged.", "Now the slope is judged.")
    edit_source(tiny, "The line is straight.", "The line is as straight as a line can be.")
    assert main(["retell", "tiny"]) == 0
    assert capsys.readouterr().out == "tiny: text taken over\n"
    after = nbformat.read(path, as_version=4)
    assert [cell.get("outputs") for cell in after.cells] == [cell.get("outputs") for cell in before.cells]
    assert checksums.faults("tiny") == []
    assert "Now the slope is judged." in [cell.source for cell in after.cells]
    assert run_tiny().error == ""
    assert nbformat.read(path, as_version=4) == after

    kept = path.read_bytes()
    edit_source(tiny, "slope * x)", "slope * x + 0)")
    assert main(["retell", "tiny"]) == 2
    assert "the code of tiny changed, and its outputs with it; run `offconvex execute tiny`" in capsys.readouterr().err
    assert path.read_bytes() == kept
    path.unlink()
    assert main(["retell", "tiny"]) == 2
    assert "tiny was never executed" in capsys.readouterr().err
