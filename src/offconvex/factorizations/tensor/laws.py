"""The growth law of component norms, what the flow conserves, and what a task of rank one comes to."""

from dataclasses import dataclass, field

import numpy as np
import torch

from offconvex.descent import GroupRMSprop, descend
from offconvex.factorizations import measure, theory
from offconvex.factorizations.balance import Drift, Ladder, measure_drift
from offconvex.factorizations.growth import Rates, Window, read_rates
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor
from offconvex.factorizations.tensor.task import CUBE, TensorCompletion
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class TensorGrowth:
    """Plain gradient descent along which the growth law is read off.

    Attributes:
        task: what is completed.
        std: of every entry of every factor at the start.
        step_share: constant step over the largest stable one for a target of this norm; small enough that a vector's
            norm moves by a few percent at most in one of them.
        steps: most iterations.
        settled: the run ends once the mean squared error over the observed entries is below this share of the target's
            mean square, because what is learned grows no more.
        record_every: iterations between records; each record takes one step ahead and looks at both ends.
        axis_scales: factors on the axes of the start, whose components are balanced first, or None; unequal ones make
            it unbalanced.
    """

    task: TensorCompletion = CUBE
    std: float = 0.1
    step_share: float = 0.05
    steps: int = 30_000
    settled: float = 0.1
    record_every: int = 20
    axis_scales: tuple[float, ...] | None = None

    def __post_init__(self):
        if not self.step_share > 0 or self.steps < 1 or self.record_every < 1:
            raise ValueError(
                "A growth experiment needs step_share > 0, steps >= 1 and record_every >= 1; "
                f"got {self.step_share}, {self.steps} and {self.record_every}."
            )
        if self.axis_scales is not None and len(self.axis_scales) != self.task.order:
            raise ValueError(f"`axis_scales` needs one factor an axis, {self.task.order}; got {len(self.axis_scales)}.")

    @property
    def step(self) -> float:
        """The constant step."""
        task = self.task
        return self.step_share * theory.stable_step(task.norm, observed=task.observed, depth=task.order)


GROWTH = (
    TensorGrowth(),
    TensorGrowth(TensorCompletion((8, 8, 8, 8), rank=3, observed=2048, norm=64.0, components=128), std=0.2),
    TensorGrowth(TensorCompletion((6, 6, 6, 6, 6), rank=3, observed=3888, norm=64.0, components=128), std=0.3),
)
"""Orders 3, 4 and 5. Starts grow with the order so that all of them escape in about as long."""


def measure_growth(config: TensorGrowth, rt: Runtime, seed: int) -> Rates:
    """Rates of the component norms along descent, to be held against the balanced law and the exact one."""
    task, one, stream = config.task, range(1), f"growth {config.task.order}"
    target = task.target(rt, seed, stream, one)
    start = tensor.balanced_factors(task.start(rt, seed, stream, one, std=config.std))
    if config.axis_scales is not None:
        start = tuple(scale * factor for scale, factor in zip(config.axis_scales, start))
    loss = tensor.completion_loss(target, task.mask(rt, seed, stream, one))

    def growth(factors: tensor.Factors, gradients: tensor.Factors) -> dict[str, torch.Tensor]:
        vectors = {"vectors": tensor_measure.vector_norms(factors).mT}
        return tensor_measure.growth_projections(factors, gradients) | vectors

    enough = config.settled * task.norm**2 / target[0].numel()
    return read_rates(
        lambda: tensor.TensorObjective(loss),
        {task.order: growth},
        start,
        Window(scale=task.norm),
        step=config.step,
        steps=config.steps,
        record_every=config.record_every,
        stop=lambda loss: bool(loss < enough),
    )[task.order]


@dataclass(frozen=True)
class TensorBalance:
    """One start whose differences of squared vector norms are followed.

    Attributes:
        task: what is completed; of a width that the adaptive integrator follows in seconds.
        std: of every entry of every factor at the start.
        ladder: steps, and time.
    """

    task: TensorCompletion = field(
        default_factory=lambda: TensorCompletion((8, 8, 8), rank=2, observed=256, norm=22.6, components=64)
    )
    std: float = 5e-2
    ladder: Ladder = Ladder(tolerance=1e-9, records=20)


