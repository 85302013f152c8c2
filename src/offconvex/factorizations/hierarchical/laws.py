"""The growth law of local components: as an identity of derivatives, and along gradient descent."""

from dataclasses import dataclass, field

import numpy as np
import torch

from offconvex import rng
from offconvex.factorizations import theory
from offconvex.factorizations.growth import Rates, Window, read_rates
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.hierarchical.measure import local_growth
from offconvex.factorizations.hierarchical.task import TreeCompletion
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class Identity:
    """Random weights at which the velocity of every local component's norm is taken by automatic differentiation.

    Attributes:
        trees: mode trees, as nested tuples.
        length: of every axis.
        width: number of local components at every node.
        std: of every entry of every matrix.
    """

    trees: tuple[hierarchical.Nested, ...] = (
        hierarchical.BINARY_4,
        hierarchical.THREE_CHILDREN,
        hierarchical.BINARY_8,
    )
    length: int = 2
    width: int = 3
    std: float = 0.8


@dataclass(frozen=True)
class IdentityRecord:
    """Velocities of all local components at all nodes of all trees.

    Attributes:
        axes: (M,) K of the component's node.
        velocities: (M,) d sigma/dt along -grad, by automatic differentiation, at balanced weights.
        law: (M,) K sigma^(2-2/K) gamma, gamma from the tensor that keeps one local component.
        unbalanced_velocities: (M,) the same at the random weights themselves.
        exact: (M,) gamma sigma^2 sum 1/|w_k|^2 there.
        unbalanced_law: (M,) K sigma^(2-2/K) gamma there, where it does not hold.
    """

    axes: np.ndarray
    velocities: np.ndarray
    law: np.ndarray
    unbalanced_velocities: np.ndarray
    exact: np.ndarray
    unbalanced_law: np.ndarray


def check_identity(config: Identity, rt: Runtime, seed: int) -> IdentityRecord:
    """Compare automatic derivatives with the law at every node, for the mean squared error of a random half."""
    rows: list[tuple[np.ndarray, ...]] = []
    for number, nested in enumerate(config.trees):
        tree = hierarchical.mode_tree(nested)
        shape = (config.length,) * tree.order
        generators = [rng.generator(seed, "identity", number)]
        weights = hierarchical.gaussian_weights(
            rt, generators, tree=tree, shape=shape, width=config.width, std=config.std
        )
        target, uniform = rt.normal(generators[0], 1, *shape), rt.uniform(generators[0], 1, *shape)
        mask = (uniform <= uniform.median()).to(target.dtype)
        for position in tree.inner:
            fair = _velocities(tree, hierarchical.balanced_weights(tree, weights), target, mask, position)
            skewed = _velocities(tree, weights, target, mask, position)
            axes = np.full(len(fair[0]), tree.nodes[position].local_axes)
            rows.append((axes, fair[0], fair[1], skewed[0], skewed[2], skewed[1]))
    return IdentityRecord(*(np.concatenate(column) for column in zip(*rows)))


def _velocities(
    tree: hierarchical.ModeTree, weights: hierarchical.Weights, target: torch.Tensor, mask: torch.Tensor, position: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Velocities of the norms at a node, their balanced law, and their exact law, each (R,)."""
    leaves = tuple(w.clone().requires_grad_() for w in weights)
    whole = hierarchical.end_tensor(tree, leaves)
    gradients = torch.autograd.grad((mask * (whole - target)).square().sum() / mask.sum(), leaves, retain_graph=True)
    end_gradient = 2 * mask * (whole.detach() - target) / mask.sum()
    vectors = tensor_measure.vector_norms(hierarchical.local_vectors(tree, leaves, position))[0]
    norms, velocities, pulls = vectors.prod(0), [], []
    for r, norm in enumerate(norms):
        own = torch.autograd.grad(norm, leaves, retain_graph=True, allow_unused=True)
        velocities.append(-sum(float((a * g).sum()) for a, g in zip(own, gradients) if a is not None))
        only = list(weights)
        only[position] = torch.zeros_like(weights[position])
        only[position][:, r] = weights[position][:, r]
        pulls.append(-float((end_gradient * hierarchical.end_tensor(tree, tuple(only))).sum() / norm.detach()))
    sizes, gamma = norms.detach().cpu().numpy(), np.array(pulls)
    balanced = theory.growth_rate(sizes, gamma, depth=len(vectors))
    exact = theory.unbalanced_growth(sizes, gamma, vectors.detach().cpu().numpy().T)
    return np.array(velocities), balanced, exact


@dataclass(frozen=True)
class TreeGrowth:
    """Plain gradient descent along which the law is read off at every node.

    Attributes:
        task: what is completed.
        std: of every entry before balancing.
        balance: whether the vectors of every local component start with equal norms.
        step_share: step over `theory.stable_step` for as many factors as the tree has nodes.
        steps: iterations.
        record_every: iterations between records.
    """

    task: TreeCompletion = field(default_factory=TreeCompletion)
    std: float = 0.8
    balance: bool = True
    step_share: float = 0.5
    steps: int = 4000
    record_every: int = 20


GROWTH = (
    TreeGrowth(),
    TreeGrowth(
        TreeCompletion(hierarchical.THREE_CHILDREN, length=6, rank=3, observed=648, norm=36.0),
        steps=3000,
        step_share=0.2,
    ),
)
"""The binary tree, all of whose nodes have K = 3, and the tree with a node of three children, K = 4."""


def measure_growth(config: TreeGrowth, rt: Runtime, seed: int) -> dict[int, Rates]:
    """Rates of the local components by the number of axes K of their nodes."""
    task, tree, one = config.task, config.task.tree, range(1)
    stream = f"growth {task.nested}"
    loss = tensor.completion_loss(task.target(rt, seed, stream, one), task.mask(rt, seed, stream, one))
    start = task.start(rt, seed, stream, one, std=config.std)
    if config.balance:
        start = hierarchical.balanced_weights(tree, start)
    by_axes: dict[int, tuple[int, ...]] = {}
    for i in tree.inner:
        by_axes[tree.nodes[i].local_axes] = (*by_axes.get(tree.nodes[i].local_axes, ()), i)
    stable = theory.stable_step(task.norm, observed=task.observed, depth=len(tree.nodes))
    return read_rates(
        lambda: hierarchical.HierarchicalObjective(tree, loss),
        {axes: local_growth(tree, positions) for axes, positions in by_axes.items()},
        start,
        Window(),
        step=config.step_share * stable,
        steps=config.steps,
        record_every=config.record_every,
    )
