"""Hierarchical tensor factorization against sums written out, automatic differentiation, and single runs."""

import itertools

import numpy as np
import pytest
import torch

from offconvex import rng, runtime
from offconvex.descent import LowRank, autograd_objective, descend
from offconvex.factorizations import measure
from offconvex.factorizations.hierarchical import measure as hierarchical_measure
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.hierarchical.task import TreeCompletion
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor

CPU = runtime.resolve("cpu")
TREES = {
    "binary of order 4": (hierarchical.BINARY_4, (3, 2, 4, 3)),
    "binary of order 8": (hierarchical.BINARY_8, (2,) * 8),
    "three children": (hierarchical.THREE_CHILDREN, (2, 3, 2, 4)),
    "three at the root": (((0, 1), (2, 3), (4, 5)), (2, 3, 2, 2, 3, 2)),
    "leaf at the root": ((0, (1, 2)), (4, 2, 3)),
    "only a root": ((0, 1, 2), (3, 4, 2)),
}


def weights_of(nested, shape, replicas=2, width=4, std=0.7):
    tree = hierarchical.mode_tree(nested)
    generators = [rng.generator(0, "weights", r) for r in range(replicas)]
    return tree, hierarchical.gaussian_weights(CPU, generators, tree=tree, shape=shape, width=width, std=std)


def task_of(shape, replicas=2):
    generator = rng.generator(0, "task")
    target = CPU.normal(generator, replicas, *shape)
    return target, (CPU.uniform(generator, replicas, *shape) < 0.6).to(target.dtype)


def mean_square(tree, target, mask):
    def loss(weights):
        residual = mask * (hierarchical.end_tensor(tree, weights) - target)
        return residual.flatten(1).square().sum(1) / mask.flatten(1).sum(1)

    return loss


def test_end_tensor_equals_the_sums_written_out():
    tree, weights = weights_of(hierarchical.BINARY_4, (2, 3, 2, 2), replicas=1, width=3)
    w0, w1, w01, w2, w3, w23, root = (w[0] for w in weights)
    whole = hierarchical.end_tensor(tree, weights)[0]
    for a, b, c, d in itertools.product(range(2), range(3), range(2), range(2)):
        entry = 0.0
        for s in range(3):
            left = sum(w0[a, r] * w1[b, r] * w01[r, s] for r in range(3))
            right = sum(w2[c, r] * w3[d, r] * w23[r, s] for r in range(3))
            entry = entry + left * right * root[s, 0]
        assert whole[a, b, c, d] == pytest.approx(float(entry), rel=1e-12)


