"""The algorithm of the vanishing start against enumeration, non-negative least squares and linear programs."""

import itertools

import numpy as np
import pytest
from scipy.optimize import linprog, nnls

from offconvex.bias.diagonal import saddles, saddles_theory


def problem(seed, n, d, noise=0.3):
    """Random columns, three weights in use."""
    draws = np.random.default_rng(seed)
    X, w = draws.standard_normal((n, d)), np.zeros(d)
    w[:3] = draws.choice([-1, 1], 3) * draws.uniform(0.5, 2, 3)
    return X, X @ w + noise * draws.standard_normal(n)


def best_by_enumeration(X, y, signs):
    """The least loss over all sets of free weights whose least-squares solution has the permitted signs."""
    best, least = np.zeros(len(signs)), (y**2).sum()
    allowed = np.flatnonzero(signs)
    for size in range(1, min(len(allowed), len(y)) + 1):
        for free in map(list, itertools.combinations(allowed, size)):
            w = np.zeros(len(signs))
            w[free] = np.linalg.lstsq(X[:, free], y, rcond=None)[0]
            if (w * signs >= 0).all() and ((X @ w - y) ** 2).sum() < least:
                best, least = w, ((X @ w - y) ** 2).sum()
    return best


def saddles_by_steps(X, y, until):
    """The same recursion with SciPy's non-negative least squares; permission is read off |s| = 1 alone."""
    n, d = X.shape
    w, s, tau, times, points = np.zeros(d), np.zeros(d), 0.0, [], [np.zeros(d)]
    while True:
        gradient = X.T @ (X @ w - y) / n
        gradient[w != 0] = 0
        waits = [
            min((t for t in ((1 - s[j]) / -gradient[j], (-1 - s[j]) / -gradient[j]) if t > 1e-9), default=np.inf)
            if abs(gradient[j]) > 1e-7
            else np.inf
            for j in range(d)
        ]
        step = min(waits)
        if tau + step > until:
            return np.array(times), np.array(points)
        tau, s = tau + step, s - step * gradient
        touching = np.abs(np.abs(s) - 1) < 1e-9
        w = np.zeros(d)
        w[touching] = np.sign(s[touching]) * nnls(X[:, touching] * np.sign(s[touching]), y)[0]
        times.append(tau)
        points.append(w)


@pytest.mark.parametrize("seed", range(8))
def test_least_squares_with_signs_is_the_best_of_all_sets(seed):
    X, y = problem(seed, 9, 7)
    signs = np.random.default_rng(seed + 100).choice([-1.0, 0.0, 1.0], 7, p=[0.4, 0.2, 0.4])
    found = saddles.signed_least_squares(*saddles.moments(X, y), signs)
    np.testing.assert_allclose(found, best_by_enumeration(X, y, signs), atol=1e-12)


