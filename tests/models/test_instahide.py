"""The letter that comes back from its encryptions: the book's scheme and decoder on the cell's own data."""

import numpy as np
import pytest
import torch
from model_cells import run, vary

from offconvex.instahide import theory
from offconvex.instahide.decode import Mixtures, Prior, Problem, sweep
from offconvex.instahide.scheme import Key, Scheme, apply_key

CHAPTER = "instahide"
COUNTS = (1, 10, 50)


def decoded(model: dict, count: int, sweeps: int) -> np.ndarray:
    """The engine's guess of the letter (7, 5) after some sweeps over the first encryptions."""
    pixels = model["letter"].size
    even = torch.full((pixels,), model["level"], dtype=torch.float64)
    axes = torch.eye(pixels, dtype=torch.float64)
    prior = Prior(even, axes, torch.ones(pixels, dtype=torch.float64), even, model["spread"] ** 2)
    part = torch.as_tensor(model["part"][:count, 0, 0])
    owners = torch.zeros((count, 2), dtype=torch.int64)
    mixtures = Mixtures(1, owners, torch.stack([part, torch.zeros(count)], dim=1), public=5)
    problem = Problem.of(torch.as_tensor(model["encrypted"][:count]), mixtures, prior)
    images = problem.mean.expand(1, -1)
    for _ in range(sweeps):
        images = sweep(problem, images, 1.0, 1.0)
    return images.view(model["letter"].shape).numpy()


def right(model: dict) -> np.ndarray:
    """Share of right pixels of each attack."""
    return (np.sign(model["guess"]) == model["letter"]).mean((1, 2))


def test_the_book_encrypts_so():
    model = run(CHAPTER)[0]
    count = len(model["mask"])
    letters = torch.as_tensor(model["letter"]).expand(count, -1, -1)
    public = torch.as_tensor(model["public"].reshape(-1, *model["letter"].shape))
    partners = np.column_stack([np.arange(count), np.arange(len(public)).reshape(count, -1)])
    flipped = (model["mask"].reshape(count, -1) < 0).astype(np.uint8)
    key = Key(model["mix"][:, :, 0, 0], partners, flipped, count)
    scheme = Scheme(private=1, public=5, upper=1.0, dominant=0.0)
    found, labels = apply_key(letters, torch.zeros(count, dtype=torch.int64), public, scheme, key, classes=2)
    np.testing.assert_allclose(found.numpy(), model["encrypted"], atol=1e-14)
    np.testing.assert_allclose(labels[:, 0].numpy(), model["part"][:, 0, 0], atol=1e-14)


def test_coefficients_have_the_schemes_law():
    mix = run(CHAPTER)[0]["mix"][:, :, 0, 0]
    law = theory.coefficient_moments(6, 1.0, 0.0)
    for values, expected in (
        (mix.max(1), law.largest), (mix[:, :2].sum(1), law.private), ((mix[:, 2:] ** 2).sum(1), law.public)
    ):  # fmt: skip
        assert abs(values.mean() - expected) < 5.5 * values.std(ddof=1) / len(values) ** 0.5


@pytest.mark.parametrize("sweeps", [1, 7, 40])
def test_the_book_decodes_so(sweeps):
    model = vary(CHAPTER, ("range(40)", f"range({sweeps})"))[0]
    for guess, count in zip(model["guess"], COUNTS):
        np.testing.assert_allclose(decoded(model, count, sweeps), guess, atol=1e-10)


def test_what_is_printed():
    model, printed = run(CHAPTER)
    columns = np.array([[list(block) for block in line.split()] for line in printed.splitlines()]).swapaxes(0, 1)
    shown = [model["letter"], model["encrypted"][0], *(decoded(model, count, 40) for count in COUNTS)]
    assert np.array_equal(columns == "#", np.array(shown) > 0)
    assert np.array_equal((right(model) * model["letter"].size).round(), [27, 32, 35])
    assert abs(model["guess"]).min() > 0.01 and abs(model["encrypted"][0]).min() > 1e-4  # no sign hangs by a thread


def test_more_encryptions_tell_more_for_any_keys():
    shares = over_seeds()
    assert shares[0] < 0.75 and shares[1] > 0.85 and shares[2] > shares[1]


def test_fifty_copies_of_one_encryption_tell_no_more_than_one():
    once = "seen, part = abs(encrypted[:1]).repeat(50, 0), mix[:1, 0].repeat(50, 0)"
    shares = over_seeds(("seen, part = abs(encrypted), mix[:, 0]", once))
    assert shares.max() < 0.75


def test_without_a_public_mean_nothing_decides_the_signs():
    assert not vary(CHAPTER, ("level, spread = -0.5", "level, spread = 0.0"))[0]["guess"].any()


def over_seeds(*changes: tuple[str, str]) -> np.ndarray:
    """Mean share of right pixels of each attack over forty seeds."""
    seeds = (("default_rng(24)", f"default_rng({seed})") for seed in range(40))
    return np.mean([right(vary(CHAPTER, seed, *changes)[0]) for seed in seeds], axis=0)
