"""Batches of encryptions, what leaks from their gradients, and the attack on that."""

import numpy as np
import pytest
import torch

from offconvex import rng, runtime
from offconvex.instahide import attack, decode, similarity
from offconvex.instahide.privacy import federated, gradients, leak_theory

RT = runtime.resolve("cpu")
SINGLE = runtime.resolve("cpu", torch.float32)
SMALL = federated.Federation(sizes=(1, 3, 64), epochs=4, units=120)


@pytest.fixture(scope="module")
def data():
    return attack.data_of(20, SINGLE, 4)


@pytest.fixture(scope="module")
def released(data):
    return federated.in_order(data, SMALL, 4)


def test_batches_are_whole_epochs_each_row_once():
    parts = list(federated.batches(60, 3, 8, rng.generator(0, "batches")))
    assert [len(part) for part in parts] == [8, 8, 4] * 3
    for epoch in range(3):
        rows = torch.cat(parts[3 * epoch : 3 * epoch + 3]).sort()[0]
        assert rows.tolist() == list(range(20 * epoch, 20 * epoch + 20))
    with pytest.raises(ValueError, match="whole epochs"):
        next(federated.batches(7, 2, 2, rng.generator(0, "batches")))


def test_a_release_in_order_of_training(data, released):
    published, truth = released
    assert truth.first.tolist() == list(range(80))
    assert torch.equal(truth.owners[:20, 0], torch.arange(20, device="cpu"))
    shuffled, _ = attack.publish(data, 6, 4, 4)
    assert torch.equal(shuffled.images.flatten(1).sum(1).sort()[0], published.images.flatten(1).sum(1).sort()[0])


def test_what_leaks_is_right_and_as_often_as_the_law_says(released):
    published, _ = released
    flat, labels = published.images.flatten(1).double(), published.labels.double()
    network = gradients.start(RT, 4, units=SMALL.units)
    for size in (1, 4, 5):
        found = federated.leak(network, flat, labels, 4, size, rng.generator(0, "leak"))
        assert found.error < 1e-9
        assert torch.allclose(found.images, flat[found.rows], atol=1e-8)
        assert len(set(found.rows.tolist())) == len(found.rows)
        # One network serves all batches, which widens the spread of a share over that of 80 coins.
        assert found.alone == pytest.approx(leak_theory.share_alone(size, SMALL.units), abs=0.2)
        law = 1.0 if size == 1 else leak_theory.share_twice(size, SMALL.units)
        assert len(found.rows) / 80 == pytest.approx(law, abs=0.25)
    none = federated.leak(network, flat, labels, 4, 20, rng.generator(0, "leak"))
    assert none.alone == 0 and len(none.rows) == 0 and none.error == 0


def test_batches_of_one_give_the_release_back(released):
    published, _ = released
    flat, labels = published.images.flatten(1).double(), published.labels.double()
    found = federated.leak(gradients.start(RT, 4, units=60), flat, labels, 4, 1, rng.generator(0, "leak"))
    again = federated.as_published(found, published)
    assert torch.equal(again.images, published.images)
    assert torch.allclose(again.labels, published.labels) and torch.equal(again.labels > 0, published.labels > 0)
    with pytest.raises(ValueError, match="Batches of one come first"):
        federated.Federation(sizes=(4, 1))


def test_the_comparison(data):
    learned = attack.learned(data, (6,), similarity.SimilarityTraining(steps=20), SINGLE, 4)
    met = federated.compare(data, learned, SMALL, RT, 4)
    assert met.alone.shape == met.recognized.shape == met.error.shape == met.gain.shape == (2, 3)
    assert np.allclose(met.alone[:, 0], 1) and np.allclose(met.recognized[:, 0], 1)
    # What batches of one leak is what would have been released, so that the same decoder gets the same.
    assert np.allclose(met.gain[:, 0], met.released, atol=0.05)
    assert met.own[1] == pytest.approx(met.own[0], abs=0.05)
    assert met.alone[0, 2] == met.recognized[0, 2] == met.gain[0, 2] == 0
    assert (met.recognized <= met.alone + 1e-12).all()
    assert met.label_error < 1e-9 and met.error.max() < 1e-9


def test_gain_is_over_the_mean_image(data, released):
    truth = released[1]
    prior = decode.prior_of(data.kin)
    mean = prior.mean.float().view(1, 28, 28).expand_as(truth.images)
    assert federated.gain(mean, truth, prior) == pytest.approx(0, abs=1e-6)
    halfway = (mean + truth.images) / 2
    assert federated.gain(halfway, truth, prior) == pytest.approx(20 * np.log10(2), abs=1e-3)


def test_noise_stops_the_leak(data):
    clean, noisy = (federated.noised(data, SMALL, 1, 1.0, noise, RT, 4) for noise in (0.0, 5.0))
    published, truth = federated.in_order(data, SMALL, 4)
    prior = decode.prior_of(data.kin, data.public)
    images = decode.maximize(published.images, attack.true_mixtures(truth, published), prior, decode.Likelihood())
    assert clean == pytest.approx(federated.gain(images, truth, prior), abs=0.05)
    assert noisy < clean - 2
