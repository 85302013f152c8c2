"""Recovery of low-rank matrices: depth against nuclear norm, and where small starts succeed."""

from dataclasses import dataclass, field

import numpy as np
import torch

from offconvex import rng
from offconvex.descent import Gradients, GroupRMSprop, descend
from offconvex.factorizations import measure, tasks, theory
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.matrix.nuclear_norm import minimize_nuclear_norm
from offconvex.factorizations.matrix.task import MatrixCompletion
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class Depths:
    """Depths 1, 2, 3 on one task at the setting of arora2019implicit (code): identity start, plain gradient descent.

    Attributes:
        task: what is completed.
        depths: numbers of layers.
        steps: the source's iterations at each depth.
        scale: the start's end-to-end matrix is scale times the identity.
        step: the source's constant step.
        finish: further flow time at depths >= 2, taken at half the largest stable step; the source stops before it.
        record_every: iterations between records.
        replicas: independent tasks.
    """

    task: MatrixCompletion = field(default_factory=lambda: MatrixCompletion(size=100, rank=5, observed=2000))
    depths: tuple[int, ...] = (1, 2, 3)
    steps: tuple[int, ...] = (30_000, 15_000, 20_000)
    scale: float = 1e-3
    step: float = 0.1
    finish: float = 1500.0
    record_every: int = 250
    replicas: int = 5

    def __post_init__(self):
        if len(self.steps) != len(self.depths):
            raise ValueError(f"`steps` needs one count a depth, {len(self.depths)}; got {len(self.steps)}.")


@dataclass(frozen=True)
class DepthRun:
    """One depth.

    Attributes:
        depth: L.
        iterations: (T,).
        values: (T, k) ten largest singular values of replica 0.
        errors: (R,) mean squared error over all entries at the source's last iteration.
        finished_errors: (R,) the same after the finish.
        nuclear_norms: (R,) of the end-to-end matrix at the source's last iteration.
        unseen_error: (R,) relative error on the unobserved entries, same time.
        unseen_motion: (R,) largest move of an unobserved entry from its start, same time.
    """

    depth: int
    iterations: np.ndarray
    values: np.ndarray
    errors: np.ndarray
    finished_errors: np.ndarray
    nuclear_norms: np.ndarray
    unseen_error: np.ndarray
    unseen_motion: np.ndarray


@dataclass(frozen=True)
class DepthRecord:
    """All depths beside the least nuclear norm.

    Attributes:
        runs: one record a depth.
        target_values: (rank,) singular values of replica 0's target.
        target_nuclear_norms: (R,).
        convex_errors: (R,) mean squared error of the minimizer of the nuclear norm.
        convex_norms: (R,) its nuclear norm.
        convex_gap: largest relative duality gap.
    """

    runs: tuple[DepthRun, ...]
    target_values: np.ndarray
    target_nuclear_norms: np.ndarray
    convex_errors: np.ndarray
    convex_norms: np.ndarray
    convex_gap: float


def compare_depths(config: Depths, rt: Runtime, seed: int) -> DepthRecord:
    """Train every depth on the same tasks, and solve the same tasks by nuclear norm."""
    targets, masks = config.task.draw(rt, seed, "depths", range(config.replicas))
    convex = minimize_nuclear_norm(targets, masks)
    spectra = torch.linalg.svdvals(targets)
    return DepthRecord(
        runs=tuple(_train(config, depth, steps, targets, masks) for depth, steps in zip(config.depths, config.steps)),
        target_values=spectra[0, : config.task.rank].cpu().numpy(),
        target_nuclear_norms=spectra.sum(1).cpu().numpy(),
        convex_errors=_mean_square(convex.product - targets),
        convex_norms=convex.nuclear_norm.cpu().numpy(),
        convex_gap=float(convex.gap.max()),
    )


def _train(config: Depths, depth: int, steps: int, targets: torch.Tensor, masks: torch.Tensor) -> DepthRun:
    task = config.task
    rt = Runtime(targets.device, targets.dtype)
    start = matrix.identity_layers(rt, depth=depth, size=task.size, replicas=config.replicas, scale=config.scale)
    objective = matrix.matrix_objective(matrix.completion_loss(targets, masks))

    def record(layers: matrix.Layers, _: Gradients) -> dict[str, torch.Tensor]:
        return {"values": torch.linalg.svdvals(matrix.end_to_end(layers))}

    run = descend(objective, start, steps=steps, step_size=config.step, record=record, record_every=config.record_every)
    product, unseen = matrix.end_to_end(run.parameters), 1 - masks
    finished = run.parameters
    if depth > 1:
        step = 0.5 * theory.stable_step(task.size, observed=task.observed, depth=depth)
        finished = descend(
            objective, finished, steps=round(config.finish / step), step_size=step, record_every=10**9
        ).parameters
    return DepthRun(
        depth=depth,
        iterations=run.iterations.numpy(),
        values=run["values"][:, 0, :10].cpu().numpy(),
        errors=_mean_square(product - targets),
        finished_errors=_mean_square(matrix.end_to_end(finished) - targets),
        nuclear_norms=run["values"][-1].sum(1).cpu().numpy(),
        unseen_error=measure.relative_error(unseen * product, unseen * targets).cpu().numpy(),
        unseen_motion=(unseen * (product - matrix.end_to_end(start))).abs().amax((1, 2)).cpu().numpy(),
    )


