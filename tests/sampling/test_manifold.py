"""Matrix posteriors against automatic gradients and dense Hessians, closed forms against brute force, and refusals."""

import numpy as np
import pytest
import torch
from scipy.linalg import expm, orthogonal_procrustes

from offconvex import rng
from offconvex.sampling.langevin import ula
from offconvex.sampling.manifolds import experiments, fibers, theory
from offconvex.sampling.manifolds.posterior import OPERATORS, Posterior
from offconvex.sampling.model import replicas_inside

EQUAL = Posterior(4, (1.0, 1.0), 100.0)


def matrices(*shape, stream="x"):
    return torch.from_numpy(rng.numpy_generator(2, "test manifold", stream).normal(size=shape))


def loss(posterior, x):
    gap = x @ x.mT - torch.from_numpy(posterior.minimizer() @ posterior.minimizer().T)
    operator = posterior.measurement()
    seen = gap if operator is None else torch.einsum("mij,nij->nm", torch.from_numpy(operator), gap)
    return seen.square().flatten(1).sum(1)


@pytest.mark.parametrize("operator", OPERATORS)
def test_density_and_gradient_are_those_of_the_loss(rt, operator):
    posterior = Posterior(5, (1.2, 0.7, 1.0), 30.0, operator, measurements=12)
    x = matrices(9, 5, 3).requires_grad_()
    oracle = -30.0 * loss(posterior, x)
    target = posterior.target(rt)
    for position in (x.detach(), replicas_inside(x.detach())):
        value, gradient = target.log_density(position)
        torch.testing.assert_close(value, oracle.detach())
        torch.testing.assert_close(gradient, torch.autograd.grad(oracle.sum(), x, retain_graph=True)[0])
        torch.testing.assert_close(target.slope(position), gradient)


@pytest.mark.parametrize("operator", OPERATORS)
def test_curvatures_are_those_of_the_dense_hessian(operator):
    posterior = Posterior(5, (1.2, 0.7), 1.0, operator, measurements=30, observed=0.9)
    flat = torch.from_numpy(posterior.minimizer()).reshape(-1)
    hessian = torch.autograd.functional.hessian(lambda v: loss(posterior, v.reshape(1, 5, 2)).sum(), flat)
    values = np.linalg.eigvalsh(hessian.numpy())
    assert np.abs(values[:1]).max() < 1e-10  # one rotation
    assert values[1:] == pytest.approx(posterior.curvatures(), abs=1e-9)


def test_equal_values_have_the_curvatures_of_the_formula():
    values = Posterior(5, (0.5, 0.5, 0.5), 1.0).curvatures()
    assert values == pytest.approx([4 * 0.25] * 6 + [8 * 0.25] * 6)
    expected = (3 * 4 / 16 + 2 * 3 / 4) / (7.0 * 0.25)
    assert theory.squared_distance(values, 7.0) == pytest.approx(expected)
    inflated = theory.squared_distance(values, 7.0, step=0.1 / 14)
    assert inflated == pytest.approx(6 / 7 / 0.975 + 6 / 14 / 0.95)


@pytest.mark.parametrize("seed", range(20))
def test_a_law_without_a_third_of_the_observations_predicts_three_halves_or_more(seed):
    for operator, measurements in (("sensing", 13 + seed), ("completion", 0)):
        options = {"measurements": measurements, "observed": 0.9, "seed": seed}
        posterior = Posterior(5, (1.2, 0.7), 30.0, operator, **options)
        whole = theory.squared_distance(posterior.curvatures(), 30.0)
        poorest = theory.poorest_distance(posterior.minimizer(), posterior.measurement(), 30.0)
        assert poorest >= 1.5 * whole


def test_a_law_without_observations_of_a_direction_has_no_bound():
    # Nine directions across the fiber, and eight observations after a third of twelve is gone.
    posterior = Posterior(5, (1.0, 1.0), 1.0, "sensing", measurements=12)
    assert theory.poorest_distance(posterior.minimizer(), posterior.measurement(), 1.0) == np.inf


def test_repeated_observations_lose_exactly_their_share():
    one = Posterior(4, (1.0, 0.8), 1.0, "sensing", measurements=20)
    thrice = np.repeat(one.measurement(), 3, axis=0)
    whole = theory.squared_distance(theory.normal_curvatures(one.minimizer(), thrice), 1.0)
    assert theory.poorest_distance(one.minimizer(), thrice, 1.0) == pytest.approx(1.5 * whole)


