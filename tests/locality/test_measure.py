"""The exact permutation test against brute force and SciPy."""

import itertools

import numpy as np
import pytest
from scipy import stats

from offconvex import rng
from offconvex.locality import measure


def test_the_sign_flip_test_is_brute_force_and_scipy_s():
    treated, plain = np.array([0.7, 0.66, 0.81, 0.6, 0.5]), np.array([0.5, 0.62, 0.48, 0.61, 0.52])
    larger = 0
    for exchanged in itertools.product((False, True), repeat=5):
        mean = np.mean([b - a if swap else a - b for a, b, swap in zip(treated, plain, exchanged)])
        larger += mean >= (treated - plain).mean() - 1e-12
    assert measure.sign_flip_p(treated, plain) == pytest.approx(larger / 32, abs=1e-12)
    reference = stats.permutation_test(
        (treated, plain),
        lambda a, b: a.mean() - b.mean(),
        permutation_type="samples",
        alternative="greater",
        n_resamples=np.inf,
    )
    assert measure.sign_flip_p(treated, plain) == pytest.approx(reference.pvalue, abs=1e-12)
    assert measure.sign_flip_p(np.ones(8), np.zeros(8)) == 1 / 256
    assert measure.sign_flip_p(np.zeros(8), np.ones(8)) == 1
    assert measure.sign_flip_p(np.zeros(3), np.zeros(3)) == 1
    for wrong in (np.ones(21), np.ones(4)):
        with pytest.raises(ValueError, match="twins"):
            measure.sign_flip_p(wrong, np.zeros(21))


def test_the_sign_flip_test_is_exact():
    # Twins without effect, both drawn from one skewed law with a part in common: no level is exceeded more often than
    # its own share, within 4.5 standard errors.
    draws = rng.numpy_generator(0, "twins").exponential(size=(4000, 3, 6))
    values = [measure.sign_flip_p(own + common, other + common) for own, other, common in draws]
    for level in (1 / 16, 1 / 4, 1 / 2):
        assert abs(np.mean(np.array(values) <= level) - level) <= 4.5 * np.sqrt(level * (1 - level) / 4000)
