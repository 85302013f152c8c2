"""Incremental learning: component norms rise one after another, the more so the smaller the start."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Shaped

from offconvex.descent import GroupRMSprop
from offconvex.factorizations import measure, theory
from offconvex.factorizations.incremental import LEARNED, Learned, Phase, Reading, learn
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor
from offconvex.factorizations.tensor.task import CUBE, TensorCompletion
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class TensorLearning:
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
class TensorLearned(Learned):
    """What `learn_task` measures besides.

    Attributes:
        target_norms: (rank,) in decreasing order.
        observed_shares: (k,) share of the squared norm that lies on the observed entries, after the finish.
        merged_norms: (k,) after the finish, parallel components counted as one, in decreasing order.
        final_error: relative error after the finish.
    """

    target_norms: np.ndarray
    observed_shares: np.ndarray
    merged_norms: np.ndarray
    final_error: float

    @property
    def distinct(self) -> int:
        """Number of components above 1 % of the largest, parallel ones counted as one."""
        return int(measure.counted(self.merged_norms))

    def at(self, iterations: Shaped[np.ndarray, " T"]) -> "TensorLearned":
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
        final = self.final[: self.law.shape[1]]
        known = [d for d in self.law_deviations[final > LEARNED * final.max()] if np.isfinite(d)]
        return float(max(known, default=np.nan))


def learn_task(config: TensorLearning, rt: Runtime, seed: int, *, stream: str, replica: int = 0) -> TensorLearned:
    """Complete one tensor with the adaptive rule, then finish with a constant step."""
    task, one = config.task, range(replica, replica + 1)
    target, mask = task.draw(rt, seed, stream, one)
    mean_square = task.norm**2 / target[0].numel()

    def record(factors: tensor.Factors, gradients: tensor.Factors) -> dict[str, torch.Tensor]:
        error = measure.relative_error(tensor.end_tensor(factors), target)
        return tensor_measure.growth_projections(factors, gradients) | {"error": error}

    reading = Reading(task.rank, config.kept, task.order, lambda error: len(error) - 1)
    (run,), finish = learn(
        tensor.TensorObjective(tensor.completion_loss(target, mask)),
        task.start(rt, seed, stream, one, std=config.std),
        record,
        Phase(config.steps, config.rule, config.record_every, config.settled * mean_square),
        Phase(config.finish_steps, config.finish_step, 100, config.finished * mean_square),
        tensor_measure.component_norms,
        reading,
    )
    factors, order = finish.parameters, reading.order(run.iterations, run.curves["norms"], run.all_final)
    return TensorLearned(
        **vars(run),
        target_norms=task.target_norms(rt, seed, stream, one)[0].cpu().numpy(),
        observed_shares=tensor_measure.observed_shares(factors, mask)[0].cpu().numpy()[order],
        merged_norms=tensor_measure.merged_norms(factors, config.kept)[0].cpu().numpy(),
        final_error=float(measure.relative_error(tensor.end_tensor(factors), target)[0]),
    )


def learn_several(config: TensorLearning, rt: Runtime, seed: int, *, stream: str, replicas: int) -> list[TensorLearned]:
    """Independent tasks one after another; the law is taken for the first, the others are recorded less often."""
    sparse = replace(config, record_every=10)
    first = learn_task(config, rt, seed, stream=stream)
    return [first, *(learn_task(sparse, rt, seed, stream=stream, replica=r) for r in range(1, replicas))]
