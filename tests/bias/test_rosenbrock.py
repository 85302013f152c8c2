"""The linearly implicit pair: order as a slope, SciPy's stiff solvers as oracles, stiff decay, events, many runs."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from offconvex.bias import rosenbrock


def logistic(rate=1.0):
    return lambda x: rate * x * (1 - x), lambda x: (rate * (1 - 2 * x))[..., None]


def oscillator(stiffness):
    """Van der Pol's, with its Jacobian."""

    def field(x):
        return np.stack([x[..., 1], stiffness * (1 - x[..., 0] ** 2) * x[..., 1] - x[..., 0]], -1)

    def jacobian(x):
        lower = [-2 * stiffness * x[..., 0] * x[..., 1] - 1, stiffness * (1 - x[..., 0] ** 2)]
        top = [np.zeros_like(x[..., 0]), np.ones_like(x[..., 0])]
        return np.stack([np.stack(top, -1), np.stack(lower, -1)], -2)

    return field, jacobian


def reactions():
    """Robertson's three substances, rates from 0.04 to 3e7."""

    def field(x):
        a, b, c = x
        slow, fast, fastest = 0.04 * a, 1e4 * b * c, 3e7 * b**2
        return np.array([-slow + fast, slow - fast - fastest, fastest])

    def jacobian(x):
        _, b, c = x
        return np.array(
            [[-0.04, 1e4 * c, 1e4 * b], [0.04, -1e4 * c - 6e7 * b, -1e4 * b], [0.0, 6e7 * b, 0.0]],
        )

    return field, jacobian


def by_equal_steps(field, jacobian, start, end, count):
    """The end state, and the estimated error of the first step."""
    state, first = np.array(start, dtype=float), None
    rate = field(state)
    for _ in range(count):
        state, rate, _, error = rosenbrock.step(field, jacobian, state, rate, end / count)
        first = error if first is None else first
    return state, first


def slope(counts, errors):
    return -np.polyfit(np.log(counts), np.log(errors), 1)[0]


def test_order_is_two_and_its_estimate_three():
    field, jacobian = oscillator(1.0)
    exact = solve_ivp(lambda _, x: field(x), (0, 2), [2.0, 0.0], method="DOP853", rtol=1e-13, atol=1e-13).y[:, -1]
    counts = np.array([320, 640, 1280, 2560])
    runs = [by_equal_steps(field, jacobian, [2.0, 0.0], 2.0, count) for count in counts]
    assert slope(counts, [np.abs(state - exact).max() for state, _ in runs]) == pytest.approx(2, abs=0.05)
    assert slope(counts, [np.abs(error).max() for _, error in runs]) == pytest.approx(3, abs=0.1)


def test_estimate_is_the_error_of_a_step():
    """On x' = x(1 - x) the error of one short step is that of the formula of order two."""
    field, jacobian = logistic()
    start = np.array([0.2])
    new, _, _, error = rosenbrock.step(field, jacobian, start, field(start), 0.1)
    exact = 1 / (1 + 4 * np.exp(-0.1))
    assert abs(error[0]) == pytest.approx(abs(new[0] - exact), rel=0.3)


@pytest.mark.parametrize("length", [1e3, 1e6, 1e9])
def test_stiff_modes_are_gone_after_one_step(length):
    start = np.array([1.0])
    new, *_ = rosenbrock.step(lambda x: -x, lambda x: -np.eye(1), start, -start, length)
    assert abs(new[0]) < 5 / length


def test_error_falls_with_the_tolerance():
    field, jacobian = logistic(3.0)
    exact = 1 / (1 + 9 * np.exp(-3.0))
    tolerances = np.array([1e-5, 1e-6, 1e-7, 1e-8, 1e-9])
    errors = [
        abs(rosenbrock.integrate(field, jacobian, np.array([0.1]), 1.0, atol=atol).states[-1, 0] - exact)
        for atol in tolerances
    ]
    assert np.polyfit(np.log(tolerances), np.log(errors), 1)[0] == pytest.approx(2 / 3, abs=0.1)
    assert errors[-1] < 1e-6


def test_matches_backward_differences_on_reactions():
    field, jacobian = reactions()
    start, end = np.array([1.0, 0.0, 0.0]), 4e4
    path = rosenbrock.integrate(field, jacobian, start, end, rtol=1e-6, atol=1e-10)
    oracle = solve_ivp(
        lambda _, x: field(x), (0, end), start, method="BDF", jac=lambda _, x: jacobian(x), rtol=1e-9, atol=1e-13
    )
    np.testing.assert_allclose(path.states[-1], oracle.y[:, -1], rtol=1e-4)
    assert len(path.times) < 1500  # an explicit pair would need 1e8 steps
    assert path.states[-1].sum() == pytest.approx(1, abs=1e-9)


def test_matches_lsoda_on_a_relaxation_oscillation():
    field, jacobian = oscillator(1000.0)
    path = rosenbrock.integrate(field, jacobian, np.array([2.0, 0.0]), 1200.0, rtol=1e-7, atol=1e-7)
    oracle = solve_ivp(lambda _, x: field(x), (0, 1200), [2.0, 0.0], method="LSODA", rtol=1e-10, atol=1e-12)
    assert path.states[-1, 0] == pytest.approx(oracle.y[0, -1], rel=1e-4)
    jump = path.first_time(lambda x: x[..., 0], 0.0)
    crossing = np.argmax(oracle.y[0] < 0)
    assert oracle.t[crossing - 1] - 0.05 < jump < oracle.t[crossing] + 0.05


