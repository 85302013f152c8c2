"""Devices and precisions."""

import dataclasses

import numpy as np
import pytest
import torch

from offconvex import rng, runtime


def test_tensors_have_the_type_of_the_run():
    for dtype in (torch.float64, torch.float32):
        rt = runtime.resolve("cpu", dtype)
        draw = rng.generator(0, "a")
        for made in (rt.tensor([1, 2]), rt.zeros(2, 3), rt.eye(3), rt.normal(draw, 2), rt.uniform(draw, 2)):
            assert made.dtype == dtype and made.device.type == "cpu"
    assert rt.zeros(2, 3).tolist() == [[0.0] * 3] * 2
    assert rt.eye(2).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_a_seed_means_the_same_data_in_every_precision():
    double, single = runtime.resolve("cpu"), runtime.resolve("cpu", torch.float32)
    for kind in ("normal", "uniform"):
        a = getattr(double, kind)(rng.generator(0, "a"), 100)
        b = getattr(single, kind)(rng.generator(0, "a"), 100)
        assert torch.equal(a.float(), b)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_seed_means_the_same_data_on_a_gpu():
    cpu, gpu = runtime.resolve("cpu"), runtime.resolve("cuda")
    for kind in ("normal", "uniform", "permutation"):
        made = getattr(gpu, kind)(rng.generator(0, "a"), 100)
        assert made.device.type == "cuda"
        assert torch.equal(made.cpu(), getattr(cpu, kind)(rng.generator(0, "a"), 100))


def test_draws_have_the_distributions_they_say(rt):
    n = 20_000
    normal = rt.normal(rng.generator(0, "normal"), n).numpy()
    uniform = rt.uniform(rng.generator(0, "uniform"), n).numpy()
    # Five standard errors of each moment.
    assert abs(normal.mean()) < 5 / np.sqrt(n) and abs(normal.var() - 1) < 5 * np.sqrt(2 / n)
    assert abs(uniform.mean() - 0.5) < 5 * np.sqrt(1 / 12 / n) and 0 <= uniform.min() and uniform.max() < 1
    assert sorted(rt.permutation(rng.generator(0, "order"), 50).tolist()) == list(range(50))


@pytest.mark.parametrize(
    ("cuda", "mps", "dtype", "expected"),
    [
        (True, True, torch.float64, "cuda"),
        (False, True, torch.float32, "mps"),
        (False, True, torch.float64, "cpu"),
        (False, False, torch.float32, "cpu"),
    ],
)
def test_auto_takes_the_best_device_that_has_the_precision(monkeypatch, cuda, mps, dtype, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert runtime.resolve("auto", dtype).device.type == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "tpu"}, "`device` must be 'auto', 'cpu', 'cuda' or 'mps'; got 'tpu'"),
        ({"device": "cpu:first"}, "`device` must be 'auto', 'cpu', 'cuda' or 'mps'; got 'cpu:first'"),
        ({"device": None}, "`device` must be .* got None"),
        ({"device": "cuda"}, "torch sees no CUDA device here; use 'cpu' or 'auto'"),
        ({"device": "mps"}, "torch sees no Apple GPU here; use 'cpu' or 'auto'"),
        ({"dtype": torch.int64}, "`dtype` must be a torch floating-point type.* got torch.int64"),
        ({"dtype": float}, "`dtype` must be a torch floating-point type"),
        ({"threads": 0}, "`threads` must be a positive integer; got 0"),
        ({"threads": 1.5}, "`threads` must be a positive integer; got 1.5"),
        ({"threads": True}, "`threads` must be a positive integer; got True"),
    ],
)
def test_bad_arguments(monkeypatch, arguments, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=message):
        runtime.resolve(**arguments)


def test_sizes_of_numpy_are_sizes(rt):
    two = np.int64(2)
    generator = rng.generator(np.uint8(7), "a", two)
    assert torch.equal(rt.normal(generator, two, 3), rt.normal(rng.generator(7, "a", 2), 2, 3))
    assert runtime.resolve("cpu", threads=np.int32(1)) == rt
    assert rt.zeros(two).shape == (2,) and rt.eye(two).shape == (2, 2)


def test_mps_has_no_float64(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(ValueError, match="'mps', which has no float64; use 'cpu', or a float32 experiment"):
        runtime.resolve("mps")


def test_threads_are_set_and_one_is_the_default():
    runtime.resolve("cpu", threads=2)
    assert torch.get_num_threads() == 2
    runtime.resolve("cpu")
    assert torch.get_num_threads() == 1


def test_a_runtime_cannot_be_changed(rt):
    with pytest.raises(dataclasses.FrozenInstanceError):
        rt.dtype = torch.float32
