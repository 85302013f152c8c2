"""Measures against constructed curves, spectra and arrays."""

import numpy as np
import pytest
import torch

from offconvex.factorizations import measure


def test_take_offs_and_overlap_on_constructed_curves():
    times = np.arange(0, 11.0)
    ramps = np.stack([np.clip(times, 0, 4) / 4, np.clip(times - 4, 0, 4) / 4], axis=1)
    assert measure.take_offs(times, ramps, np.ones(2)).tolist() == [2.0, 6.0]
    assert measure.overlap(times, ramps, np.ones(2)) == 0.0
    together = np.stack([times, 2 * times], axis=1)
    assert measure.overlap(times, together, together[-1]) == pytest.approx(0.5)
    assert measure.overlap(times, ramps[:, :1], np.ones(1)) == 0.0


def test_the_last_rise_is_the_last():
    assert measure.last_rise(np.array([0.0, 2.0, 0.5, 2.0, 3.0]), 1.0) == 3
    assert measure.last_rise(np.array([2.0, 0.5]), 1.0) == 2
    assert measure.last_rise(np.array([2.0, 3.0]), 1.0) == 0


def test_counted_takes_shares_of_each_row_s_largest():
    values = np.array([[8.0, 1.0, 0.5, 0.01], [0.8, 0.7, 0.6, 0.5]])
    assert measure.counted(values, share=0.1).tolist() == [2, 4]
    assert measure.counted(values).tolist() == [3, 4]


@pytest.mark.parametrize("shape", [(2, 5, 4), (2, 3, 4, 5)])
def test_relative_error_is_that_of_the_entries(rt, shape):
    target = rt.normal(torch.Generator().manual_seed(0), *shape)
    found = target + 0.1 * rt.normal(torch.Generator().manual_seed(1), *shape)
    expected = [
        np.linalg.norm((f - t).ravel()) / np.linalg.norm(t.ravel()) for f, t in zip(found.numpy(), target.numpy())
    ]
    np.testing.assert_allclose(measure.relative_error(found, target).numpy(), expected, rtol=1e-13)
