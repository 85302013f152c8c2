"""Margins, certificates and decayed weights of the five rules, against linear programs and box-constrained minima."""

import numpy as np
import pytest
import scipy.optimize

from offconvex.bias import certificate
from offconvex.bias.steepest import margins, radius, rules, theory
from offconvex.bias.steepest.model import SeparableData

DATA = SeparableData(rows=4, columns=5, examples=8, laws=("gaussian", "uniform"))
RACE = margins.MarginRace(steps=4000, looks=12)


@pytest.fixture(scope="module")
def raced():
    data = DATA.draw(7)
    return data, margins.race(RACE, data)


@pytest.fixture(scope="module")
def found(raced):
    return margins.table(RACE, *raced)


def best_margin(name, data):
    """Largest smallest margin of weights of norm one, by a linear program; for max entry and for sum of entries."""
    count, size = len(data), data[0].size
    flat, cost = data.reshape(count, size), np.r_[np.zeros(2 * size), -1.0]
    rows, right, upper = np.c_[-flat, flat, np.ones(count)], np.zeros(count), 1.0
    if name == "sum":
        rows, right, upper = np.r_[rows, [np.r_[np.ones(2 * size), 0.0]]], np.r_[right, 1.0], None
    return -scipy.optimize.linprog(cost, rows, right, bounds=[(0, upper)] * (2 * size) + [(None, None)]).fun


@pytest.mark.parametrize("name", ["max", "sum"])
def test_margin_and_certificate_enclose_the_linear_program(name, raced, found):
    data, course = raced
    place = certificate.NORMS.index(name)
    for number, one in enumerate(data):
        best = best_margin(name, one)
        assert found.own[place, number] * found.bounds[place, number] <= best * (1 + 1e-9)
        assert found.bounds[place, number] >= best * (1 - 1e-9)
        assert found.bounds[place, number] <= 1.02 * best


def test_table_is_that_of_single_runs(raced, found):
    data, course = raced
    for row, name in enumerate(certificate.NORMS):
        for column, other in enumerate(certificate.NORMS):
            end = course.weights[-1, row]
            reached = certificate.margins(data, end).min(axis=-1) / certificate.norm(other, end)
            assert np.allclose(found.shares[row, column] * found.bounds[column], reached)
        one = margins.certificate_of(name, data, course, (row,))
        assert np.allclose(one.share, found.own[row])
    means = [found.shares[row, column].mean() for row in range(5) for column in range(5) if row != column]
    assert found.others == pytest.approx(max(means)) and found.others < found.own.mean(axis=-1).min()


def test_each_rule_is_best_in_its_own_norm(found):
    assert found.own.min() > 0.94
    for place in range(5):
        assert np.all(found.own[place] > np.delete(found.shares[:, place], place, axis=0).max(axis=0))


def test_gradient_descent_is_the_row_of_frobenius(raced, found):
    data, _ = raced
    flat = data[0].reshape(8, -1)
    answer = scipy.optimize.minimize(
        lambda w: (w @ w / 2, w),
        np.linalg.lstsq(flat, np.ones(8))[0],
        jac=True,
        constraints={"type": "ineq", "fun": lambda w: flat @ w - 1, "jac": lambda w: flat},
        method="SLSQP",
        options={"ftol": 1e-13},
    ).x
    end = margins.gradient_descent(data, 20_000)[0].ravel()
    assert end @ answer / np.linalg.norm(end) / np.linalg.norm(answer) > 0.9995
    assert np.abs(found.descent - found.shares[0]).max() < 0.03


def test_bracket_closes_within_its_guarantee(raced):
    data, course = raced
    seen = margins.bracket(RACE, data, course)
    assert 0.05 < seen.used.max() <= 1
    assert np.all(seen.mean_bound[-1] - seen.margin[-1] <= seen.guarantee[-1])
    assert np.all(np.diff(seen.bound, axis=0) <= 0)
    assert np.all(seen.margin <= seen.bound[-1] * (1 + 1e-12))
    assert np.all((seen.bound - seen.margin)[-1] < 0.3 * (seen.bound - seen.margin)[2])


def test_units_of_steps_are_dual_norms():
    data = DATA.draw(1)
    for place, name in enumerate(certificate.NORMS):
        sizes = certificate.dual_norm(name, data)
        assert np.allclose(margins.largest_dual(data)[place], sizes.max(axis=1))
        assert np.allclose(margins.step_scale(data)[place] * sizes.mean(axis=1), 1)


