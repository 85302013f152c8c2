"""The chapter's model in a few lines is descent on the book's objective, and ends where the conserved quantity says."""

import re

import model_cells
import numpy as np
import pytest
import torch

from offconvex.parameterizations import theory
from offconvex.parameterizations.dynamics import flow_paths, objective, starting_parameters
from offconvex.parameterizations.model import LineLoss, parameterization

CHAPTER = "parameterizations"
POWERS = (0.25, 1.0, 2.0, 4.0)
START = np.array([0.2, 0.2])


def printed_ends(text: str) -> dict[float, np.ndarray]:
    """Power to the weights that its line prints."""
    lines = re.findall(r"N = (\S+) +ends at \((\S+), (\S+)\), X w = 15\.0", text)
    return {float(power): np.array([float(first), float(second)]) for power, first, second in lines}


def engine_descent(power: float, steps: int) -> np.ndarray:
    """The cell's run by the book's objective on the line loss, which reports minus J^T times the pull."""
    u = starting_parameters(power, torch.tensor(START[None], dtype=torch.float64))
    evaluate = objective(power, LineLoss())
    for _ in range(steps):
        stretch = parameterization(power).pullback(u, torch.ones_like(u))
        u = u - 0.01 / stretch.square().max() * evaluate((u,))[1][0]
    return parameterization(power).weights(u)[0].numpy()


def test_the_book_takes_the_same_steps():
    names, _ = model_cells.run(CHAPTER)
    # The cell's w is that before its last step.
    assert np.abs(engine_descent(names["power"], 1999) - names["w"]).max() < 1e-9


@pytest.mark.parametrize("power", POWERS)
def test_the_printed_ends_are_those_of_the_flow(power):
    printed = printed_ends(model_cells.run(CHAPTER)[1])[power]
    start = torch.tensor(START[None], dtype=torch.float64)
    assert np.array_equal(np.round(flow_paths(power, LineLoss(), start).ends[0], 1), printed)
    assert np.array_equal(np.round(theory.line_end_point(power, START), 1), printed)


def test_depth_starves_the_smaller_weight():
    ends = printed_ends(model_cells.run(CHAPTER)[1])
    assert tuple(ends) == POWERS
    assert (np.diff([ends[power][0] for power in POWERS]) < 0).all()


def test_with_as_many_examples_as_weights_the_parameterization_no_longer_chooses():
    _, text = model_cells.vary(
        CHAPTER, ("[[1.0, 2.0]]", "[[1.0, 2.0], [2.0, -1.0]]"), ("[15.0]", "[15.0, 5.0]"), ("(2000)", "(4000)")
    )
    ends = np.array(list(printed_ends(text).values()))
    assert len(ends) == 4
    assert np.array_equal(ends, np.full((4, 2), 5.0))


def test_the_print_does_not_hang_on_the_last_digits_of_the_start():
    text = model_cells.run(CHAPTER)[1]
    assert model_cells.vary(CHAPTER, ("[0.2, 0.2]", "[0.2 + 1e-6, 0.2 - 1e-6]"))[1] == text
