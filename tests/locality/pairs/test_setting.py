"""Training on pairs: twins, seeds, and networks that cannot span."""

import numpy as np
import pytest
import torch

from offconvex import configs, runtime
from offconvex.locality.pairs import setting as settings
from offconvex.locality.pairs.setting import PairSetting

TINY = configs.varied(
    PairSetting(),
    task={"side": 4},
    architecture={"inputs": 4, "channels": 4, "blocks": 2},
    schedule={"epochs": 2, "batch": 8},
    count=24,
    held_out=30,
)


def with_strength(strength):
    return configs.varied(TINY, schedule={"strength": strength})


def test_pairs_to_choose_by_are_neither_test_nor_training_pairs(rt):
    chosen, _ = settings.validation(TINY, rt, 0)
    train, held = settings.data(TINY, rt, 0, range(2))
    for other in (held[0], *train[0]):
        assert not any(torch.equal(a, b) for a in chosen for b in other)


def test_a_network_too_short_stays_a_sum_whatever_lambda():
    rt = runtime.resolve("cpu", torch.float32)
    short = configs.varied(TINY, task={"gap": 6}, architecture={"blocks": 1}, schedule={"strength": 3.0})
    assert not short.spans
    history = settings.train(short, rt, 0, range(2))
    assert np.abs(1 - history.similarity).max() <= 1e-6


def test_a_setting_trained_again_is_the_same(rt):
    one, two = (settings.train(with_strength(1.0), rt, 3, range(2)) for _ in range(2))
    assert np.array_equal(one.test, two.test) and np.array_equal(one.loss, two.loss)


def test_seeds_do_not_share_training_pairs(rt):
    one, two = (settings.data(TINY, rt, seed, range(2))[0][0] for seed in (0, 1))
    assert not any(torch.equal(a, b) for a in one for b in two) and not torch.equal(one[0], one[1])


def test_networks_with_and_without_lambda_are_twins(rt):
    with_, without = (with_strength(s) for s in (1.0, 0.0))
    for one, two in zip(settings.data(with_, rt, 3, range(2)), settings.data(without, rt, 3, range(2))):
        assert all(torch.equal(a, b) for a, b in zip(one, two))
    # The patches are drawn at every step either way, so the order of batches is common as well: a strength too small
    # to matter gives the same network.
    tiny, none = (settings.train(with_strength(s), rt, 3, range(2)) for s in (1e-300, 0.0))
    assert np.allclose(tiny.loss, none.loss, atol=1e-9)


def test_networks_must_read_the_pairs():
    with pytest.raises(ValueError, match="must read the 4 channels of the pairs; got .*inputs=7"):
        configs.varied(PairSetting(), task={"side": 4})


def test_devices_are_named(explicit_devices):
    rt = runtime.resolve("cpu", torch.float32)
    settings.train(configs.varied(TINY, schedule={"epochs": 1, "strength": 1.0}), rt, 0, range(1))
