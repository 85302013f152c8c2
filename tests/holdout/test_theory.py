"""Closed forms against enumeration and simulation, bounds on both sides."""

import itertools

import numpy as np
import pytest
from scipy.stats import binom

from offconvex import rng
from offconvex.holdout import simulate, theory
from offconvex.holdout.razor import theory as razor_theory


def enumerated_vote(size: int, queries: int, flip: bool) -> float:
    """Expected loss of the vote over all submissions, the labels all ones, by brute force."""
    vectors = np.array(list(itertools.product((0, 1), repeat=size)))
    good = vectors.sum(1) >= size / 2
    total = 0.0
    for choice in itertools.product(range(len(vectors)), repeat=queries):
        chosen, keep = vectors[list(choice)], good[list(choice)]
        voters = np.where(keep[:, None], chosen, 1 - chosen) if flip else chosen[keep]
        sums = 2 * voters.sum(0)
        total += np.mean((sums < len(voters)) + 0.5 * (sums == len(voters)))
    return total / len(vectors) ** queries


@pytest.mark.parametrize(("size", "queries"), [(2, 1), (2, 3), (3, 2), (3, 3), (4, 2)])
@pytest.mark.parametrize("flip", [False, True])
def test_vote_loss_is_the_enumerated_one(size, queries, flip):
    assert theory.vote_loss(queries, size, flip=flip) == pytest.approx(enumerated_vote(size, queries, flip), abs=1e-12)


def test_vote_loss_has_its_limits():
    assert theory.vote_loss(400, 4000, noise=1e3) == pytest.approx(0.5, abs=1e-4)
    assert theory.vote_loss(400, 4000, noise=1e-6) == pytest.approx(
        theory.vote_loss(400, 4000, digits=5), abs=2e-3
    )  # submissions that are exactly half right are kept half of the time only
    assert theory.vote_loss(400, 4000, digits=2) > theory.vote_loss(400, 4000)
    gap = 0.5 - theory.vote_loss_normal(np.array([1e-4, 1e-2]), 1)
    assert gap[1] / gap[0] == pytest.approx(10, rel=0.01)
    assert gap[0] == pytest.approx(0.01 / (np.pi * np.sqrt(2)), rel=1e-4)


def test_luckiest_gap_is_the_enumerated_expectation():
    weights = binom.pmf(np.arange(4), 3, 0.3)
    least = sum(weights[list(c)].prod() * min(c) for c in itertools.product(range(4), repeat=3))
    assert theory.luckiest_gap(np.array([3]), 3, 0.3)[0] == pytest.approx(0.3 - least / 3, abs=1e-12)
    assert theory.luckiest_gap(np.array([1]), 50, 0.3)[0] == pytest.approx(0, abs=1e-12)


def test_luckiest_gaps_agree_with_the_formula_and_refuse_uneven_groups():
    mean, error = simulate.luckiest_gaps((10, 1000), 400, 200_000, 3)
    assert np.all(np.abs(mean - theory.luckiest_gap(np.array([10, 1000]), 400)) < 5 * error)
    with pytest.raises(ValueError, match="divide"):
        simulate.luckiest_gaps((3,), 400, 100, 0)


def test_ladder_guarantee_counts_falling_sequences():
    # Three queries, step 1/2: values none, 1, 1/2, 0 and their rounding's edge; sequences of length 0, 1 and 2.
    levels = 4
    sequences = sum(
        1 for length in range(3) for s in itertools.product(range(levels), repeat=length) if list(s) == sorted(s)
    )
    expected = 0.5 + np.sqrt(np.log(2 * sequences / 0.05) / (2 * 100))
    assert theory.ladder_guarantee(3, 100, 0.5, 0.05) == pytest.approx(expected, rel=1e-12)
    best = theory.best_step(1000, 4000, 0.05)
    assert all(
        theory.ladder_guarantee(1000, 4000, best, 0.05) <= theory.ladder_guarantee(1000, 4000, 1 / k, 0.05)
        for k in (2, 10, 50, 150)
    )


def test_changes_guarantee_grows_with_changes():
    values = theory.changes_guarantee(1000, 4000, np.arange(6), 0.05)
    assert np.all(np.diff(values) > 0)
    one = np.log(2 * 2 * 1000 / 0.05)  # no change so far: one classifier for each time
    assert values[0] == pytest.approx(1 / np.sqrt(3999) + np.sqrt(one / 8000), rel=1e-12)


