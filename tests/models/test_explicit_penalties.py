"""The chapter's model in a few lines ends where the book's solvers end, and its contrast needs few seen entries."""

import re

import model_cells
import numpy as np
import pytest
import torch

from offconvex.factorizations.penalties.proximal import proximal_ratio, soft_impute

CHAPTER = "explicit-penalties"
ROW = re.compile(r"(no penalty|nuclear norm|ratio): error elsewhere +(\d+)%, rank (\d+)")


def rows(text: str) -> dict[str, tuple[int, int]]:
    """Penalty to the error in percent and the rank that are printed."""
    return {name: (int(error), int(rank)) for name, error, rank in ROW.findall(text)}


@pytest.fixture(scope="module")
def task():
    """Target and mask of the cell, (1, 24, 24), and its printed rows."""
    names, text = model_cells.run(CHAPTER)
    goal, known = (torch.from_numpy(np.asarray(names[key], dtype=float))[None] for key in ("goal", "known"))
    return goal, known, rows(text)


def scored(product: torch.Tensor, goal: torch.Tensor, known: torch.Tensor) -> tuple[int, int]:
    """Error on the entries that are not known, in whole percents of their mean square, and the rank."""
    hidden = 1 - known
    error = (hidden * (product - goal)).square().sum() / (hidden * goal).square().sum()
    return round(100 * float(error)), int(torch.linalg.matrix_rank(product, rtol=1e-8))


def test_the_ratio_ends_where_the_books_proximal_descent_ends(task):
    goal, known, printed = task
    product = proximal_ratio(goal, known, known * goal, 0.03, 1500)[0]
    assert np.abs(product.numpy() - model_cells.run(CHAPTER)[0]["W"]).max() < 1e-5
    assert scored(product, goal, known) == printed["ratio"] == (0, 2)


def test_the_nuclear_norm_ends_at_the_books_exact_minimizer(task):
    goal, known, printed = task
    threshold = 0.03 * float(known.sum()) / (2 * 24)
    product = soft_impute(goal, known, [threshold], tolerance=1e-9, iterations=5000).products[0, 0]
    names, _ = model_cells.vary(CHAPTER, (', ("ratio", 0.03)', ""))
    assert np.abs(product.numpy() - names["W"]).max() < 1e-3
    assert scored(product, goal, known) == printed["nuclear norm"] == (17, 6)


def test_nothing_is_learned_without_a_penalty(task):
    goal, known, printed = task
    assert printed["no penalty"][0] == 100 == scored(known * goal, goal, known)[0]


def test_where_most_entries_are_seen_both_penalties_complete_the_matrix():
    printed = rows(model_cells.vary(CHAPTER, ("< 0.35", "< 0.8"))[1])
    assert printed["nuclear norm"] == printed["ratio"] == (0, 2)


def test_the_print_does_not_hang_on_the_last_digits_of_the_task():
    text = model_cells.run(CHAPTER)[1]
    changed = ("goal *= 24 / np.linalg.norm(goal)", "goal *= (24 + 1e-6) / np.linalg.norm(goal); goal[0] *= 1 + 1e-6")
    assert rows(model_cells.vary(CHAPTER, changed)[1])["ratio"] == rows(text)["ratio"]
    assert rows(model_cells.vary(CHAPTER, changed)[1])["nuclear norm"] == rows(text)["nuclear norm"]
