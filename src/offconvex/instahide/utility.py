"""What a classifier learns from encryptions, as a stored experiment: accuracies, and the price of encrypting."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from offconvex import datasets, rng, runtime
from offconvex.files import Arrays
from offconvex.instahide import photographs
from offconvex.instahide.classifier import ClassifierTraining, ConvolutionalClassifier, train
from offconvex.instahide.keys import SeededKeysForExperiments
from offconvex.instahide.scheme import Scheme, cross, draw_coefficients, encrypt, inside, mixup
from offconvex.runtime import Runtime
from offconvex.stored import StoredExperiment, stack


def _identity(images: torch.Tensor) -> torch.Tensor:
    return images


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        scheme: of the encryption; None for plain images.
        view: what the network is given of an image: itself, its absolute value, or its signs.
        shuffled: labels belong to other images, a control.
        photographed: public images are patches of a photograph rather than of the private ones' kind.
    """

    scheme: Scheme | None
    view: Callable[[torch.Tensor], torch.Tensor] = _identity
    shuffled: bool = False
    photographed: bool = False


ARMS = {
    "none": Arm(None),
    "mixup4": Arm(mixup(4)),
    "inside2": Arm(inside(2)),
    "inside4": Arm(inside(4)),
    "cross4": Arm(cross(4)),
    "cross6": Arm(cross(6)),
    "cross6abs": Arm(cross(6), torch.abs),
    "photo6": Arm(cross(6), photographed=True),
    "photo6abs": Arm(cross(6), torch.abs, photographed=True),
    "photo6sign": Arm(cross(6), torch.sign, photographed=True),
    "photo6shuffled": Arm(cross(6), shuffled=True, photographed=True),
}
"""Every arm of the comparison, the last two being controls."""


@dataclass(frozen=True)
class Utility:
    """Settings of the comparison on Fashion-MNIST.

    Attributes:
        arms: names in `ARMS`.
        seeds: of starts, batches and keys.
        private: private images, the first of the training set.
        public: public images, patches of a photograph or the next of the training set.
        views: encryptions of a test image whose predictions are averaged.
        epochs: of training.
    """

    arms: tuple[str, ...] = tuple(ARMS)[:-4]
    seeds: tuple[int, ...] = (0, 1, 2)
    private: int = 10_000
    public: int = 10_000
    views: int = 4
    epochs: int = 6

    def __post_init__(self):
        unknown = set(self.arms) - set(ARMS)
        if unknown:
            raise ValueError(f"Arms are {', '.join(ARMS)}; got {', '.join(sorted(unknown))}.")


