"""Gradient descent against matrix powers, a plain NumPy adaptive step and its own single runs."""

import numpy as np
import pytest
import torch

from offconvex import rng
from offconvex.descent import GroupRMSprop, LowRank, autograd_objective, descend
from offconvex.flow import flow

RATES = np.array([0.05, 0.1, 0.3])
R, N = 3, 4


@pytest.fixture
def quadratic(rt):
    """Curvatures (R, N, N) symmetric positive definite below 2, starts (R, N), and the objective 1/2 x'Ax."""
    draw = rng.generator(0, "test descent")
    basis = torch.linalg.qr(rt.normal(draw, R, N, N)).Q
    curvature = basis @ torch.diag_embed(0.1 + 1.9 * rt.uniform(draw, R, N)) @ basis.mT
    start = rt.normal(draw, R, N)

    def objective(parameters):
        (x,) = parameters
        gradient = torch.einsum("rij,rj->ri", curvature, x)
        return (x * gradient).sum(1) / 2, (gradient,)

    return curvature.numpy(), start, objective


def closed_form(curvature, start, rate, steps):
    """(I - rate A)^steps x for one replica."""
    return np.linalg.matrix_power(np.eye(N) - rate * curvature, steps) @ start


@pytest.mark.parametrize("rates", [0.1, RATES])
def test_a_quadratic_follows_its_matrix_power(quadratic, rt, rates):
    curvature, start, objective = quadratic
    step_size = rates if np.isscalar(rates) else rt.tensor(rates)
    run = descend(objective, (start,), steps=50, step_size=step_size, record=lambda p, _: {"x": p[0]}, record_every=7)
    rates = np.broadcast_to(rates, R)
    for at, iteration in enumerate([0, 7, 14, 21, 28, 35, 42, 49, 50]):
        assert run.iterations[at] == iteration
        for r in range(R):
            expected = closed_form(curvature[r], start[r].numpy(), rates[r], iteration)
            np.testing.assert_allclose(run["x"][at, r], expected, rtol=1e-11, atol=1e-14)
            np.testing.assert_allclose(run.loss[at, r], expected @ curvature[r] @ expected / 2, rtol=1e-11)
        np.testing.assert_allclose(run.times[at], rates * iteration, rtol=1e-13)
    assert run.loss.shape == run.times.shape == (9, R) and run["x"].shape == (9, R, N)
    assert run.steps == 50 and torch.equal(run.parameters[0], run["x"][-1])


def test_the_start_is_not_modified(quadratic):
    _, start, objective = quadratic
    before = start.clone()
    descend(objective, (start,), steps=3, step_size=0.1)
    assert torch.equal(start, before)


def test_no_steps_record_the_start(quadratic):
    _, start, objective = quadratic
    run = descend(objective, (start,), steps=0, step_size=GroupRMSprop(0.1))
    assert run.iterations.tolist() == [0] and run.times.tolist() == [[0.0] * R] and run.steps == 0
    assert torch.equal(run.parameters[0], start)


def test_objectives_may_reuse_their_buffers(quadratic):
    _, start, objective = quadratic
    loss_buffer, gradient_buffer = torch.empty_like(start[:, 0]), torch.empty_like(start)

    def buffered(parameters):
        loss, (gradient,) = objective(parameters)
        return loss_buffer.copy_(loss), (gradient_buffer.copy_(gradient),)

    plain, reused = (descend(f, (start,), steps=5, step_size=0.1) for f in (objective, buffered))
    assert torch.equal(plain.loss, reused.loss)


def hoarding(curvature):
    """Objective 1/2 x'Ax of any number of replicas with one loss and one gradient buffer for ever."""
    loss, gradient = torch.full((R,), torch.nan, device="cpu").to(curvature), torch.zeros_like(curvature[:R])

    def objective(parameters):
        (x,) = parameters
        gradient[: len(x)] = x @ curvature
        loss[: len(x)] = (x * gradient[: len(x)]).sum(1) / 2
        return loss[: len(x)], (gradient[: len(x)],)

    return objective


