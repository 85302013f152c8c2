"""Gradient flow against matrix exponentials, its conserved quantity, and the descent that converges to it."""

import numpy as np
import pytest
import torch
from scipy.linalg import expm

from offconvex import rng
from offconvex.descent import autograd_objective, descend
from offconvex.flow import flow, hitting_time, integrate


@pytest.fixture
def field():
    """Random linear field (5, 5) with eigenvalues on both sides of the imaginary axis, and a start (5,)."""
    draw = rng.numpy_generator(0, "test flow")
    return draw.normal(size=(5, 5)) / np.sqrt(5), draw.normal(size=5)


def slope(x, y):
    """Least-squares slope of log y over log x."""
    return np.polyfit(np.log(x), np.log(y), 1)[0]


@pytest.mark.parametrize("method", ["DOP853", "LSODA"])
def test_a_linear_field_follows_its_exponential(field, method):
    matrix, start = field
    times = np.array([0.5, 0.7, 2.0, 4.5])
    states, evaluations = integrate(lambda y: matrix @ y, start, times, method=method)
    expected = [expm((t - 0.5) * matrix) @ start for t in times]
    np.testing.assert_allclose(states, expected, rtol=0, atol=1e-7)
    assert states.shape == (4, 5) and evaluations > 10


@pytest.fixture(scope="module")
def work_and_error():
    """Tolerances (6,), and the evaluations and final errors they give: geometric means over ten random rotations."""
    tolerances = 10.0 ** -np.arange(6, 12)
    evaluations, errors = np.empty((2, 10, len(tolerances)))
    for seed in range(10):
        draw = rng.numpy_generator(seed, "test flow rotation")
        matrix, start = draw.normal(size=(5, 5)) / np.sqrt(5), draw.normal(size=5)
        # A rotation neither damps nor amplifies the errors made on the way.
        matrix = matrix - matrix.T
        exact = expm(20 * matrix) @ start
        for t, tolerance in enumerate(tolerances):
            states, evaluations[seed, t] = integrate(
                lambda y, m=matrix: m @ y, start, [0, 20], rtol=tolerance, atol=tolerance
            )
            errors[seed, t] = np.abs(states[-1] - exact).max()
    return tolerances, *np.exp(np.log([evaluations, errors]).mean(1))


def test_the_error_is_proportional_to_the_tolerance(work_and_error):
    tolerances, _, errors = work_and_error
    assert slope(tolerances, errors) == pytest.approx(1, abs=0.1)
    assert np.all(np.diff(errors) < 0)


def test_the_integrator_has_order_eight(work_and_error):
    _, evaluations, errors = work_and_error
    # The search for the first step adds a constant number of evaluations, hence the half.
    assert slope(evaluations, errors) == pytest.approx(-8, abs=0.5)


def two_layers(parameters):
    """Loss (u v - 1)^2 / 2 of two scalar layers, each (R, 1)."""
    u, v = parameters
    return ((u * v - 1).square() / 2).flatten()


@pytest.fixture
def layers(rt):
    draw = rng.generator(1, "test flow")
    return tuple(0.2 + rt.uniform(draw, 3, 1) for _ in range(2))


def test_a_gradient_flow_keeps_its_conserved_quantity(layers):
    run = flow(
        autograd_objective(two_layers),
        layers,
        np.linspace(0, 5, 6),
        record=lambda p, _: {"imbalance": p[0].square() - p[1].square()},
    )
    drift = (run["imbalance"] - run["imbalance"][0]).abs().max()
    assert drift < 1e-9 and (run.loss[-1] < 1e-3 * run.loss[0]).all()


def test_every_replica_flows_by_its_own_exponential(rt):
    draw = rng.generator(2, "test flow")
    factor = rt.normal(draw, 3, 4, 4)
    curvature = factor @ factor.mT / 4
    start = (rt.normal(draw, 3, 4),)
    times = np.array([0.0, 0.3, 1.0])
    # The objective sees one replica at a time, so each is run with its own curvature.
    for r in range(3):
        own = curvature[r : r + 1]
        objective = autograd_objective(lambda p, own=own: torch.einsum("ri,rij,rj->r", p[0], own, p[0]) / 2)
        run = flow(objective, (start[0][r : r + 1],), times, record=lambda p, _: {"x": p[0]})
        for at, t in enumerate(times):
            expected = expm(-t * own[0].numpy()) @ start[0][r].numpy()
            np.testing.assert_allclose(run["x"][at, 0], expected, rtol=0, atol=1e-9)
            np.testing.assert_allclose(run.loss[at, 0], expected @ own[0].numpy() @ expected / 2, rtol=0, atol=1e-9)


