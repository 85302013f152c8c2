"""Small convolutional networks, many at once on a replica axis. Float32 in use: networks, not theorems."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from offconvex import rng
from offconvex.locality import theory
from offconvex.runtime import Runtime

NetworkWeights = list[torch.Tensor]


@dataclass(frozen=True)
class Architecture:
    """A stem, residual blocks or plain layers, the mean over all places and one output.

    Attributes:
        inputs: channels of the images.
        channels: of every hidden layer.
        blocks: residual blocks of two convolutions, or pairs of plain convolutions.
        kernel: (rows, columns) of every kernel, odd; (1, 3) reads images whose rows are channels, column by column.
        residual: whether a block's input is added to its output.
    """

    inputs: int
    channels: int = 32
    blocks: int = 6
    kernel: tuple[int, int] = (3, 3)
    residual: bool = True

    def __post_init__(self):
        if min(self.inputs, self.channels) < 1 or self.blocks < 0:
            raise ValueError(f"Channels must be positive and blocks not negative; got {self}.")
        if any(k < 1 or k % 2 == 0 for k in self.kernel):
            raise ValueError(f"`kernel` needs odd sides, so that a layer keeps the image's size; got {self.kernel}.")

    @property
    def depth(self) -> int:
        """Number of convolutions."""
        return 1 + 2 * self.blocks

    @property
    def receptive_field(self) -> tuple[int, int]:
        """Rows and columns of the image that one place of the last layer can see."""
        rows, columns = (theory.receptive_field([(k, 1)] * self.depth) for k in self.kernel)
        return rows, columns


def start(architecture: Architecture, rt: Runtime, generators: list[torch.Generator]) -> list[Float[Tensor, "R _ _"]]:
    """Kernels (R, O, I k) and offsets (R, O, 1) of each layer in turn, one generator per replica.

    Kernels have He's deviation (2 / fan-in)^(1/2); the second of a residual block that divided by blocks^(1/2), so that
    the blocks together add as much as the stem gives. The output has (1 / fan-in)^(1/2). Offsets are zero.
    """
    a, area = architecture, architecture.kernel[0] * architecture.kernel[1]
    shapes = [(a.channels, a.inputs * area, 2.0)]
    for _ in range(a.blocks):
        shapes.append((a.channels, a.channels * area, 2.0))
        shapes.append((a.channels, a.channels * area, 2.0 / a.blocks if a.residual else 2.0))
    shapes.append((1, a.channels, 1.0))
    weights = []
    for rows, fan_in, gain in shapes:
        draws = [rt.normal(generator, rows, fan_in) for generator in generators]
        weights += [torch.stack(draws) * (gain / fan_in) ** 0.5, rt.zeros(len(generators), rows, 1)]
    return weights


def forward(
    architecture: Architecture,
    weights: list[Float[Tensor, "R _ _"]],
    images: Float[Tensor, "R N C H W"] | Float[Tensor, "N C H W"],
    *,
    passed: list[tuple[Float[Tensor, "..."], Float[Tensor, "..."]]] | None = None,
) -> Float[Tensor, "R N"]:
    """One output per sample, of images of each replica, or of images that all replicas see.

    Args:
        architecture: the networks.
        weights: theirs.
        images: of each replica, or common.
        passed: gains what goes into each layer and what comes out: (N, R C, H, W) both, and (N, R C), (R, 1, N) last.
    """
    a, replicas = architecture, len(weights[0])
    if images.dim() == 4:
        images = images.expand(replicas, *images.shape)

    def layer(hidden: Tensor, place: int) -> Tensor:
        result = _convolve(hidden, weights[place], weights[place + 1], a.kernel)
        if passed is not None:
            passed.append((hidden, result))
        return result

    hidden = layer(images.transpose(0, 1).flatten(1, 2), 0)
    for place in range(2, 2 + 4 * a.blocks, 4):
        change = layer(layer(hidden.relu(), place).relu(), place + 2)
        hidden = hidden + change if a.residual else change
    mean = hidden.relu().mean((-2, -1))
    result = weights[-2] @ mean.view(-1, replicas, a.channels).permute(1, 2, 0) + weights[-1]
    if passed is not None:
        passed.append((mean, result))
    return result[:, 0]


def _convolve(
    hidden: Float[Tensor, "N _ H W"],
    kernel: Float[Tensor, "R O fan_in"],
    offset: Float[Tensor, "R O 1"],
    sides: tuple[int, int],
) -> Float[Tensor, "N R*O H W"]:
    """Convolution of (N, R C, H, W) with zeros around: replicas are groups of channels."""
    replicas, outputs, _ = kernel.shape
    weight = kernel.reshape(replicas * outputs, *sides, -1).permute(0, 3, 1, 2)
    padding = (sides[0] // 2, sides[1] // 2)
    return functional.conv2d(hidden, weight, offset.flatten(), padding=padding, groups=replicas)


def start_generators(seed: int, replicas: Sequence[int], *stream: str | int) -> list[torch.Generator]:
    """One generator per replica, each from its own stream."""
    return [rng.generator(seed, *stream, "start", replica) for replica in replicas]
