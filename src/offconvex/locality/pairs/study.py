"""Networks trained on pairs of images, over gaps, strengths and seeds. Float32: networks, not theorems."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from offconvex import runtime
from offconvex.locality import networks, tangent, theory, training
from offconvex.locality.networks import Architecture
from offconvex.locality.pairs import same_class
from offconvex.locality.pairs.same_class import Pairs
from offconvex.locality.training import History, PatchPair, TrainingSchedule
from offconvex.runtime import Runtime
from offconvex.stored import Arrays

NAMES = ("train", "loss", "test", "similarity")


@dataclass(frozen=True)
class PairSetting:
    """One group of networks that differ in their seeds alone.

    Attributes:
        classes: of Fashion-MNIST; three at least, since of two the label is a product, to which the surrogate is blind.
        side: of an image in pixels.
        gap: between the two images.
        columns: whether rows are channels and kernels 1 x 3, else kernels are 3 x 3.
        count: training pairs, each network's own.
        held_out: test pairs, common to all.
        channels: of a hidden layer.
        blocks: of two convolutions.
        residual: whether blocks have a shortcut.
        epochs: passes.
        batch: pairs a step.
        rate: of Adam.
        strength: lambda.
        first: lambda at the start.
        settling: epochs over which it goes from there to `strength`.
        seeds: number of networks.
    """

    classes: tuple[int, ...] = (1, 8, 9)
    side: int = 7
    gap: int = 0
    columns: bool = True
    count: int = 512
    held_out: int = 1000
    channels: int = 16
    blocks: int = 5
    residual: bool = True
    epochs: int = 40
    batch: int = 64
    rate: float = 3e-3
    strength: float = 0.0
    first: float = 0.0
    settling: float = 0.0
    seeds: int = 5

    @property
    def task(self) -> Pairs:
        """The pairs."""
        return Pairs(tuple(self.classes), self.side, self.gap, 0, self.columns)

    @property
    def architecture(self) -> Architecture:
        """The networks."""
        kernel = (1, 3) if self.columns else (3, 3)
        return Architecture(self.task.canvas[0], self.channels, self.blocks, kernel, self.residual)

    @property
    def spans(self) -> bool:
        """Whether a unit of the last layer sees pixels of both images; else the network is a sum of two functions."""
        return self.gap <= theory.largest_gap(self.architecture.receptive_field[1])

    @property
    def schedule(self) -> TrainingSchedule:
        """How they are trained."""
        return TrainingSchedule(
            self.epochs, self.batch, self.rate, self.strength, self.first, self.settling, max(self.epochs // 8, 1)
        )


def validation(setting: PairSetting, rt: Runtime, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs of the training split's images, to choose lambda by, so that no test image has a say in it."""
    return same_class.pairs(setting.task, setting.held_out, rt, 1000 * seed + 998, "train")


def data(setting: PairSetting, rt: Runtime, seed: int, replicas: range) -> tuple[tuple, tuple]:
    """Training images (R, N, C, H, W) and labels (R, N), every replica's own, and test images and labels, common."""
    # Replicas take streams of their own from the seed: neighboring seeds share no training set.
    sets = [same_class.pairs(setting.task, setting.count, rt, 1000 * seed + replica, "train") for replica in replicas]
    held = same_class.pairs(setting.task, setting.held_out, rt, 1000 * seed + 999, "test")
    return (torch.stack([x for x, _ in sets]), torch.stack([y for _, y in sets])), held


def run(setting: PairSetting, rt: Runtime, seed: int, replicas: range | None = None) -> History:
    """Train the networks of a setting."""
    replicas = range(setting.seeds) if replicas is None else replicas
    train, held = data(setting, rt, seed, replicas)
    left, right = setting.task.patches

    def either(generator: torch.Generator) -> PatchPair:
        swap = int(torch.randint(2, (), generator=generator, device="cpu"))
        return (right, left) if swap else (left, right)

    return training.train(setting.architecture, setting.schedule, train, held, either, rt, seed, replicas)


@dataclass(frozen=True)
class PairStudy:
    """Gaps x strengths, with everything else as in a setting, and networks too short to span any of the gaps.

    Settings were chosen on networks of seed 0, and the largest gap on networks of seed 4, which is why the study has
    another.

    Attributes:
        gaps: between the images.
        strengths: values of lambda at the end.
        first: lambda at the start wherever it is not 0 at the end.
        settling: epochs over which it falls.
        short_blocks: blocks of the networks that cannot span.
        short_gap: at this gap, the control's only one.
        seeds: networks for each.
        together: how many of them make one part.
        epochs: passes.
        count: training pairs.
        held_out: test pairs, and as many to choose lambda by.
        channels: of a hidden layer.
        blocks: of the networks that can.
        seed: of pairs, starts and batches.
    """

    gaps: tuple[int, ...] = (0, 4, 8, 9)
    strengths: tuple[float, ...] = (0.0, 4.0, 8.0)
    first: float = 30.0
    settling: float = 40.0
    short_blocks: int = 2
    short_gap: int = 12
    seeds: int = 8
    together: int = 4
    epochs: int = 200
    count: int = 256
    held_out: int = 2000
    channels: int = 16
    blocks: int = 5
    seed: int = 2

    def __post_init__(self):
        if self.seeds % self.together:
            raise ValueError(f"`together` must divide `seeds`; got {self.together} and {self.seeds}.")
        if self.setting(self.short_gap, 0.0, short=True).spans:
            raise ValueError(f"The control's networks must not see both images at once; those of {self} do.")
        if not all(self.setting(gap, 0.0).spans for gap in self.gaps):
            raise ValueError(f"The networks must see both images at once at every gap; those of {self} do not.")

    def setting(self, gap: int, strength: float, *, short: bool = False) -> PairSetting:
        """One point of the study."""
        return PairSetting(
            gap=gap, strength=strength, first=self.first if strength else 0.0,
            settling=self.settling if strength else 0.0, seeds=self.seeds, epochs=self.epochs, count=self.count,
            held_out=self.held_out, channels=self.channels, blocks=self.short_blocks if short else self.blocks,
        )  # fmt: skip

    @property
    def settings(self) -> dict[str, PairSetting]:
        """All points by name."""
        whole = {f"gap-{g}-strength-{s:g}": self.setting(g, s) for g in self.gaps for s in self.strengths}
        short = {f"short-strength-{s:g}": self.setting(self.short_gap, s, short=True) for s in self.strengths}
        return whole | short

    @property
    def groups(self) -> list[range]:
        """Networks that are trained together."""
        return [range(start, start + self.together) for start in range(0, self.seeds, self.together)]