def test_replicas_flow_as_if_alone_and_fill_the_record_of_a_descent(layers):
    times = np.array([0.0, 0.5, 2.0])
    objective = autograd_objective(two_layers)
    run = flow(objective, layers, times, record=lambda p, _: {"u": p[0]})
    assert run.loss.shape == run.times.shape == (3, 3) and run["u"].shape == (3, 3, 1)
    assert run.iterations.tolist() == [0, 1, 2] and run.times[:, 0].tolist() == times.tolist()
    assert torch.equal(run["u"][0], layers[0])
    evaluations = 0
    for r in range(3):
        single = flow(objective, tuple(p[r : r + 1] for p in layers), times, record=lambda p, _: {"u": p[0]})
        assert torch.equal(run["u"][:, r : r + 1], single["u"]) and torch.equal(run.loss[:, r : r + 1], single.loss)
        assert torch.equal(run.parameters[1][r : r + 1], single.parameters[1])
        evaluations += single.steps
    assert run.steps == evaluations


def test_descent_converges_to_the_flow_at_first_order(layers):
    objective = autograd_objective(two_layers)
    limit = flow(objective, layers, np.array([0.0, 2.0])).parameters
    steps = np.array([25, 50, 100, 200, 400])
    distances, drifts = [], []
    for count in steps:
        end = descend(objective, layers, steps=int(count), step_size=2.0 / count).parameters
        distances.append(max((a - b).abs().max().item() for a, b in zip(end, limit)))
        imbalance = [p[0].square() - p[1].square() for p in (end, layers)]
        drifts.append((imbalance[0] - imbalance[1]).abs().max().item())
    assert slope(1 / steps, distances) == pytest.approx(1, abs=0.05)
    # What the flow conserves, descent loses at first order too.
    assert slope(1 / steps, drifts) == pytest.approx(1, abs=0.05)


def test_a_singular_field_gives_up_with_a_sentence():
    with pytest.raises(FloatingPointError, match="stopped at time .* of 2 .*; try method='LSODA' or a looser"):
        integrate(lambda y: y**2, np.array([1.0]), [0.0, 0.5, 2.0])


@pytest.mark.parametrize("times", [[0.0], [0.0, 0.0], [1.0, 0.0], [[0.0, 1.0]], 3.0, [0.0, np.nan], [0.0, np.inf], []])
def test_times_must_increase(times, layers):
    with pytest.raises(ValueError, match="`times` must be at least two strictly increasing finite numbers; got"):
        integrate(lambda y: -y, np.ones(1), times)
    with pytest.raises(ValueError, match="`times` must be"):
        flow(autograd_objective(two_layers), layers, times)


def test_parameters_need_a_common_replica_axis(rt):
    with pytest.raises(ValueError, match="Every parameter needs the same leading replica axis; got shapes"):
        flow(autograd_objective(two_layers), (rt.zeros(2, 1), rt.zeros(3, 1)), np.array([0.0, 1.0]))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("method", ["DOP853", "LSODA"])
def test_a_velocity_that_is_not_finite_at_the_start_gives_up(bad, method):
    with pytest.raises(FloatingPointError, match="velocity is not finite at time 0, the start; choose another start"):
        integrate(lambda y: y * bad, np.ones(2), [0.0, 1.0], method=method)


def test_a_velocity_that_is_not_finite_later_gives_up():
    with pytest.raises(FloatingPointError, match="stopped at time"):
        integrate(lambda y: np.where(y < 2, y, np.nan), np.ones(2), [0.0, 1.0])


@pytest.mark.parametrize("size", [1e-1, 1e-4, 1e-8])
def test_an_escape_from_a_saddle_is_timed(rt, size):
    # u' = u, so u reaches 1 at log(1 / u(0)).
    escape = autograd_objective(lambda p: -p[0].square().sum(1) / 2)
    start = (rt.tensor([[size]]),)
    time = hitting_time(escape, start, until=lambda p: float(p[0][0, 0]) - 1, horizon=30.0)
    assert time == pytest.approx(np.log(1 / size), rel=1e-6)
    with pytest.raises(FloatingPointError, match="did not happen before time .*; give a longer `horizon`"):
        hitting_time(escape, start, until=lambda p: float(p[0][0, 0]) - 1, horizon=0.9 * time)


def test_hitting_times_refuse_bad_input(rt):
    escape = autograd_objective(lambda p: -p[0].square().sum(1) / 2)
    with pytest.raises(ValueError, match="`hitting_time` follows one replica; got 2"):
        hitting_time(escape, (rt.zeros(2, 1),), until=lambda p: -1.0, horizon=1.0)
    for horizon in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="`horizon` must be positive and finite; got"):
            hitting_time(escape, (rt.zeros(1, 1),), until=lambda p: -1.0, horizon=horizon)
    with pytest.raises(FloatingPointError, match="velocity is not finite at time 0"):
        hitting_time(escape, (rt.tensor([[np.nan]]),), until=lambda p: -1.0, horizon=1.0)
