"""Softmax regression with differential privacy: all images every step, gradients of single ones in closed form."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from offconvex import rng
from offconvex.runtime import Runtime

CLASSES = 10


@dataclass(frozen=True)
class PrivateDescent:
    """Full-batch descent with momentum.

    Attributes:
        steps: of descent, each of which uses all images.
        rate: learning rate, for the mean gradient.
        momentum: of the heavy ball.
        clip: bound on the norm of an image's gradient; infinite for none.
    """

    steps: int = 100
    rate: float = 20.0
    momentum: float = 0.9
    clip: float = 1.0

    def __post_init__(self):
        if self.steps < 1 or min(self.rate, self.clip) <= 0 or not 0 <= self.momentum < 1:
            raise ValueError(
                f"Expected steps, rate and clip to be positive and momentum in [0, 1); got {self.steps}, {self.rate}, "
                f"{self.clip}, {self.momentum}."
            )


def clipped_sum(
    weights: Float[Tensor, "R d c"], features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], clip: float
) -> Float[Tensor, "R d c"]:
    """Sum over images of their gradients of the cross-entropy, each scaled down to norm `clip` if it is longer.

    An image's gradient is x (p - e_y)^T with p its probabilities, and has norm |x| |p - e_y|: a gradient of rank one
    needs no gradient of its own (elementary).
    """
    # Images lie on the last axis, where the sums over ten classes are fast.
    scores = (weights.mT.flatten(0, 1) @ features.T).view(len(weights), -1, len(features))
    residual = scores.softmax(1)
    residual[:, labels, torch.arange(len(labels), device=labels.device)] -= 1
    norm = residual.square().sum(1, keepdim=True).sqrt() * features.norm(dim=1)
    residual *= (clip / norm).clamp(max=1)  # a gradient of norm zero is divided by too: infinity, then one
    return (residual.flatten(0, 1) @ features).view(len(weights), -1, features.shape[1]).mT


def train(
    features: Float[Tensor, "n d"], labels: Int[Tensor, " n"], noise: Float[Tensor, " R"], settings: PrivateDescent,
    rt: Runtime, seed: int, *stream: str | int,
) -> Float[Tensor, "R d c"]:  # fmt: skip
    """Weights after descent from zero on clipped sums of gradients plus noise, one replica for each noise multiplier.

    v <- momentum v + (sum + sigma clip z) / n, W <- W - rate v, with z standard normal in every entry (abadi2016deep,
    without drawing batches). The number n of images is taken to be known. What is released is the last W alone,
    which promises at least as much as all steps together.

    Args:
        features: of the private images, a row each.
        labels: classes of the images.
        noise: sigma of each replica, in units of `clip`; zero for none.
        settings: of the descent.
        rt: device and precision.
        seed: of the noise.
        stream: name of the use.

    Raises:
        ValueError: if noise is asked for and gradients are not clipped.
    """
    noisy = bool((noise > 0).any())
    if noisy and settings.clip == float("inf"):
        raise ValueError("Noise is measured in units of `clip`, which is infinite; give a finite one.")
    scale = (noise * (settings.clip if noisy else 0.0))[:, None, None]
    shape = (len(noise), features.shape[1], CLASSES)
    weights, velocity = rt.zeros(*shape), rt.zeros(*shape)
    drawn = rng.generator(seed, *stream, "noise")
    for _ in range(settings.steps):
        total = clipped_sum(weights, features, labels, settings.clip)
        if noisy:
            total += scale * rt.normal(drawn, *shape)
        velocity = settings.momentum * velocity + total / len(features)
        weights -= settings.rate * velocity
    return weights


def losses(
    weights: Float[Tensor, "R d c"], features: Float[Tensor, "n d"], labels: Int[Tensor, " n"]
) -> Float[Tensor, "R n"]:
    """Cross-entropy of every image under every replica."""
    scores = torch.einsum("nd,rdc->rnc", features, weights).log_softmax(2)
    return -scores[:, torch.arange(len(labels), device=labels.device), labels]


def accuracy(
    weights: Float[Tensor, "R d c"], features: Float[Tensor, "n d"], labels: Int[Tensor, " n"]
) -> Float[Tensor, " R"]:
    """Share of images whose class every replica names."""
    return (torch.einsum("nd,rdc->rnc", features, weights).argmax(2) == labels).to(weights.dtype).mean(1)
