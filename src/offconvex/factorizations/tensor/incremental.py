"""Incremental learning: component norms rise one after another, the more so the smaller the start."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from offconvex.descent import GroupRMSprop, descend
from offconvex.factorizations import measure, theory
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor
from offconvex.factorizations.tensor.task import CUBE, TensorCompletion
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class Learning:
    """One task learned from one start (razin2022post, Fig. 2; razin2021post, Fig. 4; settings of their code).

    Attributes:
        task: what is completed.
        std: of every entry of every factor at the start.
        rule: the sources' adaptive scalar step.
        steps: most iterations under that rule.
        settled: the adaptive run ends once the mean squared error over the observed entries is below this share of the
            target's mean square.
        finish_steps: most iterations of plain gradient descent afterwards, which remove the rule's floor.
        finished: these end once the mean squared error over the observed entries is below this share of the target's
            mean square: observed entries are then met to 1e-7.
        finish_share: their step over the largest stable one for the target's norm.
        kept: number of largest components that are recorded.
        record_every: iterations between records; 1 is needed for the growth law.
    """

    task: TensorCompletion = CUBE
    std: float = 1e-3
    rule: GroupRMSprop = field(default_factory=lambda: GroupRMSprop(rate=1e-2, floor=1e-6))
    steps: int = 7000
    settled: float = 1e-8
    finish_steps: int = 2500
    finished: float = 1e-14
    finish_share: float = 0.5
    kept: int = 10
    record_every: int = 1

    def __post_init__(self):
        if self.task.order < 3:
            raise ValueError(
                "Components rise one after another from order 3 on: a matrix has no preferred components; "
                f"got order {self.task.order}."
            )
        if min(self.steps, self.finish_steps, self.record_every) < 1 or self.kept < self.task.rank:
            raise ValueError(
                "`steps`, `finish_steps` and `record_every` must be at least 1 and `kept` at least the target's rank; "
                f"got {self.steps}, {self.finish_steps}, {self.record_every} and {self.kept}."
            )

    @property
    def finish_step(self) -> float:
        """Step of the finish."""
        task = self.task
        return self.finish_share * theory.stable_step(task.norm, observed=task.observed, depth=task.order)


@dataclass(frozen=True)
class Learned:
    """What `learn` measures. Components are in the order in which they are learned, those that are not learned last.

    Attributes:
        iterations: (T,).
        norms: (T, k) component norms.
        law: (T, rank) growth law taken with the run's own steps, from 1 % of the final norm on; nan before, and
            everywhere where not every iteration was recorded.
        error: (T,) relative error over all entries.
        target_norms: (rank,) in decreasing order.
        final_norms: (k,) after the finish.
        observed_shares: (k,) share of the squared norm that lies on the observed entries, after the finish.
        merged_norms: (k,) after the finish, parallel components counted as one, in decreasing order.
        components: number of components above 1 % of the largest, after the finish.
        final_error: relative error after the finish.
        overlap: see `measure.overlap`, over as many components as the target has.
    """

    iterations: np.ndarray
    norms: np.ndarray
    law: np.ndarray
    error: np.ndarray
    target_norms: np.ndarray
    final_norms: np.ndarray
    observed_shares: np.ndarray
    merged_norms: np.ndarray
    components: int
    final_error: float
    overlap: float

    @property
    def distinct(self) -> int:
        """Number of components above 1 % of the largest, parallel ones counted as one."""
        return int(measure.counted(self.merged_norms))

    def at(self, iterations: np.ndarray) -> "Learned":
        """The same with its curves at these iterations, interpolated, and at rest after the last one recorded.

        The iteration at which a run ends may change with rounding; curves on a fixed grid keep their length.
        """

        def resample(curves: np.ndarray) -> np.ndarray:
            columns = curves.reshape(len(self.iterations), -1).T
            moved = np.stack([np.interp(iterations, self.iterations, column) for column in columns], axis=-1)
            return moved.reshape(len(iterations), *curves.shape[1:])

        curves = {name: resample(getattr(self, name)) for name in ("norms", "law", "error")}
        return replace(self, iterations=iterations, **curves)

    @property
    def norm_mismatch(self) -> float:
        """Largest relative difference between learned (merged) norms and the target's, both in decreasing order."""
        return float(np.abs(self.merged_norms[: len(self.target_norms)] / self.target_norms - 1).max())

    @property
    def law_deviation(self) -> float:
        """Largest over the learned components of the median of |law - measured| / final norm; nan without a law.

        A run may end before it has learned as many components as the target has. What is left of the others, below 1 %
        of the largest, comes and goes with the steps of the rest.
        """
        final = self.final_norms[: self.law.shape[1]]
        learned = final > 0.01 * final.max()
        gaps = np.abs(self.law - self.norms[:, : len(final)])[:, learned] / final[learned]
        known = [gap[np.isfinite(gap)] for gap in gaps.T]
        return max((float(np.median(gap)) for gap in known if len(gap)), default=np.nan)


