"""Two-layer networks, their kernels, and the sizes of their terms."""

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from offconvex import rng, runtime
from offconvex.tangents import fresh_signs, term_sizes, theory, wide
from offconvex.tangents.two_layer import ACTIVATIONS, draw

RT = runtime.resolve("cpu")


def sphere(count, dimension, name="points"):
    x = rng.numpy_generator(0, name).standard_normal((count, dimension))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives(name):
    act = ACTIVATIONS[name]
    z = torch.linspace(-2.05, 2.1, 40, dtype=RT.dtype, device=RT.device)
    chain = [act.value, act.first, act.second, act.third]
    for lower, upper in zip(chain, chain[1:]):
        if upper is not None:
            slope = torch.func.vmap(torch.func.grad(lambda t, f=lower: f(t).sum()))(z)
            torch.testing.assert_close(upper(z), slope, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["relu", "erf"])
def test_the_infinite_kernel_is_the_expectation(name):
    """Against integration over one normal, conditionally on the other."""
    points = sphere(2, 6)
    c = float(points[0] @ points[1])
    normal = stats.norm.pdf
    if name == "relu":
        inner = integrate.quad(lambda u: normal(u) * stats.norm.cdf(c * u / np.sqrt(1 - c * c)), 0, 12)[0]
    else:
        first = lambda z: 2 / np.sqrt(np.pi) * np.exp(-z * z)  # noqa: E731
        both = lambda v, u: first(u) * first(c * u + np.sqrt(1 - c * c) * v) * normal(u) * normal(v)  # noqa: E731
        inner = integrate.dblquad(both, -8, 8, -8, 8)[0]
    assert theory.tangent_kernel(points[:1], points[1:], name)[0, 0] == pytest.approx(c * inner, rel=1e-7)


def test_the_empirical_kernel_is_the_gram_of_gradients():
    net = draw(RT, rng.generator(0, "net"), 2, 6, 4, "erf")
    points = RT.tensor(sphere(3, 4))
    jacobian = torch.func.jacrev(lambda v: net.value(v, points))(torch.zeros_like(net.weights))
    own = torch.stack([jacobian[r, :, r].flatten(1) for r in range(2)])
    torch.testing.assert_close(net.tangent_kernel(points, points), own @ own.mT)


def test_the_network_starts_at_zero_and_its_terms_add_up():
    net = draw(RT, rng.generator(1, "net"), 2, 8, 4, "softplus")
    points, move = RT.tensor(sphere(3, 4)), 1e-2 * RT.normal(rng.generator(1, "move"), 2, 8, 4)
    assert net.value(torch.zeros_like(move), points).abs().max() < 1e-14
    whole = sum(net.term(move, points, k) for k in (1, 2, 3))
    assert (net.value(move, points) - whole).abs().max() < 1e-9 < net.term(move, points, 3).abs().max()


def test_descent_is_that_of_the_loss():
    config = wide.Widths((16,), 2, dimension=4, samples=5, tests=2, steps=1)
    task = wide.make_task(config, "erf", RT, 0)
    net = draw(RT, rng.generator(2, "net"), 2, 16, 4, "erf")
    moved, losses = wide.descend(net, task, 2)
    first = wide.descend(net, task, 1)[0]
    assert losses.shape == (3, 2) and losses[0].tolist() == pytest.approx([2.5, 2.5])
    move = first.clone().requires_grad_()
    loss = 0.5 * (net.value(move, task.inputs[:5]) - task.labels).square().sum()
    torch.testing.assert_close(moved, first - task.step * torch.autograd.grad(loss, move)[0])


def test_linear_descent_is_kernel_descent():
    config = wide.Widths((32,), 2, steps=30)
    task = wide.make_task(config, "relu", RT, 0)
    net = draw(RT, rng.generator(3, "net"), 2, 32, 10, "relu")
    closed = torch.stack(
        [wide.linear_prediction(k, task, 30) for k in net.tangent_kernel(task.inputs, task.inputs[: config.samples])]
    )
    torch.testing.assert_close(wide.linear_descent(net, task, 30), closed, rtol=1e-10, atol=1e-12)


def test_kernel_descent_step_by_step_and_its_losses():
    points = sphere(7, 5)
    kernel = theory.tangent_kernel(points[:5], points[:5], "erf")
    across, labels = theory.tangent_kernel(points, points[:5], "erf"), np.array([1.0, -1, 1, 1, -1])
    value, losses = np.zeros(7), []
    for _ in range(9):
        losses.append(0.5 * ((value[:5] - labels) ** 2).sum())
        value = value - 0.4 * across @ (value[:5] - labels)
    assert theory.kernel_descent(kernel, across, labels, 0.4, np.array([9]))[0] == pytest.approx(value)
    assert theory.kernel_losses(kernel, labels, 0.4, np.arange(9)) == pytest.approx(losses)


