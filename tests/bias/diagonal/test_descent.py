"""Descent on u and v against its two lines written out, the law of its sums, and what is refused."""

import numpy as np
import pytest

from offconvex.bias import mirror
from offconvex.bias.diagonal import descent, model
from offconvex.bias.diagonal.descent import StepRule

PROBLEM = model.SparseLaw(8, 14, 2).draw(0, "descent", 3)


def written_out(problem, alpha, count, rate, decay=0.0):
    """Gradient descent on u and v by the chain rule, and the two sums of logarithms, one problem at a time."""
    u, v = np.full(14, alpha), np.full(14, alpha)
    log_plus = log_minus = np.full(14, 2 * np.log(alpha))
    for _ in range(count):
        gradient = problem.X.T @ (problem.X @ (u**2 - v**2) - problem.y) / 8
        a = 2 * rate * gradient
        u, v = u - rate * (2 * u * gradient + decay * u), v - rate * (-2 * v * gradient + decay * v)
        log_plus = log_plus + np.log((1 - a - rate * decay) ** 2) + 2 * a
        log_minus = log_minus + np.log((1 + a - rate * decay) ** 2) - 2 * a
    return u, v, log_plus, log_minus


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_descent_is_the_chain_rule(decay):
    rates = np.array([0.01, 0.02, 0.03])
    place = descent.descend(PROBLEM, StepRule(rates, decay=decay), descent.start(PROBLEM, 0.4), 50)
    assert place.count == 50
    for one in range(3):
        u, v, log_plus, log_minus = written_out(PROBLEM[one], 0.4, 50, rates[one], decay)
        assert np.allclose(place.u[one], u, rtol=1e-12)
        assert np.allclose(place.v[one], v, rtol=1e-12)
        assert np.allclose(place.weights[one], u**2 - v**2, atol=1e-13)
        assert np.allclose(place.log_plus[one], log_plus, rtol=1e-11)
        assert np.allclose(place.log_minus[one], log_minus, rtol=1e-11)
        assert np.allclose(place.log_product[one], (log_plus + log_minus) / 2, rtol=1e-11)


RANDOM = [
    StepRule(0.01, batch=1),
    StepRule(0.02, batch=3),
    StepRule(0.02, noise=0.5),
    StepRule(0.01, batch=2, noise=0.5, decay=0.1),
]


@pytest.mark.parametrize("steps", RANDOM, ids=str)
def test_sums_stay_in_the_row_space_and_fix_the_weights(steps):
    place = descent.descend(PROBLEM, steps, descent.start(PROBLEM, 0.4), 1500, np.random.default_rng(1))
    for one in range(3):
        inside = np.linalg.pinv(PROBLEM.X[one]) @ (PROBLEM.X[one] @ place.s[one])
        assert np.allclose(inside, place.s[one], atol=1e-11)
    fitted = np.einsum("bnd,bd->bn", PROBLEM.X, place.weights)
    anew, _ = mirror.dual(PROBLEM.X, fitted, place.log_plus, place.log_minus)
    assert np.allclose(anew, place.weights, atol=1e-10)
    flowing, _ = mirror.dual(PROBLEM.X, fitted, 2 * np.log(0.4))
    assert np.abs(flowing - place.weights).max() > 1e-4


def test_minibatches_and_noise_have_the_mean_of_the_full_step():
    many = PROBLEM[np.zeros(40_000, dtype=int)]
    at = descent.start(many, 0.4)
    full = descent.descend(many[:1], StepRule(0.01), descent.start(many[:1], 0.4), 1).u[0]
    for steps in (StepRule(0.01, batch=1), StepRule(0.01, batch=3), StepRule(0.01, noise=1.0)):
        moved = descent.descend(many, steps, at, 1, np.random.default_rng(2)).u
        error = moved.std(axis=0) / np.sqrt(len(moved))
        assert np.all(np.abs(moved.mean(axis=0) - full) < 6 * error)
        assert np.all(error > 0)


def test_a_minibatch_has_no_example_twice():
    generator = np.random.default_rng(3)
    for X, _ in descent._examples(PROBLEM, StepRule(0.1, batch=8), 3, generator):
        assert np.array_equal(X, PROBLEM.X)
    for X, y in descent._examples(PROBLEM, StepRule(0.1, batch=5), 20, generator):
        assert X.shape == (3, 5, 14)
        assert all(len(np.unique(y[one])) == 5 for one in range(3))


def test_runs_settle_and_then_stay():
    place = descent.settle(PROBLEM, StepRule(0.02), descent.start(PROBLEM, 0.4), within=1e-6, most=100_000)
    assert descent.residual(PROBLEM, place).max() <= 1e-6
    same = descent.settle(PROBLEM, StepRule(0.02), place, within=1e-6, most=100_000)
    assert np.array_equal(same.u, place.u)
    with pytest.raises(ArithmeticError, match="do not fit to 1.0e-12 in 1000 steps"):
        descent.settle(PROBLEM, StepRule(1e-4), descent.start(PROBLEM, 0.4), within=1e-12, most=1000)


def test_a_lost_run_is_said_or_kept_apart():
    rates = np.array([0.02, 5.0, 0.02])
    with pytest.raises(ArithmeticError, match="diverges at steps of 5"):
        descent.descend(PROBLEM, StepRule(rates), descent.start(PROBLEM, 0.4), 200)
    place = descent.settle(
        PROBLEM, StepRule(rates), descent.start(PROBLEM, 0.4), within=1e-6, most=100_000, keep_lost=True
    )
    found = descent.residual(PROBLEM, place)
    assert np.isnan(found[1]) and found[[0, 2]].max() <= 1e-6


def test_bad_input_is_said():
    place = descent.start(PROBLEM, 0.4)
    with pytest.raises(ValueError, match="alpha > 0"):
        descent.start(PROBLEM, 0.0)
    with pytest.raises(ValueError, match="give a generator"):
        descent.descend(PROBLEM, StepRule(0.1, noise=1.0), place, 1)
    with pytest.raises(ValueError, match="9 cannot be drawn from 8"):
        descent.descend(PROBLEM, StepRule(0.1, batch=9), place, 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="rate > 0"):
        StepRule(0.0)
    with pytest.raises(ValueError, match="at least one example; got 0"):
        StepRule(0.1, batch=0)
