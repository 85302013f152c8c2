"""How small a change the logarithm still hears: the floor under it. Float32: networks, not theorems."""

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


@dataclass(frozen=True)
class FloorStudy:
    """Twins without a term and with the logarithm over a low floor, at a gap whose changes lie below the usual one.

    Attributes:
        gap: between the images.
        base: networks, pairs and schedule; short and long networks are taken, as many as there.
    """

    gap: int = 20
    base: RangeStudy = RangeStudy(seed=601)

    def setting(self, blocks: int, *, low: bool) -> PairSetting:
        """Plain networks, or those with the logarithm over the low floor."""
        point = RangePoint("logarithm" if low else "plain", blocks, self.gap, self.base.seeds)
        return configs.varied(self.base.setting(point), schedule={"penalty": "deep logarithm"})

    def settings(self) -> dict[str, object]:
        """What the stored result is known by: all fields, and what the two arms change."""
        return asdict(self) | {"arms": {name: ARMS[name] for name in ("plain", "logarithm")}}


def parts(config: FloorStudy) -> dict[str, tuple[int, bool, range]]:
    """Blocks, whether the term is there, and a group of networks."""
    each = config.base.together
    return {
        f"{blocks}-blocks-{'low' if low else 'plain'}-networks-{start}": (blocks, low, range(start, start + each))
        for blocks in (config.base.short, config.base.long)
        for low in (False, True)
        for start in range(0, config.base.seeds, each)
    }


def run(config: FloorStudy, blocks: int, low: bool, replicas: range) -> Arrays:
    """Arrays (T, R) of the networks' histories."""
    history = settings.train(
        config.setting(blocks, low=low), runtime.resolve("cpu", torch.float32), config.base.seed, replicas
    )
    return {"epochs": history.epochs} | {name: getattr(history, name) for name in NAMES}


def assemble(config: FloorStudy, results: Mapping[tuple, Arrays]) -> Arrays:
    """Arrays (blocks, without and with the term, T, R)."""
    arrays, groups = list(results.values()), config.base.seeds // config.base.together
    joined = {"epochs": arrays[0]["epochs"]}
    for name in NAMES:
        rows = [np.concatenate([a[name] for a in arrays[i : i + groups]], -1) for i in range(0, len(arrays), groups)]
        joined[name] = np.stack(rows).reshape(2, 2, *rows[0].shape)
    return joined


FLOOR_STUDY = StoredExperiment("locality-floor", "locality", FloorStudy(), parts, run, assemble)
"""The gap at which the usual floor silences the logarithm, with a floor a thousand times lower."""
