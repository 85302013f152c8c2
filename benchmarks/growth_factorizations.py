"""How an iteration of the three factorization engines grows with size, depth, order, width and replicas.

Gradient descent on the squared error of all entries, in float64, from starts of ordinary size. Operations are the
multiplications of the matrix products; what else an iteration does is linear in the numbers that it touches.

    OMP_NUM_THREADS=1 python benchmarks/growth_factorizations.py
"""

import math
from collections.abc import Callable
from functools import partial

import timing
import torch
from timing import Knob

from offconvex import rng, runtime
from offconvex.book.publication.performance import CostGrowth
from offconvex.descent import descend
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.hierarchical.model import ModeTree, Nested
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.tensor import model as tensor

CPU = runtime.resolve("cpu", threads=1)
STEP, ENTRIES = 1e-4, 4096
TREES: dict[int, Nested] = {
    2: (0, 1),
    3: ((0, 1), 2),
    4: ((0, 1), (2, 3)),
    6: (((0, 1), 2), ((3, 4), 5)),
    12: ((((0, 1), 2), ((3, 4), 5)), (((6, 7), 8), ((9, 10), 11))),
}
"""Mode trees by the number of axes."""


def steps(objective: Callable, start: tuple[torch.Tensor, ...]) -> Callable[[int], object]:
    """A function that makes a number of iterations from the start."""
    return lambda count: descend(objective, start, steps=count, step_size=STEP, record_every=count)


def streams(replicas: int) -> list[torch.Generator]:
    return [rng.generator(0, "growth", replica) for replica in range(replicas)]


def matrix_steps(size: int, depth: int = 3, replicas: int = 1) -> Callable[[int], object]:
    layers = matrix.gaussian_layers(CPU, streams(replicas), depth=depth, size=size, std=size**-0.5)
    target = CPU.zeros(replicas, size, size)
    return steps(matrix.matrix_objective(matrix.completion_loss(target, torch.ones_like(target))), layers)


def tensor_steps(length: int, order: int = 3, components: int = 128, replicas: int = 1) -> Callable[[int], object]:
    std = components ** (-0.5 / order)
    factors = tensor.gaussian_factors(
        CPU, streams(replicas), shape=(length,) * order, components=components, std=std / length**0.5
    )
    target = CPU.zeros(replicas, *(length,) * order)
    return steps(tensor.TensorObjective(tensor.completion_loss(target, torch.ones_like(target))), factors)


def tree_steps(order: int = 4, width: int = 64, replicas: int = 1) -> Callable[[int], object]:
    tree, shape = hierarchical.mode_tree(TREES[order]), (lengths(order),) * order
    weights = hierarchical.gaussian_weights(CPU, streams(replicas), tree=tree, shape=shape, width=width, std=0.1)
    target = CPU.zeros(replicas, *shape)
    loss = tensor.completion_loss(target, torch.ones_like(target))
    return steps(hierarchical.HierarchicalObjective(tree, loss, low_rank=True), weights)


def lengths(order: int) -> int:
    """Length of each axis of a tensor of this order that has all the entries."""
    return round(ENTRIES ** (1 / order))


def tree_operations(order: int, width: int) -> float:
    """Three products at every inner node: with its matrix at those below the root, of its two sides at the root."""
    tree: ModeTree = hierarchical.mode_tree(TREES[order])
    below = sum(lengths(order) ** len(tree.nodes[i].axes) * width**2 for i in tree.inner[:-1])
    return 3 * (below + ENTRIES * width)


MATRIX, TENSOR, TREE = "matrix factorization", "tensor factorization", "hierarchical factorization"
KNOBS = (
    Knob(MATRIX, "size n", "n x n, depth 3", "iteration", (64, 128, 256, 512),
         matrix_steps, lambda n: 6 * n**3, "3 (L − 1) n³"),
    Knob(MATRIX, "depth L", "128 x 128", "iteration", (2, 3, 5, 9),
         partial(matrix_steps, 128), lambda depth: 3 * (depth - 1) * 128**3, "3 (L − 1) n³"),
    Knob(MATRIX, "replicas", "64 x 64, depth 3", "iteration", (2, 4, 8, 16),
         lambda replicas: matrix_steps(64, replicas=replicas), lambda replicas: replicas * 6 * 64**3, "linear"),
    Knob(TENSOR, "size d", "d x d x d, 128 components", "iteration", (12, 16, 24, 32),
         tensor_steps, lambda length: 3 * length**3 * 128, "3 dᴺ R"),
    Knob(TENSOR, "components R", "16 x 16 x 16", "iteration", (64, 128, 256, 512),
         lambda components: tensor_steps(16, components=components), lambda r: 3 * 16**3 * r, "3 dᴺ R"),
    Knob(TENSOR, "order N", "4096 entries, 128 components", "iteration", tuple(TREES),
         lambda order: tensor_steps(lengths(order), order), lambda order: 3 * ENTRIES * 128,
         "3 dᴺ R, the same for all"),
    Knob(TENSOR, "replicas", "16 x 16 x 16, 64 components", "iteration", (2, 4, 8, 16),
         lambda replicas: tensor_steps(16, components=64, replicas=replicas), lambda r: r * 3 * 16**3 * 64, "linear"),
    Knob(TREE, "width R", "8 x 8 x 8 x 8, binary tree", "iteration", (64, 128, 256, 512),
         lambda width: tree_steps(width=width), partial(tree_operations, 4), "6 d² R² + 3 d⁴ R"),
    Knob(TREE, "order N", "4096 entries, width 64", "iteration", tuple(TREES),
         tree_steps, lambda order: tree_operations(order, 64), "3 R² entries of each node"),
    Knob(TREE, "replicas", "8 x 8 x 8 x 8, width 64", "iteration", (2, 4, 8, 16),
         lambda replicas: tree_steps(replicas=replicas), lambda r: r * tree_operations(4, 64), "linear"),
)  # fmt: skip


def rows() -> list[CostGrowth]:
    assert all(lengths(order) ** order == ENTRIES and math.log2(lengths(order)) % 1 == 0 for order in TREES)
    return [timing.grow(knob) for knob in KNOBS]


if __name__ == "__main__":
    timing.show(rows())
