"""Closed forms against numerical solutions, bounds from both sides."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from offconvex.flow_vs_descent import plane, saddle, theory


def test_the_tube_is_the_solution_of_its_equation():
    times = np.linspace(0, 2, 2001)
    negative, forcing = np.cos(3 * times), 0.1 + times**2
    solution = solve_ivp(
        lambda t, r: np.cos(3 * t) * r + 0.1 + t**2, (0, 2), [0.0], t_eval=times, rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(theory.tube(times, negative, forcing)[1:], solution.y[0, 1:], rtol=2e-6)


def test_the_tube_with_constants_is_the_closed_form():
    times = np.linspace(0, 3, 3001)
    radius = theory.constant_tube(times, np.full(3001, 0.7), step=0.1, curvature=2.0, gradient=3.0)
    np.testing.assert_allclose(radius[1:], 0.6 * np.expm1(0.7 * times[1:]) / 0.7, rtol=1e-6)
    flat = theory.constant_tube(times, np.zeros(3001), step=0.1, curvature=2.0, gradient=3.0)
    np.testing.assert_allclose(flat, 0.6 * times, rtol=1e-12)


def test_the_classical_bound_is_the_tube_with_the_largest_curvature():
    times, forcing = np.linspace(0, 2, 401), np.full(401, 0.3)
    expected = np.log10(theory.tube(times, np.full(401, 5.0), forcing)[1:])
    found = theory.log_lipschitz_tube(times, np.full(401, 5.0), forcing)
    np.testing.assert_allclose(found[1:], expected, rtol=1e-9, atol=1e-9)
    # No overflow where the number itself has thousands of digits.
    assert 8000 < theory.log_lipschitz_tube(times, np.full(401, 1e4), forcing)[-1] < 9000


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("weight", [0.01, 0.3, 0.9])
def test_the_chains_least_eigenvalue_is_that_of_its_hessian(depth, weight):
    hessian = np.empty((depth, depth))
    for i in range(depth):
        for j in range(depth):
            once = weight ** (depth - 1)
            twice = 0.0 if i == j else weight ** (depth - 2)
            hessian[i, j] = once**2 + (weight**depth - 1) * twice
    least = np.linalg.eigvalsh(hessian)[0]
    assert theory.scalar_chain_eigenvalue(weight, depth) == pytest.approx(least, rel=1e-9, abs=1e-12)
    bound = theory.deep_linear_bound(1 - weight**depth, np.full(depth, weight))
    assert bound <= least + 1e-12


def test_the_bound_multiplies_the_largest_layers():
    assert theory.deep_linear_bound(2.0, np.array([3.0, 0.1, 5.0, 7.0])) == pytest.approx(-3 * 2 * 35)
    assert theory.deep_linear_bound(2.0, np.array([3.0, 5.0])) == pytest.approx(-2)


@pytest.mark.parametrize("m", [1.0, 2.0, 3.0])
def test_the_manifold_leads_the_flow_into_the_saddle(m):
    x, y = 0.5, theory.saddle_manifold(m, 0.5)
    path = plane.saddle(m, x).flow(np.linspace(0, 5, 6))
    # It shrinks like the slower of e^-t and its square's share, and does not leave; beside the manifold it does.
    assert np.all(np.diff(np.abs(path[:, 1])) < 0) and abs(path[-1, 1]) < 1e-4
    beside = plane.Plane(
        *(getattr(plane.saddle(m), f) for f in ("value", "gradient", "hessian")), (x, y + 0.05), 0.1, 1
    )
    assert abs(beside.flow(np.linspace(0, 8, 3))[-1, 1]) > 0.5


def test_leaving_times_are_those_of_the_paths():
    config = saddle.Saddle(rates=(2.0,), steps=(1e-2,))
    start = saddle.starts(config, 3)[0]
    (time,), heights = saddle.leaving_times(config, 3)[0], np.abs(saddle.path(2.0, start, 1e-2, 2000)[:, 1])
    first = int(np.argmax(heights > 0.5))
    assert 1e-2 * (first - 1) <= time <= 1e-2 * first
    still = saddle.leaving_times(saddle.Saddle(rates=(2.0,), steps=(1e-2,), left=0.79), 3)[0, 0]
    assert still > time


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_arrival_times_are_those_of_the_vector_flow(depth):
    target, norm, cosine = np.array([1.0, 0.0, 0.0]), 0.05, -0.8
    start = norm * np.array([cosine, np.sqrt(1 - cosine**2), 0.0])
    time = theory.arrival_time(depth, norm, cosine, 1e-3)
    solution = solve_ivp(
        lambda _, u: theory.end_to_end_velocity(u, target, depth), (0, time), start, rtol=1e-10, atol=1e-12
    )
    assert 0.5 * np.sum((solution.y[:, -1] - target) ** 2) == pytest.approx(1e-3, rel=1e-4)


@pytest.mark.parametrize("depth", [3, 4])
def test_the_way_around_the_saddle_takes_the_time_of_the_closed_form(depth):
    # Far from the target the equations of the closed form are exact up to |u|, here 1e-6 at the start.
    cosine, norm = -0.999, 1e-6
    whole = theory.arrival_time(depth, norm, cosine, 1e-3)
    turned = theory.saddle_time(depth, norm, cosine)
    rest = theory.arrival_time(depth, norm, -cosine, 1e-3)
    assert turned + rest == pytest.approx(whole, rel=1e-3)


def test_an_opposite_start_never_arrives():
    with pytest.raises(FloatingPointError, match="not reached"):
        theory.arrival_time(3, 0.1, -1.0, 1e-3)
