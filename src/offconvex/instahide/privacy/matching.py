"""An image from the gradient of a convolutional network: descent on the distance of gradients (zhu2019deep)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from offconvex import rng
from offconvex.runtime import Runtime

CHANNELS, CLASSES = 12, 10
STRIDES = (2, 2, 1)  # of the three convolutions, kernels of 5 x 5


@dataclass(frozen=True)
class Sigmoids:
    """Three convolutions with sigmoids and a linear layer, the network of zhu2019deep for one gray channel.

    Attributes:
        kernels: (out, in, 5, 5) of each convolution.
        offsets: (out,) of each.
        last: (classes, features).
        last_offsets: (classes,).
    """

    kernels: list[torch.Tensor]
    offsets: list[torch.Tensor]
    last: torch.Tensor
    last_offsets: torch.Tensor


def sigmoids(rt: Runtime, seed: int) -> Sigmoids:
    """Untrained network, all weights uniform in [-1/2, 1/2], as in the released code of zhu2019deep."""
    draws = rng.generator(seed, "sigmoids start")
    shapes = [(CHANNELS, 1, 5, 5), (CHANNELS, CHANNELS, 5, 5), (CHANNELS, CHANNELS, 5, 5)]
    kernels = [rt.uniform(draws, *shape) - 0.5 for shape in shapes]
    offsets = [rt.uniform(draws, CHANNELS) - 0.5 for _ in shapes]
    return Sigmoids(kernels, offsets, rt.uniform(draws, CLASSES, CHANNELS * 49) - 0.5, rt.uniform(draws, CLASSES) - 0.5)


def logits(network: Sigmoids, images: Float[Tensor, "B 28 28"]) -> Float[Tensor, "B 10"]:
    """Logits of images."""
    return _forward(network, images)[-1]


def _forward(network: Sigmoids, images: torch.Tensor) -> list[torch.Tensor]:
    """Inputs of the convolutions and of the last layer, and the logits."""
    layers = [images[:, None]]
    for kernel, offset, stride in zip(network.kernels, network.offsets, STRIDES):
        layers.append(functional.conv2d(layers[-1], kernel, offset, stride=stride, padding=2).sigmoid())
    return [*layers, layers[-1].flatten(1) @ network.last.T + network.last_offsets]


def batch_gradients(network: Sigmoids, images: Float[Tensor, "R B 28 28"], labels: Int[Tensor, "R B"]) -> list[Tensor]:
    """Gradients of the mean cross-entropy of each of R batches, by hand, so that they can be differentiated once more.

    In the order of the last offsets, the last layer, then offsets and kernels of the convolutions, last one first. The
    slope by a kernel is a product of the slopes by what it puts out with the patches that it sees.
    """
    groups, size = images.shape[:2]
    layers = _forward(network, images.flatten(0, 1))
    slope = layers[-1].softmax(1) - functional.one_hot(labels.flatten(), CLASSES)

    def mean(values: torch.Tensor) -> torch.Tensor:
        return values.view(groups, size, *values.shape[1:]).mean(1)

    found = [mean(slope), mean(slope[:, :, None] * layers[3].flatten(1)[:, None])]
    slope = (slope @ network.last).view_as(layers[3])
    for place in (2, 1, 0):
        own = layers[place + 1]
        slope = slope * own * (1 - own)
        patches = functional.unfold(layers[place], 5, padding=2, stride=STRIDES[place])
        found += [mean(slope.sum((2, 3))), mean(slope.flatten(2) @ patches.mT)]
        if place:
            extra = STRIDES[place] - 1
            slope = functional.conv_transpose2d(
                slope, network.kernels[place], stride=STRIDES[place], padding=2, output_padding=extra
            )
    return found


def label_of(gradient: list[Tensor]) -> Int[Tensor, " R"]:
    """Class of a batch of one: the only one whose last offset has a negative slope, p - 1 (elementary)."""
    return gradient[0].argmin(1)


@dataclass(frozen=True)
class Matching:
    """Settings of the descent.

    Attributes:
        steps: of the limited-memory quasi-Newton method, one evaluation each.
        starts: for each gradient; that of least distance is kept.
        memory: pairs kept.
    """

    steps: int = 300
    starts: int = 5
    memory: int = 20


def descend(
    objective: Callable[[Float[Tensor, "R d"]], tuple[Float[Tensor, " R"], Float[Tensor, "R d"]]],
    start: Float[Tensor, "R d"],
    settings: Matching,
) -> tuple[Float[Tensor, "R d"], Float[Tensor, " R"]]:
    """Limited-memory quasi-Newton descent of R problems at once (liu1989limited), and the values.

    Every step evaluates all problems once. A problem whose value falls enough moves and goes on in a new direction;
    another one tries a quarter of its step.
    """
    x, (value, slope) = start, objective(start)
    direction, length = -slope, 1 / slope.norm(dim=1, keepdim=True).clamp(min=1e-30)
    pairs: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    for _ in range(settings.steps):
        trial = x + length * direction
        new_value, new_slope = objective(trial)
        enough = value + 1e-4 * length[:, 0] * (slope * direction).sum(1)
        moved = ((new_value <= enough) & new_value.isfinite())[:, None]
        step, change = torch.where(moved, trial - x, 0.0), torch.where(moved, new_slope - slope, 0.0)
        curved = (step * change).sum(1, keepdim=True)
        # Where nothing moved, or along negative curvature, the pair's weight is zero, and it changes nothing.
        good = curved > 1e-12 * step.norm(dim=1, keepdim=True) * change.norm(dim=1, keepdim=True)
        pairs = [*pairs[-settings.memory + 1 :], (step, change, torch.where(good, 1 / curved, 0.0))]
        x, slope = torch.where(moved, trial, x), torch.where(moved, new_slope, slope)
        value = torch.where(moved[:, 0], new_value, value)
        scale = torch.where(good, curved / (change**2).sum(1, keepdim=True), 1.0)
        fresh = _two_loops(slope, pairs, scale)
        downhill = (fresh * slope).sum(1, keepdim=True) < 0
        fresh = torch.where(downhill, fresh, -slope)
        direction = torch.where(moved, fresh, direction)
        length = torch.where(moved, 1.0, length / 4)
    return x, value


def _two_loops(slope: torch.Tensor, pairs: list, scale: torch.Tensor) -> torch.Tensor:
    """Minus the approximate inverse Hessian times the slope, problem by problem."""
    rest, shares = slope, []
    for step, change, weight in reversed(pairs):
        share = weight * (step * rest).sum(1, keepdim=True)
        rest = rest - share * change
        shares.append(share)
    rest = rest * scale
    for (step, change, weight), share in zip(pairs, reversed(shares)):
        rest = rest + step * (share - weight * (change * rest).sum(1, keepdim=True))
    return -rest


def invert(
    network: Sigmoids,
    gradient: list[Tensor],
    labels: Int[Tensor, "R B"],
    settings: Matching,
    rt: Runtime,
    draws: torch.Generator,
) -> Float[Tensor, "R B 28 28"]:
    """Images whose gradients are nearest to those given, from several random starts each, gray levels in [-1, 1].

    What falls is the squared distance of the gradients over the squared length of the given one.

    Args:
        network: the model, which the adversary has.
        gradient: R gradients as `batch_gradients` returns them.
        labels: of the images of each batch.
        settings: of the descent.
        rt: device and precision.
        draws: of the starts, normal pixels of deviation one half.
    """
    groups, size = labels.shape
    wanted = [part.repeat_interleave(settings.starts, 0) for part in gradient]
    named = labels.repeat_interleave(settings.starts, 0)
    whole = sum((part**2).flatten(1).sum(1) for part in wanted)

    def objective(flat: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        leaf = flat.detach().requires_grad_()
        found = batch_gradients(network, leaf.view(-1, size, 28, 28), named)
        value = sum(((a - b) ** 2).flatten(1).sum(1) for a, b in zip(found, wanted)) / whole
        (slope,) = torch.autograd.grad(value.sum(), leaf)
        return value.detach(), slope

    begin = 0.5 * rt.normal(draws, groups * settings.starts, size * 784)
    images, value = descend(objective, begin, settings)
    best = value.nan_to_num(float("inf")).view(groups, settings.starts).argmin(1)
    chosen = images.view(groups, settings.starts, -1)[torch.arange(groups, device=rt.device), best]
    return chosen.clamp(-1, 1).view(groups, size, 28, 28)
