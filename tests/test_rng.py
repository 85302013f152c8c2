"""Streams: fixed for ever, independent, and clear about bad names."""

import numpy as np
import pytest
import torch

from offconvex import rng


def test_seeds_never_change():
    # printf '0\x1ftarget' | sha256sum | head -c 16, bytes reversed; likewise for the others.
    assert rng.stream_seed(0, "target") == 0x957A3FE2F89605FF
    assert rng.stream_seed(7, "target", 3) == 0xD31EAE6B04D553E5


def test_draws_never_change():
    draws = torch.randn(3, generator=rng.generator(0, "target"), dtype=torch.float64, device="cpu")
    # The last bit may differ between math libraries.
    assert draws.tolist() == pytest.approx([-0.36836423083491265, 0.6890403941505268, 1.3159691920249854], rel=1e-14)
    draws = rng.numpy_generator(0, "target").normal(size=3)
    assert draws.tolist() == pytest.approx([0.45898063570947983, 0.5735760058771358, -0.38613727659371], rel=1e-14)


def test_the_same_name_gives_the_same_draws():
    first, second = (torch.rand(5, generator=rng.generator(3, "a", 1), device="cpu") for _ in range(2))
    assert torch.equal(first, second)
    assert np.array_equal(*(rng.numpy_generator(3, "a", 1).random(5) for _ in range(2)))


def test_drawing_from_one_stream_moves_no_other():
    alone = torch.rand(5, generator=rng.generator(0, "b"), device="cpu")
    torch.rand(1000, generator=rng.generator(0, "a"), device="cpu")
    assert torch.equal(alone, torch.rand(5, generator=rng.generator(0, "b"), device="cpu"))


def test_every_seed_and_name_has_its_own_stream():
    seeds = {rng.stream_seed(s, *name) for s in range(50) for name in [("a",), ("b",), ("a", 0), ("a", 1), ("a", "b")]}
    assert len(seeds) == 250


def test_neighbouring_streams_are_uncorrelated():
    n = 4000
    draws = np.stack([rng.numpy_generator(s, "c").normal(size=n) for s in range(8)])
    torch_draws = [torch.randn(n, generator=rng.generator(s, "c"), device="cpu").numpy() for s in range(8)]
    draws = np.concatenate([draws, torch_draws])
    correlations = np.corrcoef(draws)[np.triu_indices(16, 1)]
    # Each of the 120 has a standard error of 1/sqrt(n); none exceeds 4.5 of them but once in a thousand sets.
    assert np.abs(correlations).max() < 4.5 / np.sqrt(n)


def test_integers_of_any_library_are_seeds():
    assert rng.stream_seed(np.int64(4), "a") == rng.stream_seed(4, "a")


@pytest.mark.parametrize("make", [rng.stream_seed, rng.generator, rng.numpy_generator])
@pytest.mark.parametrize("seed", [-1, np.int64(-1), 1.0, np.float64(1), "1", None, True, np.True_])
def test_a_seed_is_a_non_negative_integer(make, seed):
    with pytest.raises(ValueError, match=r"`seed` must be a non-negative integer; got"):
        make(seed, "a")


@pytest.mark.parametrize("make", [rng.stream_seed, rng.generator, rng.numpy_generator])
def test_a_stream_needs_a_name(make):
    with pytest.raises(ValueError, match="needs a name.*got none"):
        make(0)