def test_gap_of_the_ball_vanishes_at_its_minimum_only():
    # One example X: the minimum of -<W, X> in the ball of radius 2 is at 2 D, D the direction of X.
    one = np.random.default_rng(0).standard_normal((6, 3, 4))
    for name in certificate.NORMS:
        dual = certificate.dual_norm(name, one)
        reached = np.sum(one * 2 * rules.direction(name, one), axis=(-2, -1))
        assert np.allclose(theory.ball_gap(dual, reached, 0.5), 0, atol=1e-12)
        # Half way it is what is missing, since the logarithm of this loss is linear.
        assert np.allclose(theory.ball_gap(dual, reached / 2, 0.5), reached / 2)


def test_guarantee_is_tight_for_one_example():
    # One example: the margin is sum eta times L exactly, and p is one. The first term is zero, the second is slack.
    lengths = np.array([0.5, 0.25])
    assert np.allclose(theory.guaranteed_gap(lengths, 2.0, 1), 2 * np.array([0.25, 0.3125]) / [0.5, 0.75])
    assert np.allclose(theory.guaranteed_gap(lengths, 0.0, 3), np.log(3) / np.array([0.5, 0.75]))


def test_ball_radius_is_the_recursion_and_is_attained():
    lengths, size = 0.2 / np.arange(1, 30), 0.0
    data = np.ones((1, 1, 1, 1))
    course = rules.follow(data, np.sign, lengths, decay=0.7, keep=list(range(1, 30)))
    for place, length in enumerate(lengths):
        size = (1 - length * 0.7) * size + length
        assert theory.ball_radius(lengths, 0.7)[place] == pytest.approx(size, rel=1e-12)
        assert course.weights[place, 0, 0, 0] == pytest.approx(size, rel=1e-12)
    assert np.allclose(theory.ball_radius(lengths, 0.0, 1.2), 1.2 * np.cumsum(lengths))
    assert np.all(theory.ball_radius(np.full(4000, 0.1), 0.7, 1.2) <= 1.2 / 0.7)


@pytest.mark.parametrize("name", certificate.NORMS)
def test_decayed_weights_end_on_the_sphere(name):
    config = radius.DecayedRun(decays=(0.5, 3.0), steps=2000)
    seen = radius.decayed(config, name, DATA.draw(3))
    assert seen.radius.shape == (len(seen.steps), 2, 2)
    assert np.abs(seen.radius[-1] - 1).max() < 1e-3
    assert np.all(seen.radius <= seen.limit[:, None, None] + 1e-12)
    assert seen.gap.min() > -1e-12


def test_decay_minimizes_the_loss_in_the_ball():
    # The ball of the largest entry is a box.
    data, decay = DATA.draw(3), 0.5
    seen = radius.decayed(radius.DecayedRun(decays=(decay,)), "max", data)
    lengths = radius.DecayedRun().parts / decay
    course = rules.follow(data, np.sign, lengths, decay=decay)
    for place, one in enumerate(data):
        flat = one.reshape(8, -1)

        def objective(w, flat=flat):
            z = -(flat @ w)
            return np.logaddexp.reduce(z), -certificate.loss_weights(-z) @ flat

        best = scipy.optimize.minimize(
            objective, np.zeros(20), jac=True, bounds=[(-1 / decay, 1 / decay)] * 20, options={"ftol": 1e-15}
        ).fun
        excess = objective(course.weights[-1, place].ravel())[0] - best
        assert -1e-8 <= excess <= seen.gap[0, place] + 1e-9
        assert seen.gap[0, place] < 0.1


def test_another_rule_ends_elsewhere():
    data = DATA.draw(3)
    seen = radius.decayed(radius.DecayedRun(), "max", data, lambda gradient: rules.direction("frobenius", gradient))
    assert seen.radius[-1].max() < 0.8
    assert seen.gap.min() > 0.1


def test_examples_that_cannot_be_separated_are_named():
    data = DATA.draw(0)
    data[:, 1] = -data[:, 0]
    course = margins.race(RACE, data)
    with pytest.raises(ValueError, match="not separable"):
        margins.table(RACE, data, course)


def test_bad_input_gets_a_sentence():
    course = rules.follow(DATA.draw(0), np.sign, np.full(200, 0.05))
    with pytest.raises(ValueError, match=r"keep=\[100\]"):
        margins.certificate_of("max", DATA.draw(0), course)
    with pytest.raises(ValueError, match="needs 20 steps or more"):
        margins.MarginRace(steps=3)
    with pytest.raises(ValueError, match="positive first step"):
        margins.MarginRace(first=0.0)
    for decays in ((), (0.0,), (1.0, np.inf), (np.nan,)):
        with pytest.raises(ValueError, match="finite positive decays"):
            radius.DecayedRun(decays=decays)
    with pytest.raises(ValueError, match="a tail in"):
        radius.DecayedRun(tail=1.0)
