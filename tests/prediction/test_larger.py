"""Training on samples alone with more images."""

import numpy as np
import pytest
import torch

from offconvex import datasets, runtime
from offconvex.prediction import larger
from offconvex.prediction.baselines import share
from offconvex.prediction.classifiers import Member, standardize, train

TINY = larger.Larger(training=1000, sizes=(300, 1000), families=("mlp",), gans=2, steps=3, longest=1)


@pytest.fixture
def small_set(monkeypatch):
    """The full set is not in the package: its part stands in."""
    inside = datasets.fashion_mnist
    monkeypatch.setattr(datasets, "fashion_mnist", lambda split, full, rt: inside(split, rt=rt))


def test_the_parts_are_put_together_in_order(small_set):
    results = {index: larger.run(TINY, *index) for index in larger.parts(TINY).values()}
    arrays = larger.assemble(TINY, results)
    assert arrays["real"].shape == (2, 1) and arrays["samples"].shape == (2, 2, 1)
    assert np.array_equal(arrays["samples"][1], results[1,]["accuracy"])
    assert np.array_equal(arrays["real"], results[None,]["accuracy"])
    assert not np.array_equal(arrays["samples"][0], arrays["samples"][1])  # another network, other samples


def test_real_images_are_the_first_of_the_set(small_set):
    rt = runtime.resolve("cpu", torch.float32)
    images, test = (datasets.fashion_mnist(split, True, rt) for split in ("train", "test"))
    one = train(Member("mlp"), standardize(images.pixels[:300]), images.labels[:300], rt, 2, "larger", 300, longest=1)
    expected = share(one.predict(standardize(test.pixels)) == test.labels)
    assert larger.run(TINY, None)["accuracy"][0, 0] == expected > 0.3


def test_samples_are_as_many_as_the_images_and_of_all_classes(small_set):
    rt = runtime.resolve("cpu", torch.float32)
    images = datasets.fashion_mnist("train", True, rt)
    pixels, labels = larger.sampled(TINY, 0, images.pixels[:1000], images.labels[:1000], rt)
    assert pixels.shape == (1000, 28, 28) and 0 <= pixels.min() < pixels.max() <= 1
    assert torch.equal(labels.bincount(), torch.full((10,), 100))


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="largest of `sizes`"):
        larger.Larger(training=2000, sizes=(500, 1000))
    with pytest.raises(ValueError, match="multiple of 1000"):
        larger.Larger(training=1234, sizes=(1234,))
