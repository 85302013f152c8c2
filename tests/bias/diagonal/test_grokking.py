"""The hour of grokking: the flow of n numbers against the one of 2d weights, both laws against runs, and bad input."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from offconvex.bias import rosenbrock
from offconvex.bias.diagonal import grokking, grokking_theory
from offconvex.bias.diagonal.model import SparseLaw, SparseProblem

SMALL = SparseLaw(12, 24, 2)


@pytest.fixture(scope="module")
def problem():
    return SMALL.draw(3, "grokking test", 1)[0]


def flow_of_weights(problem, alpha, decay, times):
    """u and v by LSODA from the gradient alone, no formula of the model used."""
    X, y = problem.X, problem.y
    d = X.shape[1]

    def field(_, state):
        u, v = state[:d], state[d:]
        gradient = X.T @ (X @ (u * u - v * v) - y) / len(y)
        return np.r_[-2 * gradient * u - decay * u, 2 * gradient * v - decay * v]

    start, times = np.full(2 * d, float(alpha)), np.asarray(times)
    found = solve_ivp(field, (0, times[-1]), start, t_eval=times, method="LSODA", rtol=1e-10, atol=1e-12)
    return (found.y[:d] ** 2 - found.y[d:] ** 2).T


@pytest.mark.parametrize(("alpha", "decay"), [(1.0, 0.05), (5.0, 0.1), (0.3, 0.0)])
def test_n_numbers_follow_the_flow_of_all_weights(problem, alpha, decay):
    times = np.array([0.01, 0.3, 3.0, 20.0, 40.0])
    runs = grokking.slide(problem, np.log([alpha]), np.array([decay]), np.array([40.0]), 1e-7)
    found = np.stack([runs.weights(runs.path.at(time))[0] for time in times])
    np.testing.assert_allclose(found, flow_of_weights(problem, alpha, decay, times), atol=2e-4)
    assert runs.test_error(runs.path.states)[0, 0] == pytest.approx((problem.target**2).sum())
    assert runs.train_error(runs.path.states)[0, 0] == pytest.approx(1)


def test_jacobian_is_that_of_the_field(problem, monkeypatch):
    kept, integrate = {}, rosenbrock.integrate

    def keep(field, jacobian, start, end, **settings):
        kept.update(field=field, jacobian=jacobian, shape=start.shape)
        return integrate(field, jacobian, start, end, **settings)

    monkeypatch.setattr(grokking.rosenbrock, "integrate", keep)
    grokking.slide(problem, np.log([1.0, 20.0]), np.array([0.3, 0.0]), np.array([1e-3, 1e-3]))
    state = 0.2 * np.random.default_rng(0).standard_normal(kept["shape"])
    state[..., -1] = [-0.7, 0.4]
    found = kept["jacobian"](state)
    for component in range(state.shape[-1]):
        shift = 1e-6 * np.eye(state.shape[-1])[component]
        slope = (kept["field"](state + shift) - kept["field"](state - shift)) / 2e-6
        np.testing.assert_allclose(found[..., component], slope, rtol=1e-6, atol=1e-6)


def test_one_weight_is_corrected_by_half_the_decay():
    """u^2 with decay rests where 2 (y - u^2) = lambda; its correction at small alpha is that, to all orders."""
    X, y = np.eye(1), np.array([1.7])
    found = grokking_theory.corrected_labels(X, y, np.array([1.7]), 0.2)
    assert found[0] == pytest.approx(1.7 - 0.1)
    small = SparseProblem(np.array([[1.0, 0.0]]), y, np.array([1.7, 0.0]))
    runs = grokking.slide(small, np.log([0.5]), np.array([0.2]), np.array([60.0]))
    assert runs.weights(runs.path.states[-1])[0, 0] == pytest.approx(1.6, abs=1e-4)


def test_corrected_labels_are_fitted_up_to_the_second_order(problem):
    """Of the distance from the labels the correction leaves a share proportional to the decay."""
    decays = np.array([0.02, 0.01, 0.005, 0.0025])
    end = np.log(2 / 0.4) / decays
    runs = grokking.slide(problem, np.full(4, np.log(2.0)), decays, end, 1e-7)
    fitted = runs.weights(runs.path.states[-1]) @ problem.X.T
    logs = np.full((4, 24), 2 * np.log(0.4))
    many = [np.broadcast_to(part, (4, *part.shape)) for part in (problem.X, problem.y)]
    _, nu = grokking.dual(*many, logs)
    labels = grokking_theory.corrected_labels(*many, grokking.curvature(nu @ problem.X, logs, logs), decays)
    left = np.linalg.norm(fitted - labels, axis=1) / np.linalg.norm(fitted - problem.y, axis=1)
    assert left[-1] < 0.02
    assert np.polyfit(np.log(decays), np.log(left), 1)[0] == pytest.approx(1, abs=0.1)


def test_draws_are_the_first_that_the_sparse_solution_solves():
    law, passed = SparseLaw(14, 30, 3), 0
    for seed in range(6):
        stream, found = law.draw(seed, "grokking 14 30", 20), grokking.draw(law, seed)
        least = [float(grokking.static_error(stream[k], -4.0)) / grokking.kernel_error(stream[k]) for k in range(20)]
        first = int(np.argmax(np.array(least) <= 0.1))
        np.testing.assert_array_equal(found.X, stream[first].X)
        passed += first > 0
    assert passed > 0


def test_static_curve_ends_in_the_kernel_and_in_the_sparse_solution(problem):
    error = grokking.static_error(problem, np.array([9.0, 0.0, -8.0]))
    assert error[0] == pytest.approx(grokking.kernel_error(problem), rel=1e-4)
    assert error[0] > error[1] > error[2]
    assert error[2] < 1e-3


def test_critical_start_is_where_the_curve_first_halves(problem):
    found, level = grokking.critical(problem), grokking.kernel_error(problem) / 2
    assert grokking.static_error(problem, found) == pytest.approx(level, rel=1e-8)
    above = np.linspace(float(found) + 1e-6, 3, 200)
    assert (grokking.static_error(problem, above) > level).all()
    corrected = grokking.critical(problem, np.array([0.01, 0.001]))
    np.testing.assert_allclose(grokking.static_error(problem, corrected, np.array([0.01, 0.001])), level, rtol=1e-8)
    # The correction is of first order, and later: a smaller alpha is needed.
    shifts = found - corrected
    assert (shifts > 0).all()
    assert shifts[0] / shifts[1] == pytest.approx(10, rel=0.1)


def test_static_law_is_of_first_order_and_the_corrected_one_of_second(problem):
    decays = np.array([0.02, 0.01, 0.005])
    found, _ = grokking.hours(problem, np.array([1.0]), decays, 3e-7)
    static = np.polyfit(np.log(decays), np.log(np.abs(found.excess[0])), 1)[0]
    corrected = np.polyfit(np.log(decays), np.log(np.abs(found.corrected_excess[0])), 1)[0]
    assert static == pytest.approx(1, abs=0.1)
    assert corrected == pytest.approx(2, abs=0.2)
    assert np.abs(found.corrected_excess).max() < 0.1 * np.abs(found.excess).max()


def test_hours_of_two_starts_differ_by_the_time_between_them(problem):
    found, runs = grokking.hours(problem, np.array([2.0, 60.0]), np.array([0.01]), 1e-6)
    between = np.log(60 / 2) / 0.01
    assert found.grokked[1, 0] - found.grokked[0, 0] == pytest.approx(between, rel=1e-4)
    assert (found.grokked / found.memorized > 50).all()
    assert found.memorized[1, 0] < 0.01 * found.memorized[0, 0]
    np.testing.assert_allclose(found.without_curve[:, 0], found.grokked[:, 0] * 0.01 / np.log([2, 60]))
    assert runs.path.times[-1].shape == (2, 1)


def test_without_decay_nothing_groks(problem):
    runs = grokking.slide(problem, np.array([np.log(2.0)]), np.array([0.0]), np.array([1e5]))
    assert runs.grokked()[0] == np.inf
    assert runs.test_error(runs.path.states[-1])[0] == pytest.approx(
        float(grokking.static_error(problem, np.log(2.0))), rel=1e-6
    )


def test_plain_descent_groks_when_the_flow_does(problem):
    flow, _ = grokking.hours(problem, np.array([1.0]), np.array([0.05]))
    gaps = []
    for share in (0.4, 0.2, 0.1):
        memorized, grokked = grokking.descend(problem, 1.0, 0.05, share)
        assert memorized == pytest.approx(flow.memorized[0, 0], rel=0.2)
        gaps.append(grokked / flow.grokked[0, 0] - 1)
    assert abs(gaps[2]) < 0.005
    assert abs(gaps[2]) < abs(gaps[0]) / 3
    assert grokking.descend(problem, 1.0, 0.05, most=100)[1] == np.inf


def test_bad_input_is_refused(problem):
    with pytest.raises(ValueError, match="zero or more"):
        grokking.slide(problem, np.zeros(1), np.array([-0.1]), np.ones(1))
    with pytest.raises(ValueError, match="Only a positive decay"):
        grokking_theory.grokking_time(0.0, -1.0, 0.0)
    with pytest.raises(ValueError, match="Only a start above"):
        grokking.hours(problem, np.array([0.01]), np.array([0.01]))
    with pytest.raises(ArithmeticError, match="None of 3 problems"):
        grokking.draw(SparseLaw(12, 24, 24), 0, 3)
    dense = SparseLaw(12, 24, 24).draw(0, "grokking test", 1)[0]
    with pytest.raises(ArithmeticError, match="does not fall to half"):
        grokking.critical(dense)
