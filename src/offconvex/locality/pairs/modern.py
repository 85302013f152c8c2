"""Residual networks with normalization and strides, on pairs of images. Float32 in use: networks, not theorems.

One network at a time, channels last in memory: replicas as groups of channels were slower at these sizes.
"""

import copy
import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from offconvex import rng
from offconvex.files import Arrays
from offconvex.locality import regularizer, theory
from offconvex.locality.pairs import same_class
from offconvex.locality.pairs.same_class import Pairs
from offconvex.locality.pathfinder import resnet18
from offconvex.locality.regularizer import Patch
from offconvex.locality.training import TrainingSchedule
from offconvex.runtime import Runtime

NAMES = ("train", "loss", "test", "change")
"""What is kept of a network's history: training accuracy and loss, test accuracy, 1 - surrogate on test pairs."""


@dataclass(frozen=True)
class ModernSetting:
    """What networks learn, what they are, and how they are trained; those of one setting differ in their seeds alone.

    Attributes:
        task: the pairs.
        channels: of the stages.
        strides: of the first layer, of 3 x 3 pixels, and of each stage's first.
        blocks: residual blocks of a stage.
        schedule: how they are trained; `rate` is that of gradient descent with momentum.
        momentum: of gradient descent.
        count: training pairs, each network's own.
        held_out: test pairs, common to all.
        asked: how many samples of a batch the regularizer is taken on; it is most of a step's work.
        within: whether the regularizer's two patches are the halves of one image, and not the two images.
    """

    task: Pairs = Pairs((1, 8, 9), side=28)
    channels: tuple[int, ...] = (16, 32, 32)
    strides: tuple[int, ...] = (1, 1, 2, 2)
    blocks: int = 2
    schedule: TrainingSchedule = TrainingSchedule(epochs=40, rate=0.01, records=4)
    momentum: float = 0.9
    count: int = 1024
    held_out: int = 2000
    asked: int = 16
    within: bool = False

    def __post_init__(self):
        if len(self.strides) != 1 + len(self.channels) or self.blocks < 1:
            raise ValueError(f"`strides` needs one entry more than `channels`, and `blocks` at least 1; got {self}.")
        if not 2 <= self.asked <= self.schedule.batch or self.count % self.schedule.batch:
            raise ValueError(
                f"`asked` lies between 2 and the batch, of which the training pairs are a multiple; got {self}."
            )

    @property
    def receptive_field(self) -> int:
        """Pixels along one side that a place of the last layer can see, on the longest way through."""
        stages = [(3, stride if layer == 0 else 1) for stride in self.strides[1:] for layer in range(2 * self.blocks)]
        return theory.receptive_field([(3, self.strides[0]), *stages])

    @property
    def spans(self) -> bool:
        """Whether a unit of the last layer sees pixels of both images, wherever the strides put it.

        Fields lie one product of strides apart, so any stretch as wide as a field less that, plus one, is within one.
        At a gap above `theory.largest_gap(receptive_field)` none sees both, and the network is a sum of two functions.
        """
        return self.task.gap <= theory.largest_gap(self.receptive_field - math.prod(self.strides) + 1)


class ModernNetwork(nn.Module):
    """A normalized convolution, stages of residual blocks, the mean over all places and one output."""

    def __init__(self, setting: ModernSetting, device: torch.device, dtype: torch.dtype):
        """A network with weights still undefined; `network` draws them."""
        super().__init__()
        where = {"device": device, "dtype": dtype}
        before = setting.channels[0]
        inputs = setting.task.canvas[0]
        self.stem = nn.utils.skip_init(nn.Conv2d, inputs, before, 3, setting.strides[0], 1, bias=False, **where)
        self.norm = nn.BatchNorm2d(before, **where)
        blocks = []
        for channels, stride in zip(setting.channels, setting.strides[1:], strict=True):
            for place in range(setting.blocks):
                blocks.append(resnet18.Block(before, channels, 1 if place else stride, device, dtype))
                before = channels
        self.blocks = nn.Sequential(*blocks)
        self.output = nn.utils.skip_init(nn.Linear, before, 1, **where)

    def forward(self, images: Float[Tensor, "N inputs H W"]) -> Float[Tensor, " N"]:
        """One output per sample, (N,), of images (N, inputs, H, W)."""
        hidden = self.norm(self.stem(images.contiguous(memory_format=torch.channels_last))).relu()
        return self.output(self.blocks(hidden).mean((-2, -1)))[:, 0]


def network(setting: ModernSetting, rt: Runtime, generator: torch.Generator) -> ModernNetwork:
    """A network at the start that `resnet18` has."""
    drawn = resnet18.draw(ModernNetwork(setting, rt.device, rt.dtype), rt, generator)
    return drawn.to(memory_format=torch.channels_last)


