"""The surrogate on functions whose dependence is known: separable ones, and bilinear ones of any rank."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from offconvex import rng
from offconvex.locality.regularizer import Model, Patch, gradient_similarity
from offconvex.runtime import Runtime

LEFT, RIGHT = Patch(0, 0, 2, 2), Patch(0, 4, 2, 2)
SHAPE = (4, 2, 6)  # channels, rows, columns: 16 pixel values in each patch


def _separable(join: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Model:
    def model(images: torch.Tensor) -> torch.Tensor:
        left, right = (patch.of(images).flatten(-3) for patch in (LEFT, RIGHT))
        return join(left.sin().sum(-1), right.tanh().sum(-1))

    return model


SEPARABLE = {
    "sum": _separable(lambda a, b: a + b),
    "product": _separable(lambda a, b: a * b),
    "function of a sum": _separable(lambda a, b: (a + b).div(4).sigmoid()),
    "signs agree": _separable(lambda a, b: (a / 4).tanh() * (b / 4).tanh()),
}
"""Functions of two patches with surrogate 1.

The last one depends on both at once as strongly as can be, and the surrogate does not see it: whether two signs agree
is the product of the signs.
"""


def bilinear(rank: int) -> Model:
    """The sum of `rank` products of a pixel of the left patch and one of the right, of equal strength.

    Raises:
        ValueError: if the patches have fewer values.
    """
    if not 1 <= rank <= 16:
        raise ValueError(f"`rank` must be in 1..16, the number of values in a patch; got {rank}.")

    def model(images: torch.Tensor) -> torch.Tensor:
        left, right = (patch.of(images).flatten(-3)[..., :rank] for patch in (LEFT, RIGHT))
        return (left * right).sum(-1)

    return model


@dataclass(frozen=True)
class Measured:
    """The surrogate of one function.

    Attributes:
        mean: over samples.
        error: standard error of the mean.
        largest: distance of a sample's value from 1.
    """

    mean: float
    error: float
    largest: float


def measure(model: Model, samples: int, rt: Runtime, seed: int, *stream: str | int) -> Measured:
    """Surrogate on Gaussian images.

    The standard error is doubled, because neighbors in the batch share a patch.
    """
    images = rt.normal(rng.generator(seed, "analytic", *stream), samples, *SHAPE)
    _, similar = gradient_similarity(model, images, LEFT, RIGHT)
    return Measured(similar.mean().item(), 2 * similar.std().item() / samples**0.5, (similar - 1).abs().max().item())
