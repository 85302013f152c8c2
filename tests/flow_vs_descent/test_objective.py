"""Hand-derived gradients and Hessian products against automatic differentiation, and the two ways to one descent."""

import pytest
import torch

from offconvex import datasets, runtime
from offconvex.descent import autograd_objective, descend
from offconvex.flow_vs_descent import convolutional
from offconvex.flow_vs_descent.dual import DualLoss
from offconvex.flow_vs_descent.model import ImageColumns, Network, images
from offconvex.flow_vs_descent.objective import CollapsedLoss, LayeredLoss, network_loss

CPU = runtime.resolve("cpu")
DATA = images(CPU, count=30, side=7)
SHAPES = [(49, 10), (49, 8, 10), (49, 8, 6, 10), (49, 8, 7, 6, 10)]


def plain(network):
    """The same loss through torch's own layers."""

    def loss(layers):
        hidden = DATA.inputs
        for index, layer in enumerate(layers):
            hidden = layer @ hidden
            if index < len(layers) - 1:
                hidden = torch.nn.functional.leaky_relu(hidden, network.slope)
        labels = DATA.labels.expand(hidden.shape[0], -1)
        return torch.nn.functional.cross_entropy(hidden, labels, reduction="none").mean(1)

    return loss


KINDS = [(1.0, False), (1.0, True), (0.0, False), (0.1, False)]
CASES = [(widths, slope, layerwise) for widths in SHAPES for slope, layerwise in KINDS]


@pytest.mark.parametrize(("widths", "slope", "layerwise"), CASES)
def test_gradient_and_hessian_product_equal_autograd(widths, slope, layerwise):
    network = Network(widths, slope)
    loss = network_loss(network, DATA, layerwise=layerwise)
    layers = network.start(CPU, 0, "test", replicas=2)
    directions = network.start(CPU, 1, "test", replicas=2)
    value, gradients = loss(layers)
    oracle_value, oracle = autograd_objective(plain(network))(layers)
    torch.testing.assert_close(value, oracle_value, rtol=1e-13, atol=0)
    for mine, theirs in zip(gradients, oracle, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=1e-15)
    again, product = loss.linearize(layers)
    leaves = tuple(layer.clone().requires_grad_() for layer in layers)
    first = torch.autograd.grad(plain(network)(leaves).sum(), leaves, create_graph=True)
    second = torch.autograd.grad(sum((g * d).sum() for g, d in zip(first, directions)), leaves)
    for mine, theirs in zip(again, oracle, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=1e-15)
    for mine, theirs in zip(product(directions), second, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-13)


def test_a_linear_network_takes_the_short_path_unless_told_otherwise():
    assert isinstance(network_loss(Network((49, 10), 1.0), DATA), CollapsedLoss)
    assert isinstance(network_loss(Network((49, 10), 1.0), DATA, layerwise=True), LayeredLoss)
    assert isinstance(network_loss(Network((49, 10), 0.0), DATA), LayeredLoss)


def test_the_gradient_at_the_end_to_end_matrix_is_that_of_one_layer():
    layers = Network((49, 8, 10), 1.0).start(CPU, 0, "end")
    end = network_loss(Network((49, 8, 10), 1.0), DATA).end_gradient(layers)
    _, (single,) = network_loss(Network((49, 10), 1.0), DATA)((layers[1] @ layers[0],))
    torch.testing.assert_close(end, single, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_descent_in_dual_coordinates_is_the_same_descent(slope):
    network = Network((49, 8, 6, 10), slope)
    start = network.start(CPU, 0, "dual", replicas=2)
    dual = DualLoss(network, DATA)
    direct = descend(network_loss(network, DATA), start, steps=50, step_size=0.05)
    other = descend(dual, dual.lift(start), steps=50, step_size=0.05)
    torch.testing.assert_close(other.loss, direct.loss, rtol=1e-12, atol=0)
    assert float(direct.loss[-1].max()) < 0.9 * float(direct.loss[0].max())
    for mine, theirs in zip(dual.layers(other.parameters, start), direct.parameters, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-13)


def test_images_are_evenly_spaced_columns_of_the_packaged_set():
    data = images(CPU, count=100)
    pixels, labels = datasets.subset_arrays("train")
    assert data.inputs.shape == (784, 100) and data.labels.tolist() == labels[::100].tolist()
    expected = torch.as_tensor(pixels[300].reshape(-1) / 255.0)
    torch.testing.assert_close(data.inputs[:, 3] * 0.3530 + 0.2860, expected, rtol=1e-12, atol=1e-12)


def test_glorot_starts_have_their_size_and_a_place_of_their_own():
    first, second = Network((784, 50, 10)).start(CPU, 0, "s", replicas=2)
    reach = (6 / 834) ** 0.5
    assert first.shape == (2, 50, 784) and second.shape == (2, 10, 50)
    assert 0.99 * reach < float(first.abs().max()) <= reach
    assert not torch.equal(first[0], first[1])
    alone = Network((784, 50, 10)).start(CPU, 0, "s")[0]
    assert torch.equal(alone[0], first[0])


@pytest.mark.parametrize(("name", "weights"), [("adapted", 61_470), ("lenet", 61_706)])
def test_the_convolutional_networks_have_the_sources_sizes_and_learn(name, weights):
    start = convolutional.start(name, CPU, 0)
    assert sum(p.numel() for p in start) == weights
    run = descend(convolutional.objective(name, images(CPU, count=20)), start, steps=20, step_size=0.05)
    assert float(run.loss[-1]) < float(run.loss[0])


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="at least two"):
        Network((49,))
    with pytest.raises(ValueError, match="slope"):
        Network((49, 10), 2.0)
    with pytest.raises(ValueError, match="size 784"):
        network_loss(Network(), DATA)
    with pytest.raises(ValueError, match="Label 9"):
        network_loss(Network((49, 5)), ImageColumns(DATA.inputs, torch.full_like(DATA.labels, 9)))
    with pytest.raises(ValueError, match="count"):
        images(CPU, count=0)
    with pytest.raises(ValueError, match="side"):
        images(CPU, side=5)
    with pytest.raises(ValueError, match="adapted, lenet"):
        convolutional.start("vgg", CPU, 0)
