"""What the gradient of a dense first layer shows of the images it was computed from. Float64: an identity."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from offconvex import rng
from offconvex.runtime import Runtime

SAME = 1e-9  # relative distance below which two rows show the same image; rows of several images lie far apart


@dataclass(frozen=True)
class DenseNetwork:
    """ReLU units on the pixels and a linear layer on the units; also the gradient with respect to all four.

    Attributes:
        weights: (units, pixels) of the first layer.
        offsets: (units,) of the first layer.
        last: (classes, units).
        last_offsets: (classes,).
    """

    weights: torch.Tensor
    offsets: torch.Tensor
    last: torch.Tensor
    last_offsets: torch.Tensor


def start(rt: Runtime, seed: int, *, pixels: int = 784, units: int = 1000, classes: int = 10) -> DenseNetwork:
    """Untrained network: normal weights of variance 2 / fan-in, 1 / fan-in in the last layer, and no offsets."""
    draws = rng.generator(seed, "dense start")
    weights = rt.normal(draws, units, pixels) * (2 / pixels) ** 0.5
    return DenseNetwork(weights, rt.zeros(units), rt.normal(draws, classes, units) * units**-0.5, rt.zeros(classes))


def probabilities(network: DenseNetwork, images: Float[Tensor, "B pixels"]) -> Float[Tensor, "B classes"]:
    """Class probabilities."""
    hidden = (images @ network.weights.T + network.offsets).relu()
    return (hidden @ network.last.T + network.last_offsets).softmax(1)


def active(network: DenseNetwork, images: Float[Tensor, "B pixels"]) -> Bool[Tensor, "B units"]:
    """Which units each image turns on."""
    return images @ network.weights.T + network.offsets > 0


def per_image(
    network: DenseNetwork, images: Float[Tensor, "B pixels"], labels: Float[Tensor, "B classes"]
) -> tuple[Float[Tensor, "B units"], Float[Tensor, "B units"], Float[Tensor, "B classes"]]:
    """Hidden values, and the cross-entropy's slopes by the first layer's and by the last layer's inputs, of each image.

    With p the probabilities and y a label that need not add up to one, the slope by the logits is (sum y) p - y; by the
    first layer's inputs it is that times the last weights, where the unit is on.
    """
    hidden = (images @ network.weights.T + network.offsets).relu()
    logits = hidden @ network.last.T + network.last_offsets
    slope = labels.sum(1, keepdim=True) * logits.softmax(1) - labels
    return hidden, (slope @ network.last) * (hidden > 0), slope


def gradient(
    network: DenseNetwork, images: Float[Tensor, "B pixels"], labels: Float[Tensor, "B classes"]
) -> DenseNetwork:
    """Gradient of the mean cross-entropy of a batch, by hand: what a participant of federated learning sends."""
    hidden, first, slope = per_image(network, images, labels)
    count = len(images)
    return DenseNetwork(first.T @ images / count, first.mean(0), slope.T @ hidden / count, slope.mean(0))


def clipped_sum(
    network: DenseNetwork, images: Float[Tensor, "B pixels"], labels: Float[Tensor, "B classes"],
    clip: float, noise: float, rt: Runtime, draws: torch.Generator,
) -> DenseNetwork:  # fmt: skip
    """The same mean with every image's gradient clipped to the norm `clip`, and normal noise of `noise` times it.

    The norm of one image's gradient is that of its slopes times that of its inputs, the offsets' input being one, so
    that no image's gradient need be formed (abadi2016deep, Algorithm 1).

    Raises:
        ValueError: unless the clipping norm is positive and the noise is not negative.
    """
    if clip <= 0 or noise < 0:
        raise ValueError(f"Expected a positive norm and noise of at least zero; got {clip} and {noise}.")
    hidden, first, slope = per_image(network, images, labels)
    square = (first**2).sum(1) * (1 + (images**2).sum(1)) + (slope**2).sum(1) * (1 + (hidden**2).sum(1))
    factor = (clip / square.sqrt().clamp(min=1e-30)).clamp(max=1)[:, None]
    first, slope, count = first * factor, slope * factor, len(images)
    sums = (first.T @ images, first.sum(0), slope.T @ hidden, slope.sum(0))
    return DenseNetwork(*((total + noise * clip * rt.normal(draws, *total.shape)) / count for total in sums))


def rows(gradients: DenseNetwork) -> Float[Tensor, "rows pixels"]:
    """Quotients (dL/dW_i) / (dL/db_i) of the rows that any image turns on: its images' means, weighted by slopes.

    A row that one image alone turns on is that image (zhu2019deep observes the leak; the quotient is elementary).
    """
    on = gradients.offsets != 0
    return gradients.weights[on] / gradients.offsets[on, None]


def twice(quotients: Float[Tensor, "rows pixels"]) -> Float[Tensor, "found pixels"]:
    """Images that two rows or more show: an adversary's proof that these rows hold them alone.

    Rows of several images are means with weights of their own, and no two of them agree. Rows are compared with their
    neighbors along one direction, and then in all pixels.
    """
    if len(quotients) < 2:
        return quotients[:0]
    line = quotients.sum(1)
    ordered = quotients[line.argsort()]
    far = (ordered[1:] - ordered[:-1]).norm(dim=1) > SAME * ordered[1:].norm(dim=1)
    group = torch.cat([far.new_zeros(1), far]).cumsum(0)
    first = torch.cat([far.new_ones(1), far]).nonzero()[:, 0]
    return ordered[first[torch.bincount(group) > 1]]


def single(gradients: DenseNetwork) -> Float[Tensor, " pixels"]:
    """The image of a batch of one, from the row with the largest slope."""
    row = gradients.offsets.abs().argmax()
    return gradients.weights[row] / gradients.offsets[row]


def label(network: DenseNetwork, gradients: DenseNetwork, image: Float[Tensor, " pixels"]) -> Float[Tensor, " classes"]:
    """Label of a batch of one, mixed or not, once its image is known.

    The slope by the last offsets is m p - y with m = sum y and p known; y is nowhere negative and somewhere zero, so
    that m is the largest quotient of slope and p (own derivation).
    """
    chance = probabilities(network, image[None])[0]
    mass = (gradients.last_offsets / chance).max()
    return mass * chance - gradients.last_offsets


def alone(on: Bool[Tensor, "B units"]) -> Bool[Tensor, " B"]:
    """For judging only: which images of a batch some unit is on for and off for all others."""
    return (on & (on.sum(0) == 1)).any(1)


def match(
    found: Float[Tensor, "found pixels"], truth: Float[Tensor, "B pixels"]
) -> tuple[Int[Tensor, " found"], Float[Tensor, " found"]]:
    """For judging only: which true image each found one is, and its relative error."""
    nearest = torch.cdist(found, truth).argmin(1)
    return nearest, (found - truth[nearest]).norm(dim=1) / truth[nearest].norm(dim=1)
