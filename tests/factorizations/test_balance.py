"""Drift of conserved quantities against sums written out, and against what theory allows."""

import numpy as np
import pytest
import torch

from offconvex.factorizations.balance import Drift, Ladder, measure_drift
from offconvex.factorizations.matrix import laws as matrix_laws
from offconvex.factorizations.matrix.task import MatrixCompletion
from offconvex.factorizations.tensor import laws as tensor_laws
from offconvex.factorizations.tensor.task import TensorCompletion

MATRIX = MatrixCompletion(size=16, rank=2, observed=160)
TENSOR = TensorCompletion((5, 5, 5), rank=2, observed=100, norm=11.0, components=25)


def two_numbers(parameters):
    """Loss (a b - 1)^2 / 2 of numbers a and b, which conserves a^2 - b^2."""
    a, b = parameters
    residual = a * b - 1
    return residual.square() / 2, (residual * b, residual * a)


def difference(parameters):
    return (parameters[0].square() - parameters[1].square())[:, None, None]


def test_descent_drifts_by_what_its_steps_add_and_the_flow_does_not(rt):
    ladder, start = Ladder(stable_steps=1.0, steps=(100, 200), records=10), (0.9, 0.3)
    parameters = tuple(rt.tensor([x]) for x in start)
    largest = lambda p: torch.maximum(*(x.square() for x in p))  # noqa: E731
    drift = measure_drift(two_numbers, parameters, difference, largest, ladder, stable_step=5.0, std=1.0)
    for size, found in zip(drift.step_sizes, drift.drifts):
        (a, b), added = start, 0.0
        for _ in range(round(5.0 / size)):
            residual = a * b - 1
            # A step changes a^2 - b^2 by the square of its own length in it, and by nothing else.
            added += size**2 * residual**2 * (b**2 - a**2)
            a, b = a - size * residual * b, b - size * residual * a
        assert found == pytest.approx(abs(added) / max(a, b) ** 2, rel=1e-9)
    assert drift.flow_drifts.max() < 1e-7
    assert drift.flow_times.tolist() == np.linspace(0, 5, 10).tolist()
    # The flow ends at a b = 1 with the first difference: a^2 = (d + (d^2 + 4)^(1/2)) / 2.
    gap = start[0] ** 2 - start[1] ** 2
    assert drift.grown == pytest.approx((gap + np.sqrt(gap**2 + 4)) / 2 / start[0] ** 2, rel=1e-3)


@pytest.mark.parametrize(("start", "largest_at"), [((0.9, 0.3), "the end"), ((1.6, 1.2), "the start")])
def test_drift_along_the_flow_is_relative_to_the_largest_norm_reached(rt, start, largest_at):
    first = lambda p: p[0][:, None, None]  # noqa: E731  not conserved, so that there is a drift to divide
    square = lambda p: p[0].square()  # noqa: E731
    parameters = tuple(rt.tensor([x]) for x in start)
    drift = measure_drift(two_numbers, parameters, first, square, Ladder(1.0, (50, 100)), stable_step=8.0, std=1.0)
    gap = start[0] ** 2 - start[1] ** 2
    end = np.sqrt((gap + np.sqrt(gap**2 + 4)) / 2)
    largest = {"the start": start[0], "the end": end}[largest_at] ** 2
    assert drift.flow_drifts[-1] == pytest.approx(abs(end - start[0]) / largest, rel=1e-3)


@pytest.mark.parametrize(
    "measure",
    [
        lambda rt: matrix_laws.measure_balance(
            matrix_laws.MatrixBalance(MATRIX, ladder=Ladder(steps=(800, 1600))), rt, 3
        ),
        lambda rt: tensor_laws.measure_balance(tensor_laws.TensorBalance(TENSOR, std=0.2), rt, 0),
    ],
    ids=["matrix", "tensor"],
)
def test_the_flow_keeps_them_and_descent_loses_them_in_step(rt, measure):
    drift = measure(rt)
    assert drift.flow_drifts.max() < 1e-6 < drift.drifts.min()
    assert drift.slope == pytest.approx(1, abs=0.1) and drift.grown > 2


def test_the_line_is_proportional_to_the_step():
    drift = Drift(np.array([4.0, 2.0, 1.0]), np.array([9.0, 3.0, 1.0]), np.zeros(1), np.zeros(1), 1.0)
    assert drift.line.tolist() == [4.0, 2.0, 1.0]
    assert drift.slope == pytest.approx(np.log(9) / np.log(4))


def test_a_ladder_has_two_rungs():
    for steps in ((10,), (10, 10)):
        with pytest.raises(ValueError, match="increasing"):
            Ladder(steps=steps)
