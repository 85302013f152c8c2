"""Truncated power series through a network against nested forward derivatives, and Taylorized training."""

import dataclasses

import numpy as np
import pytest
import torch

from offconvex import rng, runtime, stored
from offconvex.tangents import taylor_orders, training
from offconvex.tangents.series import expand, network, taylor

RT = runtime.resolve("cpu")


def dense(activation="tanh", replicas=2, sizes=(5, 7, 6, 3), size=0.3):
    draw = rng.generator(0, "series", activation)
    start = [RT.normal(draw, replicas, out, fan) for fan, out in zip(sizes, sizes[1:])]
    return start, [size * RT.normal(draw, *w.shape) for w in start], RT.normal(draw, 4, sizes[0])


def convolutional():
    draw = rng.generator(0, "series", "conv")
    shapes = [(2, 4, 1, 3, 3), (2, 5, 4, 3, 3), (2, 3, 5)]
    return (
        [0.4 * RT.normal(draw, *s) for s in shapes],
        [0.2 * RT.normal(draw, *s) for s in shapes],
        RT.normal(draw, 3, 1, 8, 8),
    )


def nested(start, move, inputs, order, activation):
    """Coefficients by nested jvp, the way of cost 2^k."""

    def value(t):
        return network([w + t * v for w, v in zip(start, move)], inputs, activation)

    found, current, factorial = [value(RT.tensor(0.0))], value, 1
    for k in range(1, order + 1):
        current = (lambda f: lambda t: torch.func.jvp(f, (t,), (torch.ones_like(t),))[1])(current)
        factorial *= k
        found.append(current(RT.tensor(0.0)) / factorial)
    return found


@pytest.mark.parametrize("activation", ["relu", "tanh", "softplus", "linear"])
def test_coefficients_are_those_of_nested_derivatives(activation):
    start, move, inputs = dense(activation)
    series = expand(start, move, inputs, 4, activation)
    series += [torch.zeros_like(series[0])] * (5 - len(series))
    for mine, other in zip(series, nested(start, move, inputs, 4, activation)):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)


def test_convolutions_expand_like_nested_derivatives():
    start, move, inputs = convolutional()
    for mine, other in zip(
        expand(start, move, inputs, 3, "softplus"), nested(start, move, inputs, 3, "softplus"), strict=True
    ):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)


def test_a_convolution_is_that_of_each_replica():
    start, _, inputs = convolutional()
    both = network(start, inputs, "relu")
    for r in range(2):
        torch.testing.assert_close(both[r : r + 1], network([w[r : r + 1] for w in start], inputs, "relu"))


@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_error_has_the_next_order(order):
    start, move, inputs = dense("softplus")
    errors = []
    for t in (0.1, 0.05):
        moved = [t * v for v in move]
        truth = network([w + v for w, v in zip(start, moved)], inputs, "softplus")
        errors.append(float((taylor(start, moved, inputs, order, "softplus") - truth).norm()))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order + 1, abs=0.25)


def test_relu_of_three_layers_ends_at_order_three_with_frozen_gates():
    start, move, inputs = dense("relu", size=1.0)
    three, four = (taylor(start, move, inputs, order, "relu") for order in (3, 4))
    torch.testing.assert_close(three, four)
    assert not torch.allclose(taylor(start, move, inputs, 2, "relu"), three)
    hidden, frozen = inputs.expand(2, -1, -1), inputs.expand(2, -1, -1)
    for layer, (w, v) in enumerate(zip(start, move)):
        hidden, frozen = hidden @ w.mT, frozen @ (w + v).mT
        if layer < 2:
            gate = (hidden > 0).to(hidden.dtype)
            hidden, frozen = hidden * gate, frozen * gate
    torch.testing.assert_close(three, frozen)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": -1}, "`order` must be at least 0; got -1"),
        ({"activation": "gelu"}, "`activation` must be one of relu, tanh, softplus, linear; got 'gelu'"),
        ({"move": []}, "must have the shapes of `start`"),
    ],
)
def test_bad_input_is_refused(change, message):
    start, move, inputs = dense()
    arguments = {"start": start, "move": move, "inputs": inputs, "order": 2, "activation": "tanh"} | change
    with pytest.raises(ValueError, match=message):
        expand(**arguments)


def test_a_step_is_plain_descent_until_the_clip():
    config = training.TaylorTraining((8,), replicas=2, clip=1e9)
    start = training.draw_start(config, RT, 0, "step")
    inputs, labels = training.fashion(RT, "train", 50)
    for order in (0, 2):
        move = [torch.zeros_like(w).requires_grad_() for w in start]
        training.step(config, start, move, inputs, labels, order, 0.1)
        alone = [w[:1].clone().requires_grad_() for w in start]
        loss = torch.nn.functional.cross_entropy(network(alone, inputs, "softplus")[0], labels)
        # At the start every model has the network's gradient.
        for v, g in zip(move, torch.autograd.grad(loss, alone)):
            torch.testing.assert_close(v[:1].detach(), -0.1 * g)
        clipped = [torch.zeros_like(w).requires_grad_() for w in start]
        training.step(dataclasses.replace(config, clip=0.01), start, clipped, inputs, labels, order, 0.1)
        norms = torch.stack([v.detach().square().sum((1, 2)) for v in clipped]).sum(0).sqrt()
        torch.testing.assert_close(norms, torch.full_like(norms, 0.001))


def test_training_keeps_what_it_says(explicit_devices):
    config = training.TaylorTraining((8, 8), epochs=2, count=300, replicas=3, records=3)
    run = training.train(config, (0, 1, 3), RT, 0, "test")
    assert run["loss"].shape == (3, 3, len(run["steps"])) and run["steps"][-1] == config.steps == 6
    assert run["cosine"][0] == pytest.approx(1) and (run["cosine"][1:] < 1).all()
    early = training.train(config, (0, 1, 3), RT, 0, "test", steps=int(run["steps"][0]))
    assert np.array_equal(early["loss"][..., 0], run["loss"][..., 0])


def test_the_sources_network_runs():
    config = dataclasses.replace(training.source(1), widths=(2, 2), count=4, batch=2, records=1)
    start = training.draw_start(config, RT, 0, "source")
    assert [tuple(w.shape) for w in start] == [(1, 2, 1, 3, 3), (1, 2, 2, 3, 3), (1, 10, 2)]
    inputs, labels = training.fashion(RT, "train", 4, whole=True)
    move = [torch.zeros_like(w).requires_grad_() for w in start]
    training.step(config, start, move, inputs, labels, 4, 0.1)
    assert all(v.abs().sum() > 0 for v in move)


def test_step_scores_are_paired():
    values = np.array([[1.0, 2.0, 3.0], [2.0, 3.1, 4.2], [2.0, 3.1, 4.1]])
    gain = np.array([1.0, 1.1, 1.2])
    expected = gain.mean() / (gain.std(ddof=1) / np.sqrt(3))
    assert taylor_orders.step_scores(values)[0] == pytest.approx(expected)
    assert taylor_orders.step_scores(values)[1] == pytest.approx(-1.0)


def test_the_slice_sees_a_changed_record():
    runs = taylor_orders.TAYLOR.load()
    assert taylor_orders.slice_difference(runs, 1) < 1e-3
    changed = stored.Stored(runs.arrays | {"loss": 1.1 * runs["loss"]}, runs.config, runs.provenance)
    assert taylor_orders.slice_difference(changed, 1) > 0.05
