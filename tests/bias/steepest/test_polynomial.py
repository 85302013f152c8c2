"""Muon's polynomial on numbers and matrices, and where theory says that it sends singular values."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import optimize

from offconvex.bias.steepest import polynomial, polynomial_theory

TUNED = polynomial.TUNED
BAND = polynomial_theory.band(TUNED)


def phi(x, steps=1):
    return polynomial.iterates(np.asarray(x, float), steps)[-1]


def test_values_are_those_of_exact_fractions():
    start = Fraction(3, 7)
    a, b, c = (Fraction(str(number)) for number in TUNED)
    once = a * start + b * start**3 + c * start**5
    twice = a * once + b * once**3 + c * once**5
    assert np.allclose(polynomial.iterates(np.array(3 / 7), 2), [float(once), float(twice)], rtol=1e-14)


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (5, 5)])
@pytest.mark.parametrize("coefficients", [TUNED, polynomial.CLASSICAL])
def test_matrices_keep_their_vectors_and_move_their_values(shape, coefficients):
    matrices = np.random.default_rng(1).standard_normal((3, *shape))
    left, values, right = np.linalg.svd(matrices, full_matrices=False)
    relative = values / np.linalg.norm(matrices, axis=(-2, -1))[:, None]
    expected = (left * polynomial.iterates(relative, 5, coefficients)[-1][:, None]) @ right
    assert np.allclose(polynomial.orthogonalized(matrices, 5, coefficients), expected, atol=1e-12)
    assert np.allclose(polynomial.orthogonalized(1e-30 * matrices, 5, coefficients), expected, atol=1e-12)


def test_zero_stays_and_no_step_is_refused():
    assert np.array_equal(polynomial.orthogonalized(np.zeros((2, 3))), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="once or more"):
        polynomial.orthogonalized(np.eye(2), 0)
    with pytest.raises(ValueError, match="once or more"):
        polynomial.iterates(np.ones(2), 0)


def test_extrema_are_those_of_a_search():
    top = optimize.minimize_scalar(lambda x: -phi(x), bounds=(0, 0.9), method="bounded", options={"xatol": 1e-12})
    low = optimize.minimize_scalar(phi, bounds=(0.8, 1.2), method="bounded", options={"xatol": 1e-12})
    assert np.allclose([BAND.peak, BAND.highest], [top.x, -top.fun], rtol=1e-7)
    assert np.allclose([BAND.dip, BAND.lowest], [low.x, low.fun], rtol=1e-7)
    # Forty digits, computed once with another library.
    assert BAND.highest == pytest.approx(1.2023686051632127826, rel=1e-14)
    assert BAND.lowest == pytest.approx(0.6818314621771847122, rel=1e-13)
    assert BAND.ceiling == pytest.approx(1.1343572645624717057, rel=1e-13)


@pytest.mark.parametrize("steps", range(1, 8))
def test_thresholds_are_sharp(steps):
    floor = polynomial_theory.risen(BAND.lowest, steps, TUNED)
    grid = np.linspace(floor, 1, 200_001)
    assert phi(grid, steps).min() >= BAND.lowest - 1e-12
    assert phi(floor * (1 - 1e-6), steps) < BAND.lowest
    assert phi(np.linspace(0, 1, 200_001), steps).max() <= BAND.highest + 1e-15
    if steps > 1:
        start, end = (
            polynomial_theory.risen(level, count, TUNED)
            for level, count in ((BAND.ceiling, steps), (BAND.lowest, steps - 1))
        )
        assert phi(np.linspace(start, end, 1001)[1:-1], steps).min() > BAND.ceiling
        assert phi(np.linspace(end, 1, 200_001), steps).max() <= BAND.ceiling + 1e-12
        assert phi(np.linspace(0, start, 1001), steps).max() <= BAND.ceiling + 1e-12
        assert phi(polynomial_theory.risen(BAND.highest, steps, TUNED), steps) == pytest.approx(BAND.highest, rel=1e-12)


def test_rest_repels_and_the_cycle_attracts():
    point, slope = polynomial_theory.rest(TUNED)
    assert phi(point) == pytest.approx(point, rel=1e-14)
    assert (phi(point + 1e-6) - phi(point - 1e-6)) / 2e-6 == pytest.approx(slope, rel=1e-6)
    assert slope < -1
    points, multiplier = polynomial_theory.cycle(TUNED)
    assert np.allclose(np.sort(phi(points)), points, atol=1e-13)
    difference = (phi(points + 1e-6, 4) - phi(points - 1e-6, 4)) / 2e-6
    assert np.allclose(difference, multiplier, rtol=1e-4)
    ends = phi(np.random.default_rng(2).uniform(0.001, 1, 2000), 400)
    assert np.abs(ends[:, None] - points).min(axis=1).max() < 1e-9
    assert len(set(np.abs(ends[:, None] - points).argmin(axis=1))) == 4


def test_share_floor_is_below_every_gain():
    values = np.random.default_rng(3).exponential(size=(20_000, 6)) ** 4
    values /= np.linalg.norm(values, axis=-1, keepdims=True)
    moved = phi(values, 5)
    gain = np.sum(values * moved, axis=-1) / values.sum(axis=-1)
    floor = polynomial_theory.share_floor(6, 5, TUNED)
    assert floor < gain.min() / BAND.highest
    assert 0.55 < floor < BAND.lowest / BAND.highest


def test_other_polynomials_and_levels_are_refused():
    for coefficients in (polynomial.CLASSICAL, (1.0, 1.0, 1.0), (4.5, -8.0, 3.0)):
        with pytest.raises(ValueError, match="quintics"):
            polynomial_theory.band(coefficients)
    with pytest.raises(ValueError, match="level"):
        polynomial_theory.risen(1.3, 5, TUNED)
    with pytest.raises(ValueError, match="cycle of 3"):
        polynomial_theory.cycle(TUNED, 3)
