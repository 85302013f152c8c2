"""Incremental learning: the norms of local components rise one after another (razin2022post, Fig. 4)."""

import itertools
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Shaped

from offconvex.descent import Gradients, GroupRMSprop
from offconvex.factorizations import measure, theory
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.hierarchical.task import TreeCompletion
from offconvex.factorizations.incremental import LEARNED, Curves, Learned, Phase, Reading, learn
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor
from offconvex.runtime import Runtime

ERROR_EVERY = 10
"""Records between evaluations of the whole tensor, which cost as much as half a step."""


@dataclass(frozen=True)
class TreeLearning:
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
class TreeLearned(Learned):
    """What `learn_trees` measures: norms are of the root's local components, the error is as of the last tenth record.

    Attributes:
        inner: (T, k) norms of the local components of the root's first child.
        final_inner: (k,) after the finish.
        final_error: relative error after the finish.
        tensor: (d_1, ..., d_N) after the finish.
        target: (d_1, ..., d_N).
    """

    inner: np.ndarray
    final_inner: np.ndarray
    final_error: float
    tensor: np.ndarray
    target: np.ndarray

    @property
    def law_deviation(self) -> float:
        """Largest over the target's components of the median of |law - measured| / final norm."""
        return float(self.law_deviations.max())


def learn_trees(
    config: TreeLearning, rt: Runtime, seed: int, *, stream: str, replicas: range = range(1)
) -> list[TreeLearned]:
    """Complete one tensor a replica with the adaptive rule, all together, then finish with a constant step."""
    task, tree = config.task, config.task.tree
    top, first = len(tree.nodes) - 1, next(c for c in tree.nodes[-1].children if tree.nodes[c].children)
    target, mask = task.draw(rt, seed, stream, replicas)
    loss = tensor.completion_loss(target, mask)

    def node_norms(weights: hierarchical.Weights, node: int) -> torch.Tensor:
        return tensor_measure.component_norms(hierarchical.local_vectors(tree, weights, node))

    def norms(weights: hierarchical.Weights, gradients: Gradients) -> dict[str, torch.Tensor]:
        vectors = tensor_measure.vector_norms(hierarchical.local_vectors(tree, weights, top))
        inner = node_norms(weights, first)
        # The root's own row, which is never of low rank, has the pull of every component at the least cost.
        pulls = -(weights[top] * gradients[top])[:, :, 0]
        # Tens of thousands of records: single precision is enough for norms, and the device needs its memory.
        return {"vectors": vectors.float().cpu(), "pulls": pulls.cpu(), "inner": inner.float().cpu()}

    def error(weights: hierarchical.Weights, _: Gradients) -> dict[str, torch.Tensor]:
        return {"error": measure.relative_error(hierarchical.end_tensor(tree, weights), target)}

    reading = Reading(task.rank, config.kept, None, _last, unlearned=False)
    runs, finish = learn(
        hierarchical.HierarchicalObjective(tree, loss, low_rank=True),
        task.start(rt, seed, stream, replicas, std=config.std),
        {1: norms, ERROR_EVERY: error},
        Phase(config.steps, config.rule, config.record_every),
        Phase(config.finish_steps, config.finish_step, config.finish_steps),
        lambda weights: node_norms(weights, top),
        reading,
        read=_curves,
    )
    weights = finish.parameters
    result, final_inner = hierarchical.end_tensor(tree, weights), node_norms(weights, first).cpu().numpy()
    errors = measure.relative_error(result, target)
    learned = []
    for b, run in enumerate(runs):
        order = reading.order(run.iterations, run.curves["inner"], final_inner[b])
        learned.append(
            TreeLearned(
                **vars(run),
                inner=run.curves["inner"][:, order],
                final_inner=final_inner[b][order],
                final_error=float(errors[b]),
                tensor=result[b].cpu().numpy(),
                target=target[b].cpu().numpy(),
            )
        )
    return learned


def _curves(fields: Curves) -> Curves:
    """Norms and projections of the root's components from the norms of their vectors and their pulls."""
    curves = {name: value.astype(np.float64) for name, value in fields.items()}
    norms = curves["vectors"].prod(1)
    # A component of norm zero has no direction, and no pull either.
    return curves | {"norms": norms, "projections": curves["pulls"] / np.maximum(norms, np.finfo(norms.dtype).tiny)}


def _last(error: np.ndarray) -> int:
    return int(np.argmax(error <= LEARNED)) if error.min() <= LEARNED else len(error) - 1


def mean_overlap(
    iterations: Shaped[np.ndarray, " T"], norms: Float[np.ndarray, "T k"], final: Float[np.ndarray, " k"]
) -> float:
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
