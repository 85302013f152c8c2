"""Incremental learning: the norms of local components rise one after another (razin2022post, Fig. 4)."""

import itertools
from dataclasses import dataclass, field

import numpy as np
import torch

from offconvex.descent import GroupRMSprop, descend
from offconvex.factorizations import hierarchical, hierarchical_theory, measure, tensor, tensor_measure, theory
from offconvex.factorizations.hierarchical_task import TreeCompletion
from offconvex.runtime import Runtime

ERROR_EVERY = 10
"""Records between evaluations of the whole tensor, which cost as much as half a step."""

LEARNED = 0.01
"""Relative error from which a tensor counts as learned, and share of the largest norm from which a component does."""


@dataclass(frozen=True)
class Learning:
    """One task learned from one start (razin2022post, Fig. 4; step rule of razin2022implicit, code).

    Attributes:
        task: what is completed.
        std: of every entry of every matrix at the start.
        rule: the source's adaptive scalar step.
        steps: iterations under that rule.
        finish_steps: iterations of plain gradient descent afterwards, which remove the rule's floor.
        finish_share: their step over `theory.stable_step` for as many factors as the tree has nodes.
        kept: number of largest components that are kept at a node.
        record_every: iterations between records; 1 is needed for the growth law.
    """

    task: TreeCompletion = field(default_factory=TreeCompletion)
    std: float = 1e-2
    rule: GroupRMSprop = field(default_factory=lambda: GroupRMSprop(rate=1e-2, floor=1e-12))
    steps: int = 16_000
    finish_steps: int = 2000
    finish_share: float = 0.5
    kept: int = 16
    record_every: int = 1

    def __post_init__(self):
        if min(self.steps, self.finish_steps, self.record_every) < 1 or not self.task.rank <= self.kept:
            raise ValueError(
                "`steps`, `finish_steps` and `record_every` must be at least 1 and `kept` at least the target's rank; "
                f"got {self.steps}, {self.finish_steps}, {self.record_every} and {self.kept}."
            )

    @property
    def finish_step(self) -> float:
        """Step of the finish."""
        task = self.task
        return self.finish_share * theory.stable_step(task.norm, observed=task.observed, depth=len(task.tree.nodes))


@dataclass(frozen=True)
class Learned:
    """What `learn` measures. Components are in the order in which they are learned, those that are not learned last.

    Attributes:
        iterations: (T,).
        root: (T, k) norms of the root's local components.
        inner: (T, k) those of the root's first child.
        law: (T, rank) growth law of the root's, taken with the run's own steps, from 1 % of the final norm until the
            tensor is learned; nan elsewhere, and everywhere where not every iteration was recorded.
        error: (T,) relative error over all entries, as of the last tenth record.
        final_root: (k,) after the finish.
        final_inner: (k,) after the finish.
        final_error: relative error after the finish.
        tensor: (d_1, ..., d_N) after the finish.
        target: (d_1, ..., d_N).
        all_root: (T, R) norms of all the root's local components, in the order of the weights.
        final_all: (R,) those after the finish, in decreasing order.
    """

    iterations: np.ndarray
    root: np.ndarray
    inner: np.ndarray
    law: np.ndarray
    error: np.ndarray
    final_root: np.ndarray
    final_inner: np.ndarray
    final_error: float
    tensor: np.ndarray
    target: np.ndarray
    all_root: np.ndarray
    final_all: np.ndarray

    @property
    def law_deviation(self) -> float:
        """Largest over the learned components of the median of |law - measured| / final norm."""
        rank = self.law.shape[1]
        return float(np.nanmedian(np.abs(self.law - self.root[:, :rank]) / self.final_root[:rank], axis=0).max())


