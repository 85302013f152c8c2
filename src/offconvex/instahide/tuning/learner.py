"""A classifier trained on public images of other classes, then on a few epochs of encryptions. Float32: networks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from offconvex import datasets, rng
from offconvex.instahide import utility
from offconvex.instahide.classifier import ClassifierTraining, ConvolutionalClassifier, start, train
from offconvex.instahide.keys import SeededKeysForExperiments
from offconvex.instahide.scheme import cross, encrypt
from offconvex.runtime import Runtime

OWN = 5  # classes 0 to 4 are private, classes 5 to 9 public
VIEWS = {"encryptions": torch.clone, "absolute values": torch.abs}
"""What a network is given of encryptions: themselves, or their absolute values."""


@dataclass(frozen=True)
class ClassSplit:
    """Who has what; gray levels in [-1, 1].

    Attributes:
        private: (n, 28, 28) images of classes 0 to 4, their owner's.
        labels: (n,) their classes.
        public: (m, 28, 28) images of classes 5 to 9 that everybody has, and that are mixed in.
        public_labels: (m,) their classes.
        test: (p, 28, 28) test images of classes 0 to 4.
        test_labels: (p,) their classes.
    """

    private: torch.Tensor
    labels: torch.Tensor
    public: torch.Tensor
    public_labels: torch.Tensor
    test: torch.Tensor
    test_labels: torch.Tensor


def split_of(size: int, public: int, rt: Runtime, seed: int) -> ClassSplit:
    """`size` private images at random, the first `public` ones of the other classes, the private classes' test images.

    Raises:
        ValueError: if there are fewer images of either kind.
    """
    train_images, test = (datasets.fashion_mnist(part, full=True, rt=rt) for part in ("train", "test"))
    pixels, seen = utility.centered(train_images.pixels), utility.centered(test.pixels)
    own, others = ((train_images.labels < OWN) == private for private in (True, False))
    own, others = own.nonzero()[:, 0], others.nonzero()[:, 0]
    if not 1 < size <= len(own) or not size <= public <= len(others):
        raise ValueError(
            f"Expected 2 to {len(own)} private images and from as many to {len(others)} public ones; "
            f"got {size} and {public}."
        )
    chosen = own[rt.permutation(rng.generator(seed, "tuning", "private"), len(own))[:size]]
    others, asked = others[:public], test.labels < OWN
    return ClassSplit(
        pixels[chosen], train_images.labels[chosen], pixels[others], train_images.labels[others],
        seen[asked], test.labels[asked],
    )  # fmt: skip


def pretrained(
    split: ClassSplit, view: str, settings: ClassifierTraining, rt: Runtime, seed: int
) -> ConvolutionalClassifier:
    """Classifier of the public classes, trained on encryptions of public images, which cost nobody anything."""
    keys = SeededKeysForExperiments(seed, "tuning", "public", view)

    def prepare(epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        mixed, labels, _ = encrypt(split.public, split.public_labels, cross(6), split.public, keys=keys)
        return VIEWS[view](mixed), labels

    return train(prepare, settings, rt, seed, "tuning", "public", view).classifier


def reset(classifier: ConvolutionalClassifier, rt: Runtime, seed: int, *stream: str | int) -> ConvolutionalClassifier:
    """A copy whose last layer is untrained, for other classes."""
    fresh = start(rt, seed, *stream)
    copies = [[tensor.detach().clone() for tensor in group]
              for group in (classifier.weights, classifier.scales, classifier.statistics)]  # fmt: skip
    copies[0][3:] = fresh.weights[3:]
    return ConvolutionalClassifier(*copies)


def tune(
    begin: ConvolutionalClassifier,
    epochs: Sequence[tuple[Float[Tensor, "n 28 28"], Float[Tensor, "n 10"]]],
    settings: ClassifierTraining,
    rt: Runtime,
    seed: int,
    *stream: str | int,
) -> ConvolutionalClassifier:
    """Train on what is given for each epoch, from `begin`, which stays as it is."""
    schedule = replace(settings, epochs=len(epochs))
    own = reset(begin, rt, seed, "tuning", *stream)
    return train(epochs.__getitem__, schedule, rt, seed, "tuning", *stream, begin=own).classifier


def accuracy(
    classifier: ConvolutionalClassifier, split: ClassSplit, view: str, views: int, seed: int
) -> tuple[float, float]:
    """Accuracy on plain test images, and of the mean prediction on `views` encryptions of each; none: plain again."""
    plain = classifier.probabilities(VIEWS[view](split.test))
    total = torch.zeros_like(plain) if views else plain
    keys = SeededKeysForExperiments(seed, "tuning", "test")
    for _ in range(views):
        mixed = utility.encrypt_for_testing(split.test, cross(6), split.public, keys)
        total = total + classifier.probabilities(VIEWS[view](mixed))
    return share_right(plain, split.test_labels), share_right(total, split.test_labels)


def share_right(scores: Float[Tensor, "p 10"], labels: Int[Tensor, " p"]) -> float:
    """Share of test images whose class has the largest score among the private classes."""
    return (scores[:, :OWN].argmax(1) == labels).double().mean().item()
