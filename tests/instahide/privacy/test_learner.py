"""Private softmax regression, its features and its studies: gradients, clipping, noise, tests for membership."""

import numpy as np
import pytest
import torch

from offconvex import datasets, rng, runtime
from offconvex.instahide import classifier
from offconvex.instahide.privacy import features, learner, membership, study, theory
from offconvex.instahide.privacy.learner import PrivateDescent

RT = runtime.resolve("cpu", torch.float64)


def drawn(n=30, d=7, replicas=2, scale=1.0):
    draw = rng.generator(0, "private", "test")
    labels = torch.randint(10, (n,), generator=draw, device="cpu")
    return scale * RT.normal(draw, replicas, d, 10), RT.normal(draw, n, d), labels


@pytest.mark.parametrize("clip", [0.5, 2.0, float("inf")])
def test_the_clipped_sum_is_that_of_gradients_one_by_one(clip):
    weights, x, labels = drawn()
    found = learner.clipped_sum(weights, x, labels, clip)
    for w, total in zip(weights, found):
        expected = torch.zeros_like(w)
        for row, label in zip(x, labels):
            own = w.clone().requires_grad_()
            loss = torch.nn.functional.cross_entropy(row[None] @ own, label[None])
            (gradient,) = torch.autograd.grad(loss, own)
            expected += gradient * min(1.0, clip / gradient.norm().item())
        torch.testing.assert_close(total, expected)


def test_one_image_moves_the_sum_by_the_clip_at_most():
    weights, x, labels = drawn(scale=5.0)
    whole = learner.clipped_sum(weights, x, labels, 1.0)
    moved = [
        (whole - learner.clipped_sum(weights, x[rows], labels[rows], 1.0)).flatten(1).norm(dim=1)
        for rows in without_one(len(x))
    ]
    assert 0.9 < torch.stack(moved).max() < 1 + 1e-12


def without_one(count):
    return [torch.cat([torch.arange(i), torch.arange(i + 1, count)]) for i in range(count)]


def test_descent_without_noise_is_that_of_autograd():
    _, x, labels = drawn()
    settings = PrivateDescent(steps=20, rate=0.5, momentum=0.9, clip=float("inf"))
    found = learner.train(x, labels, RT.zeros(1), settings, RT, 0, "test")[0]
    weights = RT.zeros(7, 10).requires_grad_()
    optimizer = torch.optim.SGD([weights], lr=0.5, momentum=0.9)
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(x @ weights, labels).backward()
        optimizer.step()
    torch.testing.assert_close(found, weights.detach())


def test_the_noise_of_one_step_has_the_asked_deviation():
    _, x, labels = drawn(n=10, d=300)
    noise, settings = RT.tensor([0.0, 3.0]), PrivateDescent(steps=1, rate=2.0, momentum=0.0, clip=0.5)
    still, noisy = learner.train(x, labels, noise, settings, RT, 0, "test")
    deviation = (noisy - still).std().item()
    assert deviation == pytest.approx(2.0 * 3.0 * 0.5 / 10, rel=4.5 / 6000**0.5)


def test_two_replicas_of_equal_noise_differ():
    _, x, labels = drawn()
    first, second = learner.train(x, labels, RT.tensor([1.0, 1.0]), PrivateDescent(steps=1), RT, 0, "test")
    assert not torch.allclose(first, second)


def test_noise_without_a_clip_is_refused():
    _, x, labels = drawn()
    with pytest.raises(ValueError, match="infinite; give a finite one"):
        learner.train(x, labels, RT.tensor([1.0]), PrivateDescent(clip=float("inf")), RT, 0, "test")
    with pytest.raises(ValueError, match="momentum in"):
        PrivateDescent(momentum=1.0)


def test_losses_and_accuracy_are_those_of_torch():
    weights, x, labels = drawn()
    for w, losses, share in zip(weights, learner.losses(weights, x, labels), learner.accuracy(weights, x, labels)):
        torch.testing.assert_close(losses, torch.nn.functional.cross_entropy(x @ w, labels, reduction="none"))
        assert share == ((x @ w).argmax(1) == labels).double().mean()


# --- features ---------------------------------------------------------------------------------------------------------


