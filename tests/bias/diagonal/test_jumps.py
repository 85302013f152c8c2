"""Runs from small starts and the offsets of their jumps, against SciPy's integrators, closed forms and each other."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from offconvex.bias import rosenbrock
from offconvex.bias.diagonal import jumps, saddles, saddles_theory, visits


def problem(seed, n, d):
    """Random columns, three weights in use."""
    draws = np.random.default_rng(seed)
    X, w = draws.standard_normal((n, d)), np.zeros(d)
    w[:3] = draws.choice([-1, 1], 3) * draws.uniform(0.5, 2, 3)
    return X, X @ w + 0.3 * draws.standard_normal(n)


def orthogonal():
    X = np.linalg.qr(np.random.default_rng(0).standard_normal((9, 4)))[0] * [3.0, 2.0, 4.0, 1.0]
    w = np.array([1.0, -2.0, 0.3, 1.5])
    return X, w, (X**2).sum(0) / 9


def half_loss_time(curvature, target, log_inverse):
    """Exact tau at which a weight alone has half its loss, for any alpha.

    ds/dt = 4c (b - A sinh s), A = 2 alpha^2, is solved by tanh(s/2) = (R tanh(2cRt + k) - A) / b, R^2 = A^2 + b^2.
    """
    b, A = abs(target), 2 * np.exp(-2 * log_inverse)
    R = np.hypot(A, b)
    s = np.arcsinh(b * (1 - 1 / np.sqrt(2)) / A)

    def log_ratio(u):  # of 1 + x to 1 - x, x = (b tanh + A) / R, with tanh = (1 - u) / (1 + u): no digit cancels
        less = A**2 / (R + b) - A + 2 * b * u / (1 + u)
        return np.log((R + b * (1 - u) / (1 + u) + A) / less)

    t = (log_ratio(np.exp(-s)) - log_ratio(1.0)) / (4 * curvature * R)
    return 2 * t / log_inverse


def test_the_run_in_logarithms_is_the_flow_of_u_and_v():
    X, y = problem(0, 8, 6)
    alpha, until = 0.3, 3.0
    log_inverse = np.log(1 / alpha)

    def rate(t, uv):
        u, v = uv[:6], uv[6:]
        gradient = X.T @ (X @ (u**2 - v**2) - y) / 8
        return np.concatenate([-2 * u * gradient, 2 * v * gradient])

    run = jumps.small_starts(X, y, [log_inverse], [until], 1e-8)[0]
    times = run.tau * log_inverse / 2
    uv = solve_ivp(rate, (0, times[-1]), np.full(12, alpha), t_eval=times[1:], rtol=1e-11, atol=1e-13).y
    w = uv[:6] ** 2 - uv[6:] ** 2
    np.testing.assert_allclose(run.weights[1:], w.T, atol=3e-6)
    np.testing.assert_allclose(jumps.losses(X, y, run.weights), ((run.weights @ X.T - y) ** 2).mean(1) / 2)
    assert run.tau[-1] == pytest.approx(until)


@pytest.mark.parametrize("log_inverse", [2.0, 10.0, 100.0, 300.0])
def test_jumps_of_orthogonal_columns_are_exact_at_every_alpha(log_inverse):
    X, w, curvature = orthogonal()
    itinerary = saddles.successive_saddles(X, X @ w)
    run = jumps.small_starts(X, X @ w, [log_inverse], [7.0], 1e-7)[0]
    expected = np.array([half_loss_time(c, b, log_inverse) for c, b in zip(curvature, w)])
    if log_inverse >= 100:  # below, the weights that move beside it have their part in the loss
        found = jumps.jump_times(X, X @ w, run, itinerary)
        np.testing.assert_allclose((found - np.sort(expected)) * log_inverse, 0, atol=1e-4)
    # Each weight passes 1 - 1/sqrt 2 of its target at that time, whatever the others do.
    for j, b in enumerate(w):
        share = np.abs(run.weights[:, j] / b)
        k = np.argmax(share > 1 - 1 / np.sqrt(2))
        inside = np.interp(1 - 1 / np.sqrt(2), share[k - 1 : k + 1], run.tau[k - 1 : k + 1])
        assert (inside - expected[j]) * log_inverse == pytest.approx(0, abs=1e-3)


def test_offsets_of_orthogonal_columns_are_the_closed_form():
    X, w, curvature = orthogonal()
    itinerary = saddles.successive_saddles(X, X @ w)
    entering = itinerary.entering
    expected = saddles_theory.lone_offset(curvature[entering], w[entering])
    np.testing.assert_allclose(jumps.offsets(X, X @ w, itinerary, 1e-8), expected, atol=3e-5)
    # The closed form is the limit of the exact time.
    exact = half_loss_time(curvature[0], w[0], 200.0)
    assert (exact - saddles_theory.lone_time(curvature[0], w[0])) * 200 == pytest.approx(
        saddles_theory.lone_offset(curvature[0], w[0]), abs=1e-9
    )


def scipy_delays(X, y, itinerary, log_inverse):
    """(tau - tau_k) ln(1/alpha) by LSODA, in s, with the loss as an event."""
    gram, correlation = saddles.moments(X, y)

    def weights(s):
        return np.exp(np.minimum(s - 2 * log_inverse, 50)) - np.exp(np.minimum(-s - 2 * log_inverse, 50))

    def slopes(t, s):
        return -4 * gram * (np.exp(np.minimum(s - 2 * log_inverse, 50)) + np.exp(np.minimum(-s - 2 * log_inverse, 50)))

    levels = ((itinerary.points @ X.T - y) ** 2).mean(1) / 2
    events = [
        lambda t, s, half=half: ((X @ weights(s) - y) ** 2).mean() / 2 - half for half in (levels[1:] + levels[:-1]) / 2
    ]
    solution = solve_ivp(
        lambda t, s: -4 * (gram @ weights(s) - correlation),
        (0, (itinerary.times[-1] + 20 / log_inverse) * log_inverse / 2),
        np.zeros(X.shape[1]),
        method="LSODA",
        jac=slopes,
        rtol=1e-9,
        atol=1e-9,
        max_step=1.0,
        events=events,
    )
    return (2 * np.array([times[0] for times in solution.t_events]) / log_inverse - itinerary.times) * log_inverse


@pytest.mark.parametrize("number", range(4))
def test_offsets_are_the_limit_of_scipy_runs_and_the_rest_falls_at_the_rate_of_the_separation(number):
    trip = visits.draw(501, number, 100.0)
    itinerary, c = trip.itinerary.first(3), jumps.offsets(trip.X, trip.y, trip.itinerary.first(3), 1e-8)
    exponent = saddles.separation(trip.X, itinerary).min()
    rests = {
        size: np.abs(scipy_delays(trip.X, trip.y, itinerary, size / (2 * exponent)) - c).max()
        for size in (5.0, 8.0, 18.0)
    }
    assert np.abs(c).max() > 0.3  # so that zero would not do
    assert rests[18.0] < 1e-5
    assert np.log(rests[5.0] / rests[8.0]) == pytest.approx(3.0, abs=0.9)


def test_offsets_hold_where_a_weight_leaves():
    X, y = problem(1, 20, 20)
    itinerary = saddles.successive_saddles(X, y)
    points = itinerary.points
    left = [k for k in range(len(itinerary.times)) if ((points[k] != 0) & (points[k + 1] == 0)).any()]
    cut = itinerary.first(left[0] + 3)  # two jumps after the first one at which a weight leaves
    log_inverse = 15 / (2 * saddles.separation(X, cut).min())
    c = jumps.offsets(X, y, cut, 1e-8)
    np.testing.assert_allclose(scipy_delays(X, y, cut, log_inverse), c, atol=1e-4 * np.abs(c).max())


def test_an_orbit_of_one_weight_is_logistic():
    X, y = np.sqrt(5.0) * np.eye(5)[:, :1], np.sqrt(5.0) * np.eye(5)[0] * -0.7
    orbit = jumps.connect(X, y, np.zeros(1), np.array([-0.7]), np.array([-1.0]), 1e-8)
    assert orbit.half == pytest.approx((np.log(0.7) - np.arcsinh(1)) / 2.8, abs=1e-5)
    assert orbit.begin == pytest.approx(-jumps.DEPTH / 2.8)
    assert orbit.gained[0] == pytest.approx(-np.log(0.7) - jumps.DEPTH, abs=1e-7)


def test_an_orbit_needs_one_entering_weight_and_its_own_end():
    X, y = problem(0, 12, 10)
    points = saddles.successive_saddles(X, y).points
    with pytest.raises(ValueError, match="One weight enters"):
        jumps.connect(X, y, points[0], points[1], np.zeros(10))
    with pytest.raises(ValueError, match="does not arrive"):
        jumps.connect(X, y, points[0], points[2], np.sign(points[1]))


def test_a_start_that_is_not_small_is_refused():
    X, y = problem(0, 12, 10)
    for sizes, until in (([0.0], [1.0]), ([10.0], [0.0]), ([10.0, 20.0], [1.0]), ([], [])):
        with pytest.raises(ValueError, match="both positive"):
            jumps.small_starts(X, y, sizes, until)


def test_runs_side_by_side_are_the_runs_alone():
    X, y = problem(0, 12, 10)
    together = jumps.small_starts(X, y, [2.0, 30.0], [3.0, 1.0])
    for run, size, until in zip(together, (2.0, 30.0), (3.0, 1.0)):
        alone = jumps.small_starts(X, y, [size], [until])[0]
        assert run.tau[-1] == pytest.approx(until) and len(run.tau) == len(alone.tau)
        np.testing.assert_allclose(run.weights, alone.weights, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(run.path.slopes, alone.path.slopes, rtol=1e-6, atol=1e-9)


def test_nearest_is_the_least_distance_and_its_time():
    weights = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0]])
    states = np.arcsinh(weights / 2 * np.exp(4.0))
    run = jumps.SmallStart(2.0, rosenbrock.Path(np.arange(3.0), states, np.zeros((3, 2))))
    np.testing.assert_allclose(run.weights, weights, atol=1e-15)
    distance, tau = run.nearest(np.array([[1.0, 0.5], [1.0, 2.0]]))
    np.testing.assert_allclose(distance, [0.5, 0.0], atol=1e-15)
    np.testing.assert_array_equal(tau, [1.0, 2.0])


def test_a_draw_has_clear_jumps_and_depends_on_seed_and_number_alone():
    trip = visits.draw(3, 2, 100.0)
    np.testing.assert_array_equal(trip.X, visits.draw(3, 2, 100.0).X)
    assert trip.X.shape == visits.SIZES[2]
    assert visits.clear(trip, 100.0) >= visits.FEWEST
    assert visits.clear(trip, 1000.0) >= visits.clear(trip, 100.0)
    # Less is clear at a larger start, and a rule that asks for more draws at least as often.
    assert visits.draw(3, 2, 100.0, least=4).draws >= trip.draws
    with pytest.raises(ValueError, match="No problem with"):
        visits.draw(3, 2, 0.1)


def test_the_forecast_is_kept_by_the_run():
    trip = visits.draw(502, 0, 100.0)
    itinerary, c = visits.forecast(trip, 100.0)
    (run,) = visits.follow(trip, [100.0])
    np.testing.assert_allclose(visits.delays(trip, run, itinerary), c, atol=1e-3)
    points = visits.visited(trip, 100.0)
    distance, tau = run.nearest(points)
    assert len(points) >= 1
    assert (distance < 1e-4).all()
    assert (np.diff(tau) > 0).all()


def test_the_rest_falls_at_the_predicted_rate_of_its_jump():
    rates = [visits.rest_rate(visits.draw(503, number, 100.0), 100.0) for number in range(4)]
    assert np.median(rates) == pytest.approx(1, abs=0.1)


def test_sides_are_the_squares_of_u_and_v_at_every_alpha():
    u_squared, v_squared = jumps.sides(np.array([1.5, -0.5]), 2.0)
    np.testing.assert_allclose(u_squared, np.exp(-4) * np.exp([1.5, -0.5]))
    np.testing.assert_allclose(u_squared * v_squared, np.exp(-8))
    np.testing.assert_array_equal(jumps.sides(np.array([2000.0]), 1000.0), [[1.0], [0.0]])
    # A trial step that is far too long is large, not infinite.
    assert np.isfinite(jumps.sides(np.array([1e6]), 1000.0)[0]).all()


def test_curves_are_those_of_the_states_at_even_times():
    X, y = problem(0, 8, 6)
    run = jumps.small_starts(X, y, [2.0], [3.0])[0]
    last = run.tau[40]
    tau, loss, weights = run.curves(X, y, last, 2)
    assert tau.tolist() == [0.0, last]
    np.testing.assert_allclose(weights, run.weights[[0, 40]], atol=1e-12)
    np.testing.assert_allclose(loss, jumps.losses(X, y, run.weights[[0, 40]]), rtol=1e-12)
    tau, _, weights = run.curves(X, y, run.tau[41], 1001)
    assert tau.shape == (1001,) and weights.shape == (1001, 6)
    inside = (weights[-2] - run.weights[40]) * (run.weights[41] - run.weights[40])
    assert (inside >= 0).all()
