"""Images out of gradients: a dense layer's exactly, a convolutional network's by matching; alone and in a crowd."""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from offconvex import rng
from offconvex.instahide import measure
from offconvex.instahide.assign import names
from offconvex.instahide.privacy import gradients, matching
from offconvex.instahide.privacy.matching import Matching
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class Sent:
    """Settings of the experiment.

    Attributes:
        images: whose gradients are sent alone.
        crowd: images of one batch.
        units: of the dense layer.
        matching: settings of the descent; a batch takes one start.
    """

    images: int = 20
    crowd: int = 64
    units: int = 1000
    matching: Matching = field(default_factory=Matching)


@dataclass(frozen=True)
class Leaks:
    """What came back.

    Attributes:
        dense: largest relative error of an image read from its own gradient of the dense layer.
        dense_crowd: relative error of what is so read from the batch, to its nearest image.
        alone: (images,) PSNR in dB by matching the gradient of each.
        exchanged: (images,) the same pictures held against other images.
        crowd: (crowd,) PSNR by matching the gradient of the batch, pictures named so that the total error is least.
        mean: PSNR of the mean image, mean over the images.
    """

    dense: float
    dense_crowd: float
    alone: np.ndarray
    exchanged: np.ndarray
    crowd: np.ndarray
    mean: float


def read(
    images: Float[Tensor, "m 28 28"], labels: Int[Tensor, " m"], settings: Sent, rt: Runtime, exact: Runtime, seed: int
) -> Leaks:
    """Send gradients of images chosen at random, alone and in a batch, and read them.

    Args:
        images: gray levels in [-1, 1].
        labels: their classes.
        settings: of the experiment.
        rt: device and precision of the convolutional network.
        exact: the same of the dense layer, double.
        seed: of images, networks and starts.
    """
    chosen = rt.permutation(rng.generator(seed, "gradients", "images"), len(images))
    own, crowd = chosen[: settings.images], chosen[: settings.crowd]
    flat = images[crowd].flatten(1).to(exact.dtype)
    one_hot = torch.eye(int(labels.max()) + 1, dtype=exact.dtype, device=exact.device)[labels[crowd]]
    network = gradients.start(exact, seed, units=settings.units, classes=one_hot.shape[1])
    singles = [gradients.single(gradients.gradient(network, x[None], y[None]))[None] for x, y in zip(flat, one_hot)]
    errors = [gradients.match(single, x[None])[1].item() for single, x in zip(singles, flat)]
    together = gradients.single(gradients.gradient(network, flat, one_hot))[None]
    sigmoids = matching.sigmoids(rt, seed)
    found = _matched(sigmoids, images[own, None], labels[own, None], settings.matching, rt, seed)[:, 0]
    once = Matching(settings.matching.steps, 1, settings.matching.memory)
    mixed = _matched(sigmoids, images[None, crowd], labels[None, crowd], once, rt, seed)[0]
    named = mixed[names(mixed, images[crowd]).argsort()]
    mean = images.mean(0, keepdim=True).expand_as(images[own])
    return Leaks(
        max(errors),
        gradients.match(together, flat)[1].item(),
        *(measure.psnr(a, b).cpu().numpy() for a, b in (
            (found, images[own]), (found, images[own].roll(1, 0)), (named, images[crowd])
        )),
        measure.psnr(mean, images[own]).mean().item(),
    )  # fmt: skip


def _matched(network: matching.Sigmoids, images, labels, settings: Matching, rt: Runtime, seed: int) -> Tensor:
    """Pictures of groups (R, B, 28, 28); the label of an image sent alone is read off its gradient."""
    sent = matching.gradients(network, images, labels)
    known = matching.label_of(sent)[:, None] if labels.shape[1] == 1 else labels
    return matching.invert(network, sent, known, settings, rt, rng.generator(seed, "gradients", "starts"))
