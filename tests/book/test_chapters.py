"""The committed chapters: in step with their sources, executed, shaped, claimed and described as the book promises."""

import copy
import json
import re

import chapter_checks as checks
import nbformat
import pytest

from offconvex import claims, paths
from offconvex.book import repository
from offconvex.book.execution import chapters, checksums, compare, convert, sweep
from offconvex.book.reading import openings, sentences

ROOT = paths.project_root()
CHAPTERS = chapters.names()


def committed(chapter):
    return nbformat.read(chapters.notebook_path(chapter), as_version=4)


def stored_claims(chapter):
    return json.loads((paths.committed_results(chapter) / "claims.json").read_text())


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_notebook_is_in_step_with_its_source(chapter):
    assert checks.step_faults(committed(chapter), convert.to_notebook(chapter)) == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_notebook_was_executed_cleanly(chapter):
    assert convert.faults(committed(chapter)) == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_shape_figures_and_parameters(chapter):
    notebook = committed(chapter)
    assert checks.shape_faults(notebook) == []
    assert checks.model_faults(notebook) == []
    assert checks.figure_faults(notebook) == []
    assert checks.parameter_faults(notebook) == []


def test_every_chapter_has_an_opening_and_the_sentences_of_the_texts_fit_the_book():
    assert openings.faults() == [] and sentences.faults() == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_claims_are_measured_here_and_hold(chapter):
    assert checks.claim_faults(committed(chapter), stored_claims(chapter), claims.load(), chapter) == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_figure_has_its_files_and_no_file_is_left_over(chapter):
    saved = set(checks.saved_figures(committed(chapter)))
    folder = paths.committed_results(chapter)
    assert {file.stem for file in folder.glob("fig-*.pdf")} == saved
    assert {file.stem for pattern in ("fig-*.csv", "fig-*.npz") for file in folder.glob(pattern)} == saved


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_results_and_notebook_come_from_one_execution(chapter):
    """The lines printed by the checks in the notebook are the claims stored beside it."""
    printed = "".join(o.get("text", "") for c in checks.code_cells(committed(chapter)) for o in c.outputs)
    lines = set(re.findall(r"^✓ (\S+)$", printed, flags=re.M))
    assert lines == set(stored_claims(chapter))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_result_was_changed_after_its_execution(chapter):
    assert checksums.faults(chapter) == []
    sweep.load(chapter)  # refuses what its checksum does not vouch for


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_profile_sets_only_what_the_chapter_knows(chapter):
    defaults = chapters.default_parameters(convert.to_notebook(chapter))
    assert chapters.profile_parameters(chapter, "smoke", defaults)["profile"] == "smoke"
    for path in (ROOT / "book/profiles").glob(f"*/{chapter}.yaml"):
        values = chapters.profile_parameters(chapter, path.parent.name, defaults)
        assert all(type(values[name]) in (type(defaults[name]), int) for name in values)


def test_every_claim_is_checked_by_one_chapter_and_every_figure_saved_by_one():
    checked = [id for chapter in CHAPTERS for id in checks.checked_ids(committed(chapter))]
    assert sorted(checked) == sorted(claims.load())
    saved = [id for chapter in CHAPTERS for id in checks.saved_figures(committed(chapter))]
    assert len(saved) == len(set(saved))
    assert set(compare.load_tolerances().figures) <= set(saved)


def test_no_claim_rests_on_a_clock():
    # Another machine, or the same one at another time, would not agree; durations belong to benchmarks.
    quantities = [measure.quantity for claim in claims.load().values() for measure in claim.measures]
    assert [q for q in quantities if re.search(r"\b(milli|micro)?seconds\b", q)] == []


def test_table_of_contents_lists_every_chapter_and_no_other():
    listed = set(re.findall(r"file: book/chapters/(\S+)", (ROOT / "_toc.yml").read_text()))
    assert listed == set(CHAPTERS) == {path.stem for path in (ROOT / "book/chapters").glob("*.ipynb")}


def tracked_files():
    listing = repository.ask(ROOT, "ls-files", "-z")
    if listing is None:
        pytest.skip("not a git checkout, so there is no list of committed files")
    return [ROOT / name for name in listing.decode().split("\0") if name and (ROOT / name).is_file()]


def test_committed_results_stay_small():
    generated = [f for f in tracked_files() if f.is_relative_to(ROOT / "book")]
    assert sum(f.stat().st_size for f in generated) < 60e6
    assert max(f.stat().st_size for f in generated) < 8e6


def test_no_committed_text_names_a_machines_path():
    pattern = re.compile(r"(?<![\w.])/(home|root|Users)/\w|/work/\w|/tmp/\w")
    found = []
    for file in tracked_files():
        if file.suffix in (".py", ".md", ".toml", ".yml", ".yaml", ".json", ".ipynb", ".txt", ".css", ".cff"):
            found += [f"{file.name}: {m.group()}" for m in pattern.finditer(file.read_text(encoding="utf-8"))]
    # The pattern itself and the normaliser's are the only places that may spell such a path.
    assert [f for f in found if not f.startswith(("test_chapters.py", "convert.py", "test_normalise.py"))] == []


# The checks above, shown to fail: each edits a good notebook in one way.


@pytest.fixture
def notebook():
    return copy.deepcopy(committed(CHAPTERS[0]))


def figure_cell(notebook):
    return next(c for c in checks.code_cells(notebook) if "figure" in c.metadata.get("mystnb", {}))


def test_a_removed_execution_is_found(notebook):
    checks.code_cells(notebook)[1].execution_count = None
    assert any("never executed" in fault for fault in convert.faults(notebook))


def test_an_edited_source_is_found(notebook):
    fresh = copy.deepcopy(notebook)
    notebook.cells[2].source += " "
    assert checks.step_faults(notebook, fresh)


def test_a_missing_alt_text_or_caption_is_found(notebook):
    del figure_cell(notebook).metadata["mystnb"]["image"]["alt"]
    assert any("alt text" in fault for fault in checks.figure_faults(notebook))
    del figure_cell(notebook).metadata["mystnb"]["figure"]
    assert any("without caption" in fault for fault in checks.figure_faults(notebook))


def test_an_unknown_unmeasured_or_loosened_claim_is_found(notebook):
    chapter, registry = CHAPTERS[0], claims.load()
    stored = stored_claims(chapter)
    id = checks.checked_ids(notebook)[0]
    renamed = copy.deepcopy(notebook)
    for cell in checks.code_cells(renamed):
        cell.source = cell.source.replace(f'"{id}"', '"no.such-claim"')
    assert any("no.such-claim" in fault for fault in checks.claim_faults(renamed, stored, registry, chapter))
    missing = {k: v for k, v in stored.items() if k != id}
    assert any("no measured value" in fault for fault in checks.claim_faults(notebook, missing, registry, chapter))
    loosened = stored | {id: stored[id] | {"bound": "≤ 1e+09"}}
    assert any("claims.toml changed" in fault for fault in checks.claim_faults(notebook, loosened, registry, chapter))
    failed = stored | {id: stored[id] | {"holds": False}}
    assert any("does not hold" in fault for fault in checks.claim_faults(notebook, failed, registry, chapter))