def test_gaps_fall_with_the_width_but_not_where_units_keep_moving():
    widths = (32, 512)
    kept = wide.gaps(wide.Widths(widths, 6, steps=40), "erf", RT, 0)
    moving = wide.gaps(wide.Widths(widths, 6, steps=40, feature=True), "erf", RT, 0)
    assert wide.slopes(widths, kept.own)[0] < -0.8 < -0.4 < wide.slopes(widths, moving.own)[0]
    assert -0.8 < wide.slopes(widths, kept.kernel)[0] < -0.2


def test_rate_of_an_exponential():
    assert wide.rate(np.exp(-0.3 * np.arange(20)), 5) == pytest.approx(0.3)


def test_scalings_agree_with_the_network():
    config = term_sizes.Scalings((64,), replicas=3, draws=5, dimension=6)
    found = term_sizes.measure(config, RT, 0)
    assert found.first.shape == (1, 3) and found.signed_first.shape == (1, 3, 5)
    net = draw(RT, rng.generator(0, "aligned"), 1, 64, 6, "softplus")
    point = RT.tensor(sphere(1, 6))[0]
    move = term_sizes.aligned(net, point)
    assert move.norm(dim=2).amax() == pytest.approx(64**-0.25)
    assert net.term(move, point[None], 1)[0, 0] > 0
    flipped = -move
    torch.testing.assert_close(net.term(flipped, point[None], 2), net.term(move, point[None], 2), rtol=0, atol=0)


def test_the_plane_and_the_radii_are_those_of_the_network():
    grid = np.array([-1.0, 0.0, 2.0])
    plane = term_sizes.plane(32, grid, RT, 0, dimension=5)
    assert plane["value"][1, 1] == pytest.approx(0, abs=1e-12)
    assert plane["first"][1] == pytest.approx(grid * plane["first"][1, 2] / 2)
    assert plane["second"][1, 2] == pytest.approx(4 * plane["second"][1, 0])
    found = term_sizes.radii(term_sizes.Scalings((64,), replicas=2, dimension=5), RT, 0)
    assert (0 < found["linear"]).all() and (found["linear"] < found["quadratic"]).all()


@pytest.mark.parametrize("name", ["linear", "network", "signed", "quadratic"])
def test_slopes_of_the_signed_models_are_derivatives(name):
    net = draw(RT, rng.generator(4, "net"), 2, 6, 3, "softplus")
    generator = rng.generator(4, "inputs")
    inputs, move = RT.normal(generator, 2, 4, 3), RT.normal(generator, 2, 6, 3).requires_grad_()
    value, slope = fresh_signs.model(net, name, inputs, net.start(inputs), move)
    pull = net.signs[..., None] * (slope.mT @ inputs) / 6**0.5
    torch.testing.assert_close(torch.autograd.grad(value.sum(), move)[0], pull)
    if name == "network":
        torch.testing.assert_close(value, torch.stack([net.value(move, x)[r] for r, x in enumerate(inputs)]))


def test_signed_training_learns_and_its_slice_agrees():
    config = fresh_signs.Signed(
        dimension=4, samples=(40,), width=40, steps=300, rate=1e-2, replicas=2, draws=3, records=3
    )
    runs = {name: fresh_signs.fit(config, name, 40, RT) for name in ("quadratic", "signed")}
    assert runs["quadratic"]["train"].shape == (3, 2) and (runs["quadratic"]["test"] < 0.5).all()
    short = fresh_signs.fit(config, "signed", 40, RT, steps=100)["train"]
    assert np.array_equal(short[0], runs["signed"]["train"][0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw(RT, rng.generator(0, "x"), 1, 5, 3, "erf"), "`width` must be even"),
        (lambda: draw(RT, rng.generator(0, "x"), 1, 4, 3, "sine"), "`activation` must be one of softplus, erf, relu"),
        (lambda: theory.tangent_kernel(np.ones((2, 3)), np.ones((2, 3)), "relu"), "must have norm one"),
        (lambda: theory.tangent_kernel(sphere(2, 3), sphere(2, 3), "tanh"), "`activation` must be 'relu' or 'erf'"),
        (
            lambda: theory.kernel_descent(np.eye(2), np.eye(2), np.ones(2), 2.5, np.array([1])),
            "`step` must be below 2 / lambda_max = 2; got 2.5",
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_relu_has_no_second_term():
    net = draw(RT, rng.generator(0, "x"), 1, 4, 3, "relu")
    with pytest.raises(ValueError, match="relu has no term of order 2"):
        net.term(torch.zeros_like(net.weights), RT.tensor(sphere(1, 3)), 2)


def test_rooms_tensors_name_their_device(explicit_devices):
    wide.gaps(wide.Widths((8,), 2, steps=2), "erf", RT, 0)
    term_sizes.measure(term_sizes.Scalings((8,), 2, 2, 3), RT, 0)
    term_sizes.radii(term_sizes.Scalings((8,), 2, 2, 3), RT, 0)
    fresh_signs.fit(fresh_signs.Signed(3, (5,), 4, 4, replicas=2, draws=1, tests=3, records=2), "signed", 5, RT)