def data(setting: ModernSetting, rt: Runtime, seed: int, replica: int) -> tuple[tuple, tuple]:
    """Training images (N, C, H, W) and labels (N,) of one network, and test images and labels, common to all."""
    own, held = (rng.stream_seed(seed, "modern pairs", *use) for use in (("network", replica), ("test",)))
    return (
        same_class.pairs(setting.task, setting.count, rt, own, "train"),
        same_class.pairs(setting.task, setting.held_out, rt, held, "test"),
    )


def changes(
    network: ModernNetwork,
    images: Float[Tensor, "N C H W"],
    pair: tuple[Patch, Patch],
    *,
    differentiable: bool = False,
) -> Float[Tensor, " N"]:
    """1 - surrogate of each sample, (N,), the normalization at its running averages.

    With a batch's own averages the swap of one sample would reach the gradients of all others through them; the
    averages that the network is tested with leave samples apart. Leaves the network in the mode that it was in.
    """
    mode = network.training
    network.eval()
    change = regularizer.gradient_change(network, images, *pair, differentiable=differentiable)[1]
    network.train(mode)
    return change


def objective(
    network: ModernNetwork,
    images: Float[Tensor, "N C H W"],
    labels: Float[Tensor, " N"],
    strength: float,
    pair: tuple[Patch, Patch],
    setting: ModernSetting,
) -> Float[Tensor, ""]:
    """Mean logistic loss, normalized by the batch, plus `strength` times the penalty on its first `asked` samples."""
    loss = functional.binary_cross_entropy_with_logits(network(images), labels)
    if not strength:
        return loss
    change = changes(network, images[: setting.asked], pair, differentiable=True)
    return loss + strength * regularizer.PENALTIES[setting.schedule.penalty](change)


def evaluate(
    network: ModernNetwork, images: Float[Tensor, "N C H W"], labels: Float[Tensor, " N"], *, chunk: int = 250
) -> tuple[float, float]:
    """Accuracy and mean logistic loss at the running averages; leaves the network in the mode that it was in."""
    mode = network.training
    network.eval()
    with torch.no_grad():
        outputs = torch.cat([network(x) for x in images.split(chunk)])
    network.train(mode)
    accuracy = ((outputs > 0) == (labels > 0.5)).double().mean().item()
    return accuracy, functional.binary_cross_entropy_with_logits(outputs, labels).item()


def train(setting: ModernSetting, rt: Runtime, seed: int, replica: int) -> Arrays:
    """Gradient descent with momentum on one network.

    Twins, the networks of one number in different arms, have one start, training set and order of batches.

    Returns:
        "epochs" and `NAMES`, (T,), and "within", the change at the end between halves of one image.
    """
    schedule = setting.schedule
    (images, labels), held = data(setting, rt, seed, replica)
    trained = network(setting, rt, rng.generator(seed, "modern", "start", replica)).train()
    order, places = (rng.generator(seed, "modern", use, replica) for use in ("order", "patches"))
    optimizer = torch.optim.SGD(trained.parameters(), lr=schedule.rate, momentum=setting.momentum)
    steps, records = setting.count // schedule.batch, []
    for epoch in range(schedule.epochs):
        batches = rt.permutation(order, setting.count).split(schedule.batch)
        for step, rows in enumerate(batches):
            part = epoch + step / steps
            optimizer.param_groups[0]["lr"] = schedule.rate_at(part)
            pair = drawn_pair(setting, places)
            optimizer.zero_grad()
            objective(trained, images[rows], labels[rows], schedule.strength_at(part), pair, setting).backward()
            optimizer.step()
        if (epoch + 1) % schedule.record_every == 0 or epoch + 1 == schedule.epochs:
            across = _mean_change(trained, held[0][:128], setting.task.patches)
            record = (*evaluate(trained, images, labels), evaluate(trained, *held)[0], across)
            records.append((epoch + 1.0, *record))
    arrays = dict(zip(("epochs", *NAMES), np.array(records).T, strict=True))
    halves = [_mean_change(trained, held[0][:128], pair) for pair in setting.task.halves]
    return arrays | {"within": np.array(np.mean(halves))}


def _mean_change(network: ModernNetwork, images: Float[Tensor, "N C H W"], pair: tuple[Patch, Patch]) -> float:
    """Mean of 1 - surrogate, in float64: it may be tiny."""
    return changes(copy.deepcopy(network).double(), images.double(), pair).mean().item()


def drawn_pair(setting: ModernSetting, generator: torch.Generator) -> tuple[Patch, Patch]:
    """The two images, or the halves of one, in either order: where the gradient is read, and what is swapped."""
    coins = torch.randint(2, (2,), generator=generator, device="cpu").tolist()
    left, right = setting.task.halves[coins[0]] if setting.within else setting.task.patches
    return (right, left) if coins[1] else (left, right)
