"""Incremental learning: the norms of local components rise one after another (razin2022post, Fig. 4)."""

import itertools
from dataclasses import dataclass, field

import numpy as np
import torch

from offconvex.descent import Gradients, GroupRMSprop, descend
from offconvex.factorizations import measure, theory
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.hierarchical.task import TreeCompletion
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor
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


def learn(config: Learning, rt: Runtime, seed: int, *, stream: str, replicas: range = range(1)) -> list[Learned]:
    """Complete one tensor a replica with the adaptive rule, all together, then finish with a constant step."""
    task, tree = config.task, config.task.tree
    top, first = len(tree.nodes) - 1, next(c for c in tree.nodes[-1].children if tree.nodes[c].children)
    target = task.target(rt, seed, stream, replicas)
    objective = hierarchical.HierarchicalObjective(
        tree, tensor.completion_loss(target, task.mask(rt, seed, stream, replicas)), low_rank=True
    )

    def norms(weights: hierarchical.Weights, gradients: Gradients) -> dict[str, torch.Tensor]:
        vectors = tensor_measure.vector_norms(hierarchical.local_vectors(tree, weights, top))
        inner = tensor_measure.component_norms(hierarchical.local_vectors(tree, weights, first))
        # The root's own row, which is never of low rank, has the pull of every component at the least cost.
        pulls = -(weights[top] * gradients[top])[:, :, 0]
        # Tens of thousands of records: single precision is enough for norms, and the device needs its memory.
        return {"vectors": vectors.float().cpu(), "pulls": pulls.cpu(), "inner": inner.float().cpu()}

    def error(weights: hierarchical.Weights, _: Gradients) -> dict[str, torch.Tensor]:
        return {"error": measure.relative_error(hierarchical.end_tensor(tree, weights), target)}

    start = task.start(rt, seed, stream, replicas, std=config.std)
    run = descend(
        objective,
        start,
        steps=config.steps,
        step_size=config.rule,
        record={1: norms, ERROR_EVERY: error},
        record_every=config.record_every,
    )
    last, step = config.finish_steps, config.finish_step
    weights = descend(objective, run.parameters, steps=last, step_size=step, record_every=last).parameters
    result = hierarchical.end_tensor(tree, weights)
    end = {
        "root": tensor_measure.component_norms(hierarchical.local_vectors(tree, weights, top)),
        "inner": tensor_measure.component_norms(hierarchical.local_vectors(tree, weights, first)),
        "error": measure.relative_error(result, target),
        "tensor": result,
        "target": target,
    }
    iterations, steps = run.iterations.numpy(), np.diff(run.times.numpy(), axis=0)
    numbers = [{name: value[b].cpu().numpy() for name, value in end.items()} for b in range(len(replicas))]
    curves = [
        [run[name][:, b].double().cpu().numpy() for name in ("vectors", "pulls", "inner", "error")]
        for b in range(len(replicas))
    ]
    return [_arrange(config, iterations, steps[:, b], curves[b], numbers[b]) for b in range(len(replicas))]


def _arrange(
    config: Learning, iterations: np.ndarray, steps: np.ndarray, curves: list[np.ndarray], end: dict[str, np.ndarray]
) -> Learned:
    """One replica's record, its components sorted."""
    rank = config.task.rank
    vectors, pulls, inner, error = curves
    root = everything = vectors.prod(1)
    # A component of norm zero has no direction, and no pull either.
    projections = pulls / np.maximum(root, np.finfo(root.dtype).tiny)
    order, inner_order = (
        _order_of_learning(iterations, norms, final, config)
        for norms, final in ((root, end["root"]), (inner, end["inner"]))
    )
    root, final_root = root[:, order], end["root"][order]
    law = np.full((len(iterations), rank), np.nan)
    # Once the tensor is learned the run only bounces: nothing grows, and a sum of bounces would be drawn as a law.
    stop = (int(np.argmax(error <= LEARNED)) if error.min() <= LEARNED else len(error) - 1) + 1
    for r in range(rank if config.record_every == 1 else 0):
        start = min(measure.last_rise(root[:, r], LEARNED * final_root[r]), stop - 1)
        law[start:stop, r] = theory.discrete_unbalanced_growth(
            steps[start : stop - 1], projections[start:stop, order[r]], vectors[start, :, order[r]]
        )
    return Learned(
        iterations=iterations,
        root=root,
        inner=inner[:, inner_order],
        law=law,
        error=error,
        final_root=final_root,
        final_inner=end["inner"][inner_order],
        final_error=float(end["error"]),
        tensor=end["tensor"],
        target=end["target"],
        all_root=everything,
        final_all=np.sort(end["root"])[::-1],
    )


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


def _order_of_learning(iterations: np.ndarray, norms: np.ndarray, final: np.ndarray, config: Learning) -> np.ndarray:
    """Indices of the `kept` components that end largest: as many as the target has by take-off, then others by size."""
    largest = np.argsort(final)[::-1][: config.kept]
    learned = largest[: min(config.task.rank, int(measure.counted(final, share=LEARNED)))]
    starts = measure.take_offs(iterations, norms[:, learned], final[learned])
    return np.concatenate((learned[np.argsort(starts)], largest[len(learned) :]))