def _mean_square(residual: torch.Tensor) -> np.ndarray:
    return residual.square().mean((1, 2)).cpu().numpy()


@dataclass(frozen=True)
class RecoverySweep:
    """Observed fraction x size of the start x depth, at a size where every cell takes seconds.

    Attributes:
        size: the matrix is size x size.
        rank: of the target.
        fractions: observed shares of the entries.
        scales: alpha, decreasing: layers have entries of variance alpha^(2/L) / size, so that the end-to-end matrix
            starts with root mean square norm alpha sqrt(size) at every depth (arora2019implicit, code).
        depths: numbers of layers.
        replicas: tasks in each cell.
        rule: adaptive scalar step.
        steps: iterations under the rule.
        finish_steps: iterations at a constant, stable step afterwards.
    """

    size: int = 24
    rank: int = 2
    fractions: tuple[float, ...] = (0.25, 0.35, 0.5, 0.7)
    scales: tuple[float, ...] = (10.0, 1.0, 1e-1, 1e-2, 1e-3)
    depths: tuple[int, ...] = (1, 2, 3, 4)
    replicas: int = 5
    rule: GroupRMSprop = field(default_factory=lambda: GroupRMSprop(rate=1e-2, floor=1e-6))
    steps: int = 2500
    finish_steps: int = 500

    def __post_init__(self):
        if not all(0 < fraction <= 1 for fraction in self.fractions):
            raise ValueError(f"`fractions` must lie in (0, 1]; got {self.fractions}.")
        if any(depth < 1 for depth in self.depths):
            raise ValueError(f"`depths` must be at least 1; got {self.depths}.")
        if self.replicas < 1:
            raise ValueError(f"`replicas` must be at least 1; got {self.replicas}.")


@dataclass(frozen=True)
class SweepRecord:
    """Relative errors over all entries.

    Attributes:
        depths: (D,).
        fractions: (F,).
        scales: (A,).
        errors: (D, F, A, R).
        medians: (D, F, A) over the replicas.
    """

    depths: np.ndarray
    fractions: np.ndarray
    scales: np.ndarray
    errors: np.ndarray
    medians: np.ndarray


def sweep_recovery(config: RecoverySweep, rt: Runtime, seed: int) -> SweepRecord:
    """Run all cells of one depth together, as replicas; a cell's tasks are the same for every scale and depth."""
    size, cells = config.size, [(f, a) for f in config.fractions for a in config.scales]
    counts = torch.tensor(
        [round(f * size**2) for f, _ in cells for _ in range(config.replicas)], dtype=rt.dtype, device="cpu"
    )
    tasks = {(f, r): _draw(config, rt, seed, f, r) for f in config.fractions for r in range(config.replicas)}
    targets = torch.stack([tasks[f, r][0] for f, _ in cells for r in range(config.replicas)])
    masks = torch.stack([tasks[f, r][1] for f, _ in cells for r in range(config.replicas)])
    objective = matrix.matrix_objective(matrix.completion_loss(targets, masks))
    errors = []
    for depth in config.depths:
        starts = [
            matrix.gaussian_layers(
                rt,
                [rng.generator(seed, "sweep", "layers", depth, r) for r in range(config.replicas)],
                depth=depth,
                size=size,
                std=scale ** (1 / depth) / size**0.5,
            )
            for _, scale in cells
        ]
        layers = tuple(torch.cat(blocks) for blocks in zip(*starts))
        fitted = descend(objective, layers, steps=config.steps, step_size=config.rule, record_every=10**9)
        # A large start can leave values above the target's norm: a fifth of the stable step leaves room for them.
        step = 0.2 * counts * theory.stable_step(size, observed=1, depth=depth)
        finished = descend(objective, fitted.parameters, steps=config.finish_steps, step_size=step, record_every=10**9)
        errors.append(measure.relative_error(matrix.end_to_end(finished.parameters), targets).cpu().numpy())
    shape = (len(config.depths), len(config.fractions), len(config.scales), config.replicas)
    errors = np.stack(errors).reshape(shape)
    return SweepRecord(
        depths=np.array(config.depths),
        fractions=np.array(config.fractions),
        scales=np.array(config.scales),
        errors=errors,
        medians=np.median(errors, axis=-1),
    )


def _draw(
    config: RecoverySweep, rt: Runtime, seed: int, fraction: float, replica: int
) -> tuple[torch.Tensor, torch.Tensor]:
    target = tasks.low_rank_matrix(
        rt, rng.generator(seed, "sweep", "target", replica), size=config.size, rank=config.rank
    )
    # One permutation a replica, so that more observations contain the fewer.
    mask = tasks.uniform_mask(
        rt,
        rng.generator(seed, "sweep", "mask", replica),
        shape=(config.size, config.size),
        observed=max(1, round(fraction * config.size**2)),
    )
    return target, mask