def learn(config: Learning, rt: Runtime, seed: int, *, stream: str, replica: int = 0) -> Learned:
    """Complete one tensor with the adaptive rule, then finish with a constant step."""
    task, one = config.task, range(replica, replica + 1)
    target, target_norms = task.target(rt, seed, stream, one), task.target_norms(rt, seed, stream, one)
    mask = task.mask(rt, seed, stream, one)
    objective = tensor.TensorObjective(tensor.completion_loss(target, mask))
    mean_square = task.norm**2 / target[0].numel()

    def record(factors: tensor.Factors, gradients: tensor.Factors) -> dict[str, torch.Tensor]:
        error = measure.relative_error(tensor.end_tensor(factors), target)
        return tensor_measure.growth_projections(factors, gradients) | {"error": error}

    run = descend(
        objective,
        task.start(rt, seed, stream, one, std=config.std),
        steps=config.steps,
        step_size=config.rule,
        record=record,
        record_every=config.record_every,
        stop=lambda loss: bool(loss < config.settled * mean_square),
    )
    finish = descend(
        objective,
        run.parameters,
        steps=config.finish_steps,
        step_size=config.finish_step,
        record_every=100,
        stop=lambda loss: bool(loss < config.finished * mean_square),
    )
    final = tensor_measure.component_norms(finish.parameters)[0].cpu().numpy()
    iterations, norms = run.iterations.numpy(), run["norms"][:, 0].cpu().numpy()
    order = _order_of_learning(iterations, norms, final, config)
    norms, projections = norms[:, order], run["projections"][:, 0].cpu().numpy()[:, order]
    law = np.full((len(iterations), task.rank), np.nan)
    if config.record_every == 1:
        steps = np.diff(run.times[:, 0].numpy())
        for r in range(task.rank):
            # A component that the finish alone has learned has no rise here, and no law.
            start = min(measure.last_rise(norms[:, r], 0.01 * final[order[r]]), len(steps))
            law[start:, r] = theory.discrete_growth(
                steps[start:], projections[start:, r], norms[start, r], depth=task.order
            )
    return Learned(
        iterations=iterations,
        norms=norms,
        law=law,
        error=run["error"][:, 0].cpu().numpy(),
        target_norms=target_norms[0].cpu().numpy(),
        final_norms=final[order],
        observed_shares=tensor_measure.observed_shares(finish.parameters, mask)[0].cpu().numpy()[order],
        merged_norms=tensor_measure.merged_norms(finish.parameters, config.kept)[0].cpu().numpy(),
        components=int(measure.counted(final)),
        final_error=float(measure.relative_error(tensor.end_tensor(finish.parameters), target)[0]),
        overlap=measure.overlap(iterations, norms[:, : task.rank], final[order][: task.rank]),
    )


def learn_several(config: Learning, rt: Runtime, seed: int, *, stream: str, replicas: int) -> list[Learned]:
    """Independent tasks one after another; the law is taken for the first, the others are recorded less often."""
    sparse = replace(config, record_every=10)
    first = learn(config, rt, seed, stream=stream)
    return [first, *(learn(sparse, rt, seed, stream=stream, replica=r) for r in range(1, replicas))]


def _order_of_learning(iterations: np.ndarray, norms: np.ndarray, final: np.ndarray, config: Learning) -> np.ndarray:
    """Indices of the `kept` components that end largest: those of the target by take-off, others by size."""
    largest = np.argsort(final)[::-1][: config.kept]
    learned = largest[: config.task.rank]
    starts = measure.take_offs(iterations, norms[:, learned], final[learned])
    return np.concatenate((learned[np.argsort(starts)], largest[config.task.rank :]))