def test_linear_flow_is_the_matrix_exponential():
    draws = np.random.default_rng(1)
    base = draws.standard_normal((5, 5))
    A = -base @ base.T - 1e3 * np.outer(base[0], base[0])
    start = draws.standard_normal(5)
    path = rosenbrock.integrate(lambda x: x @ A.T, lambda x: A, start, 2.0, atol=1e-8)
    np.testing.assert_allclose(path.states[-1], expm(2 * A) @ start, atol=2e-6)
    for time in (1e-4, 0.03, 0.7, 2.0):
        np.testing.assert_allclose(path.at(time), expm(time * A) @ start, atol=2e-5)


def test_first_time_is_that_of_the_exponential():
    path = rosenbrock.integrate(lambda x: -x, lambda x: -np.eye(1), np.array([1.0]), 5.0, atol=1e-8)
    for level in (0.9, 0.5, 0.02):
        assert path.first_time(lambda x: x[..., 0], level) == pytest.approx(-np.log(level), abs=1e-4)
    assert path.first_time(lambda x: x[..., 0], 1e-4) == np.inf
    assert path.first_time(lambda x: x[..., 0], 1.0) == 0
    rising = path.first_time(lambda x: -x[..., 0], -0.5)
    assert rising == pytest.approx(np.log(2), abs=1e-4)


def test_first_time_is_the_first_of_many():
    field = lambda x: np.stack([x[..., 1], -x[..., 0]], -1)  # noqa: E731
    turn = lambda x: np.array([[0.0, 1.0], [-1.0, 0.0]])  # noqa: E731
    path = rosenbrock.integrate(field, turn, np.array([0.0, 1.0]), 20.0, atol=1e-7)
    assert path.first_time(lambda x: x[..., 0], 0.5) == pytest.approx(np.pi / 6, abs=1e-4)
    np.testing.assert_allclose(path.at(3.0), [np.sin(3.0), np.cos(3.0)], atol=1e-4)


def test_many_runs_are_each_what_they_are_alone():
    rates = np.array([[0.5, 2.0, 40.0], [1.0, 7.0, 300.0]])
    ends = np.array([[8.0, 3.0, 1.0], [5.0, 2.0, 0.5]])
    field = lambda x: rates[..., None] * x * (1 - x)  # noqa: E731
    jacobian = lambda x: (rates[..., None] * (1 - 2 * x))[..., None]  # noqa: E731
    start = np.full((2, 3, 1), 0.01)
    path = rosenbrock.integrate(field, jacobian, start, ends, atol=1e-7)
    half = path.first_time(lambda x: x[..., 0], 0.5)
    np.testing.assert_array_equal(path.times[-1], ends)
    for index in np.ndindex(2, 3):
        alone = rosenbrock.integrate(*logistic(rates[index]), start[index], ends[index], atol=1e-7)
        np.testing.assert_allclose(path.states[(-1, *index)], alone.states[-1], rtol=1e-10)
        own = alone.first_time(lambda x: x[..., 0], 0.5)
        assert half[index] == pytest.approx(float(own), rel=1e-10) or np.isinf(half[index]) and np.isinf(own)
        np.testing.assert_allclose(path.at(ends * 0.3)[index], alone.at(ends[index] * 0.3), rtol=1e-9)


def test_a_longest_step_finds_what_a_falling_jacobian_hides():
    """x' = exp(16 (1 - t)) (1 - x) + x^2, time as a state: x stays near one, then leaves it."""
    pull = lambda x: np.exp(16 * (1 - x[..., 1]))  # noqa: E731

    def field(x):
        return np.stack([pull(x) * (1 - x[..., 0]) + x[..., 0] ** 2, np.ones_like(pull(x))], -1)

    def jacobian(x):
        upper = np.stack([2 * x[..., 0] - pull(x), -16 * pull(x) * (1 - x[..., 0])], -1)
        return np.stack([upper, np.zeros_like(upper)], -2)

    exact = solve_ivp(lambda _, x: field(x), (0, 1.7), [1.0, 0.0], method="LSODA", rtol=1e-11, atol=1e-12).y[0, -1]
    path = rosenbrock.integrate(field, jacobian, np.array([1.0, 0.0]), 1.7, rtol=1e-5, atol=1e-5, longest=0.02)
    assert np.diff(path.times).max() <= 0.02 + 1e-12
    assert path.states[-1, 0] == pytest.approx(exact, rel=1e-3)


def refused(match, **changes):
    arguments = dict(
        field=lambda x: -x, jacobian=lambda x: -np.eye(1), start=np.ones(1), end=1.0, rtol=0.0, atol=1e-6, most=1000
    )
    arguments |= changes
    with pytest.raises(ValueError, match=match):
        rosenbrock.integrate(**arguments)


def test_bad_input_is_refused():
    refused("Tolerances", atol=0.0)
    refused("Tolerances", rtol=-1.0)
    refused("ends at a finite time", end=0.0)
    refused("ends at a finite time", end=np.inf)
    refused("longest step", longest=0.0)
    refused("A start is finite", start=np.array([np.nan]))
    refused("field at the start", field=lambda x: np.full(1, np.inf))
    refused("Jacobian of states", jacobian=lambda x: -np.eye(2))
    refused("loosen the tolerances", most=3)
    # x' = x^2 from one has no value at time one.
    refused("shorter than a rounding", field=lambda x: x**2, jacobian=lambda x: 2 * x[..., None], end=1.5, rtol=1e-3)
    path = rosenbrock.integrate(lambda x: -x, lambda x: -np.eye(1), np.ones(1), 1.0)
    with pytest.raises(ValueError, match="no state at"):
        path.at(1.1)
    with pytest.raises(ValueError, match="finite number for each state"):
        path.first_time(lambda x: np.full(x.shape[:-1], np.nan), 0.0)
