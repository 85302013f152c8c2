"""The model cell on tempering against the book's chains: equal draws, equal walkers; each of its rules is needed."""

import re

import model_cells
import numpy as np
import pytest

from offconvex.sampling.langevin import start, ula
from offconvex.sampling.model import TwoModes
from offconvex.sampling.tempering import grid_theory, theory
from offconvex.sampling.tempering.dynamics import Levels, TemperingState, ladder, temper

CHAPTER = "tempering"
FILTER = "rung = np.where(draw.random(walkers) < odds, other, rung)"


class Replayed:
    """A generator that hands out the cell's draws where the engine asks for its own."""

    def __init__(self, noise, *uniform):
        self.noise, self.uniform = noise, list(uniform)

    def standard_normal(self, shape):
        return self.noise.reshape(shape)

    def random(self, count):
        return self.uniform.pop(0)[:count]


def shares(printed: str) -> np.ndarray:
    """Percents on the right, a row for each line: without levels, coldest level, hottest level."""
    return np.array([re.findall(r"(\d+)%", line) for line in printed.splitlines()], dtype=float)


def test_the_engine_makes_the_same_walk_from_the_same_draws(rt):
    cell, printed = model_cells.vary(CHAPTER, ("range(1, 6001)", "range(1, 2001)"))  # a third, which is enough here
    walkers, half, eta = cell["walkers"], cell["half"], cell["eta"]
    assert cell["coldness"] == pytest.approx(ladder(half, 1))
    target = TwoModes(half, 1, 0.7).target()
    levels = Levels(rt.tensor(cell["coldness"]), rt.tensor(np.log(cell["Z"])))
    draw = np.random.default_rng(1)
    begin = rt.tensor(np.full((walkers, 1), -half))
    plain, tempered = start(target, begin), start(target, begin)
    tempered = TemperingState(
        rt.tensor(draw.integers(6, size=walkers)).long(), begin, tempered.log_density, tempered.gradient
    )
    seen = []
    for _ in range(2000):
        noise, way, luck = draw.normal(size=walkers), draw.choice([-1, 1], size=walkers), draw.random(walkers)
        plain, _ = ula(target, plain, rt, Replayed(noise), step=eta, steps=1)
        level = tempered.level.numpy()
        inside = (level + way >= 0) & (level + way < 6)
        # The engine goes up below one half, and takes a swap where log(1 - u) is below the log ratio.
        draws = Replayed(noise, np.where(way > 0, 0.25, 0.75), 1 - luck[inside])
        tempered, _ = temper(target, levels, tempered, rt, draws, step=eta, steps=1, swap_rate=1 / eta, adjusted=False)
        there = (plain.position, tempered.position[tempered.level == 5], tempered.position[tempered.level == 0])
        seen.append([(z > 0).numpy().mean() for z in there])
    assert np.abs(plain.position[:, 0].numpy() - cell["stuck"]).max() < 1e-6
    assert np.abs(tempered.position[:, 0].numpy() - cell["warm"]).max() < 1e-6
    assert (tempered.level.numpy() == cell["rung"]).all()
    assert np.array_equal(np.round(100 * np.mean(np.reshape(seen, (2, 1000, 3)), axis=1)), shares(printed))


def test_what_is_printed_is_the_law_of_each_level():
    cell, printed = model_cells.run(CHAPTER)
    x = grid_theory.grid(40.0, 0.01)
    potential = grid_theory.two_modes(x, r=cell["half"], right=0.7)
    laws = [theory.level_law(potential, x, beta)[1] for beta in cell["coldness"]]
    exact = [1 - law[np.searchsorted(x, 0.0)] for law in laws]
    constants = grid_theory.log_constants(potential, 0.01, cell["coldness"])
    assert np.diff(np.log(cell["Z"])) == pytest.approx(np.diff(constants), rel=1e-5)
    plain, cold, hot = shares(printed)[-1]
    # A walker's side is forgotten in some 600 steps, so that a thousand walkers and steps are over 500 looks.
    assert plain < 2 and abs(cold - 100 * exact[5]) < 5 and abs(hot - 100 * exact[0]) < 8


def test_without_levels_or_without_the_filter_it_goes():
    _, one_level = model_cells.vary(CHAPTER, ("coldness = np.geomspace(1 / half**2, 1, 6)", "coldness = np.ones(6)"))
    assert shares(one_level)[-1].max() < 5
    _, every_swap = model_cells.vary(CHAPTER, (FILTER, "rung = other"))
    assert shares(every_swap)[-1][1] < 60
