"""Trials without effect and the studies after them: the book's p-values, and shares that can be counted."""

import re

import numpy as np
import pytest
from model_cells import run, vary

from offconvex.locality.measure import sign_flip_p

CHAPTER = "locality-tried"
ROW = re.compile(r"(\d+)% learn, +(\d+) tried: a gain in (\d+)% of trials, (\d+)% of studies")
LOOP = "((0.2, 1), (0.2, 3), (0.2, 10), (0.2, 30), (0.8, 1))"


def only(learn: float, settings: int) -> dict:
    """What the cell leaves behind after one line alone."""
    return vary(CHAPTER, (LOOP, f"(({learn}, {settings}),)"))[0]


def gains(learn: float, pairs: int) -> np.ndarray:
    """Chance of each sum of exchanges won minus lost, -pairs to pairs, where twins of one in five learn."""
    one = np.array([0.2 * (1 - learn), 0.2 * learn + 0.8 * (1 - learn), 0.8 * learn])
    total = np.ones(1)
    for _ in range(pairs):
        total = np.convolve(total, one)
    return total


@pytest.mark.parametrize("learn", [0.2, 0.8])
def test_its_p_values_are_the_chapters(learn):
    model = only(learn, 1)
    for shift, p in zip(model["shifts"][:200], model["chances"]):
        assert p == pytest.approx(sign_flip_p(shift, np.zeros(8)), abs=1e-12)


@pytest.mark.parametrize(("learn", "settings"), [(0.2, 1), (0.2, 10), (0.8, 1)])
def test_shares_are_those_that_can_be_counted(learn, settings):
    model = only(learn, settings)
    trial = 0.8 * (1 - (1 - learn) ** settings)
    assert model["trial"] == pytest.approx(trial, abs=4.5 * (trial * (1 - trial) / 10_000) ** 0.5)
    # A sum of four is a mean of 0.15, which noise decides, one time in two; p asks for more than that only at ties.
    sums = gains(learn, 8)
    most = sums[12:].sum()
    assert sums[13:].sum() * 0.9 < model["kept"] < most + 4.5 * (most / 10_000) ** 0.5


def test_the_exchange_of_twins_keeps_its_promise_where_nothing_has_an_effect():
    """A p-value of at most 5 percent comes about in at most 5 percent of studies; with a true effect far more often."""
    assert (only(0.2, 1)["chances"] <= 0.05).mean() < 0.05 + 4.5 * (0.05 * 0.95 / 10_000) ** 0.5
    assert (only(0.8, 1)["chances"] <= 0.05).mean() > 0.5


def test_what_is_printed():
    rows = np.array([[int(value) for value in row] for row in ROW.findall(run(CHAPTER)[1])])
    assert rows[:, :2].tolist() == [[20, 1], [20, 3], [20, 10], [20, 30], [80, 1]]
    assert np.all(np.diff(rows[:4, 2]) > 0) and rows[2, 2] > rows[4, 2]
    assert np.all(rows[:4, 3] <= 2) and rows[4, 3] > 50


def test_a_study_of_more_twins_finds_the_effect():
    more = vary(
        CHAPTER,
        (LOOP, "((0.8, 1),)"),
        ("arange(256)[:, None] >> np.arange(8)", "arange(4096)[:, None] >> np.arange(12)"),
        ("(learn, 10_000, 8)", "(learn, 1000, 12)"),
        ("(0.2, 10_000, 8)", "(0.2, 1000, 12)"),
    )[0]
    assert more["kept"] > only(0.8, 1)["kept"] + 0.04
