"""Features of gray images that are fixed before any private image is seen. All have unit norm."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from offconvex import rng
from offconvex.runtime import Runtime

DIRECTIONS = 6
CELLS = (4, 7)
SIZE = DIRECTIONS * sum((28 // cell) ** 2 for cell in CELLS) + 49
"""How many numbers `orientations` gives."""


def orientations(pixels: Float[Tensor, "n 28 28"]) -> Float[Tensor, "n 439"]:
    """Histograms of gradient directions in cells, and coarse gray levels.

    A pixel's gradient, by central differences, counts with its length for the two nearest of six directions in
    [0, pi), signs ignored. Sums over cells of 4 and of 7 pixels are divided by the norm of the 3 x 3 cells around
    (after dalal2005histograms). To the 294 + 96 numbers come the 49 means of cells of 4.

    Args:
        pixels: gray levels in [0, 1], 0 the background.
    """
    padded = functional.pad(pixels[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    down = (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
    right = (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
    place = torch.atan2(down, right).remainder(math.pi) * (DIRECTIONS / math.pi)
    kinds = torch.arange(DIRECTIONS, device=pixels.device)[:, None, None]
    apart = (place[:, None] - kinds).abs()
    shares = (1 - torch.minimum(apart, DIRECTIONS - apart)).clamp(min=0)  # a direction is a place on a circle
    counted = torch.hypot(down, right)[:, None] * shares
    parts = []
    for cell in CELLS:
        sums = functional.avg_pool2d(counted, cell) * cell**2
        energy = functional.avg_pool2d(sums.square().sum(1, keepdim=True), 3, 1, 1, divisor_override=1)
        parts.append((sums / (energy + 0.01).sqrt()).flatten(1))
    parts.append(functional.avg_pool2d(pixels[:, None], 4).flatten(1))
    return functional.normalize(torch.cat([functional.normalize(part) for part in parts], 1))


def random_relu(
    pixels: Float[Tensor, "n 28 28"], count: int, rt: Runtime, seed: int, *stream: str | int
) -> Float[Tensor, "n count"]:
    """Random features max(0, w . x), w normal, of the image x moved to [-1, 1]: no design at all."""
    drawn = rt.normal(rng.generator(seed, *stream, "random features"), count, pixels[0].numel())
    return functional.normalize(((2 * pixels - 1).flatten(1) @ drawn.T).clamp(min=0))


def raw(pixels: Float[Tensor, "n 28 28"]) -> Float[Tensor, "n 784"]:
    """The pixels themselves."""
    return functional.normalize(pixels.flatten(1))