@pytest.mark.parametrize(("n", "d"), [(12, 10), (16, 14), (20, 20), (10, 16)])
def test_saddles_and_times_are_those_of_nonnegative_least_squares(n, d):
    for seed in range(4):
        X, y = problem(seed, n, d)
        itinerary = saddles.successive_saddles(X, y, until=6.0)
        times, points = saddles_by_steps(X, y, 6.0)
        assert len(times) >= 2
        np.testing.assert_allclose(itinerary.times, times, rtol=1e-9)
        np.testing.assert_allclose(itinerary.points, points, atol=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_with_more_weights_than_examples_it_ends_at_the_least_l1_interpolator(seed):
    X, y = problem(seed, 6, 11)
    last = saddles.successive_saddles(X, y).points[-1]
    program = linprog(np.ones(22), A_eq=np.hstack([X, -X]), b_eq=y)
    np.testing.assert_allclose(last, program.x[:11] - program.x[11:], atol=1e-8)


def test_with_more_examples_it_ends_at_least_squares_and_the_loss_falls_at_every_jump():
    X, y = problem(3, 15, 8)
    points = saddles.successive_saddles(X, y).points
    np.testing.assert_allclose(points[-1], np.linalg.lstsq(X, y, rcond=None)[0], atol=1e-9)
    assert (np.diff(((points @ X.T - y) ** 2).sum(1)) < 0).all()


def test_weights_that_leave_are_among_those_compared():
    X, y = problem(1, 20, 20)
    points = saddles.successive_saddles(X, y).points
    left = [(points[k] != 0) & (points[k + 1] == 0) for k in range(len(points) - 1)]
    assert np.sum(left) >= 3
    # A weight may come back, with the other sign too: it needs a new permission.
    assert len(points) - 1 == np.count_nonzero(points[-1]) + np.sum(left)


def test_s_is_minus_the_integral_of_the_gradient_and_never_leaves_the_box():
    X, y = problem(5, 16, 14)
    itinerary = saddles.successive_saddles(X, y, until=6.0)
    gradients = (itinerary.points[:-1] @ X.T - y) @ X / 16
    s = -np.cumsum(np.diff(itinerary.times, prepend=0.0)[:, None] * gradients, 0)
    np.testing.assert_allclose(itinerary.duals, s, atol=1e-10)
    assert np.abs(s).max() < 1 + 1e-10
    used = itinerary.points[1:] != 0
    np.testing.assert_allclose(itinerary.duals[used], np.sign(itinerary.points[1:])[used])


def test_orthogonal_columns_jump_one_after_another_at_their_own_times():
    X = np.linalg.qr(np.random.default_rng(0).standard_normal((9, 5)))[0] * [3.0, 2.0, 4.0, 1.0, 2.5]
    w = np.array([1.0, -2.0, 0.5, 1.5, -0.2])
    itinerary = saddles.successive_saddles(X, X @ w)
    times = saddles_theory.lone_time((X**2).sum(0) / 9, w)
    np.testing.assert_allclose(itinerary.times, np.sort(times))
    np.testing.assert_array_equal(itinerary.entering, np.argsort(times))
    np.testing.assert_allclose(itinerary.points[-1], w)


def test_relaxation_is_the_slowest_rate_of_the_linearized_flow():
    X, y = problem(2, 12, 10)
    gram, correlation = saddles.moments(X, y)
    w = saddles.successive_saddles(X, y).points[4]
    used = w != 0

    def velocity(v):
        return -4 * np.abs(v[used]) * (gram @ v - correlation)[used]

    steps = 1e-6 * np.eye(10)[used]
    matrix = np.array([(velocity(w + step) - velocity(w - step)) / 2e-6 for step in steps])
    slowest = -np.linalg.eigvals(matrix).real.max()
    # Per unit of tau and of 2 ln(1/alpha): t = tau ln(1/alpha) / 2.
    assert saddles.relaxation(gram, w) == pytest.approx(slowest / 4, rel=1e-6)
    assert saddles.relaxation(gram, np.zeros(10)) == np.inf


def test_separation_and_approach_by_hand():
    # Two orthogonal columns of squared length n: weights 1 and 1/2 jump at tau = 1 and 2; at 1 the other's s is 1/2.
    X = np.sqrt(2) * np.eye(2)
    y = X @ [1.0, 0.5]
    itinerary = saddles.successive_saddles(X, y)
    np.testing.assert_allclose(itinerary.times, [1, 2])
    np.testing.assert_allclose(saddles.separation(X, itinerary), [0.5, 1.0])
    # The stay lasts from 1 to 2: relaxation x against 1 - (1 + x) / 2, equal at x = 1/3.
    np.testing.assert_allclose(saddles.approaches(X, y, itinerary), [1 / 3, 0.0], atol=1e-3)


def test_until_and_first_cut_the_same_itinerary():
    X, y = problem(0, 12, 10)
    whole = saddles.successive_saddles(X, y)
    cut = saddles.successive_saddles(X, y, until=(whole.times[2] + whole.times[3]) / 2)
    assert len(cut.times) == 3
    np.testing.assert_array_equal(cut.points, whole.first(3).points)
    assert len(saddles.successive_saddles(X, y, most=2).times) == 2
    none = saddles.successive_saddles(X, y, until=whole.times[0] / 2)
    assert none.points.shape == (1, 10) and none.duals.shape == (0, 10)


def test_bad_input_is_refused_in_a_sentence():
    X, y = problem(0, 12, 10)
    with pytest.raises(ValueError, match=r"Expected X \(n, d\)"):
        saddles.successive_saddles(X, y[:5])
    with pytest.raises(ValueError, match="orthogonal"):
        saddles.successive_saddles(X, np.zeros(12))