def measure_balance(config: TensorBalance, rt: Runtime, seed: int) -> Drift:
    """Drift of |w_r^n|^2 - |w_r^1|^2, by gradient descent at several steps and by the adaptive flow."""
    task, one = config.task, range(1)
    return measure_drift(
        tensor.TensorObjective(tensor.completion_loss(*task.draw(rt, seed, "balance", one))),
        task.start(rt, seed, "balance", one, std=config.std),
        lambda factors: tensor_measure.imbalance(factors).flatten(1).unsqueeze(2),
        lambda factors: tensor_measure.vector_norms(factors).square().amax((1, 2)),
        config.ladder,
        stable_step=theory.stable_step(task.norm, observed=task.observed, depth=task.order),
        std=config.std,
    )


@dataclass(frozen=True)
class Completions:
    """Completion of several tensors, by default of rank one, from starts of several sizes; tasks are advanced together.

    Attributes:
        task: what is completed.
        stds: sizes of the start, small first.
        rule: adaptive scalar step.
        steps: iterations under that rule.
        finish_steps: iterations of plain gradient descent afterwards.
        finish_share: their step over the largest stable one.
        replicas: independent tasks.
    """

    task: TensorCompletion = field(
        default_factory=lambda: TensorCompletion((16, 16, 16), rank=1, observed=2048, norm=64.0, components=256)
    )
    stds: tuple[float, ...] = (1e-3, 0.3)
    rule: GroupRMSprop = field(default_factory=lambda: GroupRMSprop(rate=1e-2, floor=1e-6))
    steps: int = 1200
    finish_steps: int = 800
    finish_share: float = 0.5
    replicas: int = 5

    def __post_init__(self):
        if min(self.steps, self.finish_steps, self.replicas) < 1 or not self.stds:
            raise ValueError("`steps`, `finish_steps` and `replicas` must be at least 1, and `stds` not empty.")


@dataclass(frozen=True)
class CompletionsRecord:
    """End states, one row per size of the start.

    Attributes:
        stds: (S,).
        norms: (S, B, k) ten largest component norms in decreasing order, parallel components counted as one, as shares
            of the largest.
        counts: (S, B) number of components above 1 % of the largest.
        errors: (S, B) relative error over all entries.
        losses: (S, B) mean squared error over the observed entries, as a share of the target's mean square.
    """

    stds: np.ndarray
    norms: np.ndarray
    counts: np.ndarray
    errors: np.ndarray
    losses: np.ndarray


def complete_repeatedly(config: Completions, rt: Runtime, seed: int) -> CompletionsRecord:
    """Complete every task from every size of start."""
    task, all_tasks = config.task, range(config.replicas)
    stream = f"rank {task.rank}"
    target = task.target(rt, seed, stream, all_tasks)
    objective = tensor.TensorObjective(tensor.completion_loss(target, task.mask(rt, seed, stream, all_tasks)))
    finish_step = config.finish_share * theory.stable_step(task.norm, observed=task.observed, depth=task.order)
    norms, counts, errors, losses = [], [], [], []
    for std in config.stds:
        start = task.start(rt, seed, stream, all_tasks, std=std)
        run = descend(objective, start, steps=config.steps, step_size=config.rule, record_every=config.steps)
        last = config.finish_steps
        end = descend(objective, run.parameters, steps=last, step_size=finish_step, record_every=last)
        sizes = tensor_measure.component_norms(end.parameters).sort(dim=1, descending=True).values
        counts.append(measure.counted(sizes.cpu().numpy()))
        merged = tensor_measure.merged_norms(end.parameters, min(10, task.components))
        norms.append((merged / merged[:, :1]).cpu().numpy())
        errors.append(measure.relative_error(tensor.end_tensor(end.parameters), target).cpu().numpy())
        losses.append(end.loss[-1].cpu().numpy() * target[0].numel() / task.norm**2)
    stacked = (np.stack(values) for values in (norms, counts, errors, losses))
    return CompletionsRecord(np.array(config.stds), *stacked)
