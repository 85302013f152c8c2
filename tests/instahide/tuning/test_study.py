"""Public training, fine-tuning and the attack on its encryptions, at tiny size."""

import numpy as np
import pytest
import torch

from offconvex import datasets, rng, runtime
from offconvex.instahide.classifier import ClassifierTraining, start
from offconvex.instahide.decode import Mixtures
from offconvex.instahide.tuning import learner, study

RT = runtime.resolve("cpu", torch.float32)
TINY = study.FineTuning(
    seeds=(1,), size=60, public=1100, epochs=(2, 1), judged=2, pretraining=1, batch=20, steps=5, views=1
)


@pytest.fixture(autouse=True)
def inside_the_package(monkeypatch):
    """The part of the images that the package holds, in place of all."""
    part = datasets.fashion_mnist
    monkeypatch.setattr(datasets, "fashion_mnist", lambda split, full, rt: part(split, rt=rt))
    study.similarity_of.cache_clear()
    study.public_classifier.cache_clear()


def test_private_and_public_images_are_of_different_classes():
    split = learner.split_of(50, 300, RT, 3)
    assert split.labels.max() < 5 <= split.public_labels.min() and split.test_labels.max() < 5
    assert len(split.private) == 50 and len(split.public) == 300
    assert -1 <= split.private.min() < -0.9 and 0.9 < split.private.max() <= 1
    assert not torch.equal(split.private, learner.split_of(50, 300, RT, 4).private)
    with pytest.raises(ValueError, match="private images and from as many"):
        learner.split_of(50, 40, RT, 3)


def test_tuning_keeps_what_it_begins_from_and_learns():
    split = learner.split_of(400, 2000, RT, 3)
    public = learner.pretrained(split, "absolute values", ClassifierTraining(epochs=1), RT, 3)
    before = [tensor.clone() for tensor in (*public.weights, *public.scales, *public.statistics)]
    plain = torch.eye(10, device="cpu")[split.labels]
    epochs = [(split.private.abs(), plain)] * 6
    tuned = learner.tune(public, epochs, ClassifierTraining(batch=50, rate=0.03), RT, 3, "test")
    assert all(map(torch.equal, before, (*public.weights, *public.scales, *public.statistics)))
    one, several = learner.accuracy(tuned, split, "absolute values", 0, 3)
    assert one == several > 0.6
    again = learner.reset(public, RT, 3, "again")
    assert torch.equal(again.weights[0], public.weights[0]) and not torch.equal(again.weights[3], public.weights[3])


def test_the_right_class_is_sought_among_the_private_ones():
    scores = torch.zeros(3, 10, device="cpu")
    scores[:, 7], scores[0, 2], scores[1, 4], scores[2, 0] = 9, 1, 1, 1
    assert learner.share_right(scores, torch.tensor([2, 4, 3], device="cpu")) == pytest.approx(2 / 3)


def test_fewer_epochs_are_the_head_of_more():
    split = learner.split_of(TINY.size, TINY.public, RT, 1)
    few, many = (study.released(TINY, split, epochs, 1) for epochs in (1, 3))
    head = many[0].images[many[1].first.argsort()][: TINY.size]
    assert torch.equal(few[0].images[few[1].first.argsort()], head)


def test_exchanged_owners_are_as_many_and_others():
    owners = torch.stack([torch.arange(500, device="cpu"), torch.arange(500, device="cpu").flip(0)], 1)
    mixtures = Mixtures(500, owners, torch.full((500, 2), 0.3, device="cpu"), 4)
    other = study.exchanged(mixtures, rng.generator(0, "exchange"))
    assert torch.equal(other.owners.flatten().bincount(), owners.flatten().bincount())
    assert (other.owners == owners).double().mean() < 0.05
    assert torch.equal(other.coefficients, mixtures.coefficients)


def test_parts_make_the_arrays():
    results = {args: study.run(TINY, *args) for args in study.parts(TINY).values()}
    found = study.assemble(TINY, results)
    assert found["quality"].shape == (2, 1, 6, 2) and found["accuracy"].shape == (2, 1, 2, 3)
    # T = 1 first, where nothing else is run.
    assert np.isnan(found["quality"][0, 0, 4:]).all() and np.isfinite(found["quality"][1]).all()
    assert np.isfinite(found["accuracy"]).all()
    assert np.isnan(found["found"][0, 0, 1]) and np.isfinite(found["found"][:, 0, 0]).all()
    # The best single picture is the private images' own mean; nothing that knows less beats it in one epoch.
    assert found["quality"][1, 0, 1, 0] > found["quality"][1, 0, 0, 0]
    assert found["quality"][1, 0, 2, 0] > found["quality"][1, 0, 4, 0]
    assert found["pictures"].shape == (2, 1, 3, 6, 28, 28)


def test_untrained_networks_guess():
    split = learner.split_of(60, 400, RT, 1)
    assert learner.accuracy(start(RT, 0, "guess"), split, "encryptions", 0, 0)[0] < 0.45
