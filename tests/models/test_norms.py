"""The model in a few lines is gradient descent on the book's task, and its two runs differ by a sign alone."""

import re

import model_cells
import numpy as np
import pytest
import torch

from offconvex.descent import descend
from offconvex.factorizations.matrix.model import end_to_end, identity_layers
from offconvex.factorizations.norms import theory
from offconvex.factorizations.norms.task import CornerCompletion, determinant
from offconvex.runtime import Runtime

CHAPTER = "norms"
STEPS = (0, 500, 2000, 8000)
ROW = re.compile(r"(\d+): W11 = +(\S+), norm +(\S+), error +(\d+)%")


def rows(text: str) -> np.ndarray:
    """Printed rows (2, 4, 4): run, time, and step, entry, nuclear norm, error in percent."""
    return np.array([[float(value) for value in row] for row in ROW.findall(text)]).reshape(2, len(STEPS), 4)


def engine(rt: Runtime, sign: float) -> torch.Tensor:
    """Products (4, 2, 2) at the printed steps, by the book's objective and descent."""
    first, second, last = identity_layers(rt, depth=3, size=2, replicas=1, scale=0.4**3)
    layers = (first, second, last @ rt.tensor([[1.0, 0.0], [0.0, sign]]))
    run = descend(
        CornerCompletion().objective(rt),
        layers,
        steps=STEPS[-1],
        step_size=0.03,
        record=lambda q, _: {"product": end_to_end(q)},
        record_every=500,
    )
    return run["product"][[step // 500 for step in STEPS], 0]


@pytest.mark.parametrize(("run", "sign"), [(0, 1.0), (1, -1.0)])
def test_the_book_prints_the_same_numbers(rt, run, sign):
    names, text = model_cells.run(CHAPTER)
    products = engine(rt, sign)
    residuals = products - torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    residuals[:, 0, 0] = 0
    expected = np.array(
        [
            [
                step,
                round(float(w[0, 0]), 1),
                round(float(torch.linalg.svdvals(w).sum()), 1),
                round(100 * float(r.norm())),
            ]
            for step, w, r in zip(STEPS, products, residuals)
        ]
    )
    assert np.array_equal(rows(text)[run], expected)
    if sign < 0:  # the run whose product the cell leaves behind
        assert np.abs(products[-1].numpy() - names["W"]).max() < 1e-12


def test_the_first_run_keeps_its_sign_and_grows_by_the_law(rt):
    products = engine(rt, 1.0)
    assert (determinant(products) > 0).all()
    loss = 0.5 * (rows(model_cells.run(CHAPTER)[1])[0, 1:, 3] / 100) ** 2
    entries = rows(model_cells.run(CHAPTER)[1])[0, 1:, 1]
    # Whole percents of error leave a tenth of the entry open.
    assert entries == pytest.approx(theory.entry_curve(loss), rel=0.1)
    assert (np.diff(entries) > 4).all()


def test_a_fit_of_positive_determinant_takes_the_growth_away():
    """With W22 = 1 the fit of rank one has W11 = 1, and nothing drives the entry further."""
    _, text = model_cells.vary(
        CHAPTER, ("wanted = np.array([[0.0, 1.0], [1.0, 0.0]])", "wanted = np.array([[0.0, 1.0], [1.0, 1.0]])")
    )
    assert rows(text)[0, -1, 1] == pytest.approx(1.0, abs=0.1)
    assert rows(text)[0, -1, 3] == 0


def test_the_print_does_not_hang_on_the_last_digits_of_the_start():
    text = model_cells.run(CHAPTER)[1]
    assert model_cells.vary(CHAPTER, ("A, B, C = 0.4 * np.eye(2)", "A, B, C = (0.4 + 1e-6) * np.eye(2)"))[1] == text
