"""The source's own experiment: ResNet18 on Pathfinder or pairs of images, for a graphics card. Float32."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from offconvex import rng
from offconvex.locality import regularizer
from offconvex.locality.pathfinder import images as pathfinder
from offconvex.locality.pathfinder.resnet18 import ResNet18, resnet18
from offconvex.locality.regularizer import Model, Patch
from offconvex.runtime import Runtime

Draw = Callable[[torch.Generator], tuple[Patch, Patch]]
"""Draws the patch at which the gradient is read and the one that is swapped, once a step."""

LENGTHS = (3, 5, 7, 9)
"""Dashes of the paths in the source's figure."""

STRENGTHS = (0.0, 3.0, 9.0)
"""Its values of lambda."""


@dataclass(frozen=True)
class Paper:
    """The source's settings (razin2022implicit, appendix).

    Attributes:
        strength: lambda; `STRENGTHS` on Pathfinder, 0, 0.1 and 1 on pairs of images.
        epochs: at most.
        patience: training stops when it has been perfect for more than this many epochs in a row.
        batch: samples a step.
        rate: of gradient descent.
        momentum: of gradient descent.
        patch: side of the square patches on Pathfinder.
    """

    strength: float = 0.0
    epochs: int = 150
    patience: int = 20
    batch: int = 64
    rate: float = 0.01
    momentum: float = 0.9
    patch: int = 2

    def __post_init__(self):
        if self.strength < 0 or min(self.epochs, self.batch, self.patch) < 1 or self.patience < 0:
            raise ValueError(f"Strength and patience must not be negative, sizes at least 1; got {self}.")


@dataclass(frozen=True)
class PaperRecord:
    """One network, after every epoch.

    Attributes:
        train: (T,) accuracy over the epoch's own batches.
        test: (T,) accuracy on the test set.
        similarity: (T,) mean surrogate over the epoch's batches; NaN without regularizer.
        seconds: (T,) of the epoch.
    """

    train: np.ndarray
    test: np.ndarray
    similarity: np.ndarray
    seconds: np.ndarray


def step_loss(
    network: Model,
    images: Float[Tensor, "N C H W"],
    labels: Float[Tensor, " N"],
    strength: float,
    pair: tuple[Patch, Patch],
    *,
    slope: bool = True,
) -> tuple[Float[Tensor, ""], Float[Tensor, " N"], Float[Tensor, ""]]:
    """Loss, outputs (N,) and mean surrogate of a batch; the surrogate is NaN where it is not asked for.

    Without `slope` the term is in the loss, but no derivative by the weights goes through it.
    """
    if strength:
        outputs, similar = regularizer.gradient_similarity(network, images, *pair, differentiable=True)
        penalty = similar.mean()
        added = strength * (penalty if slope else penalty.detach())
        return functional.binary_cross_entropy_with_logits(outputs, labels) + added, outputs, penalty
    outputs = network(images)
    return functional.binary_cross_entropy_with_logits(outputs, labels), outputs, outputs.new_full((), torch.nan)


def run(
    config: Paper,
    data: tuple[Float[Tensor, "N C H W"], Float[Tensor, " N"]],
    held_out: tuple[Float[Tensor, "M C H W"], Float[Tensor, " M"]],
    pairs: Draw,
    rt: Runtime,
    seed: int,
) -> PaperRecord:
    """Train one ResNet18 with stochastic gradient descent.

    Args:
        config: settings.
        data: training images (N, C, H, W) and labels (N,) in {0, 1}.
        held_out: test images and labels.
        pairs: draws the patches of a step.
        rt: device and precision.
        seed: of start, batches and patches.
    """
    images, labels = data
    network = resnet18(images.shape[1], rt, rng.generator(seed, "resnet18", "start"))
    optimizer = torch.optim.SGD(network.parameters(), lr=config.rate, momentum=config.momentum)
    order, places = rng.generator(seed, "resnet18", "order"), rng.generator(seed, "resnet18", "patches")
    records, perfect = [], 0
    for _ in range(config.epochs):
        begun, network = time.perf_counter(), network.train()
        right, similar = 0.0, []
        batches = rt.permutation(order, len(images)).split(config.batch)
        for rows in batches:
            # A last batch of one sample has nobody to swap with, nor a variance.
            if len(rows) < 2:
                continue
            loss, outputs, value = step_loss(network, images[rows], labels[rows], config.strength, pairs(places))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            right += ((outputs > 0) == (labels[rows] > 0.5)).double().sum().item()
            similar.append(value.item())
        train = right / sum(len(rows) for rows in batches if len(rows) > 1)
        test = accuracy(network, *held_out)
        records.append((train, test, np.mean(similar), time.perf_counter() - begun))
        perfect = perfect + 1 if train == 1 else 0
        if perfect > config.patience:
            break
    return PaperRecord(*np.array(records).T)


