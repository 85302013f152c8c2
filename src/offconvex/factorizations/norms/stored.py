"""Stored experiments of the chapter on norms: millions of steps of gradient descent, and the order-4 completions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from offconvex import runtime
from offconvex.descent import Gradients, descend
from offconvex.factorizations.matrix.model import Layers, end_to_end
from offconvex.factorizations.norms.curves import SOURCE, CornerRuns, start_layers
from offconvex.factorizations.norms.task import determinant
from offconvex.factorizations.norms.tensor import (
    RankOneCompletion,
    collect,
    complete,
    complete_and_rank,
    draw_target,
    linear_ranks,
)
from offconvex.files import Arrays
from offconvex.stored import Stored, StoredExperiment


@dataclass(frozen=True)
class NormsDescent:
    """Gradient descent on the 2 x 2 completion in the source's six settings, until every run's loss is below `level`.

    Attributes:
        replicas: balanced runs per setting, and as many with Gaussian layers.
        level: loss at which a setting ends; the source's.
        steps: largest number of steps; the source's.
        record_every: steps between records.
        kept: records kept, logarithmically spaced.
        seed: seed of the starts.
        device: where it runs.
    """

    replicas: int = 16
    level: float = 1e-4
    steps: int = 5_000_000
    record_every: int = 500
    kept: int = 250
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self):
        if min(self.replicas, self.steps, self.record_every, self.kept) < 1 or not 0 < self.level < 0.5:
            raise ValueError(
                "Replicas, steps and records must be positive and the level lie in (0, 1/2); "
                f"got {self.replicas}, {self.steps}, {self.record_every}, {self.kept}, {self.level}."
            )


def descent_parts(config: NormsDescent) -> dict[str, tuple[int]]:
    """One part per setting of the source."""
    return {f"setting-{i}": (i,) for i in range(len(SOURCE))}


def run_descent(config: NormsDescent, setting: int, *, steps: int | None = None) -> Arrays:
    """Records of one setting; balanced replicas first, then those with Gaussian layers.

    Returns:
        "iterations" (T,), "loss", "entry" (W11, signed) and "determinant", each (T, 2 replicas).
    """
    rt = runtime.resolve(config.device)
    curves = CornerRuns(SOURCE[setting], replicas=config.replicas)
    both = [start_layers(curves, rt, config.seed, balanced=balanced) for balanced in (True, False)]
    run = descend(
        curves.task.objective(rt),
        tuple(torch.cat(pair) for pair in zip(*both)),
        steps=steps or config.steps,
        step_size=curves.setting.rate,
        record=_record,
        record_every=config.record_every,
        stop=lambda loss: bool((loss <= config.level).all()),
    )
    return {
        "iterations": run.iterations.numpy(),
        "loss": run.loss.cpu().numpy(),
        "entry": run["entry"].cpu().numpy(),
        "determinant": run["determinant"].cpu().numpy(),
    }


def assemble_descent(config: NormsDescent, results: Mapping[tuple, Arrays]) -> Arrays:
    """Thinned records of all settings, and what needs all of them.

    Returns:
        per setting i, "iterations i", "loss i", "entry i"; and over all settings, each (settings, 2 replicas):
        "flipped", whether the determinant had another sign than at the start at a record with a loss above the
        level; "entry", W11 at the first record with a loss at or below it, and "loss" there; "steps", its iteration.
    """
    arrays: Arrays = {}
    totals = {name: [] for name in ("flipped", "entry", "loss", "steps")}
    for (i,), part in results.items():
        iterations, loss = part["iterations"], part["loss"]
        rows = np.unique(np.geomspace(1, len(iterations), config.kept).astype(int) - 1)
        arrays |= {f"{name} {i}": part[name][rows] for name in ("iterations", "loss", "entry")}
        below = loss <= config.level
        first = np.where(below.any(0), below.argmax(0), len(loss) - 1)
        sign = np.sign(part["determinant"])
        before = np.arange(len(loss))[:, None] <= first
        totals["flipped"].append(((sign != sign[0]) & before).any(0))
        replica = np.arange(loss.shape[1])
        totals["entry"].append(part["entry"][first, replica])
        totals["loss"].append(loss[first, replica])
        totals["steps"].append(iterations[first])
    return arrays | {name: np.array(values) for name, values in totals.items()}


def slice_gap(setting: int, descents: Stored[NormsDescent], steps: int) -> float:
    """Largest relative difference of W11 between a setting's stored records and its first `steps` steps, run again.

    Raises:
        ValueError: if no stored record lies within these steps.
    """
    fresh = run_descent(descents.config, setting, steps=steps)
    kept = descents[f"iterations {setting}"]
    common, rows, old = np.intersect1d(fresh["iterations"], kept, return_indices=True)
    if len(common) < 2:
        raise ValueError(f"No stored record of setting {setting} after its start lies within {steps} steps; take more.")
    return float(np.abs(fresh["entry"][rows] / descents[f"entry {setting}"][old] - 1).max())


def _record(layers: Layers, _: Gradients) -> dict[str, torch.Tensor]:
    product = end_to_end(layers)
    return {"entry": product[:, 0, 0], "determinant": determinant(product)}


DESCENT = StoredExperiment("norms-descent", "norms", NormsDescent(), descent_parts, run_descent, assemble_descent)


@dataclass(frozen=True)
class NormsOrderFour:
    """Order-4 completions at the source's size, 8 x 8 x 8 x 8 with 512 components.

    The adaptive step's floor is 1e-12 instead of the source's 1e-6: from starts of size 1e-3 gradients are near 4e-11,
    and the source's floor spends 30,000 steps on the first plateau. One part keeps the source's floor for comparison.

    Attributes:
        observed: numbers of observed entries.
        compared: that of the comparison.
        starts: repetitions.
        floor: of the adaptive step.
        targets: further targets for the ranks of the linear method.
        steps: largest number of steps; with few entries some starts need more.
        seed: of target, order and starts.
        device: where it runs.
    """

    observed: tuple[int, ...] = (100, 500, 1000, 1500, 2000, 2500, 3000, 3500, 4095)
    compared: int = 1000
    starts: int = 5
    floor: float = 1e-12
    targets: int = 8
    steps: int = 20_000
    seed: int = 0
    device: str = "cpu"

    @property
    def completion(self) -> RankOneCompletion:
        """The sweep's settings."""
        return RankOneCompletion(4, observed=self.observed, starts=self.starts, floor=self.floor, steps=self.steps)


