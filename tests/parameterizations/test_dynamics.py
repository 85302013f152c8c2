"""Flow paths and races against closed forms, and the starts they refuse."""

import math

import numpy as np
import pytest
import torch

from offconvex.parameterizations import theory
from offconvex.parameterizations.dynamics import flow_paths, race, starting_parameters
from offconvex.parameterizations.model import LineLoss, PointLoss


def starts(*rows) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64, device="cpu")


@pytest.mark.parametrize("kind", [1, 2.0, 3.0, 10.0, 0.5, 0.2, "exp", "polar"])
def test_end_points_are_the_roots_of_the_conserved_quantity(kind):
    rows = starts([0.3, 0.1], [1.0, 0.2])
    ends = flow_paths(kind, LineLoss(), rows).ends
    expected = [theory.line_end_point(kind, row) for row in rows.numpy()]
    assert np.abs(ends - expected).max() < 1e-7


@pytest.mark.parametrize("kind", [1, 4.0, 0.2, "exp", "polar"])
def test_every_flow_reaches_the_point(kind):
    paths = flow_paths(kind, PointLoss(), starts([0.2, 0.5], [9.0, 8.0]))
    assert paths.weights[0] == pytest.approx(np.array([[0.2, 0.5], [9.0, 8.0]]), rel=1e-13)
    assert np.abs(paths.ends - [3.0, 6.0]).max() < 1e-8
    assert len(paths.clock) == len(paths.weights)


def test_another_line_has_another_end():
    loss = LineLoss((2.0, 1.0), 8.0)
    end = flow_paths(3.0, loss, starts([0.5, 0.5])).ends[0]
    assert end == pytest.approx(theory.line_end_point(3.0, np.array([0.5, 0.5]), (2.0, 1.0), 8.0), abs=1e-7)


def test_a_flow_that_meets_an_axis_says_so():
    with pytest.raises(FloatingPointError, match="start below the line"):
        flow_paths(0.5, LineLoss(), starts([0.01, 9.5]))


@pytest.mark.parametrize("row", [[0.0, 1.0], [-0.1, 1.0], [math.nan, 1.0], [math.inf, 1.0]])
def test_starts_outside_the_open_quadrant_are_refused(row):
    with pytest.raises(ValueError, match="every weight positive"):
        starting_parameters(2.0, starts(row))


@pytest.mark.parametrize("kind", [2.0, 4.0, "exp"])
def test_race_ends_where_both_weights_have_spent_the_same_time(kind):
    # Late enough a start that the large weight is still on its way when the small one arrives.
    start, ratio, learned = 0.06, 1.8, 0.1
    large = race(kind, [math.log(start)], ratio, learned)[0]
    times = [theory.learning_time(kind, start, learned, 1.0), theory.learning_time(kind, start, large, ratio)]
    assert times[0] == pytest.approx(times[1], rel=1e-6)
