"""The settings looked at on the way to the study: kept, so that the chapter can show all of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from offconvex import runtime
from offconvex.locality import experiments
from offconvex.locality.experiments import Setting
from offconvex.stored import Arrays

TRIED = {
    "near": Setting(epochs=100, seeds=2, held_out=500),
    "far": Setting(gap=8, epochs=40, seeds=1, held_out=300),
    "far-2": Setting(gap=8, epochs=25, strength=2.0, settling=3.0, seeds=1, held_out=300),
    "far-8": Setting(gap=8, epochs=25, strength=8.0, settling=3.0, seeds=1, held_out=300),
    "far-100": Setting(gap=8, epochs=25, strength=100.0, seeds=1, held_out=300),
    "far-8-longer": Setting(gap=8, epochs=50, strength=8.0, settling=3.0, seeds=1, held_out=300),
}
"""By name, in the order in which they were tried."""


@dataclass(frozen=True)
class Search:
    """Which of the settings are run.

    Attributes:
        names: keys of `TRIED`.
    """

    names: tuple[str, ...] = tuple(TRIED)

    def __post_init__(self):
        if not set(self.names) <= set(TRIED):
            raise ValueError(f"Settings tried are {', '.join(TRIED)}; got {', '.join(self.names)}.")


def parts(config: Search) -> list[str]:
    """The names."""
    return list(config.names)


def run_part(config: Search, part: str) -> Arrays:
    """Train one setting; each array (R,) at the end."""
    history = experiments.run(TRIED[part], runtime.resolve("cpu", torch.float32), 0)
    return {name: getattr(history, name)[-1] for name in experiments.NAMES}


def assemble(config: Search, arrays: Sequence[Arrays]) -> Arrays:
    """One row of medians over seeds for each setting: train, loss, test and similarity."""
    return {name: np.array([np.median(a[name]) for a in arrays]) for name in experiments.NAMES}
