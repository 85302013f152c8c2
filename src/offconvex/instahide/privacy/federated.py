"""Federated learning on encryptions: what gradients of batches give back, and the attack on that. Float64."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from offconvex import rng
from offconvex.instahide import attack
from offconvex.instahide.assign import assign
from offconvex.instahide.decode import Likelihood, Mixtures, Prior, maximize, prior_of
from offconvex.instahide.privacy import gradients
from offconvex.instahide.privacy.gradients import DenseNetwork
from offconvex.instahide.scheme import Published, Truth
from offconvex.instahide.similarity import Similarity
from offconvex.runtime import Runtime

VIEWS = {"encryptions": torch.clone, "absolute values": torch.abs}
"""What a learner's network is given: encryptions as they are, or their absolute values."""


def batches(count: int, epochs: int, size: int, draws: torch.Generator) -> Iterator[Int[Tensor, " B"]]:
    """Places of each batch's encryptions: every epoch's in random order, `size` at a time, the last perhaps fewer.

    Raises:
        ValueError: if the encryptions are no whole number of epochs.
    """
    if count % epochs:
        raise ValueError(f"Expected whole epochs; got {count} encryptions of {epochs} epochs.")
    each = count // epochs
    for epoch in range(epochs):
        order = torch.randperm(each, generator=draws, device="cpu") + epoch * each
        yield from order.split(size)


@dataclass(frozen=True)
class Leaked:
    """What came out of the gradients.

    Attributes:
        alone: share of the encryptions that some row of a gradient holds alone.
        rows: (found,) places of those that the adversary has recognized; for judging.
        images: (found, pixels) what she has.
        labels: (N, classes) mixed labels read from batches of one, in the order of training; empty for larger ones.
        error: largest relative error of the images; zero if there are none.
    """

    alone: float
    rows: torch.Tensor
    images: torch.Tensor
    labels: torch.Tensor
    error: float


def leak(
    network: DenseNetwork, seen: Float[Tensor, "N pixels"], labels: Float[Tensor, "N classes"], epochs: int, size: int,
    draws: torch.Generator,
) -> Leaked:  # fmt: skip
    """Send the gradient of every batch, and read it: of a batch of one its image, else whatever two rows agree on.

    Args:
        network: the model, which everybody has.
        seen: what it is given of the encryptions, epoch by epoch.
        labels: mixed labels.
        epochs: in all.
        size: of a batch.
        draws: of the batches.
    """
    alone, places, images, errors, read = 0, [], [], [0.0], torch.empty_like(labels[: len(labels) * (size == 1)])
    for rows in (part.to(seen.device) for part in batches(len(seen), epochs, size, draws)):
        sent = gradients.gradient(network, seen[rows], labels[rows])
        alone += int(gradients.alone(gradients.active(network, seen[rows])).sum())
        found = gradients.single(sent)[None] if size == 1 else gradients.twice(gradients.rows(sent))
        if size == 1:
            read[rows] = gradients.label(network, sent, found[0])
        if len(found):
            nearest, error = gradients.match(found, seen[rows])
            places.append(rows[nearest])
            images.append(found)
            errors.append(error.max().item())
    none = torch.zeros(0, dtype=torch.int64, device=seen.device)
    return Leaked(alone / len(seen), torch.cat([none, *places]), torch.cat([seen[:0], *images]), read, max(errors))


def gain_of(leaked: Leaked, published: Published, truth: Truth, prior: Prior) -> float:
    """Gain in dB of the likelihood decoder on what leaked, true owners and coefficients; zero if nothing did."""
    if not len(leaked.rows):
        return 0.0
    images = leaked.images.to(published.images.dtype).view(-1, *published.images.shape[1:])
    mixtures = Mixtures(
        published.size, truth.owners[leaked.rows], truth.coefficients[leaked.rows, :2], published.scheme.public
    )
    return gain(maximize(images, mixtures, prior, Likelihood()), truth, prior)


def gain(images: Float[Tensor, "n height width"], truth: Truth, prior: Prior) -> float:
    """Mean PSNR in dB of images, minus that of the prior's mean image."""
    mean = prior.mean.to(truth.images.dtype).view(1, *images.shape[1:]).expand_as(truth.images)
    return attack.quality(images, truth.images)[0] - attack.quality(mean, truth.images)[0]


@dataclass(frozen=True)
class Federation:
    """Settings of the comparison.

    Attributes:
        sizes: of batches, one first.
        epochs: T, of training on encryptions.
        units: ReLU units of the dense first layer.
        images: k, images in a mixture.
    """

    sizes: tuple[int, ...] = (1, 4, 8, 16, 64)
    epochs: int = 10
    units: int = 1000
    images: int = 6

    def __post_init__(self):
        if self.sizes[:1] != (1,):
            raise ValueError(f"Batches of one come first, since labels are read from them; got sizes {self.sizes}.")


