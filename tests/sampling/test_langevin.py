"""Langevin chains against their exact laws, targets against automatic gradients, and what both refuse."""

import numpy as np
import pytest
import torch

from offconvex import rng
from offconvex.sampling import measure
from offconvex.sampling.langevin import mala, start, ula
from offconvex.sampling.model import Target, TwoModes, double_well, replicas_inside, standard_gaussian, standard_normal


def draws(*shape):
    return torch.from_numpy(rng.numpy_generator(1, "test positions").normal(size=shape))


@pytest.mark.parametrize("shape", [1.0, 0.3])
@pytest.mark.parametrize("dimension", [1, 4])
def test_two_modes_have_the_density_and_gradient_of_a_mixture(rt, dimension, shape):
    modes = TwoModes(2.0, dimension, 0.3, shape)
    x = (2 * draws(50, dimension)).requires_grad_()
    center = torch.zeros(dimension, dtype=rt.dtype, device=rt.device)
    center[0] = 2.0
    oracle = torch.logaddexp(
        np.log(0.7) - 0.5 * ((x + center) ** 2).sum(1),
        np.log(0.3) - dimension * np.log(shape) - 0.5 * ((x - center) ** 2).sum(1) / shape**2,
    )
    value, gradient = modes.target().log_density(x.detach())
    torch.testing.assert_close(value, oracle.detach())
    torch.testing.assert_close(gradient, torch.autograd.grad(oracle.sum(), x)[0])
    torch.testing.assert_close(modes.target().slope(x.detach()), gradient)


def test_double_well_and_gaussian_gradients(rt):
    x = draws(40).requires_grad_()
    for target, oracle in ((double_well(rt), -((x**2 - 1) ** 2)), (standard_gaussian(), -0.5 * x**2)):
        value, gradient = target.log_density(x.detach())
        torch.testing.assert_close(value, oracle.detach())
        torch.testing.assert_close(gradient, torch.autograd.grad(oracle.sum(), x, retain_graph=True)[0])
        torch.testing.assert_close(target.slope(x.detach()), gradient)


def test_unadjusted_chains_have_the_predicted_variance_and_adjusted_ones_none_of_it(rt):
    generator = rng.numpy_generator(0, "test bias")
    state = start(standard_gaussian(), standard_normal(rt, generator, (60_000,)))
    loose, seen = ula(standard_gaussian(), state, rt, generator, step=0.5, steps=20)
    assert bool((seen.accepted == 1).all()) and seen.steps == 20
    # Standard error sqrt(2 / 60000) = 0.6 %; the bias is 33 %.
    assert loose.position.square().mean() == pytest.approx(4 / 3, rel=0.03)
    exact, seen = mala(standard_gaussian(), state, rt, generator, step=0.5, steps=20)
    assert exact.position.square().mean() == pytest.approx(1.0, rel=0.03)
    assert 0.5 < seen.accepted.mean() < 1
    # The state carries what the next step needs: the same as if it were made anew at the positions.
    again = start(standard_gaussian(), exact.position)
    torch.testing.assert_close(again.log_density, exact.log_density)
    torch.testing.assert_close(again.gradient, exact.gradient)


def test_a_seed_means_the_same_chains_and_the_start_is_left_alone(rt):
    begin = start(TwoModes(2.0).target(), replicas_inside(draws(30, 1)))
    kept = begin.position.clone()
    runs = [
        move(TwoModes(2.0).target(), begin, rt, rng.numpy_generator(3, "x"), step=0.1, steps=5)[0].position
        for move in (ula, ula, mala, mala)
    ]
    assert torch.equal(runs[0], runs[1]) and torch.equal(runs[2], runs[3])
    assert torch.equal(begin.position, kept)


def test_matrices_are_positions_too_and_records_are_kept(rt):
    target = Target(lambda x: (-0.5 * (x * x).flatten(1).sum(1), -x))
    begin = start(target, replicas_inside(draws(20, 3, 2)))
    options = {"step": 0.1, "steps": 6, "record": lambda x: {"first": x[:, 0, 0]}, "record_every": 2}
    for move in (ula, mala):
        state, seen = move(target, begin, rt, rng.numpy_generator(0, "m"), **options)
        assert seen.records["first"].shape == (3, 20)
        assert torch.equal(seen.records["first"][-1], state.position[:, 0, 0])


