"""Stored experiment: networks and their Taylor models of orders one to four on Fashion-MNIST, in single precision."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from offconvex import fits, runtime
from offconvex.files import Arrays
from offconvex.stored import Stored, StoredExperiment
from offconvex.tangents.training import TaylorTraining, record_steps, train


@dataclass(frozen=True)
class TaylorRuns(TaylorTraining):
    """Groups of replicas of one training, each with its own starts and batches.

    Attributes:
        groups: of `replicas` networks.
        orders: of the models, 0 for the network itself.
        seed: of starts and batches.
        device: where it runs.
    """

    groups: int = 4
    orders: tuple[int, ...] = (0, 1, 2, 3, 4)
    seed: int = 0
    device: str = "cpu"


def groups(config: TaylorRuns) -> dict[str, tuple[int]]:
    """One part per group."""
    return {f"group-{i}": (i,) for i in range(config.groups)}


def run_group(config: TaylorRuns, group: int, *, steps: int | None = None) -> Arrays:
    """One group: arrays of `training.train`, over the first `steps` or all."""
    rt = runtime.resolve(config.device, torch.float32)
    return train(config, config.orders, rt, config.seed, "taylor", group, steps=steps)


def assemble_groups(config: TaylorRuns, results: Mapping[tuple, Arrays]) -> Arrays:
    """Arrays of all groups, replicas of the groups one after the other on axis 1."""
    parts = list(results.values())
    joined = {key: np.concatenate([part[key] for part in parts], axis=1) for key in parts[0] if key != "steps"}
    return {"steps": parts[0]["steps"], **joined}


def slice_difference(stored: Stored[TaylorRuns], records: int) -> float:
    """Largest difference of the first training losses of group 0, computed again, from the stored ones, relative."""
    config = stored.config
    fresh = run_group(config, 0, steps=int(record_steps(config)[records - 1]))["loss"]
    return float(np.abs(fresh / stored["loss"][:, : config.replicas, :records] - 1).max())


def step_scores(values: Float[np.ndarray, "orders R"]) -> Float[np.ndarray, " orders-1"]:
    """Mean paired difference from each order to the next in standard errors, (orders - 1,), of values (orders, R)."""
    return fits.z_scores(np.diff(values, axis=0), axis=1)


TAYLOR = StoredExperiment("ntk-taylor", "beyond-ntk", TaylorRuns(), groups, run_group, assemble_groups)