@dataclass(frozen=True)
class Met:
    """What an adversary gets who sees gradients, beside one who sees the encryptions.

    Attributes:
        released: gain in dB from the encryptions themselves, true owners.
        alone: (views, sizes) share of encryptions that some row holds alone.
        recognized: (views, sizes) share that the adversary has recognized.
        error: (views, sizes) largest relative error of these.
        gain: (views, sizes) in dB over the mean image, true owners.
        label_error: largest error of a label from a batch of one.
        own: gains with the adversary's own assignment, from the encryptions and from the gradients of batches of one.
    """

    released: float
    alone: np.ndarray
    recognized: np.ndarray
    error: np.ndarray
    gain: np.ndarray
    label_error: float
    own: tuple[float, float]


def in_order(data: attack.Data, settings: Federation, seed: int) -> tuple[Published, Truth]:
    """A release of the cross scheme in the order of training: epoch by epoch."""
    published, truth = attack.publish(data, settings.images, settings.epochs, seed)
    order = truth.first.argsort()
    released = Published(published.images[order], published.labels[order], published.scheme, published.size)
    return released, Truth(truth.images, truth.owners[order], truth.coefficients[order], truth.first[order])


def compare(data: attack.Data, similarity: Similarity, settings: Federation, rt: Runtime, seed: int) -> Met:
    """Attack what leaks from the gradients of every view and size of batch, and what would have been released.

    Args:
        data: who has what.
        similarity: learned by the adversary.
        settings: of the comparison.
        rt: device, and the precision of the gradients, double.
        seed: of keys, network and batches.
    """
    published, truth = in_order(data, settings, seed)
    prior = prior_of(data.kin, data.public)
    flat, labels = published.images.flatten(1).to(rt.dtype), published.labels.to(rt.dtype)
    network = gradients.start(rt, seed, units=settings.units)
    table, singles = [], []
    for name, view in VIEWS.items():
        for size in settings.sizes:
            draws = rng.generator(seed, "federated", name, size)
            found = leak(network, view(flat), labels, settings.epochs, size, draws)
            share = len(found.rows) / len(flat)
            table.append((found.alone, share, found.error, gain_of(found, published, truth, prior)))
            singles += [found] * (size == 1 and not singles)
    alone, recognized, error, gains = np.array(table).T.reshape(4, len(VIEWS), len(settings.sizes))
    mixtures = attack.true_mixtures(truth, published)
    released = gain(maximize(published.images, mixtures, prior, Likelihood()), truth, prior)
    leaked = as_published(singles[0], published)
    label_error = (singles[0].labels - labels).abs().max().item()
    own = (own_gain(published, truth, similarity, prior, seed), own_gain(leaked, truth, similarity, prior, seed))
    return Met(released, alone, recognized, error, gains, label_error, own)


def as_published(leaked: Leaked, published: Published) -> Published:
    """What gradients of batches of one gave, in the order of training and in the precision of a release."""
    images = leaked.images[leaked.rows.argsort()].to(published.images.dtype).view_as(published.images)
    labels = leaked.labels.where(leaked.labels > 1e-9, 0.0).to(published.labels.dtype)
    return Published(images, labels, published.scheme, published.size)


def own_gain(published: Published, truth: Truth, similarity: Similarity, prior: Prior, seed: int) -> float:
    """Gain in dB of the attack by the adversary's own assignment; for judging, images get their true names."""
    mixtures = assign(published, similarity, rng.numpy_generator(seed, "instahide", "clusters"))
    images, _ = attack.named(maximize(published.images, mixtures, prior, Likelihood()), truth)
    return gain(images, truth, prior)


def noised(
    data: attack.Data, settings: Federation, size: int, clip: float, noise: float, rt: Runtime, seed: int
) -> float:
    """Gain in dB from clipped, noised sums over batches of `size`, to one who is told more than she can know.

    She is told which row each encryption stands out in most, owners and coefficients; her quotients of that row, cut
    to [-1, 1], go into the likelihood decoder.
    """
    published, truth = in_order(data, settings, seed)
    prior = prior_of(data.kin, data.public)
    flat, labels = published.images.flatten(1).to(rt.dtype), published.labels.to(rt.dtype)
    network = gradients.start(rt, seed, units=settings.units)
    draws, order = (rng.generator(seed, "federated", *name) for name in (("noise",), ("encryptions", size)))
    images = torch.zeros_like(flat)
    for rows in (part.to(flat.device) for part in batches(len(flat), settings.epochs, size, order)):
        sent = gradients.clipped_sum(network, flat[rows], labels[rows], clip, noise, rt, draws)
        slopes = gradients.per_image(network, flat[rows], labels[rows])[1].abs()
        best = (slopes / slopes.sum(0).clamp(min=1e-30)).argmax(1)
        images[rows] = (sent.weights[best] / sent.offsets[best, None]).clamp(-1, 1)
    everything = Leaked(0.0, torch.arange(len(flat), device=flat.device), images, labels[:0], 0.0)
    return gain_of(everything, published, truth, prior)