def learn(config: Learning, runtime: Runtime, seed: int, *, stream: str, replica: int = 0) -> Learned:
    """Complete one tensor with the adaptive rule, then finish with a constant step."""
    task, tree, one = config.task, config.task.tree, range(replica, replica + 1)
    top, first = len(tree.nodes) - 1, next(c for c in tree.nodes[-1].children if tree.nodes[c].children)
    target = task.target(runtime, seed, stream, one)
    objective = hierarchical.HierarchicalObjective(
        tree, tensor.completion_loss(target, task.mask(runtime, seed, stream, one))
    )

    history = _History(config)

    def record(weights: hierarchical.Weights) -> dict[str, torch.Tensor]:
        row = history.row
        history.vectors[row] = tensor_measure.vector_norms(hierarchical.local_vectors(tree, weights, top))[0]
        # The objective has just been called with these weights, so its gradients are theirs; the root's own row has
        # the pull of every component, at the least cost.
        history.pulls[row] = -(weights[top] * objective.gradients[top])[0, :, 0]
        history.inner[row] = tensor_measure.component_norms(hierarchical.local_vectors(tree, weights, first))[0]
        if row % ERROR_EVERY == 0:
            history.error[row] = tensor_measure.relative_error(hierarchical.end_tensor(tree, weights), target)[0]
        else:
            history.error[row] = history.error[row - 1]
        history.row += 1
        return {}

    run = descend(
        objective,
        task.start(runtime, seed, stream, one, std=config.std),
        steps=config.steps,
        step_size=config.rule,
        record=record,
        record_every=config.record_every,
    )
    finish = descend(
        objective,
        run.parameters,
        steps=config.finish_steps,
        step_size=config.finish_step,
        record_every=config.finish_steps,
    )
    result = hierarchical.end_tensor(tree, finish.parameters)
    iterations, rank = run.iterations.numpy(), task.rank
    ends = [
        tensor_measure.component_norms(hierarchical.local_vectors(tree, finish.parameters, node))[0].cpu().numpy()
        for node in (top, first)
    ]
    vectors, pulls, inner, error = (x[: len(iterations)].double().numpy() for x in history.all)
    root = everything = vectors.prod(1)
    projections = pulls / root
    orders = [_order_of_learning(iterations, curves, end, config) for curves, end in zip((root, inner), ends)]
    root, inner = root[:, orders[0]], inner[:, orders[1]]
    final_root, final_inner = ends[0][orders[0]], ends[1][orders[1]]
    steps, law = np.diff(run.times[:, 0].numpy()), np.full((len(iterations), rank), np.nan)
    # Once the tensor is learned the run only bounces: nothing grows, and a sum of bounces would be drawn as a law.
    stop = (int(np.argmax(error <= LEARNED)) if error.min() <= LEARNED else len(error) - 1) + 1
    for r in range(rank if config.record_every == 1 else 0):
        start = min(measure.last_rise(root[:, r], 0.01 * final_root[r]), stop - 1)
        law[start:stop, r] = hierarchical_theory.discrete_growth(
            steps[start : stop - 1], projections[start:stop, orders[0][r]], vectors[start, :, orders[0][r]]
        )
    return Learned(
        iterations=iterations,
        root=root,
        inner=inner,
        law=law,
        error=error,
        final_root=final_root,
        final_inner=final_inner,
        final_error=float(tensor_measure.relative_error(result, target)[0]),
        tensor=result[0].cpu().numpy(),
        target=target[0].cpu().numpy(),
        all_root=everything,
        final_all=np.sort(ends[0])[::-1],
    )


def count_learned(final: np.ndarray) -> int:
    """Number of final norms (k,) above 1 % of the largest."""
    return int((final > LEARNED * final.max()).sum())


def mean_overlap(iterations: np.ndarray, norms: np.ndarray, final: np.ndarray) -> float:
    """Share of its final norm that a curve has reached when an earlier one takes off, mean over all pairs; 0 if one.

    Curves (T, k) that end below 1 % of the largest are left out. Zero means strictly one after another; curves that
    rise in step have one half, whatever their number. A mean, because single pairs may well rise together: the
    components of a parent wait for those of its children.
    """
    learned = np.flatnonzero(final > LEARNED * final.max())
    learned = learned[np.argsort(measure.take_offs(iterations, norms[:, learned], final[learned]))]
    pairs = itertools.combinations(learned, 2)
    shares = [measure.overlap(iterations, norms[:, list(pair)], final[list(pair)]) for pair in pairs]
    return float(np.mean(shares)) if shares else 0.0


class _History:
    """Records of a run, in arrays made beforehand.

    Tens of thousands of small tensors kept between large temporary ones would fragment the memory until it is full.
    Single precision is enough for norms.
    """

    def __init__(self, config: Learning):
        rows, width = config.steps // config.record_every + 2, config.task.width
        vectors = config.task.tree.nodes[-1].local_axes
        self.row = 0
        self.vectors = torch.zeros(rows, vectors, width, dtype=torch.float32, device="cpu")
        self.pulls = torch.zeros(rows, width, dtype=torch.float64, device="cpu")
        self.inner = torch.zeros(rows, width, dtype=torch.float32, device="cpu")
        self.error = torch.zeros(rows, dtype=torch.float64, device="cpu")

    @property
    def all(self) -> tuple[torch.Tensor, ...]:
        return self.vectors, self.pulls, self.inner, self.error


def _order_of_learning(iterations: np.ndarray, norms: np.ndarray, final: np.ndarray, config: Learning) -> np.ndarray:
    """Indices of the `kept` components that end largest: as many as the target has by take-off, then others by size."""
    largest = np.argsort(final)[::-1][: config.kept]
    learned = largest[: min(config.task.rank, count_learned(final))]
    starts = measure.take_offs(iterations, norms[:, learned], final[learned])
    return np.concatenate((learned[np.argsort(starts)], largest[len(learned) :]))
