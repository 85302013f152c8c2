"""Networks against PyTorch's own convolutions, and receptive fields against what gradients reach."""

import itertools

import pytest
import torch
from torch.nn import functional

from offconvex import rng, runtime
from offconvex.locality import networks, regularizer, theory
from offconvex.locality.networks import Architecture
from offconvex.locality.pathfinder import resnet18


def made(rt, architecture, replicas=2):
    weights = networks.start(architecture, rt, networks.start_generators(0, range(replicas), "test"))
    # Offsets start at zero, where a forgotten one would not be noticed.
    draws = rng.generator(0, "offsets")
    return [w if place % 2 == 0 else rt.normal(draws, *w.shape) for place, w in enumerate(weights)]


@pytest.mark.parametrize(("kernel", "residual"), [((3, 3), True), ((3, 3), False), ((1, 3), True), ((5, 3), False)])
def test_the_network_is_a_stack_of_convolutions(rt, kernel, residual):
    a = Architecture(2, channels=3, blocks=2, kernel=kernel, residual=residual)
    weights, x = made(rt, a), rt.normal(rng.generator(0, "x"), 2, 4, 2, 5, 7)
    outputs = networks.forward(a, weights, x)
    padding = (kernel[0] // 2, kernel[1] // 2)
    for r in range(2):
        # A kernel's columns run over places first, then channels.
        layers = [
            (k[r].view(len(k[r]), *kernel, -1).permute(0, 3, 1, 2), b[r, :, 0])
            for k, b in zip(weights[:-2:2], weights[1:-2:2])
        ]
        hidden = functional.conv2d(x[r], *layers[0], padding=padding)
        for one, two in zip(layers[1::2], layers[2::2]):
            inner = functional.conv2d(hidden.relu(), *one, padding=padding).relu()
            change = functional.conv2d(inner, *two, padding=padding)
            hidden = hidden + change if residual else change
        expected = hidden.relu().mean((-2, -1)) @ weights[-2][r, 0] + weights[-1][r, 0]
        assert torch.allclose(outputs[r], expected, atol=1e-10)


def test_images_may_be_shared_by_the_replicas(rt):
    a = Architecture(1, channels=2, blocks=1)
    x = rt.normal(rng.generator(0, "x"), 3, 1, 4, 4)
    weights = made(rt, a)
    assert torch.equal(networks.forward(a, weights, x), networks.forward(a, weights, x.expand(2, *x.shape)))


def test_replicas_start_from_their_own_streams(rt):
    a = Architecture(1, channels=2, blocks=1)
    both = networks.start(a, rt, networks.start_generators(0, range(2), "test"))
    second = networks.start(a, rt, networks.start_generators(0, range(1, 2), "test"))
    assert all(torch.equal(w[1:], v) for w, v in zip(both, second))


@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_the_receptive_field_is_what_a_unit_depends_on(rt, blocks):
    a = Architecture(1, channels=6, blocks=blocks)
    rows, columns = a.receptive_field
    assert rows == columns == 3 + 4 * blocks
    side = columns + 4
    x = rt.normal(rng.generator(0, "x"), 1, 1, 1, side, side).requires_grad_()
    weights = made(rt, a, 1)
    hidden = networks._convolve(x[0], weights[0], weights[1], a.kernel)
    for block in range(blocks):
        k, b, m, c = weights[2 + 4 * block : 6 + 4 * block]
        # Absolute values, so that no rectifier hides a pixel.
        hidden = hidden + networks._convolve(networks._convolve(hidden, k.abs(), b, a.kernel), m.abs(), c, a.kernel)
    hidden[0, :, side // 2, side // 2].sum().backward()
    reached = x.grad[0, 0, 0, side // 2] != 0
    assert reached.sum() == columns and reached[side // 2 - columns // 2]


@pytest.mark.parametrize(("gap", "spans"), [(theory.largest_gap(11), True), (theory.largest_gap(11) + 1, False)])
def test_beyond_the_receptive_field_the_surrogate_is_exactly_one(rt, gap, spans):
    a = Architecture(1, channels=16, blocks=2)
    assert a.receptive_field == (11, 11)
    left, right = regularizer.Patch(0, 0, 2, 2), regularizer.Patch(0, 2 + gap, 2, 2)
    x = rt.zeros(64, 1, 2, 4 + gap)
    for place, patch in enumerate((left, right)):
        patch.of(x).copy_(rt.normal(rng.generator(place, "patch"), 64, 1, 2, 2))
    weights = made(rt, a, 4)
    _, similar = regularizer.gradient_similarity(
        lambda v: networks.forward(a, weights, v), x.expand(4, *x.shape), left, right
    )
    if spans:
        assert (similar - 1).abs().max() > 1e-9
    else:
        assert (similar - 1).abs().max() <= 1e-12


def test_no_sum_of_two_functions_exceeds_the_additive_ceiling():
    values = (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5)
    best = 0.0
    for a in itertools.product(values, repeat=3):
        for b in itertools.product((-2.0, -1.0, 0.0, 1.0, 2.0), repeat=3):
            right = sum((0.5 / 3) * (a[i] + b[i] > 0) for i in range(3))
            right += sum((0.5 / 6) * (a[i] + b[j] < 0) for i in range(3) for j in range(3) if i != j)
            best = max(best, right)
    assert best == pytest.approx(theory.ADDITIVE_CEILING, abs=1e-12)


def test_devices_are_named(explicit_devices):
    rt = runtime.resolve("cpu", torch.float32)
    resnet18.resnet18(1, rt, rng.generator(0, "resnet"))(rt.zeros(2, 1, 32, 32))
    made(rt, Architecture(1, channels=2, blocks=1))


def test_wrong_sizes_are_told():
    with pytest.raises(ValueError, match="odd"):
        Architecture(1, kernel=(2, 3))
    with pytest.raises(ValueError, match="positive"):
        Architecture(0)
    with pytest.raises(ValueError, match="positive"):
        theory.receptive_field([(3, 0)])
    with pytest.raises(ValueError, match="positive"):
        theory.isotropic_similarity(0)
