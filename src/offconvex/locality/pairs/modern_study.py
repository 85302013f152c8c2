"""Fall and cure in networks with residuals, normalization and strides. Float32: networks, not theorems."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from offconvex import configs, runtime
from offconvex.files import Arrays
from offconvex.locality.pairs import modern
from offconvex.locality.pairs.modern import ModernSetting
from offconvex.stored import StoredExperiment

LOG = {"penalty": "logarithm", "first": 0.3, "strength": 0.05, "settling": 10.0}
ARMS: dict[str, dict[str, object]] = {
    "plain": {"schedule": {"penalty": "logarithm"}},
    "logarithm": {"schedule": LOG},
    "wrong patches": {"schedule": LOG, "within": True},
}
"""What is changed of the setting by each arm."""


@dataclass(frozen=True)
class ModernStudy:
    """Arms x gaps x twins.

    Attributes:
        points: arm, a name in ARMS, and gap between the images.
        base: everything else.
        seeds: networks at each point.
        seed: of pairs, starts and batches.
    """

    points: tuple[tuple[str, int], ...] = (
        ("plain", 40),
        ("logarithm", 40),
        ("plain", 0),
        ("logarithm", 0),
        ("wrong patches", 40),
    )
    base: ModernSetting = ModernSetting(strides=(2, 1, 2, 1))
    seeds: int = 5
    seed: int = 600

    def __post_init__(self):
        if not all(self.setting(*point).spans for point in self.points):
            raise ValueError(f"The networks must see pixels of both images at every gap; those of {self} do not.")

    def setting(self, arm: str, gap: int) -> ModernSetting:
        """What networks of a point learn and how."""
        return configs.varied(configs.varied(self.base, task={"gap": gap}), **ARMS[arm])

    def row(self, arm: str, gap: int) -> int:
        """Where a point stands in the stored arrays.

        Raises:
            ValueError: if the study has no such point.
        """
        if (arm, gap) not in self.points:
            raise ValueError(f"The study has no {arm!r} at gap {gap}; its points are {self.points}.")
        return self.points.index((arm, gap))


def parts(config: ModernStudy) -> dict[str, tuple[str, int, int]]:
    """Arm, gap and number of every network."""
    return {
        f"{arm.replace(' ', '-')}-gap-{gap}-network-{replica}": (arm, gap, replica)
        for arm, gap in config.points
        for replica in range(config.seeds)
    }


def run(config: ModernStudy, arm: str, gap: int, replica: int) -> Arrays:
    """Arrays (T,) of the history of one network, and its change within an image at the end."""
    return modern.train(config.setting(arm, gap), runtime.resolve("cpu", torch.float32), config.seed, replica)


def assemble(config: ModernStudy, results: Mapping[tuple, Arrays]) -> Arrays:
    """Arrays (points, T, R), "within" (points, R), and "epochs" (T,)."""
    together = {"epochs": next(iter(results.values()))["epochs"]}
    for name in (*modern.NAMES, "within"):
        rows = [
            np.stack([results[arm, gap, replica][name] for replica in range(config.seeds)], -1)
            for arm, gap in config.points
        ]
        together[name] = np.stack(rows)
    return together


MODERN = StoredExperiment("locality-modern", "locality", ModernStudy(), parts, run, assemble)
"""Networks with residuals, normalization and strides, near and far, without the term, with it, and with it within."""
