"""Whether the seeds of a sweep say something about a claim."""

import pytest
import small_book

from offconvex import claims
from offconvex.book.reading import seeds

MEASURES = (claims.Measure("a", "first", None, 1.0), claims.Measure("b", "second", 0.0, None))


def claim(scale="reduced"):
    return claims.Claim("one.holds", "one", "claim", "It holds.", "nobody", scale, "", "it does", MEASURES)


def records(*observed):
    return [{"claims": {"one.holds": {"observed": values}}} for values in observed]


SAME = records({"a": 0.5, "b": 2.0}, {"a": 0.5, "b": 2.0})
OTHER = records({"a": 0.5, "b": 2.0}, {"a": 0.5, "b": 3.0})


def test_measures_that_differ_between_seeds():
    assert seeds.values(claim(), OTHER) == {"a": [0.5, 0.5], "b": [2.0, 3.0]}
    assert seeds.varying(claim(), OTHER) == {"b"}
    assert seeds.varying(claim(), SAME) == set()


def test_a_seed_that_did_not_measure_the_claim_says_nothing():
    assert seeds.varying(claim(), [*SAME, {"claims": {}}, {"claims": {"one.holds": {}}}]) == set()
    assert seeds.values(claim(), [{"claims": {}}]) == {"a": [], "b": []}


@pytest.fixture
def root(tmp_path):
    return small_book.make(tmp_path / "small")


def test_what_stands_behind_a_claim_and_its_measures(root):
    assert seeds.basis(claim(), [], root) == seeds.basis(claim(), [], root, measure="b") == ""
    assert seeds.basis(claim(), OTHER, root) == seeds.basis(claim("exact"), OTHER, root) == "seeds"
    assert seeds.basis(claim(), OTHER, root, measure="b") == "seeds"
    assert seeds.basis(claim(), OTHER, root, measure="a") == seeds.basis(claim(), SAME, root) == "exact"
    (root / "book/results/one/stored-long.npz").write_bytes(b"")
    assert seeds.basis(claim(), SAME, root) == seeds.basis(claim(), OTHER, root, measure="a") == "stored"
    assert seeds.basis(claim("exact"), SAME, root) == "exact"
