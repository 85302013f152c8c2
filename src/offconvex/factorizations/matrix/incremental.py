"""Incremental learning: singular values of a deep factorization rise one after another (razin2022post, Fig. 1)."""

from dataclasses import dataclass, field

import numpy as np
import torch

from offconvex.descent import Gradients, GroupRMSprop, descend
from offconvex.factorizations import measure, theory
from offconvex.factorizations.matrix import measure as matrix_measure
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.matrix.task import MatrixCompletion
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class IncrementalConfig:
    """Figure 1 of razin2022post at its own setting (razin2022implicit, code).

    Attributes:
        task: what is completed.
        depth: number of layers, 3 or 4.
        std: of every entry of every layer at the start, at depth 3; see `layer_std`.
        rule: the source's adaptive scalar step.
        steps: iterations under that rule.
        finish_steps: iterations of plain gradient descent afterwards, which remove the rule's floor.
        replicas: independent draws of target, mask and start.
        tail: last share of the adaptive run whose median error is the rule's floor.
    """

    task: MatrixCompletion = field(default_factory=MatrixCompletion)
    depth: int = 3
    std: float = 1e-3
    rule: GroupRMSprop = field(default_factory=lambda: GroupRMSprop(rate=1e-2, floor=1e-6))
    steps: int = 6400
    finish_steps: int = 600
    replicas: int = 5
    tail: float = 0.1

    def __post_init__(self):
        if self.depth not in (3, 4):
            raise ValueError(
                "This experiment is stated for depth 3 and 4: below, a small start hardly separates the rises; above, "
                f"one that does takes too long to leave; got depth {self.depth}."
            )
        if not self.std > 0:
            raise ValueError(f"`std` must be positive, since zero layers never move; got {self.std}.")
        if self.replicas < 1 or self.steps < 1 or self.finish_steps < 1:
            raise ValueError("`replicas`, `steps` and `finish_steps` must be at least 1.")

    @property
    def layer_std(self) -> float:
        """Standard deviation at this depth, std^(2 / (depth - 1)): a deeper product needs a larger start to escape."""
        return self.std ** (2 / (self.depth - 1))

    @property
    def finish_step(self) -> float:
        """Half the step that stays stable for any target of this norm."""
        task = self.task
        return 0.5 * theory.stable_step(task.size, observed=task.observed, depth=self.depth)


@dataclass(frozen=True)
class IncrementalRecord:
    """What `learn_incrementally` measures; replica 0 is the one that is drawn.

    Attributes:
        iterations: (T,).
        values: (T, k) ten largest singular values of replica 0 (fewer for a smaller matrix).
        law: (T, rank) growth law taken with the run's own steps, from one percent of the final height until the
            matrix is learned; nan elsewhere.
        error: (T,) relative error of replica 0.
        target_values: (rank,) singular values of its target.
        take_offs: (R, rank) iterations at half height.
        overlaps: (R,) largest share already learned of any value when the one before it takes off.
        components: (R,) singular values above 1 % of the largest, after the finish.
        lowest_errors: (R,) running minimum of the relative error, finish included.
        floors: (R,) median relative error over the tail of the adaptive run.
        law_deviation: largest over the target's values of median |law - measured| / final value, replica 0.
    """

    iterations: np.ndarray
    values: np.ndarray
    law: np.ndarray
    error: np.ndarray
    target_values: np.ndarray
    take_offs: np.ndarray
    overlaps: np.ndarray
    components: np.ndarray
    lowest_errors: np.ndarray
    floors: np.ndarray
    law_deviation: float