def test_with_the_root_alone_it_is_a_sum_of_outer_products():
    tree, weights = weights_of((0, 1, 2), (3, 4, 2))
    factors = (weights[0] * weights[-1].mT, *weights[1:-1])
    torch.testing.assert_close(
        hierarchical.end_tensor(tree, weights), tensor.end_tensor(factors), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("name", TREES)
def test_hand_gradient_equals_autograd(name):
    nested, shape = TREES[name]
    tree, weights = weights_of(nested, shape)
    target, mask = task_of(shape)
    objective = hierarchical.HierarchicalObjective(tree, tensor.completion_loss(target, mask))
    loss, gradients = objective(weights)
    oracle_loss, oracle = autograd_objective(mean_square(tree, target, mask))(weights)
    torch.testing.assert_close(loss, oracle_loss, rtol=1e-12, atol=0)
    for mine, theirs in zip(gradients, oracle, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["binary of order 4", "three children"])
def test_replicas_on_the_batch_axis_equal_single_runs(name):
    nested, shape = TREES[name]
    tree, weights = weights_of(nested, shape, replicas=3)
    target, mask = task_of(shape, replicas=3)
    objective = hierarchical.HierarchicalObjective(tree, tensor.completion_loss(target, mask))
    together = descend(objective, weights, steps=30, step_size=0.02, record_every=30)
    for r in range(3):
        one = slice(r, r + 1)
        objective = hierarchical.HierarchicalObjective(tree, tensor.completion_loss(target[one], mask[one]))
        alone = descend(objective, tuple(w[one] for w in weights), steps=30, step_size=0.02, record_every=30)
        for everything, own in zip(together.parameters, alone.parameters, strict=True):
            torch.testing.assert_close(everything[one], own, rtol=1e-11, atol=1e-13)


def test_float32_follows_float64():
    nested, shape = TREES["binary of order 4"]
    tree, weights = weights_of(nested, shape)
    target, mask = task_of(shape)
    _, exact = hierarchical.HierarchicalObjective(tree, tensor.completion_loss(target, mask))(weights)
    loss = tensor.completion_loss(target.float(), mask.float())
    _, rounded = hierarchical.HierarchicalObjective(tree, loss)(tuple(w.float() for w in weights))
    for a, b in zip(exact, rounded, strict=True):
        assert b.dtype == torch.float32
        torch.testing.assert_close(a.float(), b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", TREES)
def test_balanced_weights_have_equal_norms_in_every_local_component(name):
    tree, weights = weights_of(*TREES[name])
    balanced = hierarchical.balanced_weights(tree, weights)
    for i in tree.inner:
        norms = tensor_measure.vector_norms(hierarchical.local_vectors(tree, balanced, i))
        torch.testing.assert_close(norms, norms[:, :1].expand_as(norms), rtol=1e-12, atol=0)
    loose = tensor_measure.vector_norms(hierarchical.local_vectors(tree, weights, tree.inner[-1]))
    assert (loose - loose[:, :1]).abs().max() > 0.1


def test_matricization_lists_its_rows_and_columns():
    whole = torch.arange(24.0).view(1, 2, 3, 4)
    rows = hierarchical_measure.matricization(whole, (0, 2))
    assert rows.shape == (1, 8, 3)
    assert rows[0, 1 * 4 + 2, 1] == whole[0, 1, 1, 2]
    values = torch.tensor([[4.0, 1.0, 0.03], [2.0, 2.0, 2.0]])
    assert measure.counted(values.numpy(), share=0.01).tolist() == [2, 3]


def test_ranks_of_matricizations_in_the_tree_are_bounded_by_the_width():
    tree, weights = weights_of(hierarchical.BINARY_4, (4, 4, 4, 4), replicas=1, width=3)
    whole = hierarchical.end_tensor(tree, weights)
    inside, outside = (hierarchical_measure.split_values(whole, axes) for axes in ((0, 1), (0, 2)))
    assert measure.counted(inside.numpy(), share=1e-10) == 3
    assert measure.counted(outside.numpy(), share=1e-10) > 3


def test_targets_are_as_well_conditioned_as_asked():
    task = TreeCompletion(length=4, rank=3, observed=120, norm=16.0, width=16, spread=8.0)
    for seed in range(5):
        target = task.target(CPU, seed, "test", range(1))
        values = hierarchical_measure.split_values(target, (0, 1))[0]
        assert values[0] <= 8.0 * values[2] and values[3] < 1e-10 * values[0]
        assert target.norm().item() == pytest.approx(16, rel=1e-12)
    mask = task.mask(CPU, 0, "test", range(2))
    assert mask.flatten(1).sum(1).tolist() == [120, 120] and not torch.equal(mask[0], mask[1])


def test_positions_and_parents():
    tree = hierarchical.mode_tree(hierarchical.THREE_CHILDREN)
    assert [node.axes for node in tree.nodes] == [(0,), (1,), (2,), (0, 1, 2), (3,), (0, 1, 2, 3)]
    assert tree.inner == (3, 5) and tree.position(0, 1, 2) == 3
    assert [tree.nodes[i].local_axes for i in tree.inner] == [4, 3]
    assert tree.parent(1) == 3 and tree.parent(5) is None
    axes = np.arange(4)
    assert hierarchical.mode_tree((tuple(axes[:3]), axes[3])) == tree


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: hierarchical.mode_tree(0), "two at least"),
        (lambda: hierarchical.mode_tree(((1, 0), (2, 3))), "from left to right"),
        (lambda: hierarchical.mode_tree(((0,), 1)), "at least two children"),
        (lambda: weights_of(hierarchical.BINARY_4, (2, 2, 2)), "4 axes"),
        (lambda: weights_of(hierarchical.BINARY_4, (2,) * 4, std=0.0), "`std`"),
        (lambda: hierarchical.end_tensor(hierarchical.mode_tree((0, 1)), ()), "3 nodes"),
        (lambda: hierarchical.local_vectors(*weights_of((0, 1), (2, 2)), 0), "is a leaf"),
        (lambda: hierarchical.mode_tree((0, 1)).position(1, 2), "no node over the axes"),
        (lambda: hierarchical_measure.matricization(torch.zeros(1, 2, 2), (0, 1)), "not all"),
        (lambda: TreeCompletion(observed=5000), "`observed`"),
        (lambda: TreeCompletion(spread=2.0), "`spread`"),
        (lambda: TreeCompletion(width=0), "width >= 1"),
    ],
)
def test_bad_input_is_one_clear_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_every_tensor_names_its_device(explicit_devices):
    task = TreeCompletion(length=3, rank=2, observed=70, norm=9.0, width=5)
    loss = tensor.completion_loss(task.target(CPU, 0, "d", range(1)), task.mask(CPU, 0, "d", range(1)))
    objective = hierarchical.HierarchicalObjective(task.tree, loss)
    start = hierarchical.balanced_weights(task.tree, task.start(CPU, 0, "d", range(1), std=0.3))
    descend(objective, start, steps=2, step_size=0.1)


@pytest.mark.parametrize("name", ["binary of order 4", "binary of order 8"])
def test_gradients_left_unmade_are_the_same(name):
    nested, shape = TREES[name]
    tree, weights = weights_of(nested, shape, width=40)
    loss = tensor.completion_loss(*task_of(shape))
    _, made = hierarchical.HierarchicalObjective(tree, loss)(weights)
    _, unmade = hierarchical.HierarchicalObjective(tree, loss, low_rank=True)(weights)
    kinds = [isinstance(gradient, LowRank) for gradient in unmade]
    # Pairs of axes have few entries and a matrix of their own; at order 8 the nodes over four axes have more, 16 of 40.
    assert kinds == [bool(node.children) and i < len(weights) - 1 for i, node in enumerate(tree.nodes)]
    for a, b in zip(made, unmade, strict=True):
        b = b.dense() if isinstance(b, LowRank) else b
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)
