"""The surrogate: against finite differences, closed forms, and its source's lines."""

import numpy as np
import pytest
import torch

from offconvex import rng, runtime
from offconvex.locality import networks, regularizer, trees
from offconvex.locality.networks import Architecture
from offconvex.locality.regularizer import Patch

LEFT, RIGHT = Patch(0, 0, 2, 2), Patch(0, 4, 2, 2)


def images(rt, *shape, name="images"):
    return rt.normal(rng.generator(3, "locality tests", name), *shape)


def half(x, patch):
    return patch.of(x).flatten(-3)


def test_the_surrogate_is_the_definition_by_finite_differences(rt):
    x = images(rt, 5, 2, 2, 6)

    def model(v):
        return (half(v, LEFT).tanh() * half(v, RIGHT).square()).sum(-1).sin() + half(v, LEFT)[..., 0] ** 3

    outputs, similar = regularizer.gradient_similarity(model, x, LEFT, RIGHT)
    assert torch.equal(outputs.detach(), model(x))
    for b in range(5):
        other = x[b].clone()
        other[:, :2, 4:6] = x[(b + 1) % 5][:, :2, 4:6]
        g = []
        for point in (x[b], other):
            slopes = []
            for index in np.ndindex(2, 2, 2):
                step = torch.zeros_like(point)
                step[index] = 1e-5
                slopes.append((model((point + step)[None]) - model((point - step)[None])).item() / 2e-5)
            g.append(np.array(slopes))
        cosine = abs(g[0] @ g[1]) / np.linalg.norm(g[0]) / np.linalg.norm(g[1])
        assert similar[b].item() == pytest.approx(cosine, abs=1e-7)


def test_the_penalty_s_gradient_is_that_of_finite_differences(rt):
    architecture = Architecture(1, channels=3, blocks=1)
    weights = networks.start(architecture, rt, networks.start_generators(0, range(1), "test"))
    x = images(rt, 4, 1, 2, 6)

    def penalty(kernel):
        changed = [weights[0], weights[1], kernel, *weights[3:]]
        return regularizer.gradient_similarity(
            lambda v: networks.forward(architecture, changed, v), x[None], LEFT, RIGHT, differentiable=True
        )[1].mean()

    kernel = weights[2].clone().requires_grad_()
    (slope,) = torch.autograd.grad(penalty(kernel), kernel)
    direction = rt.normal(rng.generator(0, "direction"), *kernel.shape)
    # The network is piecewise linear: the surrogate is smooth as long as no unit changes sign, hence the small step.
    h = 1e-7
    difference = (penalty(kernel.detach() + h * direction) - penalty(kernel.detach() - h * direction)) / (2 * h)
    assert difference.item() == pytest.approx((slope * direction).sum().item(), rel=1e-5)


def test_a_dead_patch_gives_no_nan(rt):
    kernel = rt.tensor([1.0]).requires_grad_()

    def model(v):
        return kernel * half(v, RIGHT).sum(-1) + 0 * half(v, LEFT).sum(-1)

    _, similar = regularizer.gradient_similarity(model, images(rt, 3, 1, 2, 6), LEFT, RIGHT, differentiable=True)
    (slope,) = torch.autograd.grad(similar.sum(), kernel, allow_unused=True)
    assert similar.abs().max() == 0 and (slope is None or torch.isfinite(slope).all())


def test_the_change_is_one_minus_the_cosine_where_that_has_its_digits(rt):
    one, other = images(rt, 50, 2, 2, 3, name="one"), images(rt, 50, 2, 2, 3, name="other")
    change = regularizer.direction_change(one, other)
    u, v = (x.flatten(1) / x.flatten(1).norm(dim=1, keepdim=True) for x in (one, other))
    cosine = (u * v).sum(1)
    assert cosine.min() < 0 < cosine.max()
    assert (change - (1 - cosine.abs())).abs().max() <= 1e-15
    assert torch.equal(change, regularizer.direction_change(one, -other))


def test_a_tiny_change_keeps_its_digits_in_single_precision(rt):
    one, turn = images(rt, 50, 2, 2, 3, name="one").float(), images(rt, 50, 2, 2, 3, name="other").float()
    other = one + 1e-4 * turn
    exact = regularizer.direction_change(one.double(), other.double())
    assert 1e-10 < exact.min() and exact.max() < 1e-7
    assert ((regularizer.direction_change(one, other).double() - exact) / exact).abs().median() < 1e-2
    # One minus the rounded cosine has none left.
    cosine = torch.nn.functional.cosine_similarity(one.flatten(1), other.flatten(1))
    assert ((1 - cosine.double() - exact) / exact).abs().median() > 0.5