def accuracy(
    network: ResNet18, images: Float[Tensor, "N C H W"], labels: Float[Tensor, " N"], *, chunk: int = 250
) -> float:
    """Share of images (N, C, H, W) on the right side, in evaluation mode."""
    network.eval()
    with torch.no_grad():
        outputs = torch.cat([network(x) for x in images.split(chunk)])
    return ((outputs > 0) == (labels > 0.5)).double().mean().item()


def pathfinder_study(
    lengths: tuple[int, ...], strengths: tuple[float, ...], count: int, config: Paper, rt: Runtime, seed: int
) -> dict[tuple[int, float], PaperRecord]:
    """The source's figure: one network for each length of path and each strength, on `count` + `count` images.

    Pixels get the training images' mean 0 and deviation 1; the two patches are squares anywhere that do not overlap.
    """
    records = {}
    for length in lengths:
        task = pathfinder.paper(length)
        sets = [pathfinder.images(task, count, rt, seed, split, length) for split in ("train", "test")]
        mean, deviation = sets[0][0].mean(), sets[0][0].std()
        train, test = (((x - mean) / deviation, y) for x, y in sets)
        draw = partial(regularizer.random_pair, task.used, task.used, config.patch)
        for strength in strengths:
            records[length, strength] = run(replace(config, strength=strength), train, test, draw, rt, seed)
    return records


def report(records: dict[tuple[int, float], PaperRecord]) -> str:
    """One line for each network: where it ended, and after what time."""
    return "\n".join(
        f"{length} dashes, λ {strength:g}: train {r.train[-1]:.3f}, test {r.test[-1]:.3f}, "
        f"{len(r.train)} epochs of {np.median(r.seconds):.0f} s"
        for (length, strength), r in records.items()
    )


@dataclass(frozen=True)
class Price:
    """What one step costs.

    Attributes:
        seconds: of a step, the faster of two; the processor's own where it does the work, else by the clock.
        bytes: held for the backward pass, without weights and their gradients.
    """

    seconds: float
    bytes: int


def price(side: int, batch: int, strength: float, rt: Runtime, seed: int) -> Price:
    """Measure steps on images of noise (batch, 1, side, side)."""
    network = resnet18(1, rt, rng.generator(seed, "price"))
    images = rt.normal(rng.generator(seed, "price", "images"), batch, 1, side, side)
    labels = rt.zeros(batch)
    pair = Patch(0, 0, 2, 2), Patch(side - 2, side - 2, 2, 2)
    held: dict[int, int] = {}
    clock = time.process_time if rt.device.type == "cpu" else time.perf_counter

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        # By storage: views and a tensor kept twice take their memory once.
        storage = tensor.untyped_storage()
        held[storage.data_ptr()] = storage.nbytes()
        return tensor

    seconds = []
    for _ in range(2):
        begun = clock()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss, _, _ = step_loss(network, images, labels, strength, pair)
        loss.backward()
        if rt.device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(clock() - begun)
        weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
        total = sum(size for place, size in held.items() if place not in weights)
        held.clear()
    return Price(min(seconds), total)


def operations(side: int, strength: float, rt: Runtime, seed: int, *, slope: bool = True) -> int:
    """Multiplications and additions of a step for one image (1, side, side), all passes, on every device the same.

    Without `slope` the regularizer is measured, and the step does not descend on it.
    """
    network = resnet18(1, rt, rng.generator(seed, "price"))
    images, labels = rt.normal(rng.generator(seed, "price", "images"), 2, 1, side, side), rt.zeros(2)

    def model(inputs: torch.Tensor) -> torch.Tensor:
        # The counter hooks into the inputs of modules, and cannot where one is the leaf that is differentiated.
        return network(inputs.view_as(inputs))

    pair = Patch(0, 0, 2, 2), Patch(side - 2, side - 2, 2, 2)
    with FlopCounterMode(display=False) as counter:
        loss, _, _ = step_loss(model, images, labels, strength, pair, slope=slope)
        loss.backward()
    return counter.get_total_flops() // 2


def forecast(side: int, count: int, config: Paper, rt: Runtime, seed: int) -> str:
    """How long one network takes at most with and without the regularizer, from a measured step of each."""
    steps = config.epochs * math.ceil(count / config.batch)
    plain, other = (price(side, config.batch, strength, rt, seed) for strength in (0.0, STRENGTHS[-1]))
    return (
        f"{steps} steps at most for each network: {plain.seconds * steps / 3600:.1f} hours without regularizer "
        f"and {other.seconds * steps / 3600:.1f} with it; {other.bytes / 2**30:.1f} GiB for the backward pass"
    )
