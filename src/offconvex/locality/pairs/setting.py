"""Networks trained on pairs of images: one setting, its data, and its training. Float32: networks, not theorems."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import runtime
from offconvex.files import Arrays
from offconvex.locality import theory, training
from offconvex.locality.networks import Architecture
from offconvex.locality.pairs import same_class
from offconvex.locality.pairs.same_class import Pairs
from offconvex.locality.training import History, PatchPair, TrainingSchedule
from offconvex.runtime import Runtime

NAMES = ("train", "loss", "test", "similarity")
"""What is kept of a network's history."""


@dataclass(frozen=True)
class PairSetting:
    """What networks learn, what they are, and how they are trained; those of one setting differ in their seeds alone.

    Attributes:
        task: the pairs; of three classes at least: of two, the label is a product, to which the surrogate is blind.
        architecture: the networks.
        schedule: how they are trained.
        count: training pairs, each network's own.
        held_out: test pairs, common to all, and as many to choose lambda by.
        within: whether the regularizer's two patches are the halves of one image, and not the two images.
    """

    task: Pairs = Pairs((1, 8, 9), columns=True)
    architecture: Architecture = Architecture(7, channels=16, blocks=5, kernel=(1, 3))
    schedule: TrainingSchedule = TrainingSchedule(epochs=40, rate=3e-3, records=8)
    count: int = 512
    held_out: int = 1000
    within: bool = False

    def __post_init__(self):
        if self.architecture.inputs != self.task.canvas[0]:
            raise ValueError(
                f"The networks must read the {self.task.canvas[0]} channels of the pairs; got {self.architecture}."
            )

    @property
    def spans(self) -> bool:
        """Whether a unit of the last layer sees pixels of both images; else the network is a sum of two functions."""
        return self.task.gap <= theory.largest_gap(self.architecture.receptive_field[1])


def seed_of(seed: int, use: int) -> int:
    """Seed of pairs: of the training pairs of network `use`, or of those that all networks share.

    Arithmetic keeps the pairs of neighboring seeds apart where the stream has no name for the use. The stored studies
    have drawn their pairs so, hence it stays until they are run again; new code names its streams.
    """
    return 1000 * seed + use


CHOOSING, TESTING = 998, 999  # uses beyond the numbers of networks


def validation(
    setting: PairSetting, rt: Runtime, seed: int
) -> tuple[Float[Tensor, "{setting.held_out} C H W"], Float[Tensor, " {setting.held_out}"]]:
    """Pairs of the training split's images, to choose lambda by, so that no test image has a say in it."""
    return same_class.pairs(setting.task, setting.held_out, rt, seed_of(seed, CHOOSING), "train")


def data(setting: PairSetting, rt: Runtime, seed: int, replicas: Sequence[int]) -> tuple[tuple, tuple]:
    """Training images (R, N, C, H, W) and labels (R, N), every replica's own, and test images and labels, common."""
    sets = [same_class.pairs(setting.task, setting.count, rt, seed_of(seed, replica), "train") for replica in replicas]
    held = same_class.pairs(setting.task, setting.held_out, rt, seed_of(seed, TESTING), "test")
    return (torch.stack([x for x, _ in sets]), torch.stack([y for _, y in sets])), held


def train(setting: PairSetting, rt: Runtime, seed: int, replicas: Sequence[int]) -> History:
    """Train networks of a setting, side by side; the surrogate is recorded across the gap."""
    own, held = data(setting, rt, seed, replicas)
    halves = setting.task.halves

    def across(generator: torch.Generator) -> PatchPair:
        return _either_way(setting.task.patches, generator)

    def inside(generator: torch.Generator) -> PatchPair:
        return _either_way(halves[_coin(generator)], generator)

    drawn = inside if setting.within else across
    return training.train(setting.architecture, setting.schedule, own, held, drawn, rt, seed, replicas, recorded=across)


def _either_way(pair: PatchPair, generator: torch.Generator) -> PatchPair:
    """The two patches in either order, equally likely."""
    return (pair[1], pair[0]) if _coin(generator) else pair


def _coin(generator: torch.Generator) -> int:
    """0 or 1, equally likely."""
    return int(torch.randint(2, (), generator=generator, device="cpu"))


def run(config: object, setting: PairSetting, replicas: Sequence[int], seed: int) -> Arrays:
    """A part of a stored experiment: arrays (T, R), and (R,) accuracies at the end on the pairs to choose by."""
    rt = runtime.resolve("cpu", torch.float32)
    history = train(setting, rt, seed, replicas)
    choose, _ = training.evaluate(setting.architecture, history.weights, *validation(setting, rt, seed))
    return {"epochs": history.epochs, "choose": choose} | {name: getattr(history, name) for name in NAMES}
