"""Where gap, reach and number of pairs leave something to learn: the kernel at the start. No training happens."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from offconvex import configs, rng
from offconvex.locality import networks, tangent
from offconvex.locality.pairs import setting as settings
from offconvex.locality.pairs.setting import PairSetting
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class KernelPlane:
    """Interpolation with the kernel at the start.

    Attributes:
        gaps: between the images.
        blocks: of the networks, which set the reach.
        counts: training pairs.
        seeds: networks for each.
        channels: of a hidden layer.
        held_out: test pairs.
        permuted: whether the columns of all strips are put into one random order, so that no place is near another.
    """

    gaps: tuple[int, ...] = (0, 2, 4, 6, 8, 12)
    blocks: tuple[int, ...] = (1, 2, 4, 8)
    counts: tuple[int, ...] = (256, 512)
    seeds: int = 5
    channels: int = 16
    held_out: int = 500
    permuted: bool = False

    def setting(self, gap: int, blocks: int) -> PairSetting:
        """One point, with the largest number of pairs."""
        sizes = {"count": max(self.counts), "held_out": self.held_out}
        network = {"channels": self.channels, "blocks": blocks}
        return configs.varied(PairSetting(), task={"gap": gap}, architecture=network, **sizes)


@dataclass(frozen=True)
class KernelPlaneRecord:
    """Arrays (counts, blocks, gaps, seeds).

    Attributes:
        train: accuracy on the training pairs.
        test: accuracy on the test pairs.
        similarity: (blocks, gaps, seeds), the surrogate at the start between the places of the two images.
        reach: (blocks,) receptive fields in pixels.
    """

    train: np.ndarray
    test: np.ndarray
    similarity: np.ndarray
    reach: np.ndarray


def map_plane(config: KernelPlane, rt: Runtime, seed: int) -> KernelPlaneRecord:
    """Interpolate at every point; the same pairs serve all gaps and blocks, and the first of them smaller counts."""
    points = len(config.blocks), len(config.gaps)
    train, test = (np.empty((len(config.counts), *points, config.seeds)) for _ in range(2))
    similarity, replicas = np.empty((*points, config.seeds)), range(config.seeds)
    for row, column in np.ndindex(points):
        setting = config.setting(config.gaps[column], config.blocks[row])
        pairs, held = settings.data(setting, rt, seed, replicas)
        if config.permuted:
            pairs, held = ((permuted(images, rt, seed), labels) for images, labels in (pairs, held))
        weights = networks.start(setting.architecture, rt, networks.start_generators(seed, replicas, "locality"))
        found = tangent.interpolate(setting.architecture, weights, pairs, held, setting.task.patches, config.counts)
        train[:, row, column], test[:, row, column], similarity[row, column] = found.train, found.test, found.similarity
    reach = np.array([config.setting(0, blocks).architecture.receptive_field[1] for blocks in config.blocks])
    return KernelPlaneRecord(train, test, similarity, reach)


def permuted(images: Float[Tensor, "*lead C H W"], rt: Runtime, seed: int) -> Float[Tensor, "*lead C H W"]:
    """All images with their columns in one random order."""
    return images[..., rt.permutation(rng.generator(seed, "locality", "columns"), images.shape[-1])]