@pytest.mark.parametrize("engine", ["descent", "flow"])
def test_a_record_gets_the_gradients_of_the_parameters_it_gets(quadratic, rt, engine):
    curvature, start = rt.tensor(quadratic[0][0]), quadratic[1]
    options = {"record": lambda p, g: {"x": p[0], "gradient": g[0], "loss": (p[0] * g[0]).sum(1) / 2}}
    if engine == "descent":
        run = descend(hoarding(curvature), (start,), steps=9, step_size=0.3, record_every=4, **options)
    else:
        run = flow(hoarding(curvature), (start,), np.array([0.0, 0.3, 2.0, 3.0]), **options)
    assert len(run.loss) == 4 and len(torch.unique(run["x"])) == run["x"].numel()
    torch.testing.assert_close(run["gradient"], run["x"] @ curvature, rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(run["loss"], run.loss, rtol=1e-13, atol=0)


def test_a_run_stops_once_its_rule_has_held_for_long_enough(quadratic):
    _, start, objective = quadratic
    answers = iter([True, False, True, True, False, True, True, True, True])
    run = descend(
        objective, (start,), steps=80, step_size=0.1, record_every=2, stop=lambda _: next(answers), patience=3
    )
    assert run.iterations.tolist() == list(range(0, 16, 2)) and next(answers)


def test_what_is_taken_less_often_is_repeated_in_between(quadratic):
    _, start, objective = quadratic
    options = {"steps": 8, "step_size": 0.1}
    often = descend(objective, (start,), record=lambda p, _: {"x": p[0]}, **options)["x"]
    run = descend(objective, (start,), record={3: lambda p, _: {"x": p[0]}, 1: lambda p, _: {"y": p[0]}}, **options)
    assert torch.equal(run["x"], often[[0, 0, 0, 3, 3, 3, 6, 6, 6]]) and torch.equal(run["y"], often)


@pytest.mark.parametrize("change", ["name", "shape"])
def test_a_record_keeps_its_names_and_shapes(quadratic, change):
    _, start, objective = quadratic
    values = iter([{"x": start}, {"y": start} if change == "name" else {"x": start[:1]}])
    with pytest.raises(ValueError, match="A record keeps the names and shapes that it begins with"):
        descend(objective, (start,), steps=1, step_size=0.1, record=lambda p, _: next(values))


def two_layers(parameters):
    """Loss of two scalar-by-vector layers, (R, 2) and (R, 2, 3): parameters of different shapes."""
    left, right = parameters
    product = torch.einsum("ri,rij->rj", left, right)
    return (product - 1).square().sum(1) + 0.1 * left.square().sum(1)


@pytest.mark.parametrize(("decay", "floor"), [(0.99, 1e-6), (0.9, 0.5), (0.0, 1e-3)])
def test_group_rmsprop_follows_its_formula(rt, decay, floor):
    draw = rng.generator(1, "test descent")
    start = rt.normal(draw, R, 2), rt.normal(draw, R, 2, 3)
    rule = GroupRMSprop(0.02, decay=decay, floor=floor)
    run = descend(autograd_objective(two_layers), start, steps=40, step_size=rule)
    for r in range(R):
        left, right = (p[r].numpy().copy() for p in start)
        average = elapsed = 0.0
        for t in range(1, 41):
            residual = left @ right - 1
            np.testing.assert_allclose(run.loss[t - 1, r], residual @ residual + 0.1 * left @ left, rtol=1e-10)
            np.testing.assert_allclose(run.times[t - 1, r], elapsed, rtol=1e-10)
            gradients = 2 * right @ residual + 0.2 * left, 2 * np.outer(left, residual)
            average = decay * average + (1 - decay) * sum((g**2).sum() for g in gradients)
            step = 0.02 / (np.sqrt(average / (1 - decay**t)) + floor)
            left, right, elapsed = left - step * gradients[0], right - step * gradients[1], elapsed + step
        np.testing.assert_allclose(run.parameters[0][r], left, rtol=1e-9)
        np.testing.assert_allclose(run.parameters[1][r], right, rtol=1e-9)


def test_the_first_adaptive_step_has_the_length_of_the_rate(rt):
    start = (rt.tensor([[3.0, 4.0], [0.3, 0.4]]),)
    run = descend(autograd_objective(lambda p: p[0].square().sum(1)), start, steps=1, step_size=GroupRMSprop(0.25))
    lengths = (run.parameters[0] - start[0]).norm(dim=1)
    np.testing.assert_allclose(lengths, 0.25, rtol=2e-6)  # up to floor / |gradient|


@pytest.mark.parametrize("step_size", [0.05, "per replica", GroupRMSprop(0.02)])
def test_replicas_run_as_if_alone(rt, step_size):
    draw = rng.generator(2, "test descent")
    start = rt.normal(draw, R, 2), rt.normal(draw, R, 2, 3)
    options = {"steps": 30, "record": lambda p, _: {"left": p[0]}, "record_every": 4}
    rates = rt.tensor(RATES / 5)
    together = descend(
        autograd_objective(two_layers), start, step_size=rates if step_size == "per replica" else step_size, **options
    )
    for r in range(R):
        alone = tuple(p[r : r + 1] for p in start)
        own = rates[r : r + 1] if step_size == "per replica" else step_size
        single = descend(autograd_objective(two_layers), alone, step_size=own, **options)
        for a, b in [(together.loss, single.loss), (together.times, single.times), (together["left"], single["left"])]:
            # A batched product may round differently from a single one.
            torch.testing.assert_close(a[:, r : r + 1], b, rtol=1e-11, atol=1e-14)


def test_autograd_objective_gives_each_replica_its_own_gradient(rt):
    draw = rng.generator(3, "test descent")
    parameters = rt.normal(draw, R, 2), rt.normal(draw, R, 2, 3)
    loss, gradients = autograd_objective(two_layers)(parameters)
    torch.testing.assert_close(loss, two_layers(parameters), rtol=0, atol=0)
    assert not loss.requires_grad and not any(p.requires_grad for p in parameters)
    h = 1e-6
    for p, parameter in enumerate(parameters):
        for index in np.ndindex(*parameter.shape):
            moved = []
            for sign in (1, -1):
                shifted = [q.clone() for q in parameters]
                shifted[p][index] += sign * h
                moved.append(two_layers(shifted))
            slope = (moved[0] - moved[1]) / (2 * h)
            np.testing.assert_allclose(gradients[p][index], slope[index[0]], rtol=1e-7, atol=1e-8)


def test_stop_ends_the_run_at_a_record(quadratic):
    _, start, objective = quadratic
    full = descend(objective, (start,), steps=200, step_size=0.3, record_every=10)
    threshold = full.loss[5].max().item()
    run = descend(
        objective, (start,), steps=200, step_size=0.3, record_every=10, stop=lambda loss: bool(loss.max() <= threshold)
    )
    assert run.iterations.tolist() == [0, 10, 20, 30, 40, 50] and run.steps == 50
    assert torch.equal(run.loss, full.loss[:6])
    half = descend(objective, (start,), steps=50, step_size=0.3)
    assert torch.equal(run.parameters[0], half.parameters[0])


@pytest.mark.parametrize("record_every", [1, 5, 1000])
def test_saving_does_not_change_stepping(quadratic, record_every):
    _, start, objective = quadratic
    plain = descend(objective, (start,), steps=23, step_size=0.2)
    other = descend(objective, (start,), steps=23, step_size=0.2, record_every=record_every)
    assert torch.equal(plain.parameters[0], other.parameters[0])
    assert other.iterations.tolist()[-1] == 23


def test_divergence_names_the_replica(quadratic, rt):
    _, start, objective = quadratic
    rates = rt.tensor([0.1, 500.0, 0.1])
    with pytest.raises(FloatingPointError, match="replica 1 is not finite at iteration .*step size.*make it smaller"):
        descend(objective, (start,), steps=2000, step_size=rates, record_every=100)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": -1}, "`steps` must be >= 0, `record_every` >= 1 and `patience` >= 1; got -1, 1 and 1"),
        ({"record_every": 0}, "`record_every` >= 1 and `patience` >= 1; got 1, 0 and 1"),
        ({"patience": 0}, "`record_every` >= 1 and `patience` >= 1; got 1, 1 and 0"),
        ({"step_size": 0.0}, "`step_size` must be positive and finite; got 0.0"),
        ({"step_size": -0.1}, "`step_size` must be positive and finite; got -0.1"),
        ({"step_size": float("nan")}, "`step_size` must be positive and finite; got nan"),
        ({"step_size": float("inf")}, "`step_size` must be positive and finite; got inf"),
        ({"step_size": [0.1, 0.1]}, r"one per replica, here \(3,\); got shape \(2,\)"),
        ({"step_size": [[0.1]]}, r"one per replica, here \(3,\); got shape \(1, 1\)"),
    ],
)
def test_bad_arguments(quadratic, arguments, message):
    _, start, objective = quadratic
    with pytest.raises(ValueError, match=message):
        descend(objective, (start,), **({"steps": 1, "step_size": 0.1} | arguments))


