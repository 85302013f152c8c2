"""No address on the interface pages is lost when a name moves."""

import pytest

from offconvex import paths
from offconvex.book.publication import api, moved


def published_names():
    """Names that had a place on the interface pages before the package had sub-rooms."""
    file = paths.require_project_root() / "tests/book/interface_names.txt"
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    split = (line.split(": ") for line in lines)
    return [name for module, names in split for name in (module, *(f"{module}.{n}" for n in names.split()))]


def test_every_old_name_is_there_or_leads_to_one_that_is():
    names = published_names()
    assert len(names) == 1672
    known = api.places().keys() | moved.targets(moved.read()).keys()
    assert [name for name in names if name not in known] == [], "give each a line in book/moved.toml"


def test_every_line_is_needed_and_leads_somewhere():
    lines, names = moved.read(), published_names()
    assert [new for new in lines.values() if new not in api.places()] == []
    assert [old for old in lines if old not in names] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("offconvex.factorizations.tensor_laws", "offconvex.factorizations.tensor.laws"),
        ("offconvex.factorizations.matrix.end_to_end", "offconvex.factorizations.matrix.model.end_to_end"),
        ("offconvex.book.catalog.Figure", "offconvex.book.publication.catalog.Figure"),
    ],
)
def test_a_line_of_a_module_holds_for_what_is_inside(old, new):
    assert moved.targets(moved.read())[old] == new


def test_a_longer_name_goes_first_and_a_name_of_today_stays_itself():
    lines = {
        "offconvex.old": "offconvex.rng",
        "offconvex.old.generator": "offconvex.rng.stream_seed",
        "offconvex.flow.flow": "offconvex.descent.descend",
    }
    assert moved.targets(lines) == {
        "offconvex.old": "offconvex.rng",
        "offconvex.old.generator": "offconvex.rng.stream_seed",
        "offconvex.old.stream_seed": "offconvex.rng.stream_seed",
        "offconvex.old.numpy_generator": "offconvex.rng.numpy_generator",
    }
    assert moved.part_of("offconvex.old.generator") == "instruments"


def test_a_line_of_a_module_that_went_to_another_part_holds_for_it_alone():
    lines = {"offconvex.sampling.old": "offconvex.rng", "offconvex.sampling.old.seed": "offconvex.rng.stream_seed"}
    assert moved.targets(lines) == lines
