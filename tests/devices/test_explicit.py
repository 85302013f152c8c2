"""The guard against tensors without a device, and shared instruments under it; loops are in test_loops.py."""

import numpy as np
import pytest
import torch

from offconvex import datasets, rng
from offconvex.descent import autograd_objective, descend


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(2),
        lambda: torch.ones(2, dtype=torch.float64),
        lambda: torch.full((2,), 1.0),
        lambda: torch.empty(2),
        lambda: torch.eye(2),
        lambda: torch.arange(3),
        lambda: torch.linspace(0, 1, 3),
        lambda: torch.rand(2),
        lambda: torch.randn(2),
        lambda: torch.randint(3, (2,)),
        lambda: torch.randperm(3),
        lambda: torch.tensor([1.0]),
        lambda: torch.as_tensor([1.0]),
        lambda: torch.asarray(np.ones(2)),
        lambda: torch.scalar_tensor(1.0),
        lambda: torch.tril_indices(2, 2),
    ],
)
def test_the_guard_fails_on_a_factory_without_a_device(explicit_devices, make):
    with pytest.raises(AssertionError, match="without `device=` in .*test_explicit.py"):
        make()


def test_the_guard_lets_explicit_and_inherited_devices_pass(explicit_devices):
    x = torch.zeros(2, device="cpu")
    torch.as_tensor([1.0], device="cpu")
    torch.as_tensor(x)
    torch.zeros_like(x)
    x.new_ones(3)
    torch.stack([x, x])
    torch.linalg.svd(torch.eye(3, device="cpu"))


def test_the_runtime_names_its_device(explicit_devices, rt):
    draw = rng.generator(0, "devices")
    made = [rt.tensor([1.0]), rt.zeros(2), rt.eye(2), rt.normal(draw, 2), rt.uniform(draw, 2), rt.permutation(draw, 2)]
    assert all(t.device == rt.device for t in made)


def test_data_name_their_device(explicit_devices, rt):
    images = datasets.fashion_mnist("test", rt=rt)
    assert images.pixels.device == images.labels.device == rt.device


def test_no_instrument_draws_from_the_global_generator(rt):
    before = torch.get_rng_state()
    draw = rng.generator(5, "devices")
    start = (rt.normal(draw, 2, 3),)
    descend(autograd_objective(lambda p: p[0].square().sum(1)), start, steps=2, step_size=0.1)
    assert torch.equal(torch.get_rng_state(), before)
