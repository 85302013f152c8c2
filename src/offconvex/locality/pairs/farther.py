"""Past the gap where the study of ranges ends: a lower floor, a slower course. Float32: networks, not theorems."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch

from offconvex import configs, runtime
from offconvex.files import Arrays
from offconvex.locality.pairs import setting as settings
from offconvex.locality.pairs.ranges import ARMS, RangePoint, RangeStudy
from offconvex.locality.pairs.setting import NAMES, PairSetting
from offconvex.stored import StoredExperiment

DEEP = {"penalty": "deep logarithm", "settling": 160.0}
"""What differs from the logarithm of the study of ranges: the floor, and epochs in which lambda falls."""


@dataclass(frozen=True)
class FartherStudy:
    """Twins of which every unit sees both images, without a term and with the logarithm that hears smaller changes.

    Attributes:
        gap: between the images.
        base: networks, pairs and schedule; its long networks are taken, as many as there.
    """

    gap: int = 20
    base: RangeStudy = RangeStudy(seed=601)

    def setting(self, *, deep: bool) -> PairSetting:
        """Plain networks, or those with the term."""
        point = RangePoint("logarithm" if deep else "plain", self.base.long, self.gap, self.base.seeds)
        return configs.varied(self.base.setting(point), schedule=DEEP if deep else {})

    def settings(self) -> dict[str, object]:
        """What the stored result is known by: all fields, and what the two arms change."""
        return asdict(self) | {"arms": {"plain": ARMS["plain"], "deep": {**ARMS["logarithm"], **DEEP}}}


def parts(config: FartherStudy) -> dict[str, tuple[bool, range]]:
    """Whether the term is there, and a group of networks."""
    each = config.base.together
    return {
        f"{'deep' if deep else 'plain'}-networks-{start}": (deep, range(start, start + each))
        for deep in (False, True)
        for start in range(0, config.base.seeds, each)
    }


def run(config: FartherStudy, deep: bool, replicas: range) -> Arrays:
    """Arrays (T, R) of the networks' histories."""
    rt = runtime.resolve("cpu", torch.float32)
    history = settings.train(config.setting(deep=deep), rt, config.base.seed, replicas)
    return {"epochs": history.epochs} | {name: getattr(history, name) for name in NAMES}


def assemble(config: FartherStudy, results: Mapping[tuple, Arrays]) -> Arrays:
    """Arrays (without and with the term, T, R)."""
    arrays, groups = list(results.values()), config.base.seeds // config.base.together
    joined = {
        name: np.stack(
            [np.concatenate([a[name] for a in arrays[i : i + groups]], -1) for i in range(0, len(arrays), groups)]
        )
        for name in NAMES
    }
    return {"epochs": arrays[0]["epochs"]} | joined


FARTHER = StoredExperiment("locality-farther", "locality", FartherStudy(), parts, run, assemble)
"""Gap 20, at which the logarithm of the study of ranges is no louder than the labels."""
