"""Experiments: what they assume of reach, the kernel's interpolation against ridge, and the exact permutation test."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from offconvex import runtime
from offconvex.locality import experiments, measure, networks, search, tangent
from offconvex.locality.experiments import Plane, Setting, Study

TINY = Setting(side=4, count=24, held_out=30, channels=4, blocks=2, epochs=2, batch=8, seeds=2)


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
    config = Plane(gaps=(0, 1), blocks=(1,), counts=(8, 16), seeds=2, channels=4, held_out=20)
    record = experiments.map_plane(config, rt, 0)
    assert record.test.shape == (2, 1, 2, 2) and record.reach.tolist() == [7]
    setting = Setting(channels=4, held_out=20, count=16, blocks=1, gap=1)
    train, held = experiments.data(setting, rt, 0, range(2))
    weights = networks.start(setting.architecture, rt, networks.start_generators(0, range(2), "locality"))
    found = tangent.interpolate(setting.architecture, weights, train, held, setting.task.patches, (16,))
    assert np.array_equal(record.test[1, 0, 1], found.test[0])
    assert np.array_equal(record.similarity[0, 1], found.similarity)
    assert np.all((record.test >= 0) & (record.test <= 1)) and np.all(record.similarity <= 1 + 1e-12)


def test_a_study_compares_networks_that_span_with_some_that_do_not():
    config = Study()
    assert all(s.spans for name, s in config.settings.items() if not name.startswith("short"))
    assert not any(s.spans for name, s in config.settings.items() if name.startswith("short"))
    with pytest.raises(ValueError, match="do not"):
        Study(gaps=(0, 40))
    with pytest.raises(ValueError, match="must not see"):
        Study(short_gap=3)
    with pytest.raises(ValueError, match="divide"):
        Study(seeds=5)


def test_a_study_is_put_together_in_its_order():
    config = Study(gaps=(0, 4), strengths=(0.0, 1.0), seeds=4, together=2)
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
    config = Study(gaps=(0,), strengths=(0.0, 1.0), seeds=2, together=1, epochs=1, count=64, held_out=30, channels=4)
    part = experiments.run_study_part(config, "gap-0-strength-1-networks-1")
    assert part["test"].shape == (1, 1) and part["choose"].shape == (1,)
    setting = config.settings["gap-0-strength-1"]
    assert (setting.first, setting.settling, setting.strength) == (30.0, 40.0, 1.0)
    assert config.settings["gap-0-strength-0"].first == 0
    rt = runtime.resolve("cpu", torch.float32)
    assert np.array_equal(part["loss"], experiments.run(setting, rt, config.seed, range(1, 2)).loss)


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
    assert search.parts(search.Search(("near",))) == ["near"]
    assert search.TRIED["far-2"].label == "gap 8, 512 pairs, λ 2, 25 epochs"
    assert search.TRIED["farther-fewer-8-from-30"].label == "gap 10, 256 pairs, λ 30 → 8, 200 epochs"
    assert search.TRIED["far-wider"].label == "gap 8, 512 pairs, λ 0, 100 epochs, 32 channels"
    rows = search.assemble(search.Search(), [{n: np.ones(k) for n in experiments.NAMES} for k in (2, 6)])
    assert rows["test"].shape == (2, 6) and np.isnan(rows["test"]).sum() == 4
    with pytest.raises(ValueError, match="Settings tried"):
        search.Search(("nowhere",))


def test_the_permutation_test_is_scipy_s():
    treated, plain = np.array([0.7, 0.66, 0.81, 0.6]), np.array([0.5, 0.62, 0.48, 0.55, 0.52])
    reference = stats.permutation_test(
        (treated, plain), lambda a, b: a.mean() - b.mean(), alternative="greater", n_resamples=np.inf
    )
    assert measure.permutation_p(treated, plain) == pytest.approx(reference.pvalue, abs=1e-12)
    assert measure.permutation_p(np.ones(5), np.zeros(5)) == pytest.approx(1 / 252)
    assert measure.permutation_p(np.zeros(3), np.zeros(3)) == 1
    with pytest.raises(ValueError, match="1 to 12"):
        measure.permutation_p(np.ones(13), plain)


def test_devices_are_named(explicit_devices):
    rt = runtime.resolve("cpu", torch.float32)
    experiments.run(replace(TINY, epochs=1, strength=1.0), rt, 0)
    experiments.map_plane(Plane(gaps=(0,), blocks=(1,), counts=(8,), seeds=1, channels=2, held_out=8), rt, 0)
