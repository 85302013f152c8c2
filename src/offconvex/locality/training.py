"""Training with the regularizer, replicas together. Float32 in use: networks, not theorems."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from offconvex import rng
from offconvex.locality import networks, regularizer
from offconvex.locality.networks import Architecture, NetworkWeights
from offconvex.locality.regularizer import Patch
from offconvex.runtime import Runtime

PatchPair = tuple[Patch, Patch]


@dataclass(frozen=True)
class TrainingSchedule:
    """How a network is trained.

    Attributes:
        epochs: passes over the training set.
        batch: samples a step.
        rate: learning rate of Adam.
        strength: lambda, of the regularizer.
        first: lambda at the start: below `strength` to warm up, above it to break away from a surrogate near 1, whose
            slope is nearly zero.
        settling: epochs over which lambda goes from `first` to `strength`, linearly.
        records: how many, at equal distances of whole epochs, are kept; the last epoch is always recorded.
        final: share of the epochs, at the end, over which the rate falls linearly to zero.
        warming: epochs at the start over which the rate rises linearly from zero.
        penalty: of the regularizer, a name in PENALTIES.
        relative: whether lambda counts in units of one over the change (1 - surrogate) that each network has at its
            start, so that the slope of the |cos| penalty does not vanish with it.
        decay: of the weights, what Adam adds to their gradient for each unit of weight.
    """

    epochs: int = 60
    batch: int = 64
    rate: float = 1e-3
    strength: float = 0.0
    first: float = 0.0
    settling: float = 0.0
    records: int = 12
    final: float = 0.3
    warming: float = 0.0
    penalty: str = "cosine"
    relative: bool = False
    decay: float = 0.0

    def __post_init__(self):
        if min(self.epochs, self.batch, self.records) < 1 or not self.rate > 0:
            raise ValueError(f"Epochs, batch, records and rate must be positive; got {self}.")
        if self.penalty not in regularizer.PENALTIES:
            raise ValueError(f"`penalty` must be one of {', '.join(regularizer.PENALTIES)}; got {self.penalty!r}.")
        if min(self.strength, self.first, self.settling, self.warming, self.decay) < 0 or not 0 <= self.final <= 1:
            raise ValueError(f"Strengths and epochs must not be negative, and `final` lies in [0, 1]; got {self}.")

    @property
    def record_every(self) -> int:
        """Epochs between two records."""
        return max(self.epochs // self.records, 1)

    def rate_at(self, epoch: float) -> float:
        """Learning rate after so many epochs."""
        left = (1 - epoch / self.epochs) / self.final if self.final else 1.0
        warm = epoch / self.warming if self.warming else 1.0
        return self.rate * min(1.0, left, warm)

    def strength_at(self, epoch: float) -> float:
        """Lambda after so many epochs."""
        if epoch >= self.settling:
            return self.strength
        return self.strength + (self.first - self.strength) * (1 - epoch / self.settling)


@dataclass(frozen=True)
class History:
    """What was recorded, each (T, R).

    Attributes:
        epochs: (T,).
        train: accuracy on the training set.
        loss: mean logistic loss on it.
        test: accuracy on the test set.
        similarity: the surrogate on the test set.
        weights: of the networks at the end.
    """

    epochs: np.ndarray
    train: np.ndarray
    loss: np.ndarray
    test: np.ndarray
    similarity: np.ndarray
    weights: NetworkWeights


def train(
    architecture: Architecture,
    schedule: TrainingSchedule,
    data: tuple[Float[Tensor, "R N C H W"], Float[Tensor, "R N"]],
    held_out: tuple[Float[Tensor, "M C H W"], Float[Tensor, " M"]],
    pairs: Callable[[torch.Generator], PatchPair],
    rt: Runtime,
    seed: int,
    replicas: Sequence[int],
    *,
    recorded: Callable[[torch.Generator], PatchPair] | None = None,
) -> History:
    """Adam on the mean logistic loss plus lambda times the regularizer.

    Args:
        architecture: the networks.
        schedule: how.
        data: training images and labels in {0, 1}.
        held_out: test images and labels.
        pairs: draws the two patches of a step: where the gradient is read, and what is swapped.
        rt: device and precision.
        seed: of starts, batches and patches.
        replicas: which replicas these are; each has its own start, whoever trains beside it.
        recorded: draws the one pair of patches at which the surrogate is recorded; by default like that of a step.
    """
    images, labels = data
    weights = networks.start(architecture, rt, networks.start_generators(seed, replicas, "locality"))
    weights = [w.requires_grad_() for w in weights]
    order = rng.generator(seed, "locality", "order")
    places = rng.generator(seed, "locality", "patches")
    optimizer = torch.optim.Adam(weights, lr=schedule.rate, weight_decay=schedule.decay)
    penalty = regularizer.PENALTIES[schedule.penalty]
    measured = (recorded or pairs)(rng.generator(seed, "locality", "measured patches"))
    unit = _unit(architecture, weights, held_out[0], measured) if schedule.relative else 1.0
    steps = images.shape[1] // schedule.batch
    records = []
    for epoch in range(schedule.epochs):
        rows = rt.permutation(order, images.shape[1])
        for step in range(steps):
            part = epoch + step / steps
            optimizer.param_groups[0]["lr"] = schedule.rate_at(part)
            strength = schedule.strength_at(part)
            batch = rows[step * schedule.batch : (step + 1) * schedule.batch]
            sample, pair = (images[:, batch], labels[:, batch]), pairs(places)
            loss = objective(architecture, weights, *sample, strength * unit, pair, penalty=penalty)
            optimizer.zero_grad()
            loss.sum().backward()
            optimizer.step()
        if (epoch + 1) % schedule.record_every == 0 or epoch + 1 == schedule.epochs:
            now = [w.detach() for w in weights]
            accuracy, value = evaluate(architecture, now, images, labels)
            test, _ = evaluate(architecture, now, held_out[0], held_out[1])
            records.append([accuracy, value, test, similarity(architecture, now, held_out[0][:256], [measured])])
            records[-1].insert(0, np.full(len(replicas), epoch + 1.0))
    epochs, accuracy, value, test, similar = np.array(records).transpose(1, 0, 2)
    return History(epochs[:, 0], accuracy, value, test, similar, [w.detach() for w in weights])


def objective(
    architecture: Architecture,
    weights: list[Float[Tensor, "R _ _"]],
    images: Float[Tensor, "R batch C H W"],
    labels: Float[Tensor, "R batch"],
    strength: float | Float[Tensor, " R"],
    pair: PatchPair,
    *,
    penalty: Callable[[Tensor], Tensor] = regularizer.cosine_penalty,
) -> Float[Tensor, " R"]:
    """Loss of a batch of images with labels: mean logistic loss plus `strength` times the penalty on the changes."""

    def model(inputs: torch.Tensor) -> torch.Tensor:
        return networks.forward(architecture, weights, inputs)

    if isinstance(strength, Tensor) or strength:
        outputs, change = regularizer.gradient_change(model, images, *pair, differentiable=True)
        added = strength * penalty(change)
    else:
        outputs, added = model(images), 0.0
    return functional.binary_cross_entropy_with_logits(outputs, labels, reduction="none").mean(-1) + added


def evaluate(
    architecture: Architecture,
    weights: list[Float[Tensor, "R _ _"]],
    images: Float[Tensor, "R N C H W"] | Float[Tensor, "N C H W"],
    labels: Float[Tensor, "R N"] | Float[Tensor, " N"],
    *,
    chunk: int = 500,
) -> tuple[Float[np.ndarray, " R"], Float[np.ndarray, " R"]]:
    """Accuracy and mean logistic loss on images of each replica, or of all."""
    with torch.no_grad():
        axis = images.dim() - 4
        outputs = torch.cat([networks.forward(architecture, weights, x) for x in images.split(chunk, axis)], 1)
        labels = labels.expand_as(outputs)
        loss = functional.binary_cross_entropy_with_logits(outputs, labels, reduction="none").mean(-1)
        accuracy = ((outputs > 0) == (labels > 0.5)).double().mean(-1)
    return accuracy.cpu().numpy(), loss.double().cpu().numpy()


def similarity(
    architecture: Architecture,
    weights: list[Float[Tensor, "R _ _"]],
    images: Float[Tensor, "N C H W"],
    pairs: Sequence[PatchPair],
) -> Float[np.ndarray, " R"]:
    """Mean surrogate over images and pairs of patches, in float64: 1 - |cos| may be tiny."""
    precise, images = [w.double() for w in weights], images.double()
    images = images.expand(len(weights[0]), *images.shape)
    values = [
        regularizer.gradient_similarity(lambda x: networks.forward(architecture, precise, x), images, *pair)[1]
        for pair in pairs
    ]
    return torch.stack(values).mean((0, -1)).cpu().numpy()


def _unit(
    architecture: Architecture, weights: list[Float[Tensor, "R _ _"]], images: Float[Tensor, "N C H W"], pair: PatchPair
) -> Float[Tensor, " R"]:
    """One over the mean change of each network at its start, on the first 256 images."""
    change = 1 - similarity(architecture, [w.detach() for w in weights], images[:256], [pair])
    return torch.as_tensor(1 / change, dtype=images.dtype, device=images.device)
