"""One task learned from starts of several sizes: a stored experiment, and the slice of it that is repeated live."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Shaped

from offconvex import configs, runtime
from offconvex.descent import descend
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor
from offconvex.factorizations.tensor.incremental import TensorLearned, TensorLearning, learn_task
from offconvex.factorizations.tensor.task import FOURTH_ORDER
from offconvex.stored import StoredExperiment

STREAM = "init scale"


@dataclass(frozen=True)
class InitScales:
    """Figure 4 of razin2021post at its own size, with fifteen tasks in place of one.

    Attributes:
        learning: everything but start, steps and records of one run. The source stops at the same size, a mean squared
            error of 1e-8; the finish is long enough for the slowest direction to settle.
        stds: of every entry of every factor at the start, decreasing.
        steps: most iterations from each.
        replicas: independent tasks; curves are kept of the first.
        thinning: iterations between the kept points of its curves.
        slice_steps: iterations of the first task from the largest start that the chapter repeats.
        seed: of targets, observed entries and starts.
        device: where to run.
    """

    learning: TensorLearning = TensorLearning(task=FOURTH_ORDER, settled=1e-4, finish_steps=8000, finish_share=0.9)
    stds: tuple[float, ...] = (0.05, 0.01, 0.005)
    steps: tuple[int, ...] = (2500, 9000, 20_000)
    replicas: int = 15
    thinning: int = 10
    slice_steps: int = 400
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self):
        if len(self.stds) != len(self.steps) or any(b >= a for a, b in zip(self.stds, self.stds[1:])):
            raise ValueError(
                f"`stds` must decrease and `steps` give one number for each; got {self.stds} and {self.steps}."
            )
        if min(self.replicas, self.thinning, self.slice_steps) < 1:
            raise ValueError("`replicas`, `thinning` and `slice_steps` must be at least 1.")

    def settings(self) -> dict[str, object]:
        """What the stored result is known by."""
        ends = ("learning.settled", "learning.finish_steps", "learning.finish_share")
        names = ("learning.task", "stds", "steps", *ends, "replicas", "thinning", "slice_steps", "seed", "device")
        return configs.flat(self, names)


def learn_one(config: InitScales, scale: int, replica: int, *, curves: bool) -> TensorLearned:
    """One task from one start; the growth law is only taken where curves are wanted, as it needs every iteration."""
    every = 1 if curves else config.thinning
    learning = replace(config.learning, std=config.stds[scale], steps=config.steps[scale], record_every=every)
    return learn_task(learning, runtime.resolve(config.device), config.seed, stream=STREAM, replica=replica)


def repeat_slice(config: InitScales) -> Float[np.ndarray, "T 10"]:
    """Ten largest component norms of the first task from the largest start, over `slice_steps` iterations, (T, 10)."""
    rt, task, one = runtime.resolve(config.device), config.learning.task, range(1)
    target = task.target(rt, config.seed, STREAM, one)
    run = descend(
        tensor.TensorObjective(tensor.completion_loss(target, task.mask(rt, config.seed, STREAM, one))),
        task.start(rt, config.seed, STREAM, one, std=config.stds[0]),
        steps=config.slice_steps,
        step_size=config.learning.rule,
        record=lambda factors, _: {"norms": tensor_measure.component_norms(factors).topk(10).values},
        record_every=config.thinning,
    )
    return run["norms"][:, 0].cpu().numpy()


def parts(config: InitScales) -> dict[str, tuple[int, ...]]:
    """One part per start and task, the longest first, and the slice that the chapter repeats."""
    runs = ((scale, replica) for scale in reversed(range(len(config.stds))) for replica in range(config.replicas))
    return {f"{scale}-{replica}": (scale, replica) for scale, replica in runs} | {"slice": ()}


def run_part(config: InitScales, *which: int) -> dict[str, Shaped[np.ndarray, "..."]]:
    """What is kept of one start and task, or the slice."""
    if not which:
        return {"slice_norms": repeat_slice(config)}
    scale, replica = which
    run = learn_one(config, scale, replica, curves=replica == 0)
    kept = {name: getattr(run, name) for name in ("final_error", "components", "overlap", "norm_mismatch")}
    kept |= {name: getattr(run, name) for name in ("target_norms", "observed_shares", "merged_norms")}
    kept |= {"final_norms": run.final, "iterations": run.iterations[-1]}
    if replica == 0:
        rows = slice(None, None, config.thinning)
        curves = {"curve_iterations": run.iterations[rows], "curve_norms": run.norms[rows].astype(np.float32)}
        curves |= {"curve_law": run.law[rows].astype(np.float32), "curve_error": run.error[rows]}
        kept |= curves | {"law_deviation": run.law_deviation}
    return {name: np.asarray(value) for name, value in kept.items()}


def assemble(
    config: InitScales, results: Mapping[tuple, dict[str, Shaped[np.ndarray, "..."]]]
) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Final numbers as (scales, replicas, ...), and the first task's curves by scale."""
    scales, replicas = range(len(config.stds)), range(config.replicas)
    names = [name for name in results[0, 0] if not name.startswith(("curve_", "law_"))]
    stored = {name: np.array([[results[s, r][name] for r in replicas] for s in scales]) for name in names}
    for s in scales:
        first = results[s, 0]
        stored |= {f"{name}_{s}": first[name] for name in first if name.startswith(("curve_", "law_"))}
    return stored | results[()]


INIT_SCALES = StoredExperiment("tensor-init-scale", "tensor-factorization", InitScales(), parts, run_part, assemble)

PUBLISHED = np.array([8e-2, 3e-2, 7e-6])
"""Final errors from the same starts on the one task of razin2021post."""
