"""Fits and readings against constructed curves and samples."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from offconvex import fits, rng


def test_lines_and_powers_are_found_exactly():
    x = np.array([1.0, 2.0, 5.0])
    assert fits.slope(x, 4 - 0.5 * x) == pytest.approx(-0.5)
    assert fits.power_law(x, 3 * x**-1.5) == (pytest.approx(-1.5), pytest.approx(3))


def test_a_crossing_is_interpolated_and_may_be_at_the_start_or_never():
    times, ramp = np.arange(0, 11.0), np.clip(np.arange(0, 11.0), 0, 4) / 4
    assert fits.crossing(times, ramp, 0.6) == pytest.approx(2.4)
    assert fits.crossing(times, ramp + 1, 0.5) == 0.0
    assert np.isnan(fits.crossing(times, ramp, 2.0))


def test_quartiles_of_equally_spaced_numbers():
    values = np.stack([np.arange(5.0), np.arange(5.0) * 4], axis=1)
    np.testing.assert_allclose(fits.quartiles(values, axis=0), [[1, 4], [2, 8], [3, 12]])


def test_z_scores_are_the_statistic_of_the_t_test():
    samples = rng.numpy_generator(0, "z").normal(size=(40, 3))
    expected = ttest_1samp(samples, [0.0, 0.1, 0.2]).statistic
    np.testing.assert_allclose(fits.z_scores(samples, np.array([0.0, 0.1, 0.2])), expected)
    np.testing.assert_allclose(fits.z_scores(samples.T, np.array([0.0, 0.1, 0.2]), axis=1), expected)
    assert fits.largest_z_score(samples, [0.0, 0.1, 0.2]) == pytest.approx(np.abs(expected).max())
