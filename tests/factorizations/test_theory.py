"""Closed forms against integration of their equations, and the law against its limits."""

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from offconvex import rng
from offconvex.factorizations import theory


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_aligned_quadratic_solves_its_equation(depth):
    start, target, curvature = 0.02, 2.5, 0.7
    times = np.linspace(0, 6, 25)
    solution = solve_ivp(
        lambda _, s: depth * curvature * s ** (2 - 2 / depth) * (target - s),
        (0, 6),
        [start],
        t_eval=times,
        rtol=1e-12,
        atol=1e-14,
        method="DOP853",
    )
    exact = theory.aligned_quadratic(times, initial=start, target=target, curvature=curvature, depth=depth)
    np.testing.assert_allclose(exact, solution.y[0], rtol=1e-9)
    assert exact[0] == pytest.approx(start, rel=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_aligned_quadratic_at_both_ends_of_time(depth):
    ends = theory.aligned_quadratic(np.array([0.0, 1e6]), initial=0.1, target=2.0, curvature=1.0, depth=depth)
    np.testing.assert_allclose(ends, [0.1, 2.0], rtol=1e-12)


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_escape_time_is_the_leading_order_of_the_exact_one(depth):
    initial, target = 1e-6, 3.0
    rate = lambda s: 1 / (depth * s ** (2 - 2 / depth) * (target - s))  # noqa: E731
    edges = np.geomspace(initial, target / 2, 40)
    exact = sum(quad(rate, a, b)[0] for a, b in zip(edges, edges[1:]))
    estimate = theory.escape_time(np.array(initial), target=target, curvature=1.0, depth=depth)
    # The correction is of relative order (sigma0 / s)^(1 - 2/L) at most, up to a logarithm.
    assert float(estimate) == pytest.approx(exact, rel=0.05)


def test_discrete_growth_tends_to_the_closed_form_at_first_order():
    errors = []
    for count in (400, 800):
        times = np.linspace(0, 6.5, count + 1)
        # gamma depends on sigma; the recursion is closed by feeding it the exact projections.
        exact = theory.aligned_quadratic(times, initial=0.05, target=2.0, curvature=1.0, depth=3)
        law = theory.discrete_growth(np.diff(times), 2.0 - exact, 0.05, depth=3)
        errors.append(abs(law[100 * count // 400] - exact[100 * count // 400]))
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)


def test_growth_rate_powers():
    assert theory.growth_rate(4.0, 0.5, depth=1) == 0.5
    assert theory.growth_rate(4.0, 0.5, depth=2) == 4.0
    assert theory.growth_rate(8.0, 1.0, depth=3) == pytest.approx(3 * 16)


def test_stable_step_separates_decay_from_bouncing():
    # One balanced component, fully observed with m = 1: a step of size eta moves the root by eta gamma u^(L-1).
    sigma, depth = 3.0, 3
    limit = theory.stable_step(sigma, observed=1, depth=depth)
    for factor, stays in ((0.95, True), (1.05, False)):
        root = (sigma * (1 + 1e-6)) ** (1 / depth)
        for _ in range(200):
            root += factor * limit * 2 * (sigma - root**depth) * root ** (depth - 1)
        assert (abs(root**depth - sigma) < 1e-6 * sigma) == stays


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: theory.aligned_quadratic([0.0], initial=0.1, target=1.0, curvature=1.0, depth=5), "depths 1 to 4"),
        (lambda: theory.aligned_quadratic([0.0], initial=2.0, target=1.0, curvature=1.0, depth=2), "between zero"),
        (lambda: theory.escape_time(0.1, target=1.0, curvature=1.0, depth=1), "depth 1"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_balance_turns_the_exact_law_into_the_power_law():
    value, axes = np.array([0.1, 2.0]), 4
    vectors = np.repeat(value[:, None] ** (1 / axes), axes, axis=1)
    np.testing.assert_allclose(
        theory.unbalanced_growth(value, np.array([3.0, 1.0]), vectors),
        theory.growth_rate(value, np.array([3.0, 1.0]), depth=axes),
        rtol=1e-12,
    )


def test_the_bounds_hold_the_exact_law_between_them_and_meet_at_balance():
    draws = rng.numpy_generator(0, "bounds")
    vectors = draws.uniform(0.3, 2.0, size=(500, 3))
    value, gap = vectors.prod(1), np.ptp(vectors**2, axis=1)
    exact = theory.unbalanced_growth(value, np.ones(500), vectors)
    low, high = zip(*(theory.growth_bounds(v, 1.0, g, axes=3) for v, g in zip(value, gap)))
    assert np.all(np.array(low) <= exact) and np.all(exact <= np.array(high))
    low, high = theory.growth_bounds(value, 1.0, 0.0, axes=3)
    np.testing.assert_allclose(low, high, rtol=1e-12)


def test_discrete_growth_from_equal_norms_is_that_of_the_balanced_law():
    pulls, steps = np.linspace(1.0, 0.2, 20), np.full(19, 0.05)
    path = theory.discrete_unbalanced_growth(steps, pulls, np.full(4, 0.8))
    np.testing.assert_allclose(path, theory.discrete_growth(steps, pulls, 0.8**4, depth=4), rtol=1e-12)
