"""The model cell on locality: its surrogate against the chapter's, its plateau, and what takes the fall away."""

import re

import model_cells
import numpy as np
import pytest
import torch

from offconvex.locality.regularizer import Patch, gradient_similarity

CHAPTER = "locality"
ROW = re.compile(r"(\S+): surrogate (\S+), new pairs (\d+)%")
FIRST, SECOND = Patch(0, 0, 1, 1), Patch(0, 1, 1, 1)


def rows(printed: str) -> np.ndarray:
    """What is printed, a row each: strength, surrogate, accuracy in percent."""
    return np.array([[float(value) for value in row] for row in ROW.findall(printed)])


def machine(names: dict, strength: float, alpha: torch.Tensor):
    """The cell's model of images whose two columns are the parts, their coordinates the channels."""
    train = [torch.tensor(names[part][:256]) for part in ("A", "B")]

    def model(images: torch.Tensor) -> torch.Tensor:
        a, b = (torch.exp(-0.3 * torch.cdist(images[..., 0, i], x) ** 2) for i, x in enumerate(train))
        return (a + b + strength * a * b) @ alpha

    return model


def engine(names: dict, strength: float) -> tuple[float, float]:
    """Surrogate and share of right new pairs at a strength, by interpolation and the chapter's regularizer."""
    images = torch.stack([torch.tensor(names[part]) for part in ("A", "B")], -1)[:, :, None]
    labels = torch.tensor(names["same"])
    kernel = torch.stack([machine(names, strength, unit)(images[:256]) for unit in torch.eye(256).double()], 1)
    outputs, similar = gradient_similarity(
        machine(names, strength, torch.linalg.solve(kernel, labels[:256])), images, FIRST, SECOND
    )
    return similar.mean().item(), (outputs * labels > 0)[256:].double().mean().item()


def test_surrogate_and_accuracy_are_the_engines():
    names, printed = model_cells.run(CHAPTER)
    found = rows(printed)
    assert len(found) == 10
    # The last turn, whose strength is kept as the larger of the two at which the surrogate is read.
    surrogate, right = engine(names, names["z"])
    assert names["cos"][1] == pytest.approx(surrogate, abs=1e-6)
    assert names["new"] == pytest.approx(right, abs=1e-9)
    assert found[-1, 1:] == pytest.approx([surrogate, 100 * right], abs=0.5)


def test_strength_descends_on_the_engines_surrogate():
    names, _ = model_cells.run(CHAPTER)
    images = torch.stack([torch.tensor(names[part]) for part in ("A", "B")], -1)[:, :, None]
    at = names["z"]
    around = [
        gradient_similarity(machine(names, z, torch.tensor(names["alpha"])), images, FIRST, SECOND)[1].mean().item()
        for z in (0.999 * at, 1.001 * at)
    ]
    assert names["joint"] == pytest.approx(at - 1e-3 * (around[1] - around[0]) / (0.002 * at), rel=0.01)


def test_every_decade_of_the_start_costs_the_same_wait():
    waits = []
    for start in ("1e-3", "1e-5", "1e-7"):
        _, printed = model_cells.vary(CHAPTER, ("(9), 1e-5", f"(9), {start}"), ("range(10)", "range(20)"))
        waits.append(int(np.argmax(rows(printed)[:, 1] < 0.95)))
    assert waits[0] > 0
    assert waits[2] - waits[1] == pytest.approx(waits[1] - waits[0], abs=1)
    assert waits[1] - waits[0] == pytest.approx(np.log(100) / np.log(3.73), abs=1)


def test_it_falls_only_where_the_parts_are_weakly_joined():
    before = rows(model_cells.run(CHAPTER)[1])
    near = rows(model_cells.vary(CHAPTER, ("(9), 1e-5", "(9), 1.0"), ("range(10)", "range(1)"))[1])
    assert before[0, 2] < 55 < 75 < before[-1, 2]
    assert near[0, 2] > 85
    names, _ = model_cells.run(CHAPTER)
    assert np.all((names["K"] @ names["alpha"] * names["same"])[:256] > 0)


def test_without_the_penalty_it_goes_on_guessing():
    found = rows(model_cells.vary(CHAPTER, ("joint -= 1e-3", "joint -= 0.0"))[1])
    assert np.all(found[:, 1] == 1.0) and np.all(found[:, 2] < 55)