def order_four_parts(config: NormsOrderFour) -> dict[str, tuple[int | None]]:
    """The comparison, which takes longest, then one part per number of observed entries."""
    return {"source-floor": (None,)} | {f"observed-{count}": (count,) for count in config.observed}


def run_order_four(config: NormsOrderFour, count: int | None) -> Arrays:
    """Records of `complete_and_rank` and "other targets" (targets,) for a number of entries; for None the comparison.

    Returns:
        for the comparison, "error" (starts,), "steps" () and "fit" (starts,), from starts of size 1e-3.
    """
    rt, completion = runtime.resolve(config.device), config.completion
    if count is None:
        source = replace(completion, floor=1e-6, steps=100_000)
        run = complete(source, rt, config.seed, count=config.compared, std=1e-3)
        target = draw_target(source, rt, config.seed)[0].cpu().numpy()
        errors = np.array([np.linalg.norm(tensor - target) for tensor in run.tensor])
        return {"error": errors, "steps": np.array(run.steps), "fit": run.fit}
    others = linear_ranks(completion, rt, config.seed, count, config.targets)
    return complete_and_rank(completion, rt, config.seed, count) | {"other targets": others}


def assemble_order_four(config: NormsOrderFour, results: Mapping[tuple, Arrays]) -> Arrays:
    """The sweep's arrays, number of observed entries first, and those of the comparison as "source floor ..."."""
    comparison = {f"source floor {name}": value for name, value in results[None,].items()}
    return collect(config.completion, [results[count,] for count in config.observed]) | comparison


ORDER_FOUR = StoredExperiment(
    "norms-order-4", "norms", NormsOrderFour(), order_four_parts, run_order_four, assemble_order_four
)
