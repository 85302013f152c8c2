"""A small convolutional classifier, trained on fresh encryptions every epoch. Float32: networks, not theorems."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from offconvex import rng
from offconvex.runtime import Runtime

CHANNELS, HIDDEN, CLASSES = (24, 48), 128, 10


@dataclass(frozen=True)
class ClassifierTraining:
    """Stochastic gradient descent with momentum; the rate rises for a fifth of the steps, then falls along a cosine.

    Attributes:
        epochs: passes over the images.
        batch: images a step.
        rate: largest learning rate.
        momentum: of Nesterov's kind.
        decay: of the weights.
    """

    epochs: int = 6
    batch: int = 100
    rate: float = 0.1
    momentum: float = 0.9
    decay: float = 1e-4

    def __post_init__(self):
        if min(self.epochs, self.batch) < 1 or self.rate <= 0:
            raise ValueError("Epochs, batch and rate must be positive.")

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate of one of `steps` steps."""
        rise = max(1, steps // 5)
        if step < rise:
            return self.rate * (step + 1) / rise
        return self.rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / (steps - rise)))


@dataclass(frozen=True)
class ConvolutionalClassifier:
    """Two convolutions of stride 2, a hidden layer, a linear one; batch normalization after each but the last.

    Attributes:
        weights: kernels, then the last layer's offset.
        scales: (scale, shift) of each normalization.
        statistics: running (mean, variance) of each normalization.
    """

    weights: list[torch.Tensor]
    scales: list[torch.Tensor]
    statistics: list[torch.Tensor]

    def hidden(self, images: Float[Tensor, "n 28 28"], *, training: bool = False) -> Float[Tensor, "n 128"]:
        """Hidden layer (n, 128) at images (n, 28, 28); training updates the running statistics."""
        hidden = images[:, None]
        for layer, kernel in enumerate(self.weights[:3]):
            if layer < 2:
                hidden = functional.conv2d(hidden, kernel, stride=2, padding=kernel.shape[-1] // 2)
            else:
                hidden = hidden.flatten(1) @ kernel
            scale, shift = self.scales[2 * layer : 2 * layer + 2]
            mean, variance = self.statistics[2 * layer : 2 * layer + 2]
            hidden = functional.batch_norm(hidden, mean, variance, scale, shift, training=training).relu()
        return hidden

    def logits(self, images: Float[Tensor, "n 28 28"], *, training: bool = False) -> Float[Tensor, "n 10"]:
        """Logits (n, 10) of images (n, 28, 28); training updates the running statistics."""
        return torch.addmm(self.weights[4], self.hidden(images, training=training), self.weights[3])

    def probabilities(self, images: Float[Tensor, "n 28 28"], *, chunk: int = 2000) -> Float[Tensor, "n 10"]:
        """Class probabilities (n, 10) of images (n, 28, 28)."""
        with torch.no_grad():
            return torch.cat([self.logits(part).softmax(1) for part in images.split(chunk)])


def start(rt: Runtime, seed: int, *stream: str | int) -> ConvolutionalClassifier:
    """Untrained classifier: normal kernels with variance 2 / fan-in, 1 / fan-in in the last layer."""
    first, second = CHANNELS
    features = second * 7 * 7
    shapes = [(first, 1, 5, 5), (second, first, 3, 3), (features, HIDDEN), (HIDDEN, CLASSES)]
    variances = [2 / 25, 2 / (9 * first), 2 / features, 1 / HIDDEN]
    generator = rng.generator(seed, *stream, "start")
    weights = [rt.normal(generator, *shape) * variance**0.5 for shape, variance in zip(shapes, variances)]
    for layer in (0, 1):  # memory order in which the convolutions are a fifth faster on a processor
        weights[layer] = weights[layer].to(memory_format=torch.channels_last)
    sizes = (first, second, HIDDEN)
    scales = [tensor for size in sizes for tensor in (rt.zeros(size) + 1, rt.zeros(size))]
    statistics = [tensor for size in sizes for tensor in (rt.zeros(size), rt.zeros(size) + 1)]
    return ConvolutionalClassifier([*weights, rt.zeros(CLASSES)], scales, statistics)


@dataclass(frozen=True)
class Trained:
    """A classifier and what its training took.

    Attributes:
        classifier: after the last epoch run.
        preparing: processor seconds of each epoch's encryption.
        training: processor seconds of each epoch's steps.
    """

    classifier: ConvolutionalClassifier
    preparing: list[float]
    training: list[float]


def train(
    prepare: Callable[[int], tuple[torch.Tensor, torch.Tensor]],
    settings: ClassifierTraining,
    rt: Runtime,
    seed: int,
    *stream: str | int,
    stop_after: int | None = None,
    watch: Callable[[int, ConvolutionalClassifier], None] | None = None,
    begin: ConvolutionalClassifier | None = None,
) -> Trained:
    """Train on what `prepare` gives for each epoch, by the cross-entropy with mixed labels.

    Args:
        prepare: epoch -> images (n, 28, 28) as the network sees them, labels (n, 10) that need not add up to one.
        settings: of the training.
        rt: device and precision.
        seed: of start and batches.
        stream: name of the use.
        stop_after: epochs to run, the schedule being that of all; None for all.
        watch: called after each epoch with its number and the classifier, outside the times taken.
        begin: classifier to go on from, which changes; None for an untrained one.
    """
    classifier = start(rt, seed, *stream) if begin is None else begin
    parameters = [tensor.requires_grad_() for tensor in (*classifier.weights, *classifier.scales)]
    optimizer = torch.optim.SGD(
        parameters, lr=settings.rate, momentum=settings.momentum, weight_decay=settings.decay, nesterov=True
    )
    order = rng.generator(seed, *stream, "order")
    preparing, training = [], []
    for epoch in range(settings.epochs if stop_after is None else stop_after):
        clock = time.process_time()
        images, labels = prepare(epoch)
        preparing.append(time.process_time() - clock)
        clock = time.process_time()
        batches = rt.permutation(order, len(images)).split(settings.batch)
        for place, rows in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = settings.rate_at(epoch * len(batches) + place, settings.epochs * len(batches))
            logits = classifier.logits(images[rows], training=True)
            loss = -(labels[rows] * logits.log_softmax(1)).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        training.append(time.process_time() - clock)
        if watch is not None:
            watch(epoch, classifier)
    for tensor in parameters:
        tensor.requires_grad_(False)
    return Trained(classifier, preparing, training)
