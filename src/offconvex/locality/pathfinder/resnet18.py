"""The source's network: ResNet18 (he2016deep) with one output. Float32 in use: a network, not a theorem."""

from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from offconvex.locality import theory
from offconvex.runtime import Runtime

Residual = TypeVar("Residual", bound=nn.Module)

STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))
"""Channels and first stride of the four stages of two blocks each."""

LAYERS = ((7, 2), (3, 2)) + tuple((3, stride if layer == 0 else 1) for _, stride in STAGES for layer in range(4))
"""Kernel and stride of each layer on the longest way through: the first convolution, the pooling, 16 convolutions."""

RECEPTIVE_FIELD = theory.receptive_field(LAYERS)
"""Pixels along one side that a place of the last layer can see."""


class Block(nn.Module):
    """Two 3 x 3 convolutions, each normalized, added to the input or to its projection."""

    def __init__(self, inputs: int, channels: int, stride: int, device: torch.device, dtype: torch.dtype):
        """A block with weights still undefined; `resnet18` draws them."""
        super().__init__()
        where = {"device": device, "dtype": dtype}
        self.first, self.second = (
            nn.utils.skip_init(nn.Conv2d, a, channels, 3, s, 1, bias=False, **where)
            for a, s in ((inputs, stride), (channels, 1))
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels, **where) for _ in range(2))
        self.projection = None
        if stride > 1 or inputs != channels:
            convolution = nn.utils.skip_init(nn.Conv2d, inputs, channels, 1, stride, bias=False, **where)
            self.projection = nn.Sequential(convolution, nn.BatchNorm2d(channels, **where))

    def forward(self, images: Float[Tensor, "N inputs H W"]) -> Float[Tensor, "N channels _ _"]:
        """(N, inputs, H, W) to (N, channels, H / stride, W / stride)."""
        inner = self.norms[0](self.first(images)).relu()
        shortcut = images if self.projection is None else self.projection(images)
        return (self.norms[1](self.second(inner)) + shortcut).relu()


class ResNet18(nn.Module):
    """7 x 7 convolution and pooling, eight blocks, the mean over all places and one output."""

    def __init__(self, inputs: int, device: torch.device, dtype: torch.dtype):
        """A network with weights still undefined; `resnet18` draws them."""
        super().__init__()
        where = {"device": device, "dtype": dtype}
        self.stem = nn.utils.skip_init(nn.Conv2d, inputs, 64, 7, 2, 3, bias=False, **where)
        self.norm = nn.BatchNorm2d(64, **where)
        blocks, before = [], 64
        for channels, stride in STAGES:
            blocks += [Block(before, channels, stride, device, dtype), Block(channels, channels, 1, device, dtype)]
            before = channels
        self.blocks = nn.Sequential(*blocks)
        self.output = nn.utils.skip_init(nn.Linear, before, 1, **where)

    def forward(self, images: Float[Tensor, "N inputs H W"]) -> Float[Tensor, " N"]:
        """One output per sample, (N,), of images (N, inputs, H, W)."""
        hidden = nn.functional.max_pool2d(self.norm(self.stem(images)).relu(), 3, 2, 1)
        return self.output(self.blocks(hidden).mean((-2, -1)))[:, 0]


def draw(network: Residual, rt: Runtime, generator: torch.Generator) -> Residual:
    """Fill a network with the usual start of residual networks, in place.

    Convolutions are normal with deviation (2 / fan-out)^(1/2), normalizations the identity, the layer `output` uniform
    on +-fan-in^(-1/2).

    Args:
        network: with a linear layer `output`.
        rt: device and precision.
        generator: of the draws.
    """
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                shape = module.weight.shape
                deviation = (2 / (shape[0] * shape[2] * shape[3])) ** 0.5
                module.weight.copy_(rt.normal(generator, *shape) * deviation)
        for parameter in (network.output.weight, network.output.bias):
            draws = rt.uniform(generator, *parameter.shape) * 2 - 1
            parameter.copy_(draws * network.output.in_features**-0.5)
    return network


def resnet18(inputs: int, rt: Runtime, generator: torch.Generator) -> ResNet18:
    """The network at its usual start.

    Args:
        inputs: channels of the images.
        rt: device and precision.
        generator: of the draws.
    """
    return draw(ResNet18(inputs, rt.device, rt.dtype), rt, generator)
