"""Classifiers, their training on encryptions, and the stored experiments' settings."""

import numpy as np
import pytest
import torch

from offconvex import datasets, runtime
from offconvex.instahide import attack, classifier, experiments, scheme, utility
from offconvex.instahide.keys import SeededKeysForExperiments

RT = runtime.resolve("cpu", torch.float32)


@pytest.fixture(scope="module")
def images():
    found = datasets.fashion_mnist("train", rt=RT)
    return utility.centered(found.pixels), found.labels


def test_a_classifier_learns_and_its_first_epoch_repeats(images):
    pixels, labels = (part[:2000] for part in images)
    config = utility.Utility(arms=("none",), epochs=2)
    whole = []
    trained = utility.train_arm("none", config, RT, 0, pixels, labels, None,
        watch=lambda epoch, c: whole.append(c.probabilities(pixels)))  # fmt: skip
    assert (trained.classifier.probabilities(pixels).argmax(1) == labels).float().mean() > 0.7
    assert len(trained.preparing) == len(trained.training) == len(whole) == 2
    again = utility.train_arm("none", config, RT, 0, pixels, labels, None, stop_after=1)
    assert torch.allclose(again.classifier.probabilities(pixels), whole[0], atol=1e-5)


def test_the_rate_rises_and_falls():
    settings = classifier.ClassifierTraining(rate=0.1)
    rates = [settings.rate_at(step, 100) for step in range(100)]
    assert max(rates) == pytest.approx(0.1) and np.argmax(rates) in (19, 20)
    assert np.all(np.diff(rates[:20]) > 0) and np.all(np.diff(rates[20:]) < 0)
    with pytest.raises(ValueError, match="positive"):
        classifier.ClassifierTraining(epochs=0)


def test_the_loss_is_the_cross_entropy_with_mixed_labels(images):
    """One step of the last layer's offset: mean of softmax weighted by label mass, minus labels."""
    pixels = images[0][:50]
    labels = torch.rand(50, 10, device="cpu", generator=torch.Generator(device="cpu").manual_seed(0)) / 20
    settings = classifier.ClassifierTraining(epochs=1, batch=50, momentum=0.9, decay=0.0)
    before = classifier.start(RT, 0, "loss")
    probabilities = before.logits(pixels, training=True).softmax(1)
    expected = -0.1 * 1.9 * (labels.sum(1, keepdim=True) * probabilities - labels).mean(0)
    trained = classifier.train(lambda epoch: (pixels, labels), settings, RT, 0, "loss")
    assert torch.allclose(trained.classifier.weights[4], expected, atol=1e-6)


def test_a_test_encryption_mixes_the_test_image_most(images):
    pixels = images[0]
    kind = scheme.Scheme(2, 2, flip=False)
    keys = SeededKeysForExperiments(0, "test")
    mixed = utility.encrypt_for_testing(pixels[:200], kind, torch.zeros_like(pixels[200:500]), keys)
    weight = (mixed * pixels[:200]).flatten(1).sum(1) / (pixels[:200] ** 2).flatten(1).sum(1)
    assert weight.min() >= 1 / 4 - 1e-6 and weight.max() <= 0.65 + 1e-6


def test_the_loop_encrypts_the_same_way(images):
    pixels, labels = images
    found, label = utility.encrypt_one(
        3, pixels[:9], labels[:9], pixels[9:99], scheme.cross(6), SeededKeysForExperiments(0, "loop")
    )
    assert found.shape == (28, 28) and 0.3 - 1e-6 <= label.sum() < 1


def test_controls_are_at_chance():
    assert experiments.control_accuracy("photo6sign", 1, RT, 0) < 0.3
    assert experiments.control_accuracy("photo6shuffled", 1, RT, 0) < 0.3


def test_unknown_arms_are_refused():
    with pytest.raises(ValueError, match="Arms are"):
        utility.Utility(arms=("rot13",))


@pytest.mark.parametrize("experiment", [utility.UTILITY, utility.LONGER, attack.ATTACK])
def test_stored_results_are_finite(experiment):
    found = experiment.load()
    assert all(np.isfinite(values).all() for values in found.arrays.values())
