"""The oracles against each other and against closed forms, and the order of the grid."""

import numpy as np
import pytest

from offconvex.sampling.tempering import exact, grid_theory, theory


def ou_potential(x):
    return x**2 / 2


def test_gap_of_the_gaussian_is_one_to_second_order():
    errors = []
    for spacing in (0.2, 0.1, 0.05):
        x = grid_theory.grid(8.0, spacing)
        errors.append(abs(grid_theory.spectral_gap(grid_theory.langevin_generator(ou_potential(x), spacing)) - 1))
    assert np.polyfit(np.log((0.2, 0.1, 0.05)), np.log(errors), 1)[0] == pytest.approx(2, abs=0.1)


def test_generator_annihilates_the_root_of_the_law():
    x = grid_theory.grid(6.0, 0.05)
    potential = grid_theory.two_modes(x, r=2.0, right=0.3, shape=0.5)
    root = np.exp(-potential / 2)
    assert np.abs(grid_theory.langevin_generator(potential, 0.05) @ root).max() < 1e-9 * root.max() / 0.05**2
    betas = np.array([0.25, 0.5, 1.0])
    constants = grid_theory.log_constants(potential, 0.05, betas)
    joint = np.exp((-np.outer(betas, potential) - constants[:, None]) / 2).ravel()
    generator = grid_theory.tempering_generator(potential, 0.05, betas, 3.0)
    assert np.abs(generator @ joint).max() < 1e-9 * joint.max() / 0.05**2
    assert abs(generator - generator.T).max() == 0


def test_three_ways_to_one_gap():
    half = np.arange(0, 12, 0.005)
    for r in (2.0, 3.0, 4.0):
        x = grid_theory.grid(r + 9, 0.01)
        potential = grid_theory.two_modes(x, r=r)
        gap = grid_theory.spectral_gap(grid_theory.langevin_generator(potential, 0.01))
        assert np.exp(grid_theory.log_symmetric_gap(grid_theory.two_modes(half, r=r), half)) == pytest.approx(
            gap, rel=1e-4
        )
    # 2 / gap is the crossing time where one mode is forgotten long before the other is found.
    m = theory.mode(4.0)
    assert grid_theory.hitting_time(potential, x, -m, m) * gap == pytest.approx(2, rel=5e-3)


def test_hitting_time_of_the_gaussian_against_its_integral():
    x = grid_theory.grid(12.0, 0.002)
    # From 0 to 1: sqrt(2 pi) int_0^1 e^{y^2/2} Phi(y) dy, by an independent quadrature.
    from scipy.integrate import quad
    from scipy.stats import norm

    expected = quad(lambda y: np.sqrt(2 * np.pi) * np.exp(y * y / 2) * norm.cdf(y), 0, 1)[0]
    assert grid_theory.hitting_time(ou_potential(x), x, 0.0, 1.0) == pytest.approx(expected, rel=3e-3)


def test_crossing_law_has_the_next_term_of_its_series():
    rs = np.array([8.0, 12.0])
    exact_time = np.log(2) - np.array([exact.langevin_log_gap(r) for r in rs])
    rest = np.exp(exact_time - theory.log_crossing_time(rs)) - 1
    assert rest * rs**4 == pytest.approx(5 * np.pi**4 / 128 + 61 * np.pi**6 / 3072 / rs**2, rel=0.02)


def test_modes_and_barrier_are_those_of_the_potential():
    x = np.linspace(-6, 6, 240_001)
    potential = grid_theory.two_modes(x, r=2.0)
    bottom = potential.argmin()
    assert abs(x[bottom]) == pytest.approx(theory.mode(2.0), abs=1e-4)
    assert potential[len(x) // 2] - potential[bottom] == pytest.approx(theory.barrier_height(2.0), abs=1e-7)
    curvature = np.gradient(np.gradient(potential, x), x)[bottom]
    assert curvature == pytest.approx(theory.mode_curvature(2.0), rel=1e-3)


def test_kernel_gap_projection_and_restriction_of_a_small_chain():
    kernel = np.array([[0.5, 0.5, 0.0], [0.25, 0.5, 0.25], [0.0, 0.5, 0.5]])
    law = np.array([0.25, 0.5, 0.25])
    assert grid_theory.kernel_gap(kernel, law) == pytest.approx(0.5)
    projected, masses = grid_theory.projected_kernel(kernel, law, np.array([0, 0, 1]))
    assert masses == pytest.approx([0.75, 0.25])
    assert projected == pytest.approx(np.array([[1 - 1 / 6, 1 / 6], [0.5, 0.5]]))
    # Restricted to the first two states: [[.5, .5], [.25, .75]], eigenvalues 1 and 1/4.
    assert grid_theory.restricted_gap(kernel, law, np.array([True, True, False])) == pytest.approx(0.75)
    gap, between, within = grid_theory.decomposition(kernel, law, np.array([0, 0, 1]))
    assert gap >= between * within / 2
    assert grid_theory.imbalance(kernel, law) < 1e-15
    assert grid_theory.imbalance(np.roll(np.eye(3), 1, 1), law) > 0.1


def test_tempering_kernel_is_stochastic_and_keeps_its_law():
    x = grid_theory.grid(8.0, 0.5)
    kernel, law = grid_theory.tempering_kernel(grid_theory.two_modes(x, r=2.0), x, np.array([0.25, 0.5, 1.0]), 0.5)
    assert kernel.min() >= 0 and kernel.sum(1) == pytest.approx(1.0)
    assert law @ kernel == pytest.approx(law)


def test_discrete_and_continuous_tempering_agree_that_wrong_weights_cost():
    assert exact.tilted_gap(4.0, np.log(4.0)) < 0.5 * exact.tilted_gap(4.0, 0.0)
    assert exact.tilted_gap(4.0, 0.0) == pytest.approx(0.0184, rel=0.01)


def test_shells_meet_where_the_rate_says():
    s, d = 0.2, 4000
    square = 2 * np.log(1 / s) / (s**-2 - 1)
    radius = np.sqrt(d * np.array([s**2, square, 1.0]))
    potential, base = grid_theory.two_shells(radius, dimension=d, shape=s)
    heights = (potential + base) / d
    assert heights[1] - heights[2] == pytest.approx(theory.shell_rate(s), abs=3e-3)
    assert heights[0] == pytest.approx(heights[2], abs=1e-3 + 1e-12)


def test_total_variation_of_shifted_gaussians():
    x = np.linspace(-10, 10, 4001)
    first, second = (theory.level_law((x - m) ** 2 / 2, x, 1.0)[0] for m in (-1.0, 1.0))
    assert theory.total_variation(first, second, x) == pytest.approx(0.6826895, abs=1e-5)
    assert theory.ula_variance(0.5) == pytest.approx(4 / 3)
