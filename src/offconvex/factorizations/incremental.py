"""Incremental learning, for the components of any factorization: they rise one after another, from a small start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from offconvex.descent import GroupRMSprop, Objective, Parameters, Record, descend
from offconvex.factorizations import measure, theory
from offconvex.trajectory import Trajectory

LEARNED = 0.01
"""Share of its final norm from which the law is taken, and of the largest norm from which a component counts."""

Curves = dict[str, np.ndarray]
"""What one replica's run has recorded by name: "norms" (T, R), "error" (T,), and more."""


@dataclass(frozen=True)
class Phase:
    """One stretch of gradient descent.

    Attributes:
        steps: most iterations.
        step_size: a constant step, or an adaptive rule.
        record_every: iterations between records.
        settled: the run ends at a record where all losses are below this.
    """

    steps: int
    step_size: float | GroupRMSprop
    record_every: int
    settled: float = 0.0

    def run(
        self,
        objective: Objective,
        start: tuple[Float[Tensor, "B ..."], ...],
        record: Record | Mapping[int, Record] | None,
    ) -> Trajectory:
        """Descend from `start`."""
        return descend(
            objective,
            start,
            steps=self.steps,
            step_size=self.step_size,
            record=record,
            record_every=self.record_every,
            stop=(lambda loss: bool((loss < self.settled).all())) if self.settled else None,
        )


@dataclass(frozen=True)
class Reading:
    """How components are read off a run.

    Attributes:
        rank: number of components of the target.
        kept: number of largest components that are kept.
        depth: number of factors of a balanced component, whose law is taken; None to take the law that needs no
            balance, with the recorded norms of "vectors" (T, K, R).
        last: relative errors (T,) -> index of the last record with a law. Once the target is learned an adaptive run
            only bounces: nothing grows, and a sum of bounces would be drawn as a law.
        by_size: whether components are numbered by size at every record, as singular values are.
        unlearned: whether the `rank` largest are sorted by take-off even if they end below 1 % of the largest.
        late: whether a component that rises only after the last record still has that one point of a law.
    """

    rank: int
    kept: int
    depth: int | None
    last: Callable[[np.ndarray], int]
    by_size: bool = False
    unlearned: bool = True
    late: bool = True

    def order(
        self, iterations: Shaped[np.ndarray, " T"], norms: Float[np.ndarray, "T R"], final: Float[np.ndarray, " R"]
    ) -> Int[np.ndarray, " k"]:
        """Indices of the components that end largest: those of the target by take-off, then others by size."""
        if self.by_size:
            return np.arange(len(final))
        largest = np.argsort(final)[::-1][: self.kept]
        learned = largest[: self.rank if self.unlearned else min(self.rank, measure.counted(final, share=LEARNED))]
        starts = measure.take_offs(iterations, norms[:, learned], final[learned])
        return np.concatenate((learned[np.argsort(starts)], largest[len(learned) :]))

    def law(
        self,
        steps: Float[np.ndarray, " steps"],
        curves: Curves,
        order: Int[np.ndarray, " k"],
        final: Float[np.ndarray, " R"],
    ) -> Float[np.ndarray, "steps+1 {self.rank}"]:
        """Growth law of the target's components along the run's own steps (T - 1,), (T, rank); nan outside of it."""
        norms, end = curves["norms"], self.last(curves["error"])
        law = np.full((len(norms), self.rank), np.nan)
        for r, component in enumerate(order[: self.rank]):
            start = measure.last_rise(norms[:, component], LEARNED * final[component])
            start = min(start, end) if self.late else start
            if start <= end:
                pulls = curves["projections"][start : end + 1, component]
                if self.depth is None:
                    vectors = curves["vectors"][start, :, component]
                    law[start : end + 1, r] = theory.discrete_unbalanced_growth(steps[start:end], pulls, vectors)
                else:
                    initial = norms[start, component]
                    law[start : end + 1, r] = theory.discrete_growth(steps[start:end], pulls, initial, depth=self.depth)
        return law


