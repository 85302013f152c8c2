"""One law for three factorizations: rates of singular values, components and local components, side by side."""

from collections.abc import Callable
from dataclasses import dataclass

from offconvex import rng
from offconvex.descent import Objective, Parameters, Record
from offconvex.factorizations import theory
from offconvex.factorizations.growth import Rates, Window, read_rates
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.hierarchical.measure import local_growth
from offconvex.factorizations.hierarchical.task import TreeCompletion
from offconvex.factorizations.matrix import measure as matrix_measure
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.matrix.task import MatrixCompletion
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor
from offconvex.factorizations.tensor.task import TensorCompletion
from offconvex.runtime import Runtime

KINDS = ("matrix", "tensor", "hierarchical")
"""Products of matrices, sums of outer products, and hierarchical factorizations."""


@dataclass(frozen=True)
class OneLaw:
    """Small completion tasks, all learned by plain gradient descent from balanced starts.

    Attributes:
        matrices: (K, task, size of the start, steps) of products of K matrices.
        tensors: (K, task, standard deviation of the start, steps) of sums of outer products of K vectors.
        trees: (K, task, standard deviation of the start, steps) of hierarchical factorizations; their nodes with K axes
            are looked at.
        step_share: step over the largest one that is stable for a target of the task's norm s. A step moves a vector by
            a share x of its norm and the rate, taken in the middle of the step, by (K - 1) x / 2. With the pull at most
            2 s / m this is at most share (K - 1) / K (sigma / s)^(1 - 2/K) (1 - sigma / s): 1.6 % at K = 3, less above.
        pair_share: the same for K = 2, where small components take the longest steps, 1 %.
        record_every: iterations between records.
        duration: factor on all numbers of steps.
    """

    matrices: tuple[tuple[int, MatrixCompletion, float, int], ...]
    tensors: tuple[tuple[int, TensorCompletion, float, int], ...]
    trees: tuple[tuple[int, TreeCompletion, float, int], ...]
    step_share: float = 0.05
    pair_share: float = 0.02
    record_every: int = 10
    duration: float = 1.0

    def __post_init__(self):
        wrong = [k for k, task, _, _ in self.tensors if task.order != k]
        wrong += [k for k, task, _, _ in self.trees if k not in {node.local_axes for node in task.tree.nodes}]
        if wrong:
            raise ValueError(f"A task must have components with the stated number of axes; it has not for K = {wrong}.")


_SQUARE = MatrixCompletion(size=16, rank=2, observed=192)


def _tree(nested: hierarchical.Nested, length: int, observed: int) -> TreeCompletion:
    return TreeCompletion(nested, length, rank=2, observed=observed, norm=16.0, width=16)


def _tensor(order: int, length: int, observed: int) -> TensorCompletion:
    return TensorCompletion((length,) * order, rank=2, observed=observed, norm=16.0, components=24)


STARTS = OneLaw(
    matrices=((2, _SQUARE, 0.01, 3750), (3, _SQUARE, 0.02, 3000), (4, _SQUARE, 0.02, 4000), (5, _SQUARE, 0.02, 7000)),
    tensors=(
        (2, _tensor(2, 16, 192), 0.03, 6250),
        (3, _tensor(3, 7, 256), 0.25, 2500),
        (4, _tensor(4, 4, 192), 0.4, 3000),
        (5, _tensor(5, 3, 192), 0.5, 4000),
    ),
    trees=(
        (3, _tree(hierarchical.BINARY_4, 4, 192), 0.6, 5000),
        (4, _tree(hierarchical.THREE_CHILDREN, 4, 192), 0.6, 5000),
        (5, _tree(((0, 1, 2, 3), 4), 3, 192), 0.6, 5000),
    ),
)
"""The eleven runs of the chapter: K = 2 to 5, except that no node of a tree has fewer than three axes."""


def read_all(config: OneLaw, rt: Runtime, seed: int) -> dict[tuple[str, int], Rates]:
    """Rates of every run, by kind and number of axes."""
    runs = [("matrix", _matrix_run, entry) for entry in config.matrices]
    runs += [("tensor", _tensor_run, entry) for entry in config.tensors]
    runs += [("hierarchical", _tree_run, entry) for entry in config.trees]
    return {(kind, entry[0]): run(config, rt, seed, *entry) for kind, run, entry in runs}


def _matrix_run(
    config: OneLaw, rt: Runtime, seed: int, axes: int, task: MatrixCompletion, size: float, steps: int
) -> Rates:
    stream, one = f"one law matrix {axes}", range(1)
    target, mask = task.draw(rt, seed, stream, one)
    loss = matrix.completion_loss(target, mask)
    draw = rt.normal(rng.generator(seed, stream, "start"), 1, task.size, task.size)
    growth = matrix_measure.singular_growth(loss, task.rank)
    step = theory.stable_step(task.size, observed=task.observed, depth=axes)
    start = matrix.balanced_layers(size * draw, depth=axes)
    return _read(config, axes, lambda: matrix.matrix_objective(loss), growth, start, step, steps)


def _tensor_run(
    config: OneLaw, rt: Runtime, seed: int, axes: int, task: TensorCompletion, std: float, steps: int
) -> Rates:
    stream, one = f"one law tensor {axes}", range(1)
    target = task.target(rt, seed, stream, one)
    loss = tensor.completion_loss(target, task.mask(rt, seed, stream, one))
    factors = task.start(rt, seed, stream, one, std=std)
    norms = tensor_measure.vector_norms(factors)[:, 0]
    balanced = tuple(f * (norms / f.norm(dim=1)).unsqueeze(1) for f in factors)
    step = theory.stable_step(task.norm, observed=task.observed, depth=axes)
    growth = tensor_measure.growth_projections
    return _read(config, axes, lambda: tensor.TensorObjective(loss), growth, balanced, step, steps)


def _tree_run(config: OneLaw, rt: Runtime, seed: int, axes: int, task: TreeCompletion, std: float, steps: int) -> Rates:
    stream, one, tree = f"one law tree {axes}", range(1), task.tree
    loss = tensor.completion_loss(task.target(rt, seed, stream, one), task.mask(rt, seed, stream, one))
    start = hierarchical.balanced_weights(tree, task.start(rt, seed, stream, one, std=std))
    growth = local_growth(tree, tuple(i for i in tree.inner if tree.nodes[i].local_axes == axes))
    step = theory.stable_step(task.norm, observed=task.observed, depth=len(tree.nodes))
    return _read(config, axes, lambda: hierarchical.HierarchicalObjective(tree, loss), growth, start, step, steps)


def _read(
    config: OneLaw,
    axes: int,
    make_objective: Callable[[], Objective],
    growth: Record,
    start: Parameters,
    stable_step: float,
    steps: int,
) -> Rates:
    share = config.pair_share if axes == 2 else config.step_share
    run = {"step": share * stable_step, "steps": round(config.duration * steps), "record_every": config.record_every}
    return read_rates(make_objective, {axes: growth}, start, Window(), **run)[axes]
