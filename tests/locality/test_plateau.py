"""The laws of the plateau against numerical integration."""

import numpy as np
import pytest

from offconvex.locality import plateau, regularizer


@pytest.mark.parametrize("c", [0.4, 0.02])
def test_laws_are_the_penalties_own_flow(c):
    start, strength = 0.6, 1.5
    times = np.linspace(0, 1 / c, 9)
    for penalty, law in (
        ("cosine", plateau.cosine_law(times, start, c, strength)),
        ("logarithm", plateau.logarithm_law(times, start, strength)),
    ):
        assert plateau.integrated(penalty, times, start, c, strength) == pytest.approx(law, rel=1e-6)


def test_the_floor_ends_the_law_of_the_logarithm():
    times = np.linspace(0, 1, 3)
    stuck = plateau.integrated("logarithm", times, 0.1, 0.01 * regularizer.FLOOR)
    assert stuck[-1] < 0.12 < plateau.logarithm_law(times, 0.1)[-1]


def test_waits_are_the_times_of_the_laws():
    start, c, strength, last = 0.5, 0.03, 0.7, 0.1
    for wait, law in (
        (plateau.cosine_wait, lambda t: plateau.cosine_law(t, start, c, strength)),
        (plateau.logarithm_wait, lambda t: plateau.logarithm_law(t, start, strength)),
    ):
        time = np.array([wait(c * start**2, last, c, strength)])
        assert c * law(time)[0] ** 2 == pytest.approx(last, rel=1e-12)
        assert wait(c * start**2, last, c / 10, strength) == pytest.approx(10 * time[0], rel=1e-12)