def test_first_passages_are_those_of_the_recorded_chains(rt):
    begin = start(TwoModes(2.0).target(), TwoModes(2.0).left(rt, rng.numpy_generator(0, "passages start"), 300))
    options = {"step": 0.1, "steps": 60, "record": lambda x: {"x": x[:, 0]}}
    runs = [
        ula(TwoModes(2.0).target(), begin, rt, rng.numpy_generator(1, "passages"), **options, **until)
        for until in ({}, {"until": lambda x: x[:, 0] >= -1.5})
    ]
    (_, plain), (_, seen) = runs
    assert plain.passed is None and torch.equal(plain.records["x"], seen.records["x"])
    there = plain.records["x"].numpy() >= -1.5
    never = ~there.any(0)
    assert 0 < never.sum() < 300 and (there[0] & ~there[-1]).any()
    assert np.array_equal(seen.passed.who.numpy(), ~never)
    assert np.array_equal(seen.passed.steps.numpy(), np.where(never, 60, there.argmax(0) + 1))
    # A chain is at risk as long as it has not been there yet.
    assert seen.passed.steps_at_risk == (~np.maximum.accumulate(there, 0)).sum()


def test_bad_input_is_refused(rt):
    target, generator = standard_gaussian(), rng.numpy_generator(0, "bad")
    state = start(target, draws(5))
    for step, steps in ((0.0, 1), (0.1, 0)):
        with pytest.raises(ValueError, match="step > 0"):
            ula(target, state, rt, generator, step=step, steps=steps)
    loose, _ = ula(target, state, rt, generator, step=0.1, steps=1)
    with pytest.raises(ValueError, match="use `start`"):
        mala(target, loose, rt, generator, step=0.1, steps=1)
    with pytest.raises(FloatingPointError, match="diverged"):
        ula(double_well(rt), start(double_well(rt), 9 + draws(5)), rt, generator, step=1.0, steps=20)
    with pytest.raises(ValueError, match="finite"):
        start(target, draws(5) * np.inf)
    with pytest.raises(ValueError, match="log densities"):
        start(Target(lambda x: (x, x)), draws(5, 2))
    for wrong in ({"r": 0.0}, {"dimension": 0}, {"right": 1.0}, {"shape": -1.0}):
        with pytest.raises(ValueError, match="TwoModes needs"):
            TwoModes(**({"r": 1.0} | wrong))


def test_engine_names_its_devices(rt, explicit_devices):
    generator = rng.numpy_generator(0, "devices")
    begin = start(TwoModes(2.0).target(), TwoModes(2.0).draw(rt, generator, 10))
    ula(TwoModes(2.0).target(), begin, rt, generator, step=0.1, steps=2)
    mala(TwoModes(2.0).target(), begin, rt, generator, step=0.1, steps=2)


def test_share_and_its_error_are_those_of_independent_chains():
    generator = rng.numpy_generator(2, "share")
    total = torch.from_numpy(generator.integers(5, 15, 20_000).astype(float))
    inside = torch.from_numpy(generator.binomial(total.numpy().astype(int), 0.3).astype(float))
    value, error = measure.share(torch.stack([total, inside], 1))
    assert error == pytest.approx((0.21 / total.sum().item()) ** 0.5, rel=0.05)
    assert abs(value - 0.3) < 5 * error


def test_effective_samples_of_a_known_autocorrelation():
    generator, rho = rng.numpy_generator(0, "ar"), 0.8
    chain = np.zeros((40, 4000))
    chain[:, 0] = generator.normal(size=40)
    for t in range(1, 4000):
        chain[:, t] = rho * chain[:, t - 1] + (1 - rho**2) ** 0.5 * generator.normal(size=40)
    assert measure.effective_samples(chain) == pytest.approx(chain.size * (1 - rho) / (1 + rho), rel=0.1)
    with pytest.raises(ValueError, match="2 chains"):
        measure.effective_samples(chain[:1])


def test_kolmogorov_distance_of_right_and_wrong_samples():
    x = np.linspace(0, 1, 101)
    samples = rng.numpy_generator(0, "ks").random(3000)
    assert measure.scaled_ks(samples, x, x) < 2.5
    assert measure.scaled_ks(samples**1.3, x, x) > 4
    assert measure.binned_variation(samples, x, x, np.linspace(0.1, 0.9, 9)) < 0.04


def test_relaxation_rate_of_a_two_state_chain():
    generator, keep = rng.numpy_generator(0, "two states"), np.exp(-0.5)
    first = np.sign(generator.normal(size=100_000))

    def later(signs):
        return signs * np.where(generator.random(len(signs)) < (1 + keep) / 2, 1, -1)

    second = later(first)
    both = torch.from_numpy(np.stack([second, later(second)]))
    rate, error = measure.relaxation_rate(both, torch.from_numpy(first), 0.25)
    assert abs(rate - 2.0) < 5 * error < 0.2
