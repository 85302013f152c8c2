"""Networks without offsets and the images they learn: shapes, starts, data."""

from dataclasses import dataclass

import torch

from offconvex import datasets, rng
from offconvex.descent import Parameters
from offconvex.runtime import Runtime

# Of all training pixels of Fashion-MNIST, in units of the gray scale.
MEAN, DEVIATION = 0.2860, 0.3530


@dataclass(frozen=True)
class Network:
    """Fully connected layers with the activation max(z, slope z) between them, and no offsets.

    Attributes:
        widths: (d_0, ..., d_L), input first.
        slope: of the activation for negative numbers: 1 makes the network linear, 0 is ReLU.
    """

    widths: tuple[int, ...] = (784, 50, 50, 10)
    slope: float = 0.0

    def __post_init__(self):
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise ValueError(f"`widths` must be at least two positive sizes; got {self.widths}.")
        if not 0 <= self.slope <= 1:
            raise ValueError(f"`slope` must lie in [0, 1]: 1 is linear, 0 is ReLU; got {self.slope}.")

    @property
    def depth(self) -> int:
        """Number of layers L."""
        return len(self.widths) - 1

    @property
    def size(self) -> int:
        """Number of parameters."""
        return sum(a * b for a, b in zip(self.widths, self.widths[1:]))

    def start(self, rt: Runtime, seed: int, *stream: str, replicas: int = 1, scale: float = 1.0) -> Parameters:
        """Layers (R, d_l, d_{l-1}), uniform on +-scale (6 / (d_{l-1} + d_l))^(1/2): Glorot's start at scale 1."""
        layers = []
        for index, (inputs, outputs) in enumerate(zip(self.widths, self.widths[1:])):
            reach = scale * (6 / (inputs + outputs)) ** 0.5
            draws = [
                rt.uniform(rng.generator(seed, *stream, "layer", index, replica), outputs, inputs)
                for replica in range(replicas)
            ]
            layers.append(torch.stack(draws).mul_(2).sub_(1).mul_(reach))
        return tuple(layers)


PAPER_NETWORKS = {"linear": Network(slope=1.0), "relu": Network(slope=0.0)}
"""The two fully connected networks of the source, 42,200 parameters each (elkabetz2021continuous, code)."""


@dataclass(frozen=True)
class ImageColumns:
    """Training images as columns.

    Attributes:
        inputs: (d, N), pixels shifted and scaled to mean 0 and deviation 1 over the training set.
        labels: (N,) classes, int64.
    """

    inputs: torch.Tensor
    labels: torch.Tensor


def images(rt: Runtime, *, count: int = 1000, side: int = 28) -> ImageColumns:
    """`count` evenly spaced images of the packaged part of Fashion-MNIST; a side of 14 or 7 averages blocks of pixels.

    Raises:
        ValueError: for a count below 1 or above 10,000, or another side.
    """
    if not 1 <= count <= datasets.SUBSET_SIZES["train"]:
        raise ValueError(f"`count` must lie between 1 and {datasets.SUBSET_SIZES['train']}; got {count}.")
    if side not in (28, 14, 7):
        raise ValueError(f"`side` must be 28, 14 or 7 pixels; got {side}.")
    everything = datasets.fashion_mnist("train", rt=rt)
    every = datasets.SUBSET_SIZES["train"] // count
    pixels, labels = everything.pixels[::every][:count], everything.labels[::every][:count]
    if side < 28:
        pixels = torch.nn.functional.avg_pool2d(pixels[:, None], 28 // side)[:, 0]
    return ImageColumns(((pixels - MEAN) / DEVIATION).flatten(1).T.contiguous(), labels.contiguous())
