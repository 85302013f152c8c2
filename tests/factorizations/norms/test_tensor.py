"""Completion of a rank-one tensor from more and more entries."""

import numpy as np
import pytest

from offconvex import runtime
from offconvex.factorizations.norms import tensor as norms_tensor


def test_a_small_completion_is_solved_and_the_linear_method_is_arithmetic():
    rt = runtime.resolve("cpu")
    config = norms_tensor.RankOneCompletion(3, 5, observed=(80, 125), stds=(1e-2,), starts=2)
    record = norms_tensor.sweep(config, rt, 0)
    target, order = norms_tensor.draw_target(config, rt, 0)
    assert target.norm().item() == pytest.approx(1)
    assert np.linalg.matrix_rank(target.reshape(5, 25).numpy()) == 1
    unseen = target.flatten()[order[80:]].norm().item()
    assert record["linear error"][0] == pytest.approx(unseen) and record["linear error"][1] == 0
    assert record["rank"][1, 0].max() == 1 and record["error"][1].max() < 0.02
    assert record["rank"].shape == (2, 1, 2) and record["fit"].max() < 1e-6


def test_observations_are_nested():
    rt = runtime.resolve("cpu")
    target, order = norms_tensor.draw_target(norms_tensor.RankOneCompletion(), rt, 0)
    few, many = (norms_tensor.observe(target, order, count)[0] for count in (50, 100))
    assert few.sum() == 50 and many.sum() == 100 and bool((few <= many).all())


def test_an_impossible_completion_is_refused():
    with pytest.raises(ValueError, match="observed entries"):
        norms_tensor.RankOneCompletion(observed=(513,))
