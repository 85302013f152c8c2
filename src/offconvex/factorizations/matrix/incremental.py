"""Incremental learning: singular values of a deep factorization rise one after another (razin2022post, Fig. 1)."""

from dataclasses import dataclass, field

import numpy as np
import torch

from offconvex.descent import Gradients, GroupRMSprop
from offconvex.factorizations import measure, theory
from offconvex.factorizations.incremental import Learned, Phase, Reading, learn
from offconvex.factorizations.matrix import measure as matrix_measure
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.matrix.task import MatrixCompletion
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class MatrixLearning:
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
class MatrixLearned:
    """What `learn_incrementally` measures, (R,) replicas.

    Attributes:
        drawn: replica 0: norms are its ten largest singular values (fewer for a smaller matrix), and their law is taken
            from one percent of the final height until the matrix is learned.
        target_values: (rank,) singular values of its target.
        take_offs: (R, rank) iterations at half height.
        overlaps: (R,) largest share already learned of any value when the one before it takes off.
        components: (R,) singular values above 1 % of the largest, after the finish.
        lowest_errors: (R,) running minimum of the relative error, finish included.
        floors: (R,) median relative error over the tail of the adaptive run.
    """

    drawn: Learned
    target_values: np.ndarray
    take_offs: np.ndarray
    overlaps: np.ndarray
    components: np.ndarray
    lowest_errors: np.ndarray
    floors: np.ndarray

    @property
    def law_deviation(self) -> float:
        """Largest over the target's values of median |law - measured| / final value, replica 0."""
        # A value that never came to one percent of its final height has no law to compare: it counts as wholly off.
        return float(np.nan_to_num(self.drawn.law_deviations, nan=1.0).max())


def learn_incrementally(config: MatrixLearning, rt: Runtime, seed: int) -> MatrixLearned:
    """Complete matrices with the adaptive rule, then finish with a constant step."""
    # The law needs the drawn replica at every step; the others only need their rises, at a tenth of the records.
    drawn, spectrum, lowest = _runs(config, rt, seed, range(1), record_every=1)
    runs, lowest = [drawn[0]], [*lowest]
    if config.replicas > 1:
        others, _, more = _runs(config, rt, seed, range(1, config.replicas), record_every=10)
        runs, lowest = [*runs, *others], [*lowest, *more]
    return MatrixLearned(
        drawn=runs[0],
        target_values=spectrum,
        take_offs=np.stack([run.take_offs for run in runs]),
        overlaps=np.array([run.overlap for run in runs]),
        components=np.array([run.components for run in runs]),
        lowest_errors=np.array(lowest),
        floors=np.array([np.median(run.error[-max(1, int(config.tail * len(run.error))) :]) for run in runs]),
    )


def _runs(
    config: MatrixLearning, rt: Runtime, seed: int, replicas: range, *, record_every: int
) -> tuple[list[Learned], np.ndarray, np.ndarray]:
    """Replicas, singular values of the first target, and every replica's lowest error."""
    task, kept = config.task, min(10, config.task.size)
    targets, masks = task.draw(rt, seed, "incremental", replicas)
    loss = matrix.completion_loss(targets, masks)
    growth = matrix_measure.singular_growth(loss, kept)

    def values(layers: matrix.Layers) -> torch.Tensor:
        return torch.linalg.svdvals(matrix.end_to_end(layers))[:, :kept]

    def record(layers: matrix.Layers, gradients: Gradients) -> dict[str, torch.Tensor]:
        error = measure.relative_error(matrix.end_to_end(layers), targets)
        return (growth(layers, gradients) if record_every == 1 else {"norms": values(layers)}) | {"error": error}

    runs, finish = learn(
        matrix.matrix_objective(loss),
        task.start(rt, seed, "incremental", replicas, depth=config.depth, std=config.layer_std),
        record,
        Phase(config.steps, config.rule, record_every),
        Phase(config.finish_steps, config.finish_step, max(1, config.finish_steps // 10)),
        lambda layers: record(layers, ())["norms"],
        Reading(task.rank, kept, config.depth, lambda e: int(np.argmax(e <= 2 * e.min())), by_size=True, late=False),
        finish_record=record,
    )
    lowest = np.minimum([run.error.min() for run in runs], finish["error"].amin(0).cpu().numpy())
    return runs, torch.linalg.svdvals(targets)[0, : task.rank].cpu().numpy(), lowest
