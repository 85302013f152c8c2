"""Tree models: the surrogate beside the rank that can be counted."""

import math

import numpy as np
from scipy import stats

from offconvex import rng
from offconvex.locality import trees


def test_the_surrogate_orders_tree_models_as_their_rank_does(rt):
    record = trees.compare(trees.Trees(draws=8, samples=128), rt, 0)
    assert np.array_equal(record.ranks, record.terms)
    assert stats.spearmanr(record.ranks, -record.similarity).statistic >= 0.9
    assert np.abs(record.similarity[record.terms == 1] - 1).max() <= 1e-9


def test_summands_of_unequal_strength_count_less_than_their_number(rt):
    settings = {"terms": (4,), "draws": 32, "samples": 128}
    equal, unequal = (trees.compare(trees.Trees(equal=e, **settings), rt, 0) for e in (True, False))
    assert np.array_equal(equal.ranks, unequal.ranks)
    difference = unequal.similarity - equal.similarity
    assert difference.mean() > 3 * difference.std() / math.sqrt(32)


def test_a_tree_model_is_its_tensor_entry_by_entry(rt):
    tensor = rt.normal(rng.generator(0, "tensor"), 1, 3, 3, 3, 3)
    index = (2, 0, 1, 1)
    x = rt.zeros(1, 2, 3, 1, 4)
    for pixel, channel in enumerate(index):
        x[:, :, channel, 0, pixel] = 1
    assert trees.contract(tensor, x).tolist() == [[tensor[(0, *index)].item()] * 2]
