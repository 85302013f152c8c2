"""The model in a few lines takes the steps of the book and carries its certificate; with a wrong dual it misjudges."""

import re

import model_cells
import numpy as np
import pytest

from offconvex.bias import certificate
from offconvex.bias.steepest.rules import direction, follow

CHAPTER = "optimizer-norms"
NORMS = ("frobenius", "max", "spectral")
STEPS = 5000


def percents(text: str) -> np.ndarray:
    """Printed shares in percent: a row for each rule, a column for each norm."""
    return np.array([re.findall(r"(\d+)%", line) for line in text.splitlines()], dtype=float)


def test_norms_and_duals_are_those_of_the_book():
    cell, _ = model_cells.run(CHAPTER)
    for name, size, dual, walk in zip(NORMS, cell["sizes"], cell["duals"], cell["walks"].values()):
        assert size(cell["W"]) == pytest.approx(certificate.norm(name, cell["W"]), rel=1e-12)
        assert dual(cell["G"]) == pytest.approx(certificate.dual_norm(name, cell["G"]), rel=1e-12)
        assert walk(cell["G"]) == pytest.approx(direction(name, cell["G"]), abs=1e-12)


def test_the_engine_takes_the_same_steps_and_certifies_the_same_shares():
    cell, text = model_cells.run(CHAPTER)
    lengths = 0.3 / np.sqrt(np.arange(1, STEPS + 1))
    every = range(1, STEPS + 1)
    courses = [follow(cell["X"], lambda g, name=name: direction(name, g), lengths, keep=every) for name in NORMS]
    assert courses[-1].weights[-1] == pytest.approx(cell["W"], abs=1e-9)
    # The cell looks at p before each step; the last p of a course comes after its last step.
    p = np.concatenate([course.p[:-1] for course in courses])
    bounds = [certificate.bound(name, cell["X"], p).min() for name in NORMS]
    assert cell["bound"] == pytest.approx(bounds, rel=1e-9)
    ends = [course.weights[-1] for course in courses]
    margins = [[certificate.margins(cell["X"], w).min() / certificate.norm(name, w) for name in NORMS] for w in ends]
    assert np.array_equal(percents(text), np.round(100 * np.array(margins) / bounds))


def test_each_rule_is_best_in_its_own_norm_and_well_short_in_the_others():
    shares = percents(model_cells.run(CHAPTER)[1])
    assert shares.diagonal().min() >= 98
    assert shares[~np.eye(3, dtype=bool)].max() < 90


def test_a_norm_in_place_of_its_dual_certifies_nothing():
    """The largest entry of G would be a bound far below the margin that the run has."""
    _, text = model_cells.vary(CHAPTER, ("lambda M: abs(M).sum()", "lambda M: abs(M).max()"))
    assert percents(text)[1, 1] > 150


def test_the_print_does_not_hang_on_the_last_digits_of_the_start():
    text = model_cells.run(CHAPTER)[1]
    changed = ("W = np.zeros((4, 4))", "W = np.full((4, 4), 1e-6)")
    assert model_cells.vary(CHAPTER, changed)[1] == text
