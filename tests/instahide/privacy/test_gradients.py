"""Gradients by hand against autograd, what is read out of them, and descent on their distance."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from offconvex import datasets, rng, runtime
from offconvex.instahide import measure
from offconvex.instahide.privacy import gradients, leak_theory, leaks, matching

RT = runtime.resolve("cpu")


@pytest.fixture(scope="module")
def clothes():
    found = datasets.fashion_mnist("train", rt=RT)
    return 2 * found.pixels[:60] - 1, found.labels[:60]


@pytest.fixture(scope="module")
def network():
    return gradients.start(RT, 3, units=50)


def soft_labels(count):
    """Labels of mixtures: two classes, masses that add up to less than one."""
    draws = rng.numpy_generator(0, "soft labels")
    labels = np.zeros((count, 10))
    for row in labels:
        row[draws.permutation(10)[:2]] = draws.uniform(0.1, 0.45, 2)
    return RT.tensor(labels)


def by_autograd(network, images, labels):
    """Gradient of the mean cross-entropy by autograd, flat."""
    leaves = [
        t.clone().requires_grad_() for t in (network.weights, network.offsets, network.last, network.last_offsets)
    ]
    hidden = (images @ leaves[0].T + leaves[1]).relu()
    loss = -(labels * (hidden @ leaves[2].T + leaves[3]).log_softmax(1)).sum(1).mean()
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, leaves)])


def flat(gradient):
    return torch.cat([t.flatten() for t in (gradient.weights, gradient.offsets, gradient.last, gradient.last_offsets)])


def test_the_gradient_is_autograd_s(clothes, network):
    images, labels = clothes[0][:7].flatten(1), soft_labels(7)
    found = gradients.gradient(network, images, labels)
    assert torch.allclose(flat(found), by_autograd(network, images, labels), atol=1e-14)


def test_probabilities_are_those_of_the_softmax_and_units_are_on_where_positive(clothes, network):
    images = clothes[0][:7].flatten(1)
    inputs = functional.linear(images, network.weights, network.offsets)
    expected = functional.linear(inputs.clamp(min=0), network.last, network.last_offsets).exp()
    assert torch.allclose(gradients.probabilities(network, images), expected / expected.sum(1, keepdim=True))
    assert torch.equal(gradients.active(network, images), inputs > 0)


def test_clipping_is_that_of_every_image_s_own_gradient(clothes, network):
    images, labels = clothes[0][:5].flatten(1), soft_labels(5)
    own = torch.stack([by_autograd(network, images[i : i + 1], labels[i : i + 1]) for i in range(5)])
    norms = own.norm(dim=1)
    clip = norms.median().item()
    expected = (own * (clip / norms).clamp(max=1)[:, None]).mean(0)
    found = gradients.clipped_sum(network, images, labels, clip, 0.0, RT, rng.generator(0, "noise"))
    assert torch.allclose(flat(found), expected, atol=1e-13)
    noisy = gradients.clipped_sum(network, images, labels, clip, 2.0, RT, rng.generator(0, "noise"))
    noise = (flat(noisy) - flat(found)) * 5 / (2 * clip)
    assert abs(noise.mean()) < 5 / len(noise) ** 0.5
    assert noise.std().item() == pytest.approx(1, abs=5 / len(noise) ** 0.5)
    with pytest.raises(ValueError, match="positive norm"):
        gradients.clipped_sum(network, images, labels, 0.0, 1.0, RT, rng.generator(0, "noise"))


def test_an_image_of_a_batch_of_one_and_its_label_are_read_exactly(clothes, network):
    images, labels = clothes[0].flatten(1), soft_labels(60)
    for row in range(0, 60, 9):
        sent = gradients.gradient(network, images[row : row + 1], labels[row : row + 1])
        found = gradients.single(sent)
        assert (found - images[row]).norm() < 1e-12 * images[row].norm()
        assert torch.allclose(gradients.label(network, sent, found), labels[row], atol=1e-12)
        # Every row that is on shows the same image.
        assert torch.allclose(gradients.rows(sent), images[row].expand(len(gradients.rows(sent)), -1), atol=1e-10)


def test_a_batch_of_two_leaves_means_and_its_single_rows(clothes, network):
    images, labels = clothes[0][:2].flatten(1), soft_labels(2)
    sent, on = gradients.gradient(network, images, labels), gradients.active(network, images)
    both, slopes = on.all(0), gradients.per_image(network, images, labels)[1]
    quotients = sent.weights / sent.offsets[:, None]
    weights = slopes / slopes.sum(0)
    assert both.any()
    assert torch.allclose(quotients[both], (weights.T @ images)[both])
    assert gradients.alone(on).tolist() == [bool((on[i] & ~on[1 - i]).any()) for i in (0, 1)]
    found = gradients.twice(gradients.rows(sent))
    nearest, error = gradients.match(found, images)
    counts = [int((on[i] & ~on[1 - i]).sum()) for i in (0, 1)]
    assert sorted(nearest.tolist()) == [i for i in (0, 1) if counts[i] > 1]
    assert error.max() < 1e-12


def test_what_two_rows_show_by_hand():
    a, b, c = RT.tensor([[1.0, 2, 3]]), RT.tensor([[0.0, 6, 0]]), RT.tensor([[5.0, 1, 0]])  # all of the same sum
    found = gradients.twice(torch.cat([a, c, a * (1 + 1e-12), b + 1e-3]))
    assert torch.allclose(found, a)
    assert len(gradients.twice(torch.cat([a, b, c]))) == 0
    assert len(gradients.twice(a)) == len(gradients.twice(a[:0])) == 0


def test_the_share_of_images_that_a_unit_holds_alone():
    coins = rng.numpy_generator(0, "coins").random((4000, 5, 12)) < 0.5
    counts = (coins & (coins.sum(1, keepdims=True) == 1)).sum(2)
    for least, law in ((1, leak_theory.share_alone), (2, leak_theory.share_twice)):
        share = (counts >= least).mean()
        assert share == pytest.approx(law(5, 12), abs=5 * (share / 4000) ** 0.5)
    assert leak_theory.share_alone(1, 1) == pytest.approx(0.5)
    assert np.allclose(leak_theory.share_alone(np.array([1, 64]), 1000), [1, 1000 / 2**64])
    assert leak_theory.share_twice(3, 1) == pytest.approx(0, abs=1e-15)


# --- a convolutional network ------------------------------------------------------------------------------------------


def test_the_convolutional_gradients_are_autograd_s(clothes):
    images, labels = clothes[0][:6].view(2, 3, 28, 28), clothes[1][:6].view(2, 3)
    network = matching.sigmoids(RT, 1)
    found = matching.batch_gradients(network, images, labels)
    for group in (0, 1):
        leaves = [network.last_offsets, network.last]
        for place in (2, 1, 0):
            leaves += [network.offsets[place], network.kernels[place]]
        leaves = [leaf.requires_grad_() for leaf in leaves]
        loss = functional.cross_entropy(matching.logits(network, images[group]), labels[group])
        for mine, expected in zip(found, torch.autograd.grad(loss, leaves), strict=True):
            assert torch.allclose(mine[group].flatten(), expected.flatten(), atol=1e-13)
        [leaf.requires_grad_(False) for leaf in leaves]
    single = matching.batch_gradients(network, images.view(6, 1, 28, 28), labels.view(6, 1))
    assert torch.equal(matching.label_of(single), labels.flatten())


def test_descent_solves_several_problems_of_their_own_scales_at_once():
    curvature = RT.tensor(np.logspace(0, 3, 12)) * RT.tensor([[1e-3], [1.0], [1e4]])
    goal = RT.normal(rng.generator(0, "goal"), 3, 12)

    def objective(x):
        return 0.5 * (curvature * (x - goal) ** 2).sum(1), curvature * (x - goal)

    found, value = matching.descend(objective, torch.zeros_like(goal), matching.Matching(steps=80))
    assert torch.allclose(found, goal, atol=1e-6)
    assert torch.allclose(value, objective(found)[0])

    def rosenbrock(x):
        a, b = x[:, :1], x[:, 1:]
        value = (1 - a) ** 2 + 100 * (b - a**2) ** 2
        slope = torch.cat([-2 * (1 - a) - 400 * a * (b - a**2), 200 * (b - a**2)], 1)
        return value[:, 0], slope

    start = RT.tensor([[-1.2, 1.0], [2.0, -1.0]])
    assert torch.allclose(matching.descend(rosenbrock, start, matching.Matching(steps=150))[0], torch.ones_like(start))


def test_an_image_comes_out_of_its_convolutional_gradient_and_not_of_another_s(clothes):
    images, labels = clothes[0][:2, None], clothes[1][:2, None]
    network = matching.sigmoids(RT, 2)
    sent = matching.batch_gradients(network, images, labels)
    found = matching.invert(network, sent, labels, matching.Matching(300, 2), RT, rng.generator(0, "starts"))
    assert measure.psnr(found[:, 0], images[:, 0]).min() > 25
    assert measure.psnr(found[:, 0], images[:, 0].flip(0)).max() < 15


def test_images_sent_alone_come_back_and_those_sent_in_a_crowd_do_not(clothes):
    settings = leaks.Sent(images=3, crowd=12, units=200, matching=matching.Matching(150, 2))
    alone, crowd = leaks.read(*clothes, settings, RT, 5)
    assert alone < 1e-9 < 0.05 < crowd
    met = leaks.match(*clothes, settings, RT, 5)
    assert met.alone.shape == met.exchanged.shape == (3,) and met.crowd.shape == (12,)
    assert np.median(met.alone) > 20 > np.median(met.crowd) and met.exchanged.max() < 15
    own = clothes[0][leaks.chosen(60, settings, RT, 5)[:3]]
    flat = clothes[0].mean(0, keepdim=True).expand_as(own)
    assert met.mean == pytest.approx(measure.psnr(flat, own).mean().item())
