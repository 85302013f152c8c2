"""Experiments: what they assume of reach, the kernel's interpolation against ridge, and the exact permutation test."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from offconvex import rng, runtime
from offconvex.locality import measure, networks, tangent
from offconvex.locality.pairs import study as experiments
from offconvex.locality.pairs import trials as search
from offconvex.locality.pairs.study import KernelPlane, PairSetting, PairStudy

TINY = PairSetting(side=4, count=24, held_out=30, channels=4, blocks=2, epochs=2, batch=8, seeds=2)


def test_the_interpolation_fits_and_is_the_least_change_of_weights(rt):
    setting = replace(TINY, gap=1, channels=12)
    train, held = experiments.data(setting, rt, 0, range(1))
    weights = networks.start(setting.architecture, rt, networks.start_generators(0, range(1), "test"))
    found = tangent.interpolate(setting.architecture, weights, train, held, setting.task.patches, (10, 24))
    assert found.train.tolist() == [[1], [1]]
    # Least squares of smallest norm, by another algorithm.
    own, other = (tangent.slopes(setting.architecture, weights, x) for x in (train[0][0], held[0]))
    for row, count in enumerate((10, 24)):
        change = np.linalg.lstsq(own.numpy()[:count], 2 * train[1][0].numpy()[:count] - 1, rcond=None)[0]
        accuracy = ((other.numpy() @ change > 0) == (held[1].numpy() > 0.5)).mean()
        assert found.test[row, 0] == pytest.approx(accuracy, abs=1e-12)


def test_slopes_are_autograd_s(rt):
    setting = TINY
    train, _ = experiments.data(setting, rt, 0, range(1))
    weights = networks.start(setting.architecture, rt, networks.start_generators(0, range(1), "test"))
    together = tangent.slopes(setting.architecture, weights, train[0][0][:3])
    leaves = [w.clone().requires_grad_() for w in weights]
    for row, image in zip(together, train[0][0][:3]):
        gradient = torch.autograd.grad(networks.forward(setting.architecture, leaves, image[None]).sum(), leaves)
        assert torch.allclose(row, torch.cat([g.flatten() for g in gradient]), atol=1e-10)


def test_a_map_has_the_announced_shape_and_its_first_point_is_interpolation(rt):
    config = KernelPlane(gaps=(0, 1), blocks=(1,), counts=(8, 16), seeds=2, channels=4, held_out=20)
    record = experiments.map_plane(config, rt, 0)
    assert record.test.shape == (2, 1, 2, 2) and record.reach.tolist() == [7]
    setting = PairSetting(channels=4, held_out=20, count=16, blocks=1, gap=1)
    train, held = experiments.data(setting, rt, 0, range(2))
    weights = networks.start(setting.architecture, rt, networks.start_generators(0, range(2), "locality"))
    found = tangent.interpolate(setting.architecture, weights, train, held, setting.task.patches, (16,))
    assert np.array_equal(record.test[1, 0, 1], found.test[0])
    assert np.array_equal(record.similarity[0, 1], found.similarity)
    assert np.all((record.test >= 0) & (record.test <= 1)) and np.all(record.similarity <= 1 + 1e-12)


def test_a_study_compares_networks_that_span_with_some_that_do_not():
    config = PairStudy()
    assert all(s.spans for name, s in config.settings.items() if not name.startswith("short"))
    assert not any(s.spans for name, s in config.settings.items() if name.startswith("short"))
    with pytest.raises(ValueError, match="do not"):
        PairStudy(gaps=(0, 40))
    with pytest.raises(ValueError, match="must not see"):
        PairStudy(short_gap=3)
    with pytest.raises(ValueError, match="divide"):
        PairStudy(seeds=5)


def test_a_study_is_put_together_in_its_order():
    config = PairStudy(gaps=(0, 4), strengths=(0.0, 1.0), seeds=4, together=2)
    arrays = [
        {"epochs": np.array([1.0, 2.0]), "choose": np.full(2, float(place))}
        | {name: np.full((2, 2), float(place)) for name in experiments.NAMES}
        for place, _ in enumerate(experiments.study_parts(config))
    ]
    together = experiments.assemble_study(config, arrays)
    assert together["test"].shape == (2, 2, 2, 4) and together["short test"].shape == (2, 2, 4)
    assert together["test"][:, :, 0, ::2].tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    assert together["short test"][:, 0, ::2].tolist() == [[8, 9], [10, 11]]
    assert together["choose"][1].tolist() == [[4, 4, 5, 5], [6, 6, 7, 7]]


def test_a_part_of_the_study_is_its_setting_run_on_its_networks():
    config = PairStudy(
        gaps=(0,), strengths=(0.0, 1.0), seeds=2, together=1, epochs=1, count=64, held_out=30, channels=4
    )
    part = experiments.run_study_part(config, "gap-0-strength-1-networks-1")
    assert part["test"].shape == (1, 1) and part["choose"].shape == (1,)
    setting = config.settings["gap-0-strength-1"]
    assert (setting.first, setting.settling, setting.strength) == (30.0, 40.0, 1.0)
    assert config.settings["gap-0-strength-0"].first == 0
    rt = runtime.resolve("cpu", torch.float32)
    assert np.array_equal(part["loss"], experiments.run(setting, rt, config.seed, range(1, 2)).loss)


def test_networks_trained_again_are_the_study_s():
    config = PairStudy(
        gaps=(0,), strengths=(0.0, 1.0), seeds=4, together=2, epochs=1, count=64, held_out=30, channels=4
    )
    rt = runtime.resolve("cpu", torch.float32)
    parts = [experiments.run_study_part(config, f"gap-0-strength-1-networks-{start}")["test"][-1] for start in (0, 2)]
    found = experiments.again(config, 0, 1.0, 3, rt, config.seed)
    assert found.shape == (3,) and np.array_equal(found[:2], parts[0])
    assert found[2] == pytest.approx(parts[1][0], abs=1 / 30 + 1e-9)
    assert np.array_equal(experiments.again(config, 0, 1.0, 4, rt, config.seed), np.concatenate(parts))


def test_pairs_to_choose_by_are_neither_test_nor_training_pairs(rt):
    chosen, _ = experiments.validation(TINY, rt, 0)
    train, held = experiments.data(TINY, rt, 0, range(2))
    for other in (held[0], *train[0]):
        assert not any(torch.equal(a, b) for a in chosen for b in other)


def test_a_network_too_short_stays_a_sum_whatever_lambda():
    rt = runtime.resolve("cpu", torch.float32)
    short = replace(TINY, blocks=1, gap=6, strength=3.0)
    assert not short.spans
    history = experiments.run(short, rt, 0)
    assert np.abs(1 - history.similarity).max() <= 1e-6


def test_a_setting_trained_again_is_the_same(rt):
    one, two = (experiments.run(replace(TINY, strength=1.0), rt, 3) for _ in range(2))
    assert np.array_equal(one.test, two.test) and np.array_equal(one.loss, two.loss)


def test_seeds_do_not_share_training_pairs(rt):
    one, two = (experiments.data(TINY, rt, seed, range(2))[0][0] for seed in (0, 1))
    assert not any(torch.equal(a, b) for a in one for b in two) and not torch.equal(one[0], one[1])


def test_what_was_tried_has_names():
    assert search.parts(search.PairSearch(("near",))) == ["near"]
    assert search.TRIED["far-2"].label == "gap 8, 512 pairs, λ 2, 25 epochs"
    assert search.TRIED["farther-fewer-8-from-30"].label == "gap 10, 256 pairs, λ 30 → 8 in 40 of 200 epochs"
    assert search.TRIED["far-wider"].label == "gap 8, 512 pairs, λ 0, 100 epochs, 32 channels"
    rows = search.assemble(search.PairSearch(), [{n: np.ones(k) for n in experiments.NAMES} for k in (2, 6)])
    assert rows["test"].shape == (2, 6) and np.isnan(rows["test"]).sum() == 4
    later = search.PairSearch(tuple(search.LATER))
    assert later.labels[0] == "gap 10, 256 pairs, λ 30 → 8 in 40 of 200 epochs"
    assert later.labels[-1] == "gap 9, 256 pairs, λ 0, 200 epochs, seed 4"
    # What differs is said: no two lines look alike, and no two lists share a name.
    assert len(set(later.labels)) == len(later.labels) and not set(search.TRIED) & set(search.LATER)
    assert len(search.assemble(later, [{n: np.ones(4) for n in experiments.NAMES}] * 3)["test"][0]) == 4
    with pytest.raises(ValueError, match="Settings tried"):
        search.PairSearch(("nowhere",))


def test_a_trial_of_another_seed_is_its_setting_run_with_that_seed(monkeypatch):
    trial = search.PairTrial(replace(TINY, strength=1.0), range(1, 3), 5)
    monkeypatch.setitem(search.LATER, "tiny", trial)
    rt = runtime.resolve("cpu", torch.float32)
    expected = experiments.run(trial.setting, rt, 5, range(1, 3))
    assert np.array_equal(search.run_part(search.PairSearch(("tiny",)), "tiny")["loss"], expected.loss[-1])


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


def test_networks_with_and_without_lambda_are_twins(rt):
    with_, without = (replace(TINY, strength=s) for s in (1.0, 0.0))
    for one, two in zip(experiments.data(with_, rt, 3, range(2)), experiments.data(without, rt, 3, range(2))):
        assert all(torch.equal(a, b) for a, b in zip(one, two))
    # The patches are drawn at every step either way, so the order of batches is common as well: a strength too small
    # to matter gives the same network.
    tiny, none = (experiments.run(replace(TINY, strength=s), rt, 3) for s in (1e-300, 0.0))
    assert np.allclose(tiny.loss, none.loss, atol=1e-9)


def test_devices_are_named(explicit_devices):
    rt = runtime.resolve("cpu", torch.float32)
    experiments.run(replace(TINY, epochs=1, strength=1.0), rt, 0)
    experiments.map_plane(KernelPlane(gaps=(0,), blocks=(1,), counts=(8,), seeds=1, channels=2, held_out=8), rt, 0)
