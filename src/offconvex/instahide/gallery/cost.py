"""What attacks cost: processor time of the two-step attack, and of trying all subsets of the public images."""

import math
import time
from collections.abc import Callable
from typing import TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from offconvex import rng
from offconvex.instahide import attack
from offconvex.instahide.assign import assign
from offconvex.instahide.attack import Data
from offconvex.instahide.decode import Likelihood, Prior, maximize
from offconvex.instahide.similarity import Similarity
from offconvex.runtime import Runtime

Result = TypeVar("Result")


def timed(action: Callable[[], Result]) -> tuple[Result, float]:
    """What an action gives, and the processor time that it took, in seconds."""
    begin = time.process_time()
    result = action()
    return result, time.process_time() - begin


def broken(data: Data, k: int, epochs: int, similarity: Similarity, prior: Prior, seed: int) -> tuple[float, float]:
    """Processor time of assignment and decoding of a release, and the gain in dB over the mean image.

    Args:
        data: who has what.
        k: images in a mixture.
        epochs: released.
        similarity: learned before.
        prior: of images.
        seed: of the release, and of the clustering.
    """
    published, truth = attack.publish(data, k, epochs, seed)

    def run() -> torch.Tensor:
        mixtures = assign(published, similarity, rng.numpy_generator(seed, "instahide", "clusters"))
        return maximize(published.images, mixtures, prior, Likelihood())

    images, seconds = timed(run)
    return seconds, attack.gain(attack.named(images, truth)[0], truth.images, prior)


def all_subsets(data: Data, k: int, tried: int, rt: Runtime, seed: int) -> float:
    """Processor seconds that trying every k - 2 of the public images on one encryption would take, from some tried.

    The adversary is given the coefficients, and the private part, so that a subset costs one mixture and one residual
    of absolute values; that time is multiplied by the number of subsets, N^(k-2) / (k-2)! for large N.

    Args:
        data: whose public images.
        k: images in a mixture.
        tried: subsets that are timed.
        rt: device.
        seed: of the release and of the subsets.
    """
    published, truth = attack.publish(data, k, 1, seed)
    parts, pixels = truth.coefficients[0], data.public.flatten(1)
    private = parts[:2] @ data.private[truth.owners[0]].flatten(1)
    observed = published.images[0].abs().flatten()
    chosen = torch.randint(len(pixels), (tried, k - 2), generator=rng.generator(seed, "subsets"), device="cpu")
    groups = chosen.to(rt.device).split(1000)

    def run() -> list[float]:
        return [float(residuals(observed, private, pixels, group, parts[2:]).min()) for group in groups]

    return timed(run)[1] * math.comb(len(pixels), k - 2) / tried


def residuals(
    observed: Float[Tensor, " pixels"],
    private: Float[Tensor, " pixels"],
    public: Float[Tensor, "N pixels"],
    subsets: Int[Tensor, "groups s"],
    coefficients: Float[Tensor, " s"],
) -> Float[Tensor, " groups"]:
    """Mean square differences of |private + sum of coefficient times public| from the observed absolute values."""
    mixed = torch.einsum("gsp,s->gp", public[subsets], coefficients) + private
    return ((mixed.abs() - observed) ** 2).mean(1)