@pytest.mark.parametrize("penalty", regularizer.PENALTIES)
def test_the_slopes_of_both_penalties_are_those_of_finite_differences(rt, penalty):
    architecture = Architecture(1, channels=3, blocks=1)
    weights = networks.start(architecture, rt, networks.start_generators(0, range(1), "test"))
    x = images(rt, 1, 4, 1, 2, 6)

    def value(kernel):
        changed = [weights[0], weights[1], kernel, *weights[3:]]
        _, change = regularizer.gradient_change(
            lambda v: networks.forward(architecture, changed, v), x, LEFT, RIGHT, differentiable=True
        )
        return regularizer.PENALTIES[penalty](change).sum()

    kernel = weights[2].clone().requires_grad_()
    (slope,) = torch.autograd.grad(value(kernel), kernel)
    direction = rt.normal(rng.generator(0, "direction"), *kernel.shape)
    h = 1e-7
    difference = (value(kernel.detach() + h * direction) - value(kernel.detach() - h * direction)) / (2 * h)
    assert difference.item() == pytest.approx((slope * direction).sum().item(), rel=1e-5)
    assert slope.abs().max() > 0


def test_penalties_are_their_definitions_and_no_change_has_a_finite_logarithm(rt):
    change = rt.tensor([[0.5, 0.25], [0.0, 1.0]]).requires_grad_()
    cosine, logarithm = regularizer.cosine_penalty(change), regularizer.log_penalty(change)
    assert cosine.tolist() == [0.625, 0.5]
    assert logarithm[0].item() == pytest.approx(-np.log(0.125) / 2, rel=1e-8)
    (slope,) = torch.autograd.grad(logarithm.sum(), change)
    assert slope[1].tolist() == pytest.approx([-0.5 / regularizer.FLOOR, -0.5], rel=1e-8)


def test_a_dead_patch_has_changed_fully_and_has_no_slope(rt):
    one, other = (images(rt, 3, 1, 2, 2, name=name) for name in ("one", "other"))
    one[0] = 0
    one, other = one.requires_grad_(), other.requires_grad_()
    change = regularizer.direction_change(one, other)
    slopes = torch.autograd.grad(regularizer.log_penalty(change), (one, other))
    assert change[0] == 1 and (change[1:] < 1).all()
    for slope in slopes:
        assert torch.isfinite(slope).all() and slope[0].abs().max() == 0 < slope[1:].abs().max()


def test_replicas_and_samples_do_not_mix(rt):
    architecture = Architecture(2, channels=4, blocks=1)
    x = images(rt, 3, 6, 2, 2, 6)
    weights = networks.start(architecture, rt, networks.start_generators(1, range(3), "test"))
    _, together = regularizer.gradient_similarity(lambda v: networks.forward(architecture, weights, v), x, LEFT, RIGHT)
    for r in range(3):
        own = [w[r : r + 1] for w in weights]
        _, alone = regularizer.gradient_similarity(
            lambda v, own=own: networks.forward(architecture, own, v)[0], x[r], LEFT, RIGHT
        )
        assert torch.allclose(together[r], alone, atol=1e-10)


def test_any_pair_is_drawn_and_none_overlaps():
    generator, seen = rng.generator(0, "pairs"), set()
    for _ in range(600):
        one, two = regularizer.random_pair(4, 3, 2, generator)
        assert not one.overlaps(two) and not two.overlaps(one)
        seen.add((one.top, one.left, two.top, two.left))
    # In 4 x 3, squares of side 2 lie disjoint only if one is at the top and one at the bottom.
    assert seen == {(a, left, b, right) for a, b in ((0, 2), (2, 0)) for left in (0, 1) for right in (0, 1)}


def test_pairs_may_be_asked_to_lie_apart():
    generator = rng.generator(0, "pairs")
    offsets = []
    for _ in range(300):
        one, two = regularizer.random_pair(9, 4, 2, generator, away=6)
        offsets.append(max(abs(one.top - two.top), abs(one.left - two.left)))
    assert set(offsets) == {6, 7}


def test_wrong_input_is_told(rt):
    x = images(rt, 3, 1, 2, 6)
    with pytest.raises(ValueError, match="must not overlap"):
        regularizer.gradient_similarity(lambda v: v.sum((-3, -2, -1)), x, LEFT, Patch(1, 1, 1, 1))
    with pytest.raises(ValueError, match="edge"):
        regularizer.gradient_similarity(lambda v: v.sum((-3, -2, -1)), x, LEFT, Patch(0, 5, 2, 2))
    with pytest.raises(ValueError, match="at least two"):
        regularizer.swapped(x[:1], RIGHT)
    with pytest.raises(ValueError, match="at least one pixel"):
        Patch(0, 0, 0, 1)
    with pytest.raises(ValueError, match="fit"):
        regularizer.random_pair(3, 3, 2, rng.generator(0, "pairs"))
    with pytest.raises(ValueError, match="5 pixels apart, fit"):
        regularizer.random_pair(6, 6, 2, rng.generator(0, "pairs"), away=5)
    with pytest.raises(ValueError, match="terms"):
        trees.Trees(channels=2, terms=(5,))


def test_devices_are_named(explicit_devices):
    rt = runtime.resolve("cpu")
    trees.compare(trees.Trees(channels=2, terms=(1, 2), draws=1, samples=4), rt, 0)
    regularizer.random_pair(4, 4, 2, rng.generator(0, "pairs"))