FIRST_STUDY = PairStudy(gaps=(0, 4, 8, 10), seed=1)
"""The study before it: the same, but for the largest gap and the seed."""


def study_parts(config: PairStudy) -> list[str]:
    """Names of the points, each with the number of a group of networks."""
    return [f"{point}-networks-{group.start}" for point in config.settings for group in config.groups]


def run_study_part(config: PairStudy, part: str) -> Arrays:
    """Train one group of a point; arrays (T, R), and (R,) accuracies at the end on the pairs to choose by."""
    point, start = part.rsplit("-networks-", 1)
    setting, rt = config.settings[point], runtime.resolve("cpu", torch.float32)
    history = run(setting, rt, config.seed, range(int(start), int(start) + config.together))
    choose, _ = training.evaluate(setting.architecture, history.weights, *validation(setting, rt, config.seed))
    return {"epochs": history.epochs, "choose": choose} | {name: getattr(history, name) for name in NAMES}


def again(config: PairStudy, gap: int, strength: float, count: int, rt: Runtime, seed: int) -> np.ndarray:
    """Train the first `count` networks of a point, in the study's groups; test accuracies at the end, (count,).

    With the study's own seed these are its networks, with another they are new ones. Groups matter for rounding alone.
    """
    setting = config.setting(gap, strength)
    groups = (range(start, min(start + config.together, count)) for start in range(0, count, config.together))
    return np.concatenate([run(setting, rt, seed, group).test[-1] for group in groups])


def assemble_study(config: PairStudy, arrays: Sequence[Arrays]) -> Arrays:
    """Arrays (gaps, strengths, T, R) of networks that span, and "short ..." (strengths, T, R) of those that do not.

    "choose" and "short choose" have no axis T.
    """
    each, columns = len(config.groups), len(config.strengths)
    together = {"epochs": arrays[0]["epochs"]}
    for name in (*NAMES, "choose"):
        points = [
            np.concatenate([a[name] for a in arrays[place : place + each]], -1) for place in range(0, len(arrays), each)
        ]
        whole = np.stack(points[:-columns])
        together[name] = whole.reshape(len(config.gaps), columns, *whole.shape[1:])
        together[f"short {name}"] = np.stack(points[-columns:])
    return together


@dataclass(frozen=True)
class KernelPlane:
    """Where gap, reach and number of pairs leave something to learn: interpolation with the kernel at the start.

    Attributes:
        gaps: between the images.
        blocks: of the networks, which set the reach.
        counts: training pairs.
        seeds: networks for each.
        channels: of a hidden layer.
        held_out: test pairs.
    """

    gaps: tuple[int, ...] = (0, 2, 4, 6, 8, 12)
    blocks: tuple[int, ...] = (1, 2, 4, 8)
    counts: tuple[int, ...] = (256, 512)
    seeds: int = 5
    channels: int = 16
    held_out: int = 500


@dataclass(frozen=True)
class KernelPlaneRecord:
    """Arrays (counts, blocks, gaps, seeds).

    Attributes:
        train: accuracy on the training pairs.
        test: accuracy on the test pairs.
        similarity: (blocks, gaps, seeds), the surrogate at the start.
        reach: (blocks,) receptive fields in pixels.
    """

    train: np.ndarray
    test: np.ndarray
    similarity: np.ndarray
    reach: np.ndarray


def map_plane(config: KernelPlane, rt: Runtime, seed: int) -> KernelPlaneRecord:
    """Interpolate at every point; the same pairs serve all gaps and blocks, and the first of them smaller counts."""
    base = PairSetting(channels=config.channels, held_out=config.held_out, count=max(config.counts))
    points = len(config.blocks), len(config.gaps)
    train, test = (np.empty((len(config.counts), *points, config.seeds)) for _ in range(2))
    similarity = np.empty((*points, config.seeds))
    for row, column in np.ndindex(points):
        setting = replace(base, blocks=config.blocks[row], gap=config.gaps[column])
        pairs, held = data(setting, rt, seed, range(config.seeds))
        generators = networks.start_generators(seed, range(config.seeds), "locality")
        weights = networks.start(setting.architecture, rt, generators)
        found = tangent.interpolate(setting.architecture, weights, pairs, held, setting.task.patches, config.counts)
        train[:, row, column], test[:, row, column], similarity[row, column] = found.train, found.test, found.similarity
    reach = np.array([replace(base, blocks=b).architecture.receptive_field[1] for b in config.blocks])
    return KernelPlaneRecord(train, test, similarity, reach)
