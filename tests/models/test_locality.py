"""The model cell on locality: its surrogate and slopes against the chapter's, its fall, its plateau, and the cure."""

import re
from functools import partial

import model_cells
import numpy as np
import pytest
import torch

from offconvex.locality import regularizer
from offconvex.locality.regularizer import Patch

CHAPTER = "locality"
ROW = re.compile(r"(\S+), (cos|log): slope (\S+), new pairs (\d+)% to (\d+)%")
FIRST, SECOND = Patch(0, 0, 1, 1), Patch(0, 1, 1, 1)
LOOP = "((begin, log) for begin in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5) for log in (0, 1))"
PENALTY = {0: regularizer.cosine_penalty, 1: partial(regularizer.log_penalty, floor=0.0)}  # a floor would be felt


def rows(printed: str, penalty: str) -> np.ndarray:
    """What is printed for a penalty, a row each: strength, slope, accuracies before and after in percent."""
    return np.array([[float(x) for x in (row[0], *row[2:])] for row in ROW.findall(printed) if row[1] == penalty])


def only(begin: float, log: int, *changes: tuple[str, str]) -> dict:
    """What the cell leaves behind after one start and penalty alone."""
    return model_cells.vary(CHAPTER, (LOOP, f"(({begin}, {log}),)"), *changes)[0]


def machine(names: dict, strength: float, alpha: torch.Tensor):
    """The cell's model of images whose two columns are the parts, their coordinates the channels."""
    train = [torch.tensor(names[part][:256]) for part in ("A", "B")]

    def model(images: torch.Tensor) -> torch.Tensor:
        a, b = (torch.exp(-0.3 * torch.cdist(images[..., 0, i], x) ** 2) for i, x in enumerate(train))
        return (a + b + strength * a * b) @ alpha

    return model


def engine(names: dict, strength: float, alpha: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Outputs and change of direction at a strength, by the chapter's regularizer."""
    images = torch.stack([torch.tensor(names[part]) for part in ("A", "B")], -1)[:, :, None]
    return regularizer.gradient_change(machine(names, strength, alpha), images, FIRST, SECOND)


@pytest.mark.parametrize("begin", [1e-1, 1e-3, 1e-5])
def test_surrogate_slopes_and_accuracy_are_the_engines(begin):
    for log, penalty in PENALTY.items():
        names = only(begin, log, ("range(11)", "range(1)"))
        alpha = torch.tensor(names["alpha"])
        outputs, change = engine(names, begin, alpha)
        np.testing.assert_allclose(1 - abs(names["cos"].real), change.numpy(), rtol=1e-6, atol=1e-13)
        around = [penalty(engine(names, z * begin, alpha)[1]).item() for z in (0.999, 1.001)]
        slope = (around[0] - around[1]) / (0.002 * begin)
        assert names["seen"][0] == pytest.approx(slope, rel=1e-3)
        right = (outputs * torch.tensor(names["same"]) > 0)[256:].double().mean().item()
        assert names["seen"][1] == pytest.approx(right, abs=1e-9)


def test_every_training_pair_is_fitted():
    names, _ = model_cells.run(CHAPTER)
    assert np.all((names["K"] @ names["alpha"] * names["same"])[:256] > 0)


def test_the_slope_of_one_vanishes_and_that_of_the_other_grows():
    printed = model_cells.run(CHAPTER)[1]
    cosine, logarithm = (rows(printed, penalty) for penalty in ("cos", "log"))
    assert len(cosine) == len(logarithm) == 5
    slopes = [[only(begin, log, ("range(11)", "range(1)"))["seen"][0] for begin in (1e-4, 1e-5)] for log in (0, 1)]
    assert slopes[0][0] / slopes[0][1] == pytest.approx(10, rel=0.01)
    assert np.array(slopes[1]) * [1e-4, 1e-5] == pytest.approx([2, 2], rel=0.01)
    assert np.all(cosine[3:, 1] < 1) and np.all(logarithm[:, 1] > 1)


def test_it_falls_and_the_logarithm_takes_the_fall_away_while_the_surrogate_stalls():
    printed = model_cells.run(CHAPTER)[1]
    cosine, logarithm = (rows(printed, penalty) for penalty in ("cos", "log"))
    before = cosine[:, 2]
    assert np.array_equal(before, logarithm[:, 2])
    assert before[0] > 80 and np.all(np.diff(before[:4]) < 0) and np.all(before[3:] < 55)
    assert np.all(logarithm[:, 3] > 75)
    assert np.all(cosine[:3, 3] > 75) and np.array_equal(cosine[3:, 3], before[3:])


def test_without_the_labels_the_surrogate_leaves_too():
    assert only(1e-5, 0, ("(slope > 1)", "(slope > 0)"))["seen"][-1] > 0.75


def test_in_plain_descent_on_the_surrogate_every_decade_of_the_start_costs_the_same_wait():
    waits = []
    for begin in (1e-3, 1e-5, 1e-7):
        names = only(begin, 0, ("range(11)", "range(20)"), ("0.005 * (slope > 1)", "1e-3 * slope"))
        waits.append(int(np.argmax([right > 0.6 for right in names["seen"][1::2]])))
    assert waits[0] > 0
    assert waits[2] - waits[1] == pytest.approx(waits[1] - waits[0], abs=1)
    assert waits[1] - waits[0] == pytest.approx(np.log(100) / np.log(3.73), abs=1)


def test_without_a_penalty_it_goes_on_guessing():
    assert max(only(1e-5, 1, ("0.005", "0.0"))["seen"][1::2]) < 0.55