def test_features_have_unit_norm_and_their_number():
    pixels = datasets.fashion_mnist("test", rt=RT).pixels[:50]
    for found, count in (
        (features.orientations(pixels), features.SIZE),
        (features.random_relu(pixels, 39, RT, 0, "test"), 39),
        (features.raw(pixels), 784),
    ):
        assert found.shape == (50, count)
        torch.testing.assert_close(found.norm(dim=1), torch.ones(50, dtype=torch.float64, device="cpu"))
    assert features.SIZE == 439


def test_a_ramp_has_the_direction_in_which_it_rises():
    """Gray that rises to the right, downward and along a diagonal: directions 0, 3 and, half each, 1 and 2 of six."""
    along = RT.tensor(np.arange(28) / 56)
    ramps = torch.stack([along.expand(28, 28), along[:, None].expand(28, 28), (along + along[:, None]) / 2])
    cells = features.orientations(ramps)[:, : 6 * 49].view(3, 6, 7, 7)[:, :, 3, 3]
    cells = cells / cells.sum(1, keepdim=True)
    expected = RT.tensor([[1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0], [0, 0.5, 0.5, 0, 0, 0]])
    torch.testing.assert_close(cells, expected, atol=1e-9, rtol=0)


def test_orientations_do_not_know_dark_from_light():
    """But for the gray levels, a picture and its negative are alike."""
    pixels = datasets.fashion_mnist("test", rt=RT).pixels[:5]
    plain, negative = (features.orientations(p)[:, :390] for p in (pixels, 1 - pixels))
    ratio = plain / plain.norm(dim=1, keepdim=True) - negative / negative.norm(dim=1, keepdim=True)
    assert ratio.abs().max() < 1e-9


def test_the_hidden_layer_is_what_the_last_layer_sees():
    network = classifier.start(RT, 0, "hidden")
    images = RT.uniform(rng.generator(0, "images"), 6, 28, 28)
    shown = study.hidden(network, images)
    logits = network.logits(images)
    assert shown.shape == (6, 128) and (shown.norm(dim=1) - 1).abs().max() < 1e-12
    cosine = torch.nn.functional.cosine_similarity(shown @ network.weights[3], logits)  # only the norms differ
    assert (cosine - 1).abs().max() < 1e-9


# --- membership -------------------------------------------------------------------------------------------------------


def test_the_test_for_membership_finds_a_shift_and_no_more():
    draw = rng.numpy_generator(0, "membership")
    for mu in (0.0, 0.5, 2.0):
        found = membership.membership_advantage(draw.normal(-mu, 1, 20_000), draw.normal(0, 1, 20_000))
        assert found == pytest.approx(theory.advantage(mu) if mu else 0.0, abs=4.5 * (0.5 / 20_000) ** 0.5)


def test_equal_losses_tell_nothing():
    assert membership.membership_advantage(np.zeros(10), np.zeros(10)) == 0


# --- stored experiments -----------------------------------------------------------------------------------------------


def test_permuted_labels_are_the_same_labels_in_another_order():
    labels = torch.arange(100, device="cpu") % 10
    found = study.permuted(labels, RT, 0)
    assert torch.equal(found.sort().values, labels.sort().values) and not torch.equal(found, labels)


def test_noise_of_the_budgets_falls_and_spends_them():
    config = study.PrivateLearning()
    noise = study.noises(config, config.descent)
    assert np.all(np.diff(noise) < 0)
    spent = [theory.budget(config.descent.steps**0.5 / sigma, config.delta) for sigma in noise]
    assert spent == pytest.approx(config.budgets, rel=1e-8)


def test_rate_and_steps_are_within_half_a_point_of_the_best_tried():
    found, config = study.CHOICE.load(), study.PrivateLearning()
    loose = found["accuracy"][:, :, 2]
    own = loose[found.config.steps.index(config.descent.steps), found.config.rates.index(config.descent.rate)]
    assert loose.max() - own < 0.005


@pytest.mark.parametrize("experiment", [study.LEARNING, study.ELSEWHERE, study.CHOICE, membership.MEMBERSHIP])
def test_stored_accuracies_are_shares(experiment):
    for name, values in experiment.load().arrays.items():
        if name != "spent":
            assert np.nanmin(values) >= -0.1 and np.nanmax(values) <= 1
