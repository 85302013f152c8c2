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
