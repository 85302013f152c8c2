"""The stored experiments' parts at tiny size, and what is made of them."""

import numpy as np
import pytest

from offconvex import stored
from offconvex.factorizations.norms import stored as norms_stored

TINY = norms_stored.NormsDescent(replicas=2, steps=3000, record_every=100, kept=10)


def test_a_part_of_descent_is_thinned_and_summed_up():
    part = norms_stored.run_descent(TINY, 0)
    assert part["loss"].shape == (31, 4) and part["iterations"][-1] == 3000
    arrays = norms_stored.assemble_descent(TINY, {(0,): part})
    assert arrays["iterations 0"][0] == 0 and len(arrays["iterations 0"]) <= 10
    # Depth 2 gets below the level within these steps from Gaussian layers, not from balanced ones.
    assert arrays["steps"][0, :2].tolist() == [3000, 3000] and arrays["steps"][0, 2:].max() < 3000
    assert np.all(arrays["loss"][0, 2:] <= TINY.level) and arrays["flipped"].shape == (1, 4)


def test_a_flip_counts_only_before_the_level():
    loss = np.array([[1.0, 1.0], [1e-2, 1e-2], [1e-5, 1e-5], [1e-6, 1e-6]])
    determinant = np.array([[1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0]])
    part = {"iterations": np.arange(4), "loss": loss, "entry": loss, "determinant": determinant}
    arrays = norms_stored.assemble_descent(TINY, {(0,): part})
    assert arrays["flipped"].tolist() == [[True, False]] and arrays["steps"].tolist() == [[2, 2]]


def test_a_slice_that_was_changed_is_seen():
    part = norms_stored.run_descent(TINY, 0)
    arrays = norms_stored.assemble_descent(TINY, {(0,): part})
    record = stored.Stored(arrays, TINY, {})
    assert norms_stored.slice_gap(0, record, 1000) == 0
    arrays["entry 0"] = arrays["entry 0"] * (1 + 1e-3)
    assert norms_stored.slice_gap(0, record, 1000) == pytest.approx(1e-3, rel=0.01)
    with pytest.raises(ValueError, match="No stored record"):
        norms_stored.slice_gap(0, record, 50)


def test_the_order_four_parts_name_their_sizes():
    config = norms_stored.NormsOrderFour(observed=(100, 4095))
    assert list(norms_stored.order_four_parts(config)) == ["source-floor", "observed-100", "observed-4095"]
    assert config.completion.components == 512
