"""The potential against a direct search and its limits, stable rates against runs, the drift against a long run."""

import numpy as np
import pytest
from scipy.linalg import null_space
from scipy.optimize import minimize

from offconvex.bias import mirror
from offconvex.bias.diagonal import descent, model, theory
from offconvex.bias.diagonal.descent import StepRule

PROBLEM = model.SparseLaw(5, 9, 2).draw(0, "theory", 1)
ONE = PROBLEM[0]


@pytest.mark.parametrize("alpha", [0.05, 0.3, 2.0])
def test_the_dual_minimizes_the_potential(alpha):
    w, _ = mirror.dual(ONE.X, ONE.y, 2 * np.log(alpha))
    free = null_space(ONE.X)
    least = minimize(lambda z: theory.potential(w + free @ z, alpha), np.full(4, 0.1), method="BFGS", tol=1e-12)
    assert theory.potential(w, alpha) <= least.fun + 1e-12
    assert np.abs(least.x).max() < 1e-4
    for direction in free.T:
        assert theory.potential(w + 0.1 * direction, alpha) > theory.potential(w, alpha)


def test_the_potential_has_its_limits():
    w = np.array([1.0, -0.5, 0.0])
    assert theory.potential(w, 100.0) == pytest.approx(1.25 / 4e4, rel=1e-6)
    small = 1e-40
    assert theory.potential(w, small) / np.log(1 / small**2) == pytest.approx(1.5, rel=0.01)
    assert np.allclose(theory.potential(np.stack([w, 2 * w]), 0.3), [theory.potential(v, 0.3) for v in (w, 2 * w)])
    with pytest.raises(ValueError, match="alpha > 0"):
        theory.potential(w, 0.0)


def near_target(problem, shift):
    """u^2 - v^2 = w* to the shift, with nothing off the support but a little."""
    u = np.where(problem.target > 0, 1 + shift, 1e-8)
    v = np.where(problem.target < 0, 1 + shift, 1e-8)
    return descent.RunPlace(u, v, 0 * u, 2 * np.log(u), 2 * np.log(v))


@pytest.mark.parametrize(("share", "grows"), [(0.97, False), (1.03, True)])
def test_support_rate_is_where_descent_at_the_target_starts_to_grow(share, grows):
    problem = model.SparseLaw(20, 30, 3).draw(1, "theory", 4)
    rate = share * theory.support_rate(problem.X, problem.support)
    first = descent.residual(problem, near_target(problem, 1e-7))
    later = descent.residual(problem, descent.descend(problem, StepRule(rate), near_target(problem, 1e-7), 200))
    assert np.all((later > first) == grows)


def test_single_rate_is_that_of_the_largest_example_alone():
    problem = model.SparseLaw(20, 30, 3).draw(1, "theory", 4)
    sizes = np.linalg.norm(problem.X * problem.support[:, None], axis=-1)
    largest = problem.X[np.arange(4), sizes.argmax(axis=-1)][:, None]
    alone = theory.support_rate(largest, problem.support)
    assert np.allclose(theory.single_rate(problem.X, problem.support), alone, rtol=1e-12)


def test_stable_rate_is_half_the_edge_at_squares_of_one():
    X = PROBLEM.X
    top = np.linalg.eigvalsh(4 / 5 * X[0] @ X[0].T)[-1]
    assert theory.stable_rate(X)[0] == pytest.approx(1 / top, rel=1e-12)
    theory.noise_drift(X, np.ones((1, 9)), 1.99 / top, 1.0)
    with pytest.raises(ValueError, match="below the rate 2 / lambda_max"):
        theory.noise_drift(X, np.ones((1, 9)), 2.01 / top, 1.0)


def test_the_drift_is_that_of_a_linear_chain():
    """-E a^2 of the linear chain of residuals, whose covariance is summed up step by step."""
    X, squares, rate, noise = ONE.X, np.full(9, 0.7), 0.03, 0.8
    H = 4 / 5 * X @ np.diag(squares) @ X.T
    C = np.zeros((5, 5))
    for _ in range(5000):
        C = (np.eye(5) - rate * H) @ C @ (np.eye(5) - rate * H) + (rate * noise) ** 2 * H @ H
    covariance = C + noise**2 * np.eye(5)
    expected = -((2 * rate / 5) ** 2) * np.einsum("ni,nm,mi->i", X, covariance, X)
    assert np.allclose(theory.noise_drift(X, squares, rate, noise), expected, rtol=1e-9)