def centered(pixels: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Gray levels in [0, 1] moved to [-1, 1], where a sign flip acts."""
    return 2 * pixels - 1


def train_arm(
    name: str, config: Utility, rt: Runtime, seed: int, images: Float[Tensor, "n 28 28"], labels: Int[Tensor, " n"],
    public, stop_after: int | None = None, watch=None,
):  # fmt: skip
    """Train one arm on private images (n, 28, 28) with `public` ones, a fresh key every epoch; returns a `Trained`."""
    arm, keys = ARMS[name], SeededKeysForExperiments(seed, "utility", name)
    if arm.shuffled:
        labels = labels[rt.permutation(rng.generator(seed, "utility", name, "labels"), len(labels))]
    plain = torch.eye(10, dtype=rt.dtype, device=rt.device)[labels]

    def prepare(epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        if arm.scheme is None:
            return images, plain
        mixed, mixed_labels, _ = encrypt(images, labels, arm.scheme, public, keys=keys)
        return arm.view(mixed), mixed_labels

    settings = ClassifierTraining(epochs=config.epochs)
    return train(prepare, settings, rt, seed, "utility", name, stop_after=stop_after, watch=watch)


def encrypt_for_testing(
    images: Float[Tensor, "n height width"], scheme: Scheme, public: Float[Tensor, "m height width"], keys
) -> Float[Tensor, "n height width"]:
    """One encryption (n, 28, 28) of each test image, mixed with public images only, its own coefficient the largest."""
    coefficients = -np.sort(-draw_coefficients(scheme, len(images), keys)[0], axis=1)
    mixed = images * images.new_tensor(coefficients[:, 0])[:, None, None]
    for slot in range(1, scheme.images):
        chosen = torch.as_tensor(keys.permutation(len(public))[: len(images)], device=images.device)
        mixed += public[chosen] * images.new_tensor(coefficients[:, slot])[:, None, None]
    if scheme.flip:
        mask = torch.as_tensor(keys.bits(images.numel()), device=images.device).view(images.shape)
        mixed *= 1 - 2 * mask.to(images.dtype)
    return mixed


def accuracies(
    classifier: ConvolutionalClassifier,
    name: str,
    config: Utility,
    seed: int,
    images: Float[Tensor, "n 28 28"],
    labels: Int[Tensor, " n"],
    public,
) -> tuple[float, float, float]:
    """Accuracy on plain test images, on one encryption of each, and on the mean prediction of several."""
    arm = ARMS[name]
    plain = one = many = _accuracy(classifier.probabilities(arm.view(images)), labels)
    if arm.scheme is not None:
        keys = SeededKeysForExperiments(seed, "utility", name, "test")
        total = 0
        for view in range(config.views):
            mixed = encrypt_for_testing(images, arm.scheme, public, keys)
            total = total + classifier.probabilities(arm.view(mixed))
            if view == 0:
                one = _accuracy(total, labels)
        many = _accuracy(total, labels)
    return plain, one, many


def parts(config: Utility) -> dict[str, tuple[str, int]]:
    """Every arm with every seed."""
    return {f"{arm}-{seed}": (arm, seed) for arm in config.arms for seed in config.seeds}


def run_arm(config: Utility, name: str, seed: int) -> Arrays:
    """One arm and seed.

    Returns:
        "accuracy" (3,): plain, one encryption, many, on the full test set; "first" (): accuracy on the first 2000 plain
        test images after the first epoch; "seconds" (3,): processor time of encrypting, of training, and of encrypting
        image by image, all epochs.
    """
    rt = runtime.resolve("cpu", torch.float32)
    full, test = (datasets.fashion_mnist(split, full=True, rt=rt) for split in ("train", "test"))
    images, public = centered(full.pixels[: config.private + config.public]).split([config.private, config.public])
    if ARMS[name].photographed:
        public = photographs.pool(photographs.supplied(), config.public, rt)
    labels, seen = full.labels[: config.private], centered(test.pixels)
    data = (name, config, rt, seed, images, labels, public)
    first = []

    def watch(epoch: int, classifier: ConvolutionalClassifier) -> None:
        if epoch == 0:
            first.append(_plain_accuracy(classifier, name, seen[:2000], test.labels[:2000]))

    trained = train_arm(*data, watch=watch)
    return {
        "accuracy": np.array(accuracies(trained.classifier, name, config, seed, seen, test.labels, public)),
        "first": np.array(first[0]),
        "seconds": np.array(
            [sum(trained.preparing), sum(trained.training), slow_seconds(name, config, images, labels, public)]
        ),
    }


def first_epoch_accuracy(name, config, rt: Runtime, seed, images, labels, public, test_images, test_labels) -> float:
    """Accuracy on plain test images after the first epoch of `train_arm`: a slice that is cheap to run again."""
    trained = train_arm(name, config, rt, seed, images, labels, public, stop_after=1)
    return _plain_accuracy(trained.classifier, name, test_images, test_labels)


def slow_seconds(name: str, config: Utility, images, labels, public, sample: int = 200) -> float:
    """Processor time of encrypting all epochs image by image, from a sample: what a plain loop costs."""
    scheme = ARMS[name].scheme
    if scheme is None:
        return 0.0
    keys, begin = SeededKeysForExperiments(0, "loop"), time.process_time()
    for row in range(sample):
        encrypt_one(row, images, labels, public, scheme, keys)
    return (time.process_time() - begin) * config.epochs * len(images) / sample


def encrypt_one(
    row: int, images, labels, public, scheme: Scheme, keys
) -> tuple[Float[Tensor, "height width"], Float[Tensor, "10"]]:
    """One image encrypted by itself, as one would write it down: for comparison."""
    coefficients = draw_coefficients(scheme, 1, keys)[0][0]
    places = np.floor(np.abs(keys.normal(1, scheme.images)[0] * 1e6)).astype(int)
    mixed, label = torch.zeros_like(images[0]), images.new_zeros(10)
    for slot, coefficient in enumerate(coefficients.tolist()):
        own = slot < scheme.private
        place = row if slot == 0 else int(places[slot]) % len(images if own else public)
        mixed = mixed + coefficient * (images if own else public)[place]
        if own:
            label[labels[place]] += coefficient
    if scheme.flip:
        mixed = mixed * (1 - 2 * torch.as_tensor(keys.bits(mixed.numel()), device=images.device).view(mixed.shape))
    return mixed, label


def assemble(config: Utility, results: Mapping[tuple, Arrays]) -> Arrays:
    """Arrays of all runs, arm first, then seed."""
    shape = (len(config.arms), len(config.seeds))
    return {name: array.reshape(*shape, -1) for name, array in stack(config, results).items()}


def _plain_accuracy(
    classifier: ConvolutionalClassifier, name: str, images: torch.Tensor, labels: torch.Tensor
) -> float:
    return _accuracy(classifier.probabilities(ARMS[name].view(images)), labels)


def _accuracy(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    return (probabilities.argmax(1) == labels).double().mean().item()


UTILITY = StoredExperiment("instahide-utility", "instahide", Utility(), parts, run_arm, assemble)
LONGER = StoredExperiment(
    name="instahide-longer",
    chapter="instahide",
    config=Utility(arms=("none", "photo6", "photo6abs"), views=10, epochs=20),
    parts=parts,
    run=run_arm,
    assemble=assemble,
)
"""Longer training with the source's kind of public images: another one than the private images'."""
