"""The kernel at the start of networks of which every unit sees the whole strip. No training happens."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from offconvex import runtime
from offconvex.files import Arrays
from offconvex.locality.pairs import plane
from offconvex.locality.pairs.plane import KernelPlane
from offconvex.stored import Stored, StoredExperiment


@dataclass(frozen=True)
class WholeStrip:
    """Interpolation across gaps by networks that are deep enough for all of them.

    Attributes:
        gaps: between the images; at the first and the last, strips with permuted columns as well.
        blocks: of the networks.
        count: training pairs.
        networks: at each gap.
        held_out: test pairs.
        seed: of pairs and starts.
    """

    gaps: tuple[int, ...] = (0, 4, 8, 12, 16, 20)
    blocks: int = 16
    count: int = 512
    networks: int = 10
    held_out: int = 2000
    seed: int = 600

    def __post_init__(self):
        if self.spare < 0:
            raise ValueError(f"Every unit must see every column at every gap; {-self.spare} are missing for {self}.")

    def plane(self, gaps: tuple[int, ...], *, permuted: bool = False) -> KernelPlane:
        """The map at some of the gaps."""
        sizes = {"seeds": self.networks, "held_out": self.held_out, "permuted": permuted}
        return KernelPlane(gaps, (self.blocks,), (self.count,), **sizes)

    @property
    def spare(self) -> int:
        """Columns that a unit at one end of the widest strip sees beyond its other end: field - (2 width - 1)."""
        setting = self.plane(self.gaps).setting(max(self.gaps), self.blocks)
        return setting.architecture.receptive_field[1] - (2 * setting.task.canvas[2] - 1)


def parts(config: WholeStrip) -> dict[str, tuple[int, bool]]:
    """A gap, and whether columns are permuted."""
    whole = {f"gap-{gap}": (gap, False) for gap in config.gaps}
    return whole | {f"permuted-gap-{gap}": (gap, True) for gap in (config.gaps[0], config.gaps[-1])}


def run(config: WholeStrip, gap: int, permuted: bool) -> Arrays:
    """Arrays (networks,) of one gap."""
    rt = runtime.resolve("cpu", torch.float32)
    found = plane.map_plane(config.plane((gap,), permuted=permuted), rt, config.seed)
    return {"train": found.train[0, 0, 0], "test": found.test[0, 0, 0], "similarity": found.similarity[0, 0]}


def assemble(config: WholeStrip, results: Mapping[tuple, Arrays]) -> Arrays:
    """Arrays (gaps, networks), and "permuted ..." (2, networks) at the first and the last gap."""
    rows, last = list(results.values())[:-2], list(results.values())[-2:]
    together = {name: np.stack([row[name] for row in rows]) for name in ("train", "test", "similarity")}
    return together | {f"permuted {name}": np.stack([row[name] for row in last]) for name in ("train", "test")}


@dataclass(frozen=True)
class Fall:
    """Mean test accuracies of the stored networks.

    Attributes:
        near: at the first gap.
        far: at the last two gaps, the larger.
        error: standard error of near minus far: of networks, and of test pairs as if each gap had its own.
    """

    near: float
    far: float
    error: float


def fall(strip: Stored[WholeStrip]) -> Fall:
    """How far accuracy falls from the first to the last two gaps."""
    means = strip["test"].mean(-1)
    row = max((-2, -1), key=lambda place: means[place])
    networks = sum(strip["test"][place].var(ddof=1) for place in (0, row)) / strip["test"].shape[1]
    pairs = sum(means[place] * (1 - means[place]) for place in (0, row)) / strip.config.held_out
    return Fall(float(means[0]), float(means[row]), float(np.sqrt(networks + pairs)))


WHOLE_STRIP = StoredExperiment("locality-whole-strip", "locality", WholeStrip(), parts, run, assemble)
"""The fall with distance where reach is no obstacle."""
