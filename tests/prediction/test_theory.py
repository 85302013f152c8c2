"""Rank correlation, score and birthday formulas against enumeration, SciPy and simulation."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from offconvex import rng
from offconvex.prediction import theory

DRAWS = rng.numpy_generator(0, "test", "theory")


@pytest.mark.parametrize("ties", [False, True])
def test_tau_is_scipys(ties):
    for _ in range(20):
        x, y = DRAWS.normal(size=(2, 17))
        if ties:
            x, y = np.round(x), np.round(y)
        assert theory.kendall(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)


def test_tau_within_strata_counts_pairs_inside_only():
    x, y = DRAWS.normal(size=(2, 12))
    stratum = np.repeat([0, 1, 2], [3, 4, 5])
    pairs = theory.same_stratum(stratum)
    total, agreed = 0, 0
    for i, j in product(range(12), repeat=2):
        if i < j and stratum[i] == stratum[j]:
            total, agreed = total + 1, agreed + np.sign((x[i] - x[j]) * (y[i] - y[j]))
    assert theory.kendall(x, y, pairs) == pytest.approx(agreed / total, abs=1e-12)
    shifted = x + 100 * stratum
    assert theory.kendall(shifted, y, pairs) == theory.kendall(x, y, pairs)
    assert np.isnan(theory.kendall(stratum, y, pairs))
    both = theory.same_stratum(stratum, np.arange(12) % 2)
    assert both.sum() < pairs.sum() and (both <= pairs).all()


def test_counts_are_repeated_items():
    x, y = DRAWS.normal(size=(2, 8))
    counts = np.array([2, 0, 1, 1, 3, 0, 1, 0])
    rows = np.repeat(np.arange(8), counts)
    assert theory.kendall(x, y, counts=counts) == pytest.approx(
        stats.kendalltau(x[rows], y[rows]).statistic, abs=1e-12
    )  # fmt: skip


def test_information_of_known_tables():
    assert theory.mutual_information(np.eye(2)) == pytest.approx((1, 1))
    assert theory.mutual_information(np.eye(2)[::-1]) == pytest.approx((1, 1))
    assert theory.mutual_information(np.ones((2, 2))) == pytest.approx((0, 1))
    table = np.array([[3, 1], [2, 6]])
    joint = table / table.sum()
    entropy = stats.entropy(joint.sum(1), base=2)
    expected = entropy + stats.entropy(joint.sum(0), base=2) - stats.entropy(joint.ravel(), base=2)
    assert theory.mutual_information(table) == pytest.approx((expected, entropy))


def grid(copies=3):
    a, b, c = (np.array(v) for v in zip(*list(product(range(3), range(2), range(copies)))))
    return {"a": a, "b": b, "c": c}


def test_score_of_extremes():
    settings = grid()
    gap = DRAWS.normal(size=18)
    assert theory.conditional_score(gap, gap, settings) == pytest.approx(100)
    assert theory.conditional_score(gap, -gap, settings) == pytest.approx(100)
    assert theory.conditional_score(gap, np.zeros(18), settings) == pytest.approx(0)
    assert 0 <= theory.conditional_score(gap, DRAWS.normal(size=18), settings) < 100


def test_strata_have_cells_of_their_own():
    """The second half's signs are contrary, which common cells would cancel; pairs across tell nothing at all."""
    settings, gap, complexity = grid(), DRAWS.normal(size=18), DRAWS.normal(size=18)
    two = {name: np.tile(values, 2) for name, values in settings.items()}
    gaps, halves = np.concatenate([gap, gap + 9]), np.repeat([0, 5], 18)
    for first in (gap, complexity):
        signed, alone = np.concatenate([first, -first]), theory.conditional_score(gap, first, settings)
        assert theory.conditional_score(gaps, signed, two, halves) == pytest.approx(alone)
        assert theory.conditional_score(gaps, signed, two) != pytest.approx(alone)


def test_score_sees_nothing_in_a_setting_it_conditions_on():
    settings = grid(1)
    gap = settings["a"] + 0.01 * DRAWS.normal(size=6)
    assert theory.conditional_score(gap, settings["a"].astype(float), settings) < 100
    with pytest.raises(ValueError, match="two hyper-parameters"):
        theory.conditional_score(gap, gap, {"a": settings["a"]})


def test_birthdays():
    assert theory.birthday_chance(23, 365) == pytest.approx(0.5072972, abs=1e-7)
    assert theory.birthday_chance(22, 365) < 0.5 and theory.birthday_size(365) == 23
    assert theory.birthday_chance(366, 365) == 1 and theory.birthday_chance(1, 365) == 0
    assert theory.birthday_chance_approximate(100, 1e5) == pytest.approx(theory.birthday_chance(100, 1e5), rel=1e-3)
    drawn = DRAWS.integers(0, 50, size=(4000, 8))
    share = np.mean([len(set(row)) < 8 for row in drawn])
    exact = theory.birthday_chance(8, 50)
    assert abs(share - exact) < 5 * np.sqrt(exact * (1 - exact) / 4000)


def test_effective_support_of_known_distributions():
    assert theory.effective_support(100 * 99 / 2 / 40, 100) == pytest.approx(40)
    assert theory.effective_support(0, 10) == np.inf
    weights = np.array([0.5, 0.25, 0.25])
    drawn = DRAWS.choice(3, size=3000, p=weights)
    counts = np.bincount(drawn)
    found = theory.effective_support((counts * (counts - 1) / 2).sum(), 3000)
    assert found == pytest.approx(1 / (weights**2).sum(), rel=0.05) and found < 3


def test_error_of_known_images():
    accuracy, total = np.array([0.6, 0.8]), 1000
    right = np.stack([DRAWS.permutation(total) < a * total for a in accuracy])
    errors = []
    for _ in range(4000):
        order = DRAWS.permutation(total)
        errors.append(np.abs(right[:, order[:50]].mean(1) - right[:, order[50:]].mean(1)))
    assert theory.known_images_error(accuracy, np.array([50]), total)[0] == pytest.approx(np.mean(errors), rel=0.05)
