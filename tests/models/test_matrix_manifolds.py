"""The model cell on matrix manifolds against the book's chains: equal noise, equal matrices; and warm chains cross."""

import re

import model_cells
import numpy as np
import pytest

from offconvex.sampling.langevin import start, ula
from offconvex.sampling.manifolds import fibers, theory
from offconvex.sampling.manifolds.posterior import Posterior

CHAPTER = "matrix-manifolds"
LOOP = "for coldness in (25, 100):"


class Replayed:
    """A generator that hands out the cell's noise, chains first, where the engine asks for its own, chains last."""

    def __init__(self, draw):
        self.draw = draw

    def standard_normal(self, shape):
        return np.moveaxis(self.draw.normal(size=(shape[-1], *shape[:-1])), 0, -1)


def table(printed: str) -> np.ndarray:
    """What the cell prints, a row for each look: beta, time, memory and its law in percent, distance, crossed."""
    return np.array([[float(x) for x in re.findall(r"[\d.]+", line)] for line in printed.splitlines()[1:]])


def looks(rt) -> list[tuple[float, float, float, float]]:
    """Memory, distance, share on the other component and law of the distance, by the engine from the cell's noise."""
    draw, found = np.random.default_rng(11), []
    for beta in (25.0, 100.0):
        posterior = Posterior(3, (1.0, 1.0), beta)
        target, minimizer = posterior.target(rt), rt.tensor(posterior.minimizer())
        eta = posterior.step(0.5)
        law = theory.squared_distance(posterior.curvatures(), beta, eta)
        state = start(target, minimizer.expand(500, 3, 2).contiguous())
        for _ in range(4):
            state, _ = ula(target, state, rt, Replayed(draw), step=eta, steps=round(0.5 / eta))
            seen = fibers.places(state.position, minimizer)
            memory = seen.rotation.diagonal(dim1=1, dim2=2).sum(1).mean() / 2
            found.append((float(memory), float(seen.own.mean()), float((seen.component < 0).double().mean()), law))
    return found, state.position.numpy()


def test_the_engine_makes_the_same_matrices_from_the_same_noise(rt):
    cell, printed = model_cells.run(CHAPTER)
    found, last = looks(rt)
    assert np.abs(last - cell["X"]).max() < 1e-9
    rows = table(printed)
    for row, (memory, own, crossed, _) in zip(rows, found, strict=True):
        assert list(row[[2, 4, 5]]) == [round(100 * memory), pytest.approx(round(own**0.5, 1)), crossed]


def test_what_is_printed_is_the_law(rt):
    cell, printed = model_cells.run(CHAPTER)
    rows = table(printed)
    rate = theory.fiber_rate((1.0, 1.0))
    assert list(rows[:, 3]) == [round(100 * np.exp(-rate * time)) for time in rows[:, 1]]
    # The cosine of an angle spreads by at most 0.71 over 500 chains, 3.2 points; at beta = 25 the rate is 4 % higher.
    assert np.abs(rows[:, 2] - rows[:, 3]).max() < 5 * 3.2 + 2
    # Squared distances are sums of five squares, so that their mean over 500 chains has an error of 3 to 4 %; terms
    # beyond the Gaussian law are of order 1 / beta.
    for _, own, _, law in looks(rt)[0]:
        assert own == pytest.approx(law, rel=0.25)


def test_warm_chains_cross_and_unequal_columns_turn_at_another_rate():
    _, warm = model_cells.vary(CHAPTER, (LOOP, "for coldness in (1, 1):"))
    assert table(warm)[-1, 5] > 10
    _, longer = model_cells.vary(
        CHAPTER, ("np.eye(3, 2)", "np.eye(3, 2) * (2, 1)"), ("(8 * coldness)", "(32 * coldness)")
    )
    # Lengths 2 and 1 turn at 1 / (4 + 1), not at 1 / 2: exp(-0.4) = 67 % are left at time 2, not 37 %.
    assert np.abs(table(longer)[[3, 7], 2] - 67).max() < 5 * 3.2 + 2