def learn_incrementally(config: IncrementalConfig, rt: Runtime, seed: int) -> IncrementalRecord:
    """Complete matrices with the adaptive rule, then finish with a constant step."""
    # The law needs the drawn replica at every step; the others only need their rises, at a tenth of the records.
    drawn = _runs(config, rt, seed, range(1), record_every=1, projections=True)
    others = _runs(config, rt, seed, range(1, config.replicas), record_every=10, projections=False)
    rank = config.task.rank
    runs = [*drawn, *others]
    first = runs[0]
    steps = np.diff(first.times)
    # Once the matrix is learned the run only bounces: no value grows, and a sum of bounces would be drawn as a law.
    end = int(np.argmax(first.error <= 2 * first.error.min()))
    law = np.full((len(first.times), rank), np.nan)
    for r in range(rank):
        start = measure.last_rise(first.values[:, r], 0.01 * first.final[r])
        law[start : end + 1, r] = theory.discrete_growth(
            steps[start:end], first.projections[start:end, r], first.values[start, r], depth=config.depth
        )
    distances = np.abs(law - first.values[:, :rank]) / first.final[:rank]
    # A value that never came to one percent of its final height has no law to compare: it counts as wholly off.
    deviation = max(np.median(d[np.isfinite(d)]) if np.isfinite(d).any() else 1.0 for d in distances.T)
    return IncrementalRecord(
        iterations=first.iterations,
        values=first.values,
        law=law,
        error=first.error,
        target_values=first.target_values,
        take_offs=np.stack([measure.take_offs(x.iterations, x.values[:, :rank], x.final[:rank]) for x in runs]),
        overlaps=np.array([measure.overlap(x.iterations, x.values[:, :rank], x.final[:rank]) for x in runs]),
        components=np.array([int(measure.counted(x.final)) for x in runs]),
        lowest_errors=np.array([x.lowest for x in runs]),
        floors=np.array([np.median(x.error[-max(1, int(config.tail * len(x.error))) :]) for x in runs]),
        law_deviation=float(deviation),
    )


@dataclass(frozen=True)
class _Run:
    """One replica: its adaptive run, and what the finish reached."""

    iterations: np.ndarray
    times: np.ndarray
    values: np.ndarray
    projections: np.ndarray | None
    error: np.ndarray
    final: np.ndarray
    lowest: float
    target_values: np.ndarray


def _runs(
    config: IncrementalConfig, rt: Runtime, seed: int, replicas: range, *, record_every: int, projections: bool
) -> list[_Run]:
    if not len(replicas):
        return []
    task, kept = config.task, min(10, config.task.size)
    targets, masks = task.draw(rt, seed, "incremental", replicas)
    layers = task.start(rt, seed, "incremental", replicas, depth=config.depth, std=config.layer_std)
    loss = matrix.completion_loss(targets, masks)
    objective = matrix.matrix_objective(loss)

    def record(layers: matrix.Layers, _: Gradients) -> dict[str, torch.Tensor]:
        product = matrix.end_to_end(layers)
        error = measure.relative_error(product, targets)
        if projections:
            gradient = matrix.end_gradient(loss, product)
            return matrix_measure.growth_projections(product, gradient, kept) | {"error": error}
        return {"values": torch.linalg.svdvals(product)[:, :kept], "error": error}

    run = descend(
        objective, layers, steps=config.steps, step_size=config.rule, record=record, record_every=record_every
    )
    finish = descend(
        objective,
        run.parameters,
        steps=config.finish_steps,
        step_size=config.finish_step,
        record=record,
        record_every=max(1, config.finish_steps // 10),
    )
    spectrum = torch.linalg.svdvals(targets)[:, : task.rank]
    lowest = torch.minimum(run["error"].amin(0), finish["error"].amin(0))
    return [
        _Run(
            iterations=run.iterations.numpy(),
            times=run.times[:, r].numpy(),
            values=run["values"][:, r].cpu().numpy(),
            projections=run["projections"][:, r].cpu().numpy() if projections else None,
            error=run["error"][:, r].cpu().numpy(),
            final=finish["values"][-1, r].cpu().numpy(),
            lowest=float(lowest[r]),
            target_values=spectrum[r].cpu().numpy(),
        )
        for r in range(len(replicas))
    ]
