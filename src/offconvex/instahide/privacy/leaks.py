"""Images out of gradients: a dense layer's exactly, a convolutional network's by matching; alone and in a crowd."""

from dataclasses import dataclass, field, replace

import numpy as np
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
class Matched:
    """Pictures by matching gradients, held against images: PSNR in dB.

    Attributes:
        alone: (images,) of each from its own gradient.
        exchanged: (images,) the same pictures held against other images.
        crowd: (crowd,) from the gradient of the batch, pictures named so that the total error is least.
        mean: of the mean image, mean over the images.
    """

    alone: np.ndarray
    exchanged: np.ndarray
    crowd: np.ndarray
    mean: float


def chosen(count: int, settings: Sent, rt: Runtime, seed: int) -> Int[Tensor, " {settings.crowd}"]:
    """Places of the images in the batch, of which the first are also sent alone."""
    return rt.permutation(rng.generator(seed, "gradients", "images"), count)[: settings.crowd]


def read(
    images: Float[Tensor, "m 28 28"], labels: Int[Tensor, " m"], settings: Sent, rt: Runtime, seed: int
) -> tuple[float, float]:
    """Largest relative error of an image read from its own gradient of a dense layer, and of one read from the batch.

    The latter is taken to its nearest image.

    Args:
        images: gray levels in [-1, 1].
        labels: their classes.
        settings: of the experiment.
        rt: device, and double precision.
        seed: of images and network.
    """
    places = chosen(len(images), settings, rt, seed)
    flat = images[places].flatten(1).to(rt.dtype)
    one_hot = rt.eye(int(labels.max()) + 1)[labels[places]]
    network = gradients.start(rt, seed, units=settings.units, classes=one_hot.shape[1])
    errors = []
    for x, y in zip(flat[: settings.images, None], one_hot[:, None]):
        errors.append(gradients.match(gradients.single(gradients.gradient(network, x, y))[None], x)[1].item())
    together = gradients.single(gradients.gradient(network, flat, one_hot))[None]
    return max(errors), gradients.match(together, flat)[1].item()


def match(
    images: Float[Tensor, "m 28 28"], labels: Int[Tensor, " m"], settings: Sent, rt: Runtime, seed: int
) -> Matched:
    """Match the gradients of a convolutional network, of images alone and of the batch; arguments as in `read`."""
    places = chosen(len(images), settings, rt, seed)
    own, crowd = images[places[: settings.images]], images[places]
    network, once = matching.sigmoids(rt, seed), replace(settings.matching, starts=1)
    found = _matched(network, own[:, None], labels[places[: settings.images], None], settings.matching, rt, seed)[:, 0]
    mixed = _matched(network, crowd[None], labels[None, places], once, rt, seed)[0]
    named = mixed[names(mixed, crowd).argsort()]
    pairs = ((found, own), (found, own.roll(1, 0)), (named, crowd))
    mean = images.mean(0, keepdim=True).expand_as(own)
    return Matched(
        *(measure.psnr(*pair).double().cpu().numpy() for pair in pairs), measure.psnr(mean, own).mean().item()
    )


def _matched(network: matching.Sigmoids, images, labels, settings: Matching, rt: Runtime, seed: int) -> Tensor:
    """Pictures of groups (R, B, 28, 28); the label of an image sent alone is read off its gradient."""
    sent = matching.batch_gradients(network, images, labels)
    known = matching.label_of(sent)[:, None] if labels.shape[1] == 1 else labels
    return matching.invert(network, sent, known, settings, rt, rng.generator(seed, "gradients", "starts"))