def test_completion_sees_the_diagonal_and_part_of_the_rest():
    posterior = Posterior(6, (1.0, 1.0), 1.0, "completion", observed=0.8)
    operator = posterior.measurement()
    seen = (operator != 0).any(0)
    assert len(operator) == 6 + 12 and seen.diagonal().all() and seen.sum() == 6 + 24
    gap = rng.numpy_generator(0, "gap").normal(size=(6, 6))
    gap = gap + gap.T
    assert (np.einsum("mij,ij->m", operator, gap) ** 2).sum() == pytest.approx((gap[seen] ** 2).sum())


def test_sensing_keeps_norms_on_average():
    operator = Posterior(4, (1.0,), 1.0, "sensing", measurements=40_000).measurement()
    gap = np.diag([1.0, -2.0, 0.5, 0.0]) + 0.3
    assert (np.einsum("mij,ij->m", operator, gap) ** 2).sum() == pytest.approx((gap**2).sum(), rel=0.04)


def test_places_are_those_of_procrustes(rt):
    minimizer = rt.tensor(Posterior(4, (1.3, 0.6, 0.9), 1.0).minimizer())
    x = matrices(12, 4, 3)
    seen = fibers.places(x, minimizer)
    for i in range(12):
        rotation, _ = orthogonal_procrustes(minimizer.numpy(), x[i].numpy())
        assert seen.rotation[i].numpy() == pytest.approx(rotation, abs=1e-10)
        own = ((minimizer.numpy() @ rotation - x[i].numpy()) ** 2).sum()
        assert seen.own[i].item() == pytest.approx(own)
        # The other component: Kabsch's flip of the last singular vector.
        u, _, vt = np.linalg.svd(minimizer.numpy().T @ x[i].numpy())
        flipped = u @ np.diag([1.0, 1.0, -1.0]) @ vt
        assert seen.other[i].item() == pytest.approx(((minimizer.numpy() @ flipped - x[i].numpy()) ** 2).sum())
        assert seen.component[i].item() == pytest.approx(np.linalg.det(rotation))


def brownian(size, values, time, count, steps=200):
    """Rotations after Brownian motion on the fiber, built from small rotations of the right lengths."""
    generator = rng.numpy_generator(1, "brownian", size)
    rotation = np.tile(np.eye(size), (count, 1, 1))
    planes = [(i, j) for i in range(size) for j in range(i + 1, size)]
    for _ in range(steps):
        turn = np.zeros((count, size, size))
        for i, j in planes:
            angle = generator.normal(size=count) * (2 * time / steps / (values[i] ** 2 + values[j] ** 2)) ** 0.5
            turn[:, i, j], turn[:, j, i] = -angle, angle
        rotation = expm(turn) @ rotation
    return rotation


@pytest.mark.parametrize("values", [(1.0, 1.0), (0.8, 0.8, 0.8)])
def test_fiber_rate_is_that_of_brownian_motion_on_the_surface(values):
    size, rate = len(values), theory.fiber_rate(values)
    assert rate == pytest.approx((size - 1) / (2 * values[0] ** 2))
    rotation = torch.from_numpy(brownian(size, values, 0.5 / rate, 2000))
    start = torch.eye(size, dtype=torch.float64, device="cpu").expand(2000, size, size)
    measured, error = fibers.memory_rate(torch.stack([start, rotation]), 1, 0.5 / rate)
    assert abs(measured - rate) < 5 * error < 0.3 * rate


def test_unequal_values_have_their_own_rate():
    assert theory.fiber_rate((1.5, 0.7)) == pytest.approx(1 / (1.5**2 + 0.7**2))


@pytest.mark.parametrize("size", [3, 4, 5])
def test_ricci_of_equal_values_and_of_unequal_lengths(size):
    assert theory.fiber_ricci((0.7,) * size) == pytest.approx((size - 2) / (4 * 0.49))
    assert theory.fiber_ricci(np.linspace(0.5, 1.5, size))[0] > 0


@pytest.mark.parametrize("a", [0.3, 1.0, 4.0])
def test_ricci_of_a_stretched_rotation_group_is_milnors(a):
    # Orthonormal brackets have constants 1/sqrt(a), 1/sqrt(a), sqrt(a): Milnor's mu are sqrt(a)/2 twice and the rest.
    lengths = np.array([1 / a**0.5, 1 / a**0.5, a**0.5])
    mu = lengths.sum() / 2 - lengths
    expected = np.sort([2 * mu[1] * mu[2], 2 * mu[0] * mu[2], 2 * mu[0] * mu[1]])
    found = theory.invariant_ricci({(0, 1): 1.0, (0, 2): 1.0, (1, 2): a}, 3)
    assert found == pytest.approx(expected)
    assert found[0] == pytest.approx(min(a / 2, 1 - a / 2))


