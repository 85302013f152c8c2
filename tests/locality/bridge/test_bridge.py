"""What a tree learns and misses: the tensors, their ranks by count, both trees, and settings that cannot work."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from offconvex import rng, runtime, stored
from offconvex.descent import descend
from offconvex.factorizations import measure
from offconvex.factorizations.hierarchical import measure as hierarchical_measure
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.tensor import model as tensor
from offconvex.locality.bridge import choice, neighbors
from offconvex.locality.bridge.neighbors import COMPONENTS, FAR, NEAR, OTHER_TREE, TREE

SMALL = neighbors.Neighbors(length=4, rank=2, norm=16.0, width=8, steps=1500, finish_steps=200)


def ranks(tensors, axes):
    return measure.counted(hierarchical_measure.split_values(tensors, axes).numpy(), share=1e-10).tolist()


def test_the_far_tensor_is_the_near_one_with_its_axes_exchanged(rt):
    config, some = neighbors.Neighbors(), range(2)
    (near, _), (far, _) = (neighbors.draw(config, rt, 3, data, 0.5, some) for data in (NEAR, FAR))
    assert torch.equal(far, near.permute(0, 1, 3, 2, 4)) and torch.equal(neighbors.middle_exchanged(far), near)
    assert ranks(near, (0, 1)) == [1, 1] and ranks(near, (0, 2)) == [16, 16]
    assert ranks(far, (0, 1)) == [16, 16] and ranks(far, (0, 2)) == [1, 1]
    torch.testing.assert_close(near.flatten(1).norm(dim=1), rt.tensor([64.0, 64.0]))
    # A matrix of the product has the singular values that it was given, up to scale.
    values = torch.linalg.svdvals(near[0, :, :, 0, 0])[:4]
    torch.testing.assert_close(values / values[0], torch.linspace(1.25, 0.75, 4, dtype=rt.dtype) / 1.25)


def test_a_larger_share_contains_a_smaller_one_and_kinds_have_masks_of_their_own(rt):
    def mask(data, fraction):
        return neighbors.draw(SMALL, rt, 3, data, fraction, range(2))[1]

    assert mask(NEAR, 0.25).flatten(1).sum(1).tolist() == [64, 64]
    assert bool((mask(NEAR, 0.25) <= mask(NEAR, 0.5)).all())
    assert not torch.equal(mask(NEAR, 0.5), mask(FAR, 0.5))


def test_tails_and_errors_are_their_definitions(rt):
    targets, masks = neighbors.draw(SMALL, rt, 5, NEAR, 0.5, range(2))
    other = neighbors.middle_exchanged(targets)
    assert neighbors.tail(targets, (0, 1)).max() < 1e-12
    # Four singular values a b of the two matrices with values a and b each, 1.25 and 0.75 up to scale.
    values = np.outer([1.25, 0.75], [1.25, 0.75]).ravel()
    np.testing.assert_allclose(neighbors.tail(other, (0, 1)), np.sqrt(1 - values.max() ** 2 / (values**2).sum()))
    halved = neighbors.measured(torch.where(masks > 0, targets, targets / 2), targets, masks)
    np.testing.assert_allclose(halved.unseen, 0.5)
    assert halved.observed.max() == 0
    everything = neighbors.measured(targets / 2, targets, torch.ones_like(masks))
    np.testing.assert_allclose(everything.unseen, 0.5)


def test_the_tree_learns_neighbors_and_another_tree_the_others(rt):
    arms = [(NEAR, TREE), (FAR, TREE), (NEAR, OTHER_TREE), (FAR, OTHER_TREE)]
    near, far, turned, named = neighbors.learn(SMALL, rt, 2, arms, 0.6, range(3))
    assert max(np.median(near.unseen), np.median(named.unseen)) < 0.03
    assert min(np.median(far.unseen), np.median(turned.unseen)) > 0.2
    assert np.median(near.tail) < 0.02 < 0.3 < np.median(near.other_tail)
    assert np.median(named.other_tail) < 0.02 < 0.3 < np.median(named.tail)


def test_a_sum_has_as_many_parameters_as_the_tree_and_alone_it_learns_the_same(rt):
    assert neighbors.Neighbors().components == (4 * 8 * 32 + 2 * 32**2 + 32) // 32
    short = replace(SMALL, steps=100)
    runs = [neighbors.learn(short, rt, 2, arms, 0.6, range(2)) for arms in ([(NEAR, COMPONENTS)], [(NEAR, TREE)])]
    together = neighbors.learn(short, rt, 2, [(NEAR, COMPONENTS), (NEAR, TREE)], 0.6, range(2))
    for (alone,), beside in zip(runs, together):
        np.testing.assert_array_equal(alone.unseen, beside.unseen)


def test_a_sum_knows_no_neighbors(rt):
    target, mask = neighbors.draw(SMALL, rt, 2, NEAR, 0.6, range(1))
    start = tensor.gaussian_factors(rt, [rng.generator(2, "test")], shape=SMALL.shape, components=5, std=0.3)
    exchanged = (start[0], start[2], start[1], start[3])
    ends = []
    for data, seen, factors in (
        (target, mask, start),
        (neighbors.middle_exchanged(target), neighbors.middle_exchanged(mask), exchanged),
    ):
        objective = tensor.TensorObjective(tensor.completion_loss(data, seen))
        ends.append(tensor.end_tensor(descend(objective, factors, steps=50, step_size=0.02).parameters))
    torch.testing.assert_close(ends[1], neighbors.middle_exchanged(ends[0]), rtol=1e-9, atol=1e-9)
    assert not torch.allclose(ends[1], ends[0])


def test_replicas_have_streams_of_their_own_and_starts_their_size(rt):
    both = neighbors.gaussian_start(SMALL, rt, 1, ("test",), range(2), std=0.2)
    second = neighbors.gaussian_start(SMALL, rt, 1, ("test",), range(1, 2), std=0.1)
    assert all(torch.allclose(w[1:], 2 * v) for w, v in zip(both, second))
    first, other = (neighbors.product_of_pairs(SMALL, rt, 1, r) for r in range(2))
    assert not torch.allclose(first, other)


def test_a_run_that_has_settled_ends(rt):
    targets, masks = neighbors.draw(SMALL, rt, 2, NEAR, 0.6, range(1))
    start = neighbors.gaussian_start(SMALL, rt, 2, ("test",), range(1), std=0.1)
    quick = replace(SMALL, settled=1e9, record_every=1, finish_steps=0)
    after_two = replace(SMALL, steps=2, finish_steps=0)
    ends = [neighbors.complete(config, targets, masks, start) for config in (quick, after_two)]
    torch.testing.assert_close(*ends, rtol=0, atol=0)


def test_another_tensor_fits_the_same_entries_and_the_tree_expresses_it(rt):
    targets, masks = neighbors.draw(SMALL, rt, 4, NEAR, 0.4, range(1))
    extra = 3
    other = choice.other_fit(targets, masks, extra, rng.generator(4, "test"))
    assert float((masks * (other - targets)).abs().max()) == 0
    assert ranks(other, (0, 1)) == [1 + extra]
    # By hand: four components for the product's matrices and one for each entry that is added, at every node.
    tree, width = hierarchical.mode_tree(hierarchical.BINARY_4), SMALL.length + extra
    added = (other - targets)[0].nonzero().tolist()
    matrix = targets[0].reshape(16, 16)
    left, value, right = (part.squeeze() for part in torch.linalg.svd(matrix))
    pair = [left[:, 0].reshape(4, 4) * value[0], right[0].reshape(4, 4)]
    weights = [rt.zeros(1, rows, columns) for rows, columns in hierarchical.weight_shapes(tree, SMALL.shape, width)]
    for axis in range(4):
        leaf = weights[tree.position(axis)][0]
        leaf[:, :4] = rt.eye(4) if axis % 2 == 0 else pair[axis // 2].mT
        for number, place in enumerate(added):
            leaf[place[axis], 4 + number] = 1
    for axes in ((0, 1), (2, 3)):
        inner = weights[tree.position(*axes)][0]
        inner[:4, 0] = 1
        for number in range(extra):
            inner[4 + number, 1 + number] = 1
    weights[-1][0, 0] = 1
    for number, place in enumerate(added):
        weights[-1][0, 1 + number] = (other - targets)[0][tuple(place)]
    torch.testing.assert_close(hierarchical.end_tensor(tree, tuple(weights)), other)


def test_a_small_start_ends_at_low_rank_and_a_large_one_does_not(rt):
    config = choice.Choice(SMALL, fraction=0.3, large=0.6, extra=3)
    chosen = choice.choose(config, rt, 1, range(4))
    assert max(np.median(chosen.small.observed), np.median(chosen.large.observed)) < 0.1
    assert np.median(chosen.small.tail) < 0.02 < np.median(chosen.large.tail)
    assert chosen.other_rank.tolist() == [4] * 4 and chosen.other_error.max() == 0
    assert chosen.small_values.shape == chosen.large_values.shape == (4, 16)


def test_stored_parts_are_what_one_run_is():
    config = neighbors.NeighborsMap(replace(SMALL, steps=30), fractions=(0.4, 1.0), replicas=2, precision="float64")
    results = {which: neighbors.run_part(config, *which) for which in neighbors.parts(config).values()}
    arrays = neighbors.NEIGHBORS.assemble(config, results)
    assert arrays["unseen"].shape == (2, 2, 2) and arrays["components tail"].shape == (2, 2)
    (again,) = neighbors.learn(config.base, runtime.resolve("cpu"), config.seed, [(FAR, TREE)], 1.0, range(2))
    np.testing.assert_array_equal(arrays["unseen"][1, 1], again.unseen)
    assert "locality-neighbors" in stored.experiments()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda rt: replace(SMALL, rank=3), "rank\\^2 <= width"),
        (lambda rt: replace(SMALL, smallest=2.0), "ordered"),
        (lambda rt: neighbors.draw(SMALL, rt, 0, "middle", 0.5, range(1)), "'near' or 'far'"),
        (lambda rt: neighbors.draw(SMALL, rt, 0, NEAR, 1.5, range(1)), "fraction"),
        (lambda rt: neighbors.NeighborsMap(precision="half"), "`precision`"),
        (lambda rt: neighbors.NeighborsMap(fractions=(0.1,)), "controls need"),
        (lambda rt: choice.Choice(fraction=0.0), "`fraction`"),
        (
            lambda rt: choice.other_fit(rt.zeros(1, 2, 2, 2, 2), rt.zeros(1, 2, 2, 2, 2) + 1, 1, rng.generator(0, "x")),
            "Only 0 unobserved",
        ),
    ],
)
def test_bad_input_is_one_clear_sentence(rt, make, message):
    with pytest.raises(ValueError, match=message):
        make(rt)