@dataclass(frozen=True)
class Learned:
    """One task learned. Components are in the order in which they are learned, those that are not learned last.

    Attributes:
        iterations: (T,).
        norms: (T, k) component norms.
        law: (T, rank) growth law taken with the run's own steps, from 1 % of the final norm on; nan elsewhere, and
            everywhere where not every iteration was recorded.
        error: (T,) relative error over all entries.
        final: (k,) norms after the finish.
        curves: everything that was recorded, (T, ...), components in the order of the parameters.
        all_final: (R,) norms of all components after the finish, in the order of the parameters.
    """

    iterations: np.ndarray
    norms: np.ndarray
    law: np.ndarray
    error: np.ndarray
    final: np.ndarray
    curves: Curves
    all_final: np.ndarray

    @property
    def take_offs(self) -> Float[np.ndarray, " {self.law.shape[1]}"]:
        """Iterations at which the components rise, (rank,); see `measure.take_offs`."""
        rank = self.law.shape[1]
        return measure.take_offs(self.iterations, self.norms[:, :rank], self.final[:rank])

    @property
    def overlap(self) -> float:
        """See `measure.overlap`, over as many components as the target has."""
        rank = self.law.shape[1]
        return measure.overlap(self.iterations, self.norms[:, :rank], self.final[:rank])

    @property
    def components(self) -> int:
        """Number of components above 1 % of the largest, after the finish."""
        return int(measure.counted(self.all_final, share=LEARNED))

    @property
    def law_deviations(self) -> Float[np.ndarray, " {self.law.shape[1]}"]:
        """Median of |law - measured| / final norm of every component, nan without a law, (rank,)."""
        rank = self.law.shape[1]
        gaps = np.abs(self.law - self.norms[:, :rank]) / self.final[:rank]
        known = (gap[np.isfinite(gap)] for gap in gaps.T)
        return np.array([np.median(gap) if len(gap) else np.nan for gap in known])


def learn(
    objective: Objective,
    start: tuple[Float[Tensor, "B ..."], ...],
    record: Record | Mapping[int, Record],
    adaptive: Phase,
    finish: Phase,
    final_norms: Callable[[Parameters], torch.Tensor],
    reading: Reading,
    *,
    read: Callable[[Curves], Curves] = dict,
    finish_record: Record | None = None,
) -> tuple[list[Learned], Trajectory]:
    """Descend with an adaptive rule, then finish with constant steps, which remove the rule's floor.

    Args:
        objective: loss and gradients.
        start: small, each (B, ...).
        record: "norms" (B, R), "projections" (B, R) if the law is wanted, "error" (B,), and more.
        adaptive: the first run.
        finish: the second.
        final_norms: parameters -> norms of the components, (B, R).
        reading: how components are sorted, and their law is taken.
        read: turns one replica's records into its curves, where `record` keeps less than these.
        finish_record: what to keep of the second run.

    Returns:
        One record a replica, and the second run.
    """
    run = adaptive.run(objective, start, record)
    end = finish.run(objective, run.parameters, finish_record)
    all_final = final_norms(end.parameters).cpu().numpy()
    iterations, steps = run.iterations.numpy(), np.diff(run.times.numpy(), axis=0)
    learned = []
    for b, final in enumerate(all_final):
        curves = read({name: value[:, b].cpu().numpy() for name, value in run.fields.items()})
        order = reading.order(iterations, curves["norms"], final)
        law = np.full((len(iterations), reading.rank), np.nan)
        if adaptive.record_every == 1 and "projections" in curves:
            law = reading.law(steps[:, b], curves, order, final)
        # What is sorted already is not copied: a copy would lie in memory, and in a file, column by column.
        norms = curves["norms"] if reading.by_size else curves["norms"][:, order]
        learned.append(Learned(iterations, norms, law, curves["error"], final[order], curves, final))
    return learned, end
