"""The model in a few lines takes the steps of the book, and ends where the potential of what they left is least."""

import re
from functools import cache

import model_cells
import numpy as np
import pytest

from offconvex.bias import mirror
from offconvex.bias.diagonal import descent
from offconvex.bias.diagonal.model import SparseProblem

CHAPTER = "diagonal-networks"


@cache
def kept():
    """The cell's names, with u and v at the end of the first pass as `halfway`."""
    line = "alpha = np.sqrt(abs(u * v))"
    return model_cells.vary(CHAPTER, (line, f"halfway = (u, v) if spending else halfway; {line}"))[0]


def percents(text: str) -> np.ndarray:
    """(runs, 2) errors as printed: of the run, and of the one that starts from what it has left."""
    return np.array([re.findall(r"(\d+)%", line) for line in text.splitlines()], dtype=float)


def problems(cell: dict, count: int) -> SparseProblem:
    """The cell's one problem, once for each run."""
    X, target = (np.broadcast_to(part, (count, *part.shape)) for part in (cell["X"], cell["target"]))
    return SparseProblem(X, (X @ target[..., None])[..., 0], target)


@pytest.mark.parametrize(("run", "alpha", "decay"), [(0, 1.0, 0.0), (1, 0.01, 0.0), (2, 1.0, 0.03)])
def test_the_book_takes_the_same_steps(run, alpha, decay):
    cell = kept()
    problem, eta = problems(cell, 1), cell["eta"]
    place = descent.start(problem, alpha)
    place = descent.descend(problem, descent.StepRule(eta, decay=decay), place, 16000)
    place = descent.descend(problem, descent.StepRule(eta), place, 4000)
    assert place.u[0] == pytest.approx(cell["halfway"][0][run], rel=1e-8)
    assert place.v[0] == pytest.approx(cell["halfway"][1][run], rel=1e-8)


def test_all_runs_end_at_the_potential_of_what_they_have_left():
    cell = kept()
    u, v = cell["halfway"]
    problem, w = problems(cell, 4), u**2 - v**2
    fitted, logs = w @ cell["X"].T, np.log(np.abs(u * v))
    assert np.linalg.norm(fitted - problem.y, axis=1).max() < 0.02 * np.linalg.norm(problem.y[0])
    left, _ = mirror.dual(problem.X, fitted, logs)
    start, _ = mirror.dual(problem.X, fitted, 2 * np.log([[1.0], [0.01], [1.0], [1.0]]) * np.ones(40))
    from_left, from_start = (np.linalg.norm(w - other, axis=1) / np.linalg.norm(w, axis=1) for other in (left, start))
    assert from_left.max() < 0.05
    assert from_start[2:].min() > 0.5


def test_the_printed_errors_agree_and_the_small_ones_are_those_of_a_small_alpha():
    errors = percents(model_cells.run(CHAPTER)[1])
    assert errors.shape == (4, 2)
    assert np.abs(np.diff(errors)).max() <= 1
    assert errors[0].min() > 60
    assert errors[1:].max() < 20


def test_without_decay_and_noise_all_large_starts_end_alike():
    changes = (("0.03 *", "0.0 *"), ("5.0 *", "0.0 *"))
    errors = percents(model_cells.vary(CHAPTER, *changes)[1])
    assert (errors[[0, 2, 3]] == errors[0]).all()
    assert errors[1].max() < errors[0].min()


def test_the_print_does_not_hang_on_the_last_digits_of_the_start():
    text = model_cells.run(CHAPTER)[1]
    assert model_cells.vary(CHAPTER, ("np.ones((4, 40)) *", "np.full((4, 40), 1 + 1e-7) *"))[1] == text
