"""Three kinds of points told apart in private: the book's accountant and gradients on the cell's own data."""

import numpy as np
import pytest
import torch
from model_cells import run, vary

from offconvex.instahide.privacy import learner, theory

CHAPTER = "private-learning"
ALONE = ("(np.inf, 8, 1, 0.1)", "({},)")


def budget(epsilon: float) -> tuple[str, str]:
    """The change of the cell that leaves one budget."""
    return ALONE[0], ALONE[1].format(epsilon)


@pytest.mark.parametrize("epsilon", [8, 1, 0.1])
def test_the_book_accounts_so(epsilon):
    model = vary(CHAPTER, budget(epsilon))[0]
    exact = theory.noise_multiplier(epsilon, 1e-5, 100)
    assert exact <= model["sigma"] < 1.01 * exact  # the grid of distances has steps of half a percent


def test_the_book_learns_so():
    """Without noise: the same sums of clipped gradients, step by step."""
    model = vary(CHAPTER, budget("np.inf"))[0]
    x, kind = torch.as_tensor(model["x"][:1000]), torch.as_tensor(model["kind"][:1000])
    weights = torch.zeros((1, 30, 3), dtype=torch.float64, device="cpu")
    for _ in range(100):
        weights -= learner.clipped_sum(weights, x, kind, 1.0) / 100
    np.testing.assert_allclose(weights[0].numpy(), model["model"], rtol=1e-9, atol=1e-12)


def test_noise_has_the_asked_deviation():
    """One step from zero: the difference from the step without noise, in units of what it should be."""
    step = ("range(100)", "range(1)")
    still, noisy = (vary(CHAPTER, budget(epsilon), step)[0] for epsilon in ("np.inf", 0.1))
    deviation = (noisy["model"] - still["model"]).std() * 100 / noisy["sigma"]
    assert deviation == pytest.approx(1, abs=4.5 / (2 * 90) ** 0.5)


def test_what_is_printed():
    lines = [line.split() for line in run(CHAPTER)[1].splitlines()]
    assert [line[1] for line in lines] == ["inf", "8", "1", "0.1"]
    assert [line[3] for line in lines] == ["0", "6", "38", "308"]
    shares = [int(line[5].removesuffix("%")) for line in lines]
    assert shares[0] - shares[1] <= 1 and shares[1] > shares[2] > shares[3] > 33


def test_more_noise_costs_more_for_any_draw():
    shares = []
    for seed in range(20):
        printed = vary(CHAPTER, ("default_rng(1)", f"default_rng({seed})"))[1]
        shares.append([int(line.split()[5].removesuffix("%")) for line in printed.splitlines()])
    means = np.mean(shares, axis=0)
    assert abs(means[0] - means[1]) < 2 and np.all(np.diff(means[1:]) < -3)


def test_ten_times_the_points_pay_ten_times_less():
    """At the smallest budget: 10,000 points of the same kinds, the step being a mean."""
    more = vary(CHAPTER, budget(0.1), ("size=3000)", "size=12000)"), ("size=(3000, 30)", "size=(12000, 30)"),
        ("share = np.exp(x[:1000] @ model)", "share = np.exp(x[:10000] @ model)"),
        ("np.eye(3)[kind[:1000]]", "np.eye(3)[kind[:10000]]"), ("(x[:1000].T @ error", "(x[:10000].T @ error"),
        ("size=(30, 3))) / 100", "size=(30, 3))) / 1000"))[0]  # fmt: skip
    assert more["right"] > vary(CHAPTER, budget(0.1))[0]["right"] + 0.05