def test_uniform_rotations_pass_and_others_fail():
    draws = rng.numpy_generator(0, "haar").normal(size=(3000, 3, 3))
    q, r = np.linalg.qr(draws)
    q = q * np.sign(np.einsum("nii->ni", r))[:, None, :]
    q[np.linalg.det(q) < 0] *= -1
    assert fibers.haar_deviations(q).largest < 4.5
    angles, grid = fibers.rotation_angles(q), np.linspace(0, np.pi, 200)
    empirical = np.searchsorted(np.sort(angles), grid) / 3000
    assert np.abs(empirical - theory.angle_law(grid, 3)).max() < 0.04
    assert fibers.haar_deviations(brownian(3, (1.0,) * 3, 0.5, 500)).trace > 10
    with pytest.raises(ValueError, match="SO"):
        theory.angle_law(grid, 4)


def test_chains_keep_to_the_shell_of_the_predicted_thickness(rt):
    config = experiments.Distances(EQUAL, chains=300, settle=100, records=20, every=10)
    for adjusted in (True, False):
        run = experiments.distances(config, rt, 0, adjusted=adjusted)
        assert abs(run.ratio - 1.01) < 5 * run.error < 0.06
        assert run.crossed == 0 and run.farthest < 0.25
    assert run.plain_ratio > 1.1


def test_short_memory_and_long_decay_agree_with_the_rate(rt):
    rate, error = experiments.short_memory(experiments.ShortMemory(EQUAL, chains=400, increments=4), rt, 0)
    assert abs(rate - 1.014) < 5 * error < 0.3
    run = experiments.mix(experiments.Mixing(EQUAL, 100, relaxations=1.0), rt, 0)
    assert run.trace()[0] == pytest.approx(1.0) and run.crossed == 0 and run.rotation.shape == (21, 100, 2, 2)


def test_escapes_take_longer_over_higher_barriers_and_the_fit_finds_the_slope(rt):
    config = experiments.Escapes(1, (1.0,), (1.5, 3.0), chains=300, events=60)
    times = experiments.escape_times(config, rt, 0)
    assert times["time"][1] > 1.3 * times["time"][0]
    height = np.array([2.0, 3.0, 5.0, 7.0])
    exact = {"height": height, "time": np.exp(0.9 * height) / height, "error": 0.01 * np.exp(0.9 * height) / height}
    assert experiments.arrhenius(exact)[0] == pytest.approx(0.9)
    assert theory.log_escape_time(5.0, 1.0) == pytest.approx(np.log(2 * np.pi / 5 / 32**0.5) + 5)


def test_an_escape_that_never_happens_is_said(rt):
    config = experiments.Escapes(1, (1.0,), (60.0,), chains=10, events=5, horizon=0.5)
    with pytest.raises(
        FloatingPointError, match=r"0 of 5 escapes happened before time 0.5 over a barrier of 60.0; give"
    ):
        experiments.escape_times(config, rt, 0)


def test_operators_are_drawn_until_they_identify():
    found = experiments.identified("completion", 6, (1.0, 1.0), 800.0, 0, observed=0.8)
    curvatures = found.curvatures()
    assert curvatures[0] * found.beta == pytest.approx(800.0) and curvatures[0] >= curvatures[-1] / 8
    with pytest.raises(ValueError, match="observe more"):
        experiments.identified("completion", 5, (1.0, 1.0), 1.0, 0, observed=0.0)


def test_walk_is_drawn_on_the_right_circle(rt):
    scene = experiments.walk(EQUAL, rt, 0, chains=20, frames=4, span=0.5)
    assert np.hypot(*scene["first"][0].T) == pytest.approx(1.0)
    assert np.abs(scene["second"]).max() < 0.5 < np.hypot(*scene["first"][-1].T).min()
    with pytest.raises(ValueError, match="two equal"):
        experiments.walk(Posterior(4, (1.0, 0.5), 1.0), rt, 0)


def test_engine_names_its_devices(rt, explicit_devices):
    generator = rng.numpy_generator(0, "devices")
    for operator in OPERATORS:
        posterior = Posterior(4, (1.0, 1.0), 10.0, operator)
        state = experiments.begin_at(posterior, rt, 5)
        ula(posterior.target(rt), state, rt, generator, step=posterior.step(0.3), steps=2)
    experiments.distances(experiments.Distances(EQUAL, 5, settle=2, records=1), rt, 0, adjusted=True)


def test_bad_posteriors_are_refused():
    for wrong in ({"rows": 1}, {"values": (1.0, 0.0)}, {"beta": 0.0}):
        with pytest.raises(ValueError, match="posterior needs"):
            Posterior(**({"rows": 3, "values": (1.0, 1.0), "beta": 1.0} | wrong))
    with pytest.raises(ValueError, match="operator"):
        Posterior(3, (1.0,), 1.0, "blurring")