@pytest.mark.parametrize("inequality", razor_theory.INEQUALITIES)
def test_a_bound_solves_its_own_equation(inequality):
    bits, error, size = 300.0, 0.1, 10_000
    p = razor_theory.true_error_bound(bits, error, size, inequality=inequality)
    budget = bits * np.log(2) + np.log(20)
    kl = error * np.log(error / p) + (1 - error) * np.log((1 - error) / (1 - p))
    spent = {
        "okamoto": size * (p - error) ** 2 / (2 * p * (1 - p)),
        "hoeffding": 2 * size * (p - error) ** 2,
        "kl": size * kl,
        "binomial": -binom.logcdf(1000, size, p),
    }[inequality]
    assert spent == pytest.approx(budget, rel=1e-9)


def test_gaps_of_arrays_are_the_gaps_one_by_one():
    many = razor_theory.gap(np.array([10, 300]), np.array([[0.1], [0.2]]), 500, delta=0.01, inequality="kl")
    one = razor_theory.gap(300, 0.2, 500, delta=0.01, inequality="kl")
    assert many.shape == (2, 2) and isinstance(one, float) and many[1, 1] == one
    assert one == razor_theory.true_error_bound(300, 0.2, 500, delta=0.01, inequality="kl") - 0.2
    assert theory.vote_losses((10, 20), 50, flip=True)[1] == theory.vote_loss(20, 50, flip=True)


def test_the_exact_tail_holds_where_a_double_underflows():
    assert razor_theory.log_tail(3, 20, 0.4) == pytest.approx(binom.logcdf(3, 20, 0.4), rel=1e-12)
    far = razor_theory.log_tail(10, 10_000, 0.5)
    assert np.isfinite(far) and far < -6000


@pytest.mark.parametrize("error", [0.0, 0.05, 0.3, 0.45, 0.9])
@pytest.mark.parametrize("bits", [0, 50, 500, 5000])
def test_bounds_are_ordered_and_rise_with_bits(error, bits):
    values = {
        name: razor_theory.true_error_bound(bits, error, 2000, inequality=name) for name in razor_theory.INEQUALITIES
    }
    assert error <= values["binomial"] <= values["kl"] + 1e-9 <= values["okamoto"] + 2e-9 <= values["hoeffding"] + 3e-9
    assert all(
        razor_theory.true_error_bound(bits + 10, error, 2000, inequality=name) >= value
        for name, value in values.items()
    )


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((-1, 0.1, 100), "bits"),
        ((10, 4.49, 100), "4.49 %"),
        ((10, 0.1, 0), "whole number"),
        ((10, 0.1, 1.5), "whole number"),
    ],
)
def test_bad_numbers_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        razor_theory.true_error_bound(*arguments)


def test_bad_delta_and_inequality_are_refused():
    with pytest.raises(ValueError, match="delta"):
        razor_theory.true_error_bound(10, 0.1, 100, delta=0)
    with pytest.raises(ValueError, match="okamoto, kl"):
        razor_theory.true_error_bound(10, 0.1, 100, inequality="chernoff")


def test_the_least_of_many_has_the_right_quantiles():
    draws = rng.numpy_generator(0, "least")
    direct = draws.binomial(200, 0.1, size=(4000, 64)).min(1)
    by_table = razor_theory.smallest_of(64, 200, 0.1, draws.random(4000))
    spread = np.sqrt(direct.var() / 2000)
    assert abs(direct.mean() - by_table.mean()) < 5 * spread
    assert razor_theory.smallest_of(1, 3, 0.5, np.array([0.1, 0.3, 0.6, 0.9])).tolist() == [0, 1, 2, 3]


def test_the_adversary_breaks_what_is_not_charged():
    found = simulate.adversary((4, 8), 300, 0.1, 0.05, 2000, 0)
    assert found["binomial broken"].max() < 0.05 + 5 * 0.005
    assert found["uncorrected broken"][1] > 0.9
    assert np.all(found["binomial ratio"] > 1) and np.all(found["hoeffding ratio"] > found["okamoto ratio"])
