"""How often a measure misses by bad luck is said for every measure that depends on the seed, but for those listed."""

import math

import pytest

from offconvex import claims, paths
from offconvex.book.execution import sweep
from offconvex.book.reading import seeds

LISTED = paths.require_project_root() / "tests/book/without_luck.txt"
"""Measures from before luck was asked for: "claim measure" a line, or the claim alone if it has one measure."""
MOST_LISTED = 224


def line(claim, measure):
    return f"{claim.id} {measure.name}".strip()


def faults(registry, records, listed):
    """What is wrong, one sentence each: `records` by chapter, `listed` the lines of the list."""
    varying, lucky = set(), set()
    for claim in registry.values():
        differing = seeds.varying(claim, records.get(claim.chapter, []))
        varying |= {line(claim, measure) for measure in claim.measures if measure.name in differing}
        lucky |= {line(claim, measure) for measure in claim.measures if measure.luck}
    found = [f"{name}: depends on the seed, and has no luck" for name in sorted(varying - lucky - set(listed))]
    found += [f"{name}: has luck, so it leaves the list" for name in listed if name in lucky]
    gone = "depends on no seed, or is gone, so it leaves the list"
    found += [f"{name}: {gone}" for name in listed if name not in varying]
    found += [f"{name}: is listed twice" for name in sorted(set(listed)) if listed.count(name) > 1]
    for chapter in sorted({claim.chapter for claim in registry.values()}):
        measures = [m for claim in registry.values() if claim.chapter == chapter for m in claim.measures]
        total = math.fsum(measure.luck.chance for measure in measures if measure.luck)
        if total > claims.LARGEST_CHANCE:
            found.append(f"{chapter}: its measures miss by bad luck with probability {total:g}, over 1e-4 together")
    return found


@pytest.fixture(scope="module")
def registry():
    return claims.load()


@pytest.fixture(scope="module")
def records(registry):
    return {chapter: list(sweep.load(chapter).values()) for chapter in {c.chapter for c in registry.values()}}


@pytest.fixture(scope="module")
def listed():
    return LISTED.read_text(encoding="utf-8").splitlines()


def test_luck_is_said(registry, records, listed):
    assert faults(registry, records, listed) == []


def test_the_list_only_shrinks(listed):
    assert len(listed) <= MOST_LISTED and listed == sorted(listed)


# The check above, shown to fail.


def small(*chances, named=True):
    """A claim with one measure for each chance; None is no luck."""
    luck = [None if chance is None else claims.Luck(chance, "a theorem") for chance in chances]
    measures = tuple(claims.Measure(f"m {i}" if named else "", "it", None, 1.0, each) for i, each in enumerate(luck))
    return {"a.b": claims.Claim("a.b", "a", "claim", "It holds.", "nobody", "reduced", "", "it does", measures)}


def drawn(*values):
    return {"a": [{"claims": {"a.b": {"observed": value}}} for value in values]}


def test_a_measure_that_varies_needs_luck_or_its_line():
    registry, records = small(None, None), drawn({"m 0": 1.0, "m 1": 2.0}, {"m 0": 1.5, "m 1": 2.0})
    assert faults(registry, records, []) == ["a.b m 0: depends on the seed, and has no luck"]
    assert faults(registry, records, ["a.b m 0"]) == []
    assert faults(small(0.0, None), records, []) == []
    assert faults(small(None, named=False), drawn(1.0, 2.0), ["a.b"]) == []


def test_a_line_that_is_not_needed_must_go():
    records = drawn({"m 0": 1.0, "m 1": 2.0}, {"m 0": 1.5, "m 1": 2.0})
    assert faults(small(1e-6, None), records, ["a.b m 0"]) == ["a.b m 0: has luck, so it leaves the list"]
    gone = "depends on no seed, or is gone, so it leaves the list"
    for line in ("a.b m 1", "a.b m 2", "a.c"):
        assert faults(small(0.0, None), records, [line]) == [f"{line}: {gone}"]
    assert faults(small(None, None), records, ["a.b m 0"] * 2) == ["a.b m 0: is listed twice"]


def test_a_chapter_has_one_part_in_ten_thousand():
    records = drawn({"m 0": 1.0, "m 1": 2.0})
    assert faults(small(5e-5, 5e-5), records, []) == []
    assert "probability 0.00011, over 1e-4 together" in faults(small(1e-4, 1e-5), records, [])[0]
