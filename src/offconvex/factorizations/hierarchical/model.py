"""Hierarchical tensor factorization on any mode tree: weights, end-to-end tensor, and the engine's objective.

Every node of the tree has one matrix. A leaf's matrix is (B, d_n, R) and one of an inner node (B, R, R'), with R the
number of local components at the node itself and R' that at its parent; the root's has a single column. B is the number
of independent replicas. Matrices are listed as the tree lists its nodes: children before parents, the root last.
"""

import math
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.descent import Gradients, LowRank
from offconvex.factorizations.matrix.model import EndLoss
from offconvex.factorizations.tensor.model import KhatriRaoProduct, khatri_rao, split_order
from offconvex.runtime import Runtime

Weights = tuple[torch.Tensor, ...]
Nested = int | tuple["Nested", ...]
"""A mode tree as nested tuples of axes, e.g. ((0, 1), (2, 3)), the perfect binary tree over four axes."""

BINARY_4 = ((0, 1), (2, 3))
BINARY_8 = (((0, 1), (2, 3)), ((4, 5), (6, 7)))
THREE_CHILDREN = ((0, 1, 2), 3)


@dataclass(frozen=True)
class Node:
    """One node of a mode tree.

    Attributes:
        axes: the axes below it, consecutive.
        children: positions of its children in `ModeTree.nodes`; none for a leaf.
    """

    axes: tuple[int, ...]
    children: tuple[int, ...] = ()

    @property
    def local_axes(self) -> int:
        """K, the number of axes of its local tensor factorization: its children and itself."""
        return len(self.children) + 1


@dataclass(frozen=True)
class ModeTree:
    """Mode tree over the axes of a tensor (razin2022implicit, Definition 1), built by `mode_tree`.

    Attributes:
        nodes: children before parents, the root last.
    """

    nodes: tuple[Node, ...]

    @property
    def order(self) -> int:
        """Number of axes N of the tensor."""
        return len(self.nodes[-1].axes)

    @property
    def inner(self) -> tuple[int, ...]:
        """Positions of the nodes that have children and with them local components; the root is the last."""
        return tuple(i for i, node in enumerate(self.nodes) if node.children)

    def position(self, *axes: int) -> int:
        """Position of the node over these axes.

        Raises:
            ValueError: if the tree has no such node.
        """
        for i, node in enumerate(self.nodes):
            if node.axes == axes:
                return i
        raise ValueError(f"This tree has no node over the axes {axes}; it has {[node.axes for node in self.nodes]}.")

    def parent(self, position: int) -> int | None:
        """Position of a node's parent; None for the root."""
        return next((i for i, node in enumerate(self.nodes) if position in node.children), None)


def mode_tree(nested: Nested) -> ModeTree:
    """Mode tree of nested tuples of axes.

    Raises:
        ValueError: unless every inner node has at least two children and the leaves, from left to right, are 0, 1, ....
            The order of the leaves is that of the tensor's axes, so that no node's product has to be transposed.
    """
    nodes: list[Node] = []

    def add(part: Nested) -> int:
        if isinstance(part, int | np.integer):
            nodes.append(Node((int(part),)))
        else:
            if len(part) < 2:
                raise ValueError(f"Every inner node of a mode tree needs at least two children; got {part!r}.")
            children = tuple(add(child) for child in part)
            nodes.append(Node(sum((nodes[c].axes for c in children), ()), children))
        return len(nodes) - 1

    add(nested)
    axes = nodes[-1].axes
    if isinstance(nested, int | np.integer) or axes != tuple(range(len(axes))):
        raise ValueError(f"The leaves must be the axes 0, 1, ... from left to right, two at least; got {nested!r}.")
    return ModeTree(tuple(nodes))


def weight_shapes(tree: ModeTree, shape: tuple[int, ...], width: int) -> list[tuple[int, int]]:
    """Rows and columns of every node's matrix, for a tensor of this shape and `width` local components at every node.

    Raises:
        ValueError: if the shape has another order than the tree, or a size is below 1.
    """
    if len(shape) != tree.order or min(*shape, width) < 1:
        raise ValueError(
            f"A tree over {tree.order} axes needs as many positive lengths and width >= 1; got {shape} and {width}."
        )
    rows = [width if node.children else shape[node.axes[0]] for node in tree.nodes]
    return [(r, width) for r in rows[:-1]] + [(rows[-1], 1)]


def gaussian_weights(
    rt: Runtime,
    generators: list[torch.Generator],
    *,
    tree: ModeTree,
    shape: tuple[int, ...],
    width: int,
    std: float,
) -> tuple[Float[Tensor, "R _ _"], ...]:
    """Matrices with independent N(0, std^2) entries, one generator per replica.

    Raises:
        ValueError: for impossible sizes, or a std that is not positive.
    """
    if not std > 0:
        raise ValueError(f"`std` must be positive, since from zero weights nothing moves; got {std}.")
    shapes = weight_shapes(tree, shape, width)
    return tuple(
        torch.stack(draws)
        for draws in zip(*([std * rt.normal(generator, *s) for s in shapes] for generator in generators))
    )


