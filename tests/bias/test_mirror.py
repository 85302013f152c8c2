"""Interpolators by their dual against least squares, linear programs, and the equations that define them."""

import numpy as np
import pytest
from scipy.optimize import linprog

from offconvex.bias import mirror
from offconvex.bias.diagonal import model

PROBLEMS = model.SparseLaw(20, 40, 3).draw(7, "mirror", 3)
ONE = PROBLEMS[0]


def least_l1(X, y):
    """A linear program: w = p - m with p, m >= 0 and the least sum."""
    count = X.shape[1]
    found = linprog(np.ones(2 * count), A_eq=np.hstack([X, -X]), b_eq=y)
    assert found.status == 0
    return found.x[:count] - found.x[count:]


def test_interpolators_have_the_form_and_the_labels():
    generator = np.random.default_rng(0)
    log_plus, log_minus = generator.normal(-3, 2, (2, 3, 40))
    w, nu = mirror.dual(PROBLEMS.X, PROBLEMS.y, log_plus, log_minus)
    s = np.einsum("bnd,bn->bd", PROBLEMS.X, nu)
    assert np.allclose(w, np.exp(log_plus + s) - np.exp(log_minus - s), rtol=1e-12, atol=1e-14)
    assert np.abs(np.einsum("bnd,bd->bn", PROBLEMS.X, w) - PROBLEMS.y).max() < 1e-11


def test_a_batch_is_its_problems():
    together, _ = mirror.dual(PROBLEMS.X, PROBLEMS.y, -2.0)
    for place in range(3):
        alone, _ = mirror.dual(PROBLEMS[place].X, PROBLEMS[place].y, -2.0)
        assert np.allclose(alone, together[place], rtol=1e-10, atol=1e-12)


def test_a_start_nearby_leads_to_the_same():
    w, nu = mirror.dual(ONE.X, ONE.y, -2.0)
    again, _ = mirror.dual(ONE.X, ONE.y, -2.1, start=nu)
    fresh, _ = mirror.dual(ONE.X, ONE.y, -2.1)
    assert np.allclose(again, fresh, rtol=1e-9, atol=1e-11)
    assert not np.allclose(again, w, atol=1e-4)


def test_large_starts_give_the_least_euclidean_norm():
    euclidean = np.linalg.lstsq(ONE.X, ONE.y)[0]
    distances = [np.linalg.norm(mirror.dual(ONE.X, ONE.y, 2 * np.log(alpha))[0] - euclidean) for alpha in (10, 100)]
    assert distances[1] < 1e-8
    # sinh is odd, so that the next term is of order alpha^-4
    assert np.log10(distances[0] / distances[1]) == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("law", [model.SparseLaw(20, 40, 3), model.SparseLaw(20, 40, 20), model.SparseLaw(12, 40, 4)])
def test_vanishing_starts_give_the_least_sum(law):
    for place in range(4):
        problem = law.draw(place, "vanishing", 1)[0]
        least = np.abs(least_l1(problem.X, problem.y)).sum()
        sums = [np.abs(mirror.dual(problem.X, problem.y, log)[0]).sum() for log in (-20.0, -2 * 40 * np.log(10))]
        # w minimizes |w|_1 ln(1/alpha^2) + O(1) terms: what is left falls at least like 1/ln(1/alpha)
        assert least * (1 - 1e-9) <= sums[1] <= sums[0] + 1e-9
        assert sums[1] <= least * (1 + 20 / (2 * 40 * np.log(10)))


def test_weights_and_their_slope_are_one_function():
    s, half = np.linspace(-2, 2, 9), 1e-6
    slope = (mirror.primal(s + half, -1.0, -2.0) - mirror.primal(s - half, -1.0, -2.0)) / (2 * half)
    assert np.allclose(slope, mirror.curvature(s, -1.0, -2.0), rtol=1e-8)
    tiny = mirror.primal(np.array([1e-20]), -1.0, -1.0)
    assert tiny == pytest.approx(2e-20 * np.exp(-1), rel=1e-12)


def test_bad_input_is_said():
    with pytest.raises(ValueError, match=r"Expected X .* got \(20, 40\) and \(19,\)"):
        mirror.dual(ONE.X, ONE.y[1:], 0.0)
    with pytest.raises(ValueError, match="n <= d"):
        mirror.dual(ONE.X.T, np.ones(40), 0.0)
    with pytest.raises(ValueError, match="must be finite; is alpha positive"):
        mirror.dual(ONE.X, ONE.y, -np.inf)
    with pytest.raises(ArithmeticError, match="not nearly dependent"):
        mirror.dual(ONE.X, ONE.y, -200.0, most=3)
