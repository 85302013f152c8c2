"""The model cell of flow and descent against the chapter's two objectives, its flow and its saddle."""

import re
from dataclasses import replace

import model_cells
import numpy as np
import pytest

from offconvex.flow_vs_descent import plane, saddle, theory

CHAPTER = "flow-vs-descent"
ROW = re.compile(r"step (\S+): (\S+) steps off, left at (\S+)")


def rows(printed: str) -> dict[float, tuple[float, float]]:
    """What is printed: step -> distance of the network in steps, time of leaving."""
    return {float(step): (float(apart), float(left)) for step, apart, left in ROW.findall(printed)}


def test_network_is_as_far_from_the_engines_flow_as_printed():
    names, printed = model_cells.run(CHAPTER)
    found = rows(printed)
    assert list(found) == [0.1, 0.01, 0.001]
    for step, (apart, _) in found.items():
        engine = replace(plane.chain(), start=(0.1, 0.01), step=step, steps=round(10 / step))
        walked = engine.descent()
        distance = np.linalg.norm(walked - engine.flow(step * np.arange(len(walked))), axis=1).max()
        assert distance / step == pytest.approx(apart, abs=0.05)
    assert names["walking"] == pytest.approx(walked[-1], rel=1e-12)


def test_saddle_is_left_when_the_engine_leaves_it():
    names, printed = model_cells.run(CHAPTER)
    start = (0.5, 0.05607138)
    assert start[1] == pytest.approx(theory.saddle_manifold(2.0, 0.5), abs=1e-8)
    for step, (_, left) in rows(printed).items():
        walked = saddle.path(2.0, start, step, round(8 / step))
        first = int(np.argmax(np.abs(walked[:, 1]) >= 0.5))
        assert step * first == pytest.approx(left, abs=0.05)
    assert names["rolling"] == pytest.approx(walked[first], rel=1e-9)


def test_each_decade_of_the_step_buys_the_same_time():
    _, printed = model_cells.vary(CHAPTER, ("(0.1, 0.01, 0.001)", "(0.001, 0.0001)"), ("10 / eta", "0 / eta"))
    times = [left for _, left in rows(printed).values()]
    assert np.diff(times) == pytest.approx([np.log(10) / 2], abs=0.1)


def test_beside_the_curve_a_smaller_step_buys_nothing():
    _, printed = model_cells.vary(CHAPTER, ("0.05607138", "0.15607138"))
    times = [left for _, left in rows(printed).values()]
    assert max(times) - min(times) <= 0.2