def balanced_weights(tree: ModeTree, weights: tuple[Float[Tensor, "R _ _"], ...]) -> tuple[Float[Tensor, "R _ _"], ...]:
    """The same columns rescaled so that at every node the K vectors of each local component have equal norms.

    This is the hypothesis of the growth law (razin2022implicit, Theorem 1). From the root down, the columns of every
    child's matrix get the norms of the rows of its parent's.
    """
    balanced = list(weights)
    for i in reversed(tree.inner):
        norms = balanced[i].norm(dim=2)
        for c in tree.nodes[i].children:
            balanced[c] = balanced[c] * (norms / balanced[c].norm(dim=1)).unsqueeze(1)
    return tuple(balanced)


def end_tensor(tree: ModeTree, weights: tuple[Float[Tensor, "R _ _"], ...]) -> Float[Tensor, "R ..."]:
    """The tensor that the weights stand for, (B, d_1, ..., d_N).

    A node turns its children's tensors T_c, laid out as (B, entries, components), into (T_c1 o ... o T_cm) W with o the
    Khatri-Rao product, from the leaves, where T is the matrix itself, up to the root (razin2022implicit, eq. 3).

    Raises:
        ValueError: if the number of matrices is not that of the tree's nodes.
    """
    _check_count(tree, weights)
    tensors: list[torch.Tensor] = []
    for node, weight in zip(tree.nodes, weights):
        below = [tensors[c] for c in node.children]
        tensors.append(reduce(khatri_rao, below) @ weight if below else weight)
    return tensors[-1].view(-1, *(weights[tree.position(axis)].shape[1] for axis in range(tree.order)))


def local_vectors(
    tree: ModeTree, matrices: tuple[Float[Tensor, "R _ _"], ...], position: int
) -> tuple[Float[Tensor, "R _ components"], ...]:
    """The K vectors of each local component at a node, as matrices whose columns r belong to component r.

    These are the columns of the children's matrices and the rows of the node's own (razin2022implicit, Definition 2).
    Given gradients instead of weights, it returns the gradients of the same vectors.

    Raises:
        ValueError: at a leaf, which has no local components.
    """
    node = tree.nodes[position]
    if not node.children:
        raise ValueError(f"The node over the axes {node.axes} is a leaf and has no local components.")
    return (*(matrices[c] for c in node.children), matrices[position].mT)


class HierarchicalObjective:
    """Loss of the end-to-end tensor as a function of the matrices, with hand-derived gradients.

    An inner node with the product P of its children's tensors has T = P W, hence dloss/dW = P^T dT and
    dloss/dP = dT W^T. The root's children are split in two groups with products A and B, and the tensor is
    A diag(w) B^T: with G the gradient of the loss, laid out alike, dA = G B diag(w), dB = G^T A diag(w) and
    dw = sum A * (G B), so that no array of R times d^N entries is made. Buffers are allocated once and overwritten by
    the next call.

    Args:
        tree: mode tree of the weights.
        end_loss: loss of the tensor as a matrix, first half of the axes by second.
        low_rank: leave dloss/dW = P^T dT unmade at nodes where P has at most half as many rows as W.
    """

    def __init__(self, tree: ModeTree, end_loss: EndLoss, *, low_rank: bool = False):
        self._tree = tree
        self._end_loss = end_loss
        self._low_rank = low_rank
        self._tape: _Tape | None = None

    def __call__(self, weights: tuple[Float[Tensor, "R _ _"], ...]) -> tuple[Float[Tensor, " R"], Gradients]:
        """Loss and gradients."""
        # `descend` passes the same tensors at every step, so views and buffers are looked up once, not at every step.
        if self._tape is None or self._tape.weights is not weights:
            self._tape = _make_tape(self._tree, weights, self._low_rank)
        tape = self._tape
        for step in tape.inner:
            step.product.multiply()
            torch.bmm(step.entries, step.weight, out=step.tensor)
        value = tape.root.evaluate(self._end_loss)
        for step in reversed(tape.inner):
            if not isinstance(step.gradient, LowRank):
                torch.bmm(step.transposed_entries, step.pulled, out=step.gradient)
            torch.bmm(step.pulled, step.transposed_weight, out=step.product.pulled[-1])
            step.product.pull_back()
        return value, tape.gradients


@dataclass(frozen=True)
class _Inner:
    """An inner node below the root: its children's product, its matrix, its tensor, and their gradients."""

    product: KhatriRaoProduct
    entries: torch.Tensor
    transposed_entries: torch.Tensor
    weight: torch.Tensor
    transposed_weight: torch.Tensor
    tensor: torch.Tensor
    pulled: torch.Tensor
    gradient: torch.Tensor | LowRank


