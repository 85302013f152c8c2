"""A learned similarity of encryptions: do two of them share a private image? Float32: a network, not a theorem."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from offconvex import rng
from offconvex.instahide.keys import SeededKeysForExperiments
from offconvex.instahide.scheme import Scheme, encrypt
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class SimilarityTraining:
    """Settings of the similarity's training.

    Attributes:
        steps: of Adam, each on a fresh batch.
        images: images in a batch.
        views: encryptions of each as the first of its mixture.
        rate: largest learning rate.
        channels: of both convolutions.
        sample: encryptions that give means and the whitening.
    """

    steps: int = 400
    images: int = 64
    views: int = 3
    rate: float = 6e-3
    channels: tuple[int, int] = (32, 32)
    sample: int = 8000

    def __post_init__(self):
        if min(self.steps, self.views, *self.channels) < 1 or self.images < 2 or self.sample < 2:
            raise ValueError("Steps, views, channels must be positive, a batch and the sample at least two images.")


@dataclass(frozen=True)
class Similarity:
    """An encoder; the similarity of two encryptions is the inner product of their codes.

    It looks at absolute values only, standardized and whitened, through two convolutions, and keeps the position of
    every feature: two encryptions of one image agree in small details at the same places.

    Attributes:
        weights: kernels, normalizations and the weights of the features.
        statistics: running means and variances.
        center: mean of absolute values.
        deviation: their standard deviation, at least 0.1.
        whitening: (pixels, pixels).
    """

    weights: list[torch.Tensor]
    statistics: list[torch.Tensor]
    center: torch.Tensor
    deviation: torch.Tensor
    whitening: torch.Tensor

    def codes(self, images: Float[Tensor, "n height width"], *, training: bool = False) -> Float[Tensor, "n features"]:
        """Codes (n, features) of length one of encryptions (n, height, width)."""
        first, scale, shift, second, last_scale, last_shift, weight = self.weights[:7]
        size = images.shape[1:]
        moved = images.abs().flatten(1) - self.center
        seen = torch.stack([moved / self.deviation, moved @ self.whitening], dim=1).view(-1, 2, *size)
        mean, variance, last_mean, last_variance = self.statistics
        hidden = functional.conv2d(seen, first, stride=2, padding=2)
        hidden = functional.batch_norm(hidden, mean, variance, scale, shift, training=training).relu()
        hidden = functional.conv2d(hidden, second, stride=2, padding=1)
        hidden = functional.batch_norm(hidden, last_mean, last_variance, last_scale, last_shift, training=training)
        return functional.normalize(hidden.flatten(1) * weight)

    def all_codes(self, images: Float[Tensor, "n height width"], *, chunk: int = 1000) -> Float[Tensor, "n features"]:
        """Codes of many encryptions, without gradients."""
        with torch.no_grad():
            return torch.cat([self.codes(part) for part in images.split(chunk)])


def learn(
    images: Float[Tensor, "m height width"],
    labels: Int[Tensor, " m"],
    schemes: Sequence[Scheme],
    settings: SimilarityTraining,
    rt: Runtime,
    seed: int,
    *,
    public: Float[Tensor, "p height width"] | None = None,
) -> Similarity:
    """Learn from encryptions that the adversary makes of images of her own, in turn by each scheme.

    A batch is a few images, each mixed with random others of the batch, so that many of its pairs share an image; the
    loss is the logistic one of all pairs, positive ones counted fourfold.

    Args:
        images: (m, height, width) images of the private ones' kind that the adversary has.
        labels: (m,) their classes, unused by the loss.
        schemes: announced schemes with two private images.
        settings: of the training.
        rt: device and precision.
        seed: of all draws.
        public: (p, height, width) images that are mixed in, p at least m; None for `images` themselves.

    Raises:
        ValueError: if a scheme does not mix two private images.
    """
    if any(scheme.private != 2 for scheme in schemes):
        raise ValueError("The similarity is made for schemes with two private images; use `cross(k)` or `inside(2)`.")
    public = images if public is None else public
    draws, keys = rng.generator(seed, "similarity"), SeededKeysForExperiments(seed, "similarity")
    sample = [
        encrypt(images[: settings.sample], labels[: settings.sample], scheme, public, keys=keys)[0]
        for scheme in schemes
    ]
    similarity = _start(torch.cat(sample).abs().flatten(1), images.shape[1:], settings, rt, draws)
    parameters = [weight.requires_grad_() for weight in similarity.weights]
    optimizer = torch.optim.Adam(parameters, lr=settings.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.rate, total_steps=settings.steps)
    for step in range(settings.steps):
        scheme = schemes[step % len(schemes)]
        chosen = rt.permutation(draws, len(images))[: settings.images]
        views, pairs = [], []
        for _ in range(settings.views):
            mixed, _, key = encrypt(images[chosen], labels[chosen], scheme, public, keys=keys)
            views.append(mixed)
            pairs.append(torch.as_tensor(key.partners[:, :2], device=rt.device))
        shared = share(torch.cat(pairs), settings.images)
        codes = similarity.codes(torch.cat(views), training=True)
        logits = similarity.weights[7].exp() * 10 * (codes @ codes.T) + similarity.weights[8]
        other = ~torch.eye(len(codes), dtype=torch.bool, device=rt.device)
        loss = functional.binary_cross_entropy_with_logits(
            logits[other], shared[other].to(rt.dtype), pos_weight=rt.tensor(4.0)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    for weight in parameters:
        weight.requires_grad_(False)
    return similarity


def share(owners: Int[Tensor, "N 2"], size: int) -> Bool[Tensor, "N N"]:
    """Whether encryptions with owners (N, 2) among `size` images share one, bool (N, N)."""
    member = torch.zeros((len(owners), size), dtype=torch.float32, device=owners.device).scatter_(1, owners, 1.0)
    return member @ member.T > 0


def _start(
    absolute: torch.Tensor, size, settings: SimilarityTraining, rt: Runtime, draws: torch.Generator
) -> Similarity:
    center, deviation = absolute.mean(0), absolute.std(0).clamp(min=0.1)
    values, vectors = torch.linalg.eigh(torch.cov(absolute.double().T).to(rt.dtype))
    # Half of the inverse square root, kept finite: background pixels hardly vary.
    whitening = 0.5 * (vectors / (values.clamp(min=0).sqrt() + 0.03)) @ vectors.T
    first, second = settings.channels
    features = second * ((size[0] + 3) // 4) * ((size[1] + 3) // 4)
    weights = [
        rt.normal(draws, first, 2, 5, 5) * (1 / 50) ** 0.5,
        rt.zeros(first) + 1,
        rt.zeros(first),
        rt.normal(draws, second, first, 3, 3) * (1 / (9 * first)) ** 0.5,
        rt.zeros(second) + 1,
        rt.zeros(second),
        rt.zeros(features) + 0.1,
        rt.zeros(),
        rt.zeros() - 2,
    ]
    for kernel in (0, 3):  # memory order in which the convolutions are faster on a processor
        weights[kernel] = weights[kernel].to(memory_format=torch.channels_last)
    statistics = [rt.zeros(first), rt.zeros(first) + 1, rt.zeros(second), rt.zeros(second) + 1]
    return Similarity(weights, statistics, center, deviation, whitening)
