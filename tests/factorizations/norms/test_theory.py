"""Bounds that a determinant's sign forces, on both sides; measures against definitions; norms against solvers."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from offconvex import rng, runtime
from offconvex.factorizations.norms import baselines, measure, theory
from offconvex.factorizations.norms.task import CornerCompletion


def near_fits(right, below, corner, sign, count=200_000):
    """Matrices with small residuals and a determinant of the given sign, and their losses."""
    draw = rng.numpy_generator(0, "near fits", right, below, corner)
    w = np.empty((count, 2, 2))
    size = draw.uniform(0, 0.4, size=(count, 1))
    residuals = size * draw.normal(size=(count, 3))
    w[:, 0, 1], w[:, 1, 0], w[:, 1, 1] = (residuals + [right, below, corner]).T
    w[:, 0, 0] = draw.choice([-1, 1], count) * np.exp(draw.uniform(-3, 6, count))
    keep = np.linalg.det(w) * sign > 0
    return w[keep], 0.5 * (residuals[keep] ** 2).sum(-1)


@pytest.mark.parametrize("right, below, corner", [(1.0, 1.0, 0.0), (-2.0, 0.5, 0.1)])
def test_the_entry_is_bounded_below_for_one_sign_only(right, below, corner):
    sign = np.sign(right * below)
    w, loss = near_fits(right, below, corner, sign)
    bound = theory.entry_lower_bound(loss, right=right, below=below, corner=corner)
    assert np.all(np.abs(w[:, 0, 0]) >= bound)
    w, loss = near_fits(right, below, corner, -sign)
    bound = theory.entry_lower_bound(loss, right=right, below=below, corner=corner)
    assert np.any(np.abs(w[:, 0, 0]) < 0.5 * bound)


def test_the_rank_bounds_hold_and_the_sharp_ones_are_nearly_reached():
    w, loss = near_fits(1.0, 1.0, 0.0, 1)
    logs = np.log(np.linalg.svd(w, compute_uv=False))
    second, rank = np.exp(logs[:, 1]), measure.effective_rank(logs)
    half, eighth = loss < 0.5, loss < 0.125
    assert np.all(second <= theory.distance_bound(loss))
    assert np.all(second[half] <= theory.sharp_distance_bound(loss[half]))
    assert second[half].max() > 0 and (second / theory.sharp_distance_bound(loss))[half].max() > 0.8
    assert np.all(rank[eighth] <= theory.sharp_effective_rank_bound(loss[eighth]))
    assert np.all(theory.sharp_effective_rank_bound(loss[eighth]) <= theory.effective_rank_bound(loss[eighth]))


def test_the_curve_is_a_rank_one_matrix_with_that_loss():
    for corner in (0.0, 0.05):
        loss = 1e-3
        entry = theory.entry_curve(loss, right=-2.0, below=0.5, corner=corner)
        w22 = -1.0 / -entry  # sign of W11 is that of right * below * corner
        assert 0.5 * (w22 - corner) ** 2 == pytest.approx(loss)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_time_solves_the_growth_of_the_entry(depth):
    path = solve_ivp(lambda _, w: depth * w ** (-1 - 2 / depth), (0, 50), [1e-3], rtol=1e-10, atol=1e-12)
    # The start's own time, 1e-3 to a power above two, is below 1e-6.
    assert theory.entry_time(path.y[0, -1], depth=depth) == pytest.approx(50, rel=1e-6)


def test_schatten_norms_against_numpy():
    w = rng.numpy_generator(1, "schatten").normal(size=(20, 2, 2))
    logs = np.log(np.linalg.svd(w, compute_uv=False))
    for power, name in ((1.0, "nuc"), (2.0, "fro"), (np.inf, 2)):
        np.testing.assert_allclose(measure.schatten(logs, power), [np.linalg.norm(m, name) for m in w], rtol=1e-12)
    half = (np.exp(logs) ** 0.5).sum(-1) ** 2
    np.testing.assert_allclose(measure.schatten(logs, 0.5), half, rtol=1e-12)
    assert measure.schatten(np.array([3.0, -2500.0]), 0.5) == pytest.approx(np.exp(3.0))
    with pytest.raises(ValueError, match="positive power"):
        measure.schatten(logs, 0.0)


def test_effective_rank_counts_equal_values():
    assert measure.effective_rank(np.zeros(5)) == pytest.approx(5)
    assert measure.effective_rank(np.array([0.0, -2500.0])) == 1
    shares = np.array([0.7, 0.3])
    assert measure.effective_rank(np.log(4 * shares)) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


def test_values_at_a_loss_are_read_off_the_first_crossing():
    loss = np.array([[1.0, 1.0], [0.1, 0.9], [0.01, 0.8], [0.1, 0.7]])
    values = np.log10(loss)
    at = measure.at_loss(loss, values, 10**-1.5)
    assert at[0] == pytest.approx(-1.5) and np.isnan(at[1])
    assert measure.at_loss(loss, values, 2.0)[0] == 0


@pytest.mark.parametrize(
    "power, corner, expected", [(1.0, 0.0, 0.0), (0.5, 0.5, 2.0), (2.0, 0.5, 0.0), (1.0, 0.5, 0.5)]
)
def test_the_entry_of_least_norm(power, corner, expected):
    # Nuclear: 2 x 2 formula |W|_F^2 + 2 |det W|; p = 1/2 prefers the rank-one fit W11 = 1 / corner.
    assert baselines.least_norm_entry(CornerCompletion(corner=corner), power) == pytest.approx(expected, abs=1e-6)


def test_the_spiked_minimizer_against_a_grid():
    flat = np.array([0.9, 1.1, 0.8])
    matrix = np.outer([3.0, *flat], [3.0, *flat])
    norms = []
    grid = np.linspace(0, 10, 2001)
    for w in grid:
        matrix[0, 0] = w
        norms.append(np.linalg.norm(matrix, "nuc"))
    assert theory.spiked_nuclear_minimizer(spike=3.0, flat=flat) == pytest.approx(grid[np.argmin(norms)], abs=0.006)
    with pytest.raises(ValueError, match="spike"):
        theory.spiked_nuclear_minimizer(spike=1.0, flat=flat)


def test_regression_from_zero_ends_at_the_least_squares_library_solution():
    rt = runtime.resolve("cpu")
    draw = rng.numpy_generator(2, "least norm")
    features, labels = draw.normal(size=(4, 9)), draw.normal(size=(4, 1))
    np.testing.assert_allclose(
        theory.least_norm_solution(features, labels), np.linalg.lstsq(features, labels)[0], atol=1e-12
    )
    record = baselines.regress(baselines.Regression(5, 20, 2, 600), rt, 0)
    assert record["from zero"][-1].max() < 1e-10 < 0.1 < record["from Gaussian"][-1].min()
    with pytest.raises(ValueError, match="more coefficients than samples"):
        baselines.Regression(5, 5)


def test_a_spiked_task_outside_the_formula_is_refused():
    with pytest.raises(ValueError, match="spike"):
        baselines.SpikedCompletion(spike=1.0)