def _make_inner(
    product: KhatriRaoProduct, weight: torch.Tensor, tensor: torch.Tensor, pulled: torch.Tensor, low_rank: bool
) -> _Inner:
    entries = product.products[-1]
    few = low_rank and 2 * entries.shape[1] <= min(weight.shape[1:])
    gradient = LowRank(entries, pulled) if few else torch.empty_like(weight)
    return _Inner(product, entries, entries.mT, weight, weight.mT, tensor, pulled, gradient)


@dataclass(frozen=True)
class _Root:
    """The root: the products of its two groups of children and its column w, with buffers for both directions."""

    left: KhatriRaoProduct
    right: KhatriRaoProduct
    right_columns: torch.Tensor
    row: torch.Tensor
    weighted: torch.Tensor
    scratch: torch.Tensor
    tensor: torch.Tensor
    end_gradient: torch.Tensor
    end_columns: torch.Tensor
    row_gradient: torch.Tensor
    views: tuple[torch.Tensor, torch.Tensor]

    def evaluate(self, end_loss: EndLoss) -> torch.Tensor:
        self.left.multiply()
        self.right.multiply()
        left, right = self.left.products[-1], self.right.products[-1]
        torch.mul(left, self.row, out=self.weighted)
        torch.bmm(self.weighted, self.right_columns, out=self.tensor)
        value = end_loss(*self.views)
        pulled = self.left.pulled[-1]
        torch.bmm(self.end_gradient, right, out=pulled)
        torch.bmm(self.end_columns, self.weighted, out=self.right.pulled[-1])
        torch.mul(left, pulled, out=self.scratch)
        torch.sum(self.scratch, 1, keepdim=True, out=self.row_gradient)
        pulled.mul_(self.row)
        self.left.pull_back()
        self.right.pull_back()
        return value


@dataclass(frozen=True)
class _Tape:
    """Buffers of one evaluation, bound to the weights they belong to; `inner` has children before parents."""

    weights: Weights
    inner: tuple[_Inner, ...]
    root: _Root
    gradients: Gradients


def _make_tape(tree: ModeTree, weights: Weights, low_rank: bool) -> _Tape:
    _check_count(tree, weights)
    tensors, products = list(weights), {}
    pulled: dict[int, torch.Tensor] = {}
    for i in tree.inner[:-1]:
        children = tree.nodes[i].children
        products[i] = KhatriRaoProduct.of(tuple(tensors[c] for c in children))
        rows = products[i].products[-1].shape[1]
        tensors[i] = weights[i].new_empty(weights[i].shape[0], rows, weights[i].shape[2])
        for c, gradient in zip(children, products[i].gradients):
            pulled[c] = gradient
    root = tree.nodes[-1]
    cut = split_order(len(root.children))
    left, right = (
        KhatriRaoProduct.of(tuple(tensors[c] for c in group)) for group in (root.children[:cut], root.children[cut:])
    )
    for c, gradient in zip(root.children, left.gradients + right.gradients):
        pulled[c] = gradient
    # At a leaf the tensor is the matrix itself, and so is the gradient.
    own = torch.empty_like(weights[-1])
    gradients: list[torch.Tensor | LowRank] = [*(pulled[i] for i in range(len(weights) - 1)), own]
    inner = [_make_inner(products[i], weights[i], tensors[i], pulled[i], low_rank) for i in tree.inner[:-1]]
    for i, step in zip(tree.inner, inner):
        gradients[i] = step.gradient
    return _Tape(weights, tuple(inner), _make_root(tree, weights, left, right, own), tuple(gradients))


def _make_root(
    tree: ModeTree, weights: Weights, left: KhatriRaoProduct, right: KhatriRaoProduct, gradient: torch.Tensor
) -> _Root:
    rows, columns = left.products[-1], right.products[-1]
    tensor = rows.new_empty(rows.shape[0], rows.shape[1], columns.shape[1])
    end_gradient = torch.empty_like(tensor)
    half = range(split_order(tree.order))
    # Losses want the first half of the axes as rows, which is not everywhere how the root splits them.
    row_count = math.prod(weights[tree.position(axis)].shape[1] for axis in half)
    shape = (rows.shape[0], row_count, -1)
    return _Root(
        left,
        right,
        columns.mT,
        weights[-1].mT,
        torch.empty_like(rows),
        torch.empty_like(rows),
        tensor,
        end_gradient,
        end_gradient.mT,
        gradient.mT,
        (tensor.view(shape), end_gradient.view(shape)),
    )


def _check_count(tree: ModeTree, weights: Weights) -> None:
    if len(weights) != len(tree.nodes):
        raise ValueError(f"This tree has {len(tree.nodes)} nodes, one matrix each; got {len(weights)} matrices.")