@pytest.mark.parametrize("shapes", [[(2, 3), (3, 3)], [()], []])
def test_parameters_need_a_common_replica_axis(rt, shapes):
    with pytest.raises(ValueError, match="Every parameter needs the same leading replica axis; got shapes"):
        descend(autograd_objective(two_layers), tuple(rt.zeros(*s) for s in shapes), steps=1, step_size=0.1)


@pytest.mark.parametrize(
    "arguments",
    [{"rate": 0.0}, {"rate": float("nan")}, {"decay": 1.0}, {"decay": -0.1}, {"floor": 0.0}, {"floor": -1.0}],
)
def test_group_rmsprop_refuses_bad_settings(arguments):
    with pytest.raises(ValueError, match="GroupRMSprop needs rate > 0, 0 <= decay < 1 and floor > 0; got rate="):
        GroupRMSprop(**({"rate": 0.1} | arguments))


@pytest.mark.parametrize("step_size", [0.05, RATES / 4, GroupRMSprop(rate=0.05)])
def test_a_gradient_of_low_rank_moves_as_the_same_gradient_made(rt, step_size):
    draw = rng.generator(0, "low rank")
    left, start = rt.normal(draw, R, 2, 5), rt.normal(draw, R, 5, 6)
    target = rt.normal(draw, R, 2, 6)
    step_size = rt.tensor(step_size) if isinstance(step_size, np.ndarray) else step_size

    def objective(make):
        def of(parameters):
            gap = left @ parameters[0] - target  # loss |left W - target|^2 / 2
            gradient = LowRank(left, gap)
            return gap.square().sum((1, 2)) / 2, (make(gradient),)

        return of

    runs = [descend(objective(make), (start,), steps=20, step_size=step_size) for make in (lambda g: g, LowRank.dense)]
    torch.testing.assert_close(runs[0].parameters[0], runs[1].parameters[0], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(runs[0].times, runs[1].times, rtol=1e-12, atol=0)
    assert (runs[0].loss[-1] < 0.9 * runs[0].loss[0]).all()
    gradient = LowRank(left, target)
    torch.testing.assert_close(gradient.square, gradient.dense().square().sum((1, 2)), rtol=1e-12, atol=0)


def test_the_clock_of_a_single_precision_run_sees_small_steps_after_huge_ones():
    def times(dtype):
        calls = iter(range(1000))

        def objective(parameters):  # a plateau of steps rate / floor, then steps near rate
            return parameters[0][:, 0], (torch.full_like(parameters[0], 1e-12 if next(calls) < 200 else 1.0),)

        start = torch.zeros(1, 1, dtype=dtype, device="cpu")
        return descend(objective, (start,), steps=300, step_size=GroupRMSprop(rate=1e-2)).times[:, 0]

    single, double = times(torch.float32).diff(), times(torch.float64).diff()
    torch.testing.assert_close(single, double, rtol=1e-4, atol=0)


def test_an_adaptive_step_takes_a_parameter_of_one_number_per_replica(rt):
    start = (rt.tensor([1.0, 2.0]), rt.tensor([[0.0, 1.0], [1.0, 0.0]]))
    objective = autograd_objective(lambda p: p[0].square() + p[1].square().sum(1))
    run = descend(objective, start, steps=3, step_size=GroupRMSprop(0.01))
    apart = descend(
        autograd_objective(lambda p: p[0].square().sum(1)),
        (torch.cat([start[0][:, None], start[1]], 1),),
        steps=3,
        step_size=GroupRMSprop(0.01),
    )
    torch.testing.assert_close(run.parameters[0], apart.parameters[0][:, 0], rtol=1e-12, atol=0)
    torch.testing.assert_close(run.parameters[1], apart.parameters[0][:, 1:], rtol=1e-12, atol=0)
