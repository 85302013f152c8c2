"""Whether the seeds of a sweep say something about a claim."""

import nbformat
import pytest
import small_book

from offconvex import claims
from offconvex.book.reading import seeds, stored

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
    cells = [
        "from offconvex import claims",
        "kept = LONG.load()",
        'claims.check("one.holds", {"a": kept.loss.max(), "b": 2.0})',
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, root / "book/chapters/one.ipynb")
    assert seeds.basis(claim(), SAME, root) == seeds.basis(claim(), OTHER, root, measure="a") == "stored"
    assert seeds.basis(claim(), SAME, root, measure="b") == "exact"


@pytest.mark.parametrize(
    ("code", "rest"),
    [
        ("check = A.load().loss", {"a"}),
        ("kept, other = A.load(), 1\ncheck = kept.loss", {"a"}),
        ("kept, other = A.load(), 1\ncheck = other", set()),
        ("kept = A.load()\nkept = 2\ncheck = kept", set()),
        ("kept = A.load()\nfor n, k in kept:\n    check = max(k)", {"a"}),
        ("kept = A.load()\nworst = []\nfor n in (1, 2):\n    worst.append(kept[n])\ncheck = max(worst)", {"a"}),
        ("kept = A.load()\nworst = {}\nworst['x'] = kept.loss\ncheck = worst", {"a"}),
        ("kept = A.load()\nshown = [n for n in kept]\ncheck = max(n for n in (1, 2))", set()),
        ("kept = A.load()\nn = 1\nshown = [n for n in kept]\ncheck = n", set()),
        ("total = 0\nfor k in A.load():\n    total += k\ncheck = total", {"a"}),
    ],
)
def test_what_is_loaded_is_followed_to_the_check(code, rest):
    named = "from offconvex.claims import check as judge"
    assert stored.measures([named, code, 'judge("one.holds", {"a": check, "b": 3})']) == {"one.holds": rest}
    whole = {stored.ALL} if rest else set()
    assert stored.measures([named, code, 'judge("one.holds", check)']) == {"one.holds": whole}


def test_the_entries_of_a_dict_are_told_apart():
    lines = ["kept, own = A.load(), 1", "m = {'a': own, 'b': kept.loss}", "m['c'], m['d'] = own, kept.time"]
    judged = "from offconvex import claims\nclaims.check('one.holds', m)"
    assert stored.measures([*lines, judged]) == {"one.holds": {"b", "d"}}
    assert stored.measures([*lines, "m = {'a': own}", judged]) == {"one.holds": set()}
    assert stored.measures([*lines, "m = summary(kept)", judged]) == {"one.holds": {stored.ALL}}
