"""Simulated tempering: its ladder, its laws at every level, the learning of the weights, and the scenes made of it."""

import numpy as np
import pytest
import torch

from offconvex import rng
from offconvex.sampling import measure
from offconvex.sampling.model import TwoModes
from offconvex.sampling.tempering import exact, experiments, grid_theory, scenes, theory
from offconvex.sampling.tempering.dynamics import LadderSchedule, Levels, begin, ladder, learn, swap_log_ratio, temper

MODES = TwoModes(3.0, 1, 0.7)
X = grid_theory.grid(16.0, 0.02)
POTENTIAL = grid_theory.two_modes(X, r=3.0, right=0.7)
QUICK = LadderSchedule(step=0.1, swap_rate=10.0, stage=100, refinements=2, refinement=300)


@pytest.fixture
def learned(rt):
    generator = rng.numpy_generator(0, "test tempering")
    levels, state = learn(MODES.target(), ladder(3.0, 1), rt, generator, (6000, 1), QUICK)
    return levels, state, generator


def test_ladder_reaches_from_the_hill_to_the_target_in_short_rungs():
    for spread, dimension, rungs in ((2, 1, 3), (3, 1, 5), (4, 1, 5), (8, 1, 7), (20, 1, 10), (5, 5, 19), (1, 3, 1)):
        betas = ladder(spread, dimension)
        assert len(betas) == rungs and betas[-1] == 1
        assert betas[0] == pytest.approx(spread**-2.0)
        assert (betas[1:] / betas[:-1] <= 1 + 1 / dimension + 1e-9).all()
    with pytest.raises(ValueError, match="spread >= 1"):
        ladder(0.5, 1)


def test_learned_constants_are_the_integrals(rt, learned):
    levels, _, _ = learned
    true = grid_theory.log_constants(POTENTIAL, 0.02, levels.betas.numpy())
    # A constant factor is all that is needed; the runs' own error is a few percent.
    assert np.abs(levels.log_constants.numpy() - (true - true[0])).max() < 0.15


def test_every_level_has_its_law_with_the_filter_and_not_without(rt, learned):
    levels, state, generator = learned
    worst = {}
    for always in (False, True):
        end, seen = temper(
            MODES.target(), levels, state, rt, generator, step=0.1, steps=800, swap_rate=10.0, always_swap=always
        )
        worst[always] = max(
            measure.scaled_ks(end.position[end.level == i, 0].numpy(), X, theory.level_law(POTENTIAL, X, beta)[1])
            for i, beta in enumerate(levels.betas.numpy())
        )
    assert worst[False] < 2.8 < worst[True]
    assert seen.visits.sum() == 6000 * 800


def test_swap_ratio_is_that_of_normalized_densities(rt):
    levels = Levels(rt.tensor([0.25, 1.0]), rt.tensor([1.3, -0.4]))
    one, log_density = torch.zeros(1, dtype=torch.int64, device=rt.device), rt.tensor([-2.0])
    forth, back = (swap_log_ratio(log_density, levels, a, b) for a, b in ((one, one + 1), (one + 1, one)))
    assert forth.item() == pytest.approx(-2.0 * 0.75 + 1.7)
    assert back.item() == -forth.item()


def test_one_level_is_plain_langevin(rt):
    generator = rng.numpy_generator(0, "one level")
    levels = Levels(rt.tensor([1.0]), rt.zeros(1))
    state = begin(MODES.target(), levels, rt, generator, (100, 1))
    end, seen = temper(MODES.target(), levels, state, rt, generator, step=0.1, steps=20, swap_rate=5.0)
    assert seen.occupancy.tolist() == [1.0] and bool((end.level == 0).all())


def test_bad_steps_are_refused(rt):
    levels = Levels(rt.tensor([1.0]), rt.zeros(1))
    generator = rng.numpy_generator(0, "bad")
    state = begin(MODES.target(), levels, rt, generator, (4, 1))
    for step, rate in ((0.0, 1.0), (0.1, 11.0)):
        with pytest.raises(ValueError, match="swap_rate"):
            temper(MODES.target(), levels, state, rt, generator, step=step, steps=1, swap_rate=rate)


def test_engine_names_its_devices(rt, explicit_devices):
    generator = rng.numpy_generator(0, "devices")
    schedule = LadderSchedule(stage=8, refinements=1, refinement=50)
    levels, state = learn(MODES.target(), ladder(3.0, 1), rt, generator, (200, 1), schedule)
    temper(MODES.target(), levels, state, rt, generator, step=0.05, steps=5, swap_rate=10.0, path_every=2)


def test_detailed_balance_of_the_engine_and_of_the_grid(rt):
    assert exact.engine_imbalance(rt) < 1e-12
    cut = exact.decompositions(exact.Decompositions(rs=(2.0, 3.0)))
    assert cut["imbalance"].max() < 1e-12


def test_a_crossing_begins_left_and_ends_right(rt):
    config = experiments.Tempered(MODES, 300, QUICK, 100, 100)
    run = experiments.tempered(config, rt, 0)
    way = scenes.typical_crossing(config, run, rt, 0, frames=20, steps=400)
    coldest = len(run.levels.betas) - 1
    cold = way["level"] == coldest
    assert len(way["time"]) == 20 and (cold & (way["position"] < -1)).any() and (cold & (way["position"] > 1)).any()
    assert way["level"].min() < coldest
    with pytest.raises(ValueError, match="No chain crossed"):
        scenes.typical_crossing(config, run, rt, 0, frames=2, every=1, steps=2)


def test_a_cloud_begins_on_the_left(rt):
    seen = scenes.cloud(scenes.Cloud(chains=200, frames=4), rt, 0)
    assert seen["position"].shape == (4, 200) and (seen["position"] < 0).mean() > 0.95


def test_first_passages_take_the_exact_time(rt):
    config = experiments.Crossings(rs=(1.5,), chains=(4000,), step=0.01)
    times = experiments.crossing_times(config, rt, 0)
    # Overshoot adds 3.6 % at this distance; the standard error is 1.5 %.
    assert times.value[0] / times.exact[0] == pytest.approx(1.036, abs=5 * times.error[0] / times.exact[0])
    with pytest.raises(ValueError, match="Crossings need"):
        experiments.Crossings(rs=(0.5,), chains=(10,))


def test_a_first_passage_that_is_never_reached_is_said(rt):
    with pytest.raises(FloatingPointError, match=r"10 of 10 chains did not cross before time 4 at r = 9.0; give"):
        experiments.crossing_times(experiments.Crossings(rs=(9.0,), chains=(10,), horizon=4.0), rt, 0)


def test_chains_that_take_every_swap_are_pooled_over_looks_and_have_other_laws(rt):
    config = experiments.Tempered(MODES, 1000, QUICK, 200, 400)
    pooled = experiments.unfiltered(config, rt, 0, looks=4)
    assert sum(map(len, pooled)) == 4000 and len(pooled) == len(ladder(3.0, 1))
    assert measure.scaled_ks(pooled[-1], X, theory.level_law(POTENTIAL, X, 1.0)[1]) > 2.8
