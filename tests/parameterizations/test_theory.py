"""Closed forms against quadrature, enumeration and finite differences; no flow is integrated here."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from offconvex.parameterizations import theory

DEEP = (2.0, 3.0, 4.0, 6.0, "exp")


def descent_direction(w: np.ndarray) -> np.ndarray:
    return (15 - w @ [1.0, 2.0])[:, None] * np.array([1.0, 2.0]) / 5


@pytest.mark.parametrize("kind", [1, 2.0, 2.0001, 3.0, 0.5, 0.2, "exp"])
def test_conserved_quantity_does_not_change_along_the_field(kind):
    w = np.array([[1.0, 0.7], [3.0, 2.0], [4.0, 0.5]])
    velocity = theory.field(kind, w, -descent_direction(w))
    step = 1e-6 / np.abs(velocity).max()
    change = theory.conserved(kind, w + step * velocity) - theory.conserved(kind, w - step * velocity)
    # Central differences: the change is of third order in a step that moves the weights by 1e-6.
    moved = np.abs(theory.conserved(kind, w + [[1e-6, 0.0]]) - theory.conserved(kind, w))
    assert np.all(np.abs(change) <= 1e-4 * moved)


@pytest.mark.parametrize("kind", [1, 2.0, 3.0, 6.0, 0.5, 0.2, "exp"])
def test_line_end_point_keeps_the_conserved_quantity_on_the_line(kind):
    start = np.array([0.3, 0.1])
    end = theory.line_end_point(kind, start)
    assert end @ [1.0, 2.0] == pytest.approx(15.0, rel=1e-14)
    # Both terms are large and cancel: digits are those of a single term.
    term = abs(theory.conserved(kind, np.array([end[0], 1.0])))
    assert theory.conserved(kind, end) == pytest.approx(theory.conserved(kind, start), abs=1e-13 * (1 + term))


def test_line_end_point_of_the_plain_model_is_the_projection():
    start = np.array([1.0, 0.2])
    assert theory.line_end_point(1, start) == pytest.approx(start + descent_direction(start[None])[0], rel=1e-12)


def test_line_end_point_at_depth_two_solves_its_quadratic():
    # log w1 - log(w2) / 2 is kept: w1 = c sqrt(w2), a quadratic equation in sqrt(w2).
    c = 1.0 / math.sqrt(0.2)
    root = (-c + math.sqrt(c * c + 120)) / 4
    assert theory.line_end_point(2, np.array([1.0, 0.2])) == pytest.approx([c * root, root**2], rel=1e-12)


def test_line_end_point_near_depth_two_is_continuous():
    start = np.array([0.2, 0.1])
    assert theory.line_end_point(2 + 1e-9, start) == pytest.approx(theory.line_end_point(2, start), abs=1e-7)


def test_line_end_point_says_when_the_flow_meets_an_axis():
    with pytest.raises(ValueError, match="start below the line"):
        theory.line_end_point(0.5, np.array([0.01, 9.5]))


def test_polar_end_point_satisfies_the_law_on_the_line():
    start = np.array([4.0, 0.5])
    end = theory.line_end_point("polar", start)
    angle = math.atan2(2, 1)
    turned = [math.sin(math.atan2(w[1], w[0]) - angle) for w in (start, end)]
    assert end @ [1.0, 2.0] == pytest.approx(15.0)
    assert turned[1] == pytest.approx(turned[0] * math.exp((start @ start - end @ end) / 2), rel=1e-9)


@pytest.mark.parametrize("p", [0.5, 1.5, 2.0, 4.0, 10.0])
def test_min_norm_point_beats_every_other_point_of_the_line(p):
    w1 = np.linspace(0, 15, 20001)
    norms = w1**p + ((15 - w1) / 2) ** p
    best = theory.min_norm_point(p)
    assert best @ [1.0, 2.0] == pytest.approx(15.0)
    assert (best**p).sum() <= norms.min() * (1 + 1e-12)


def test_min_norm_point_refuses_a_p_that_is_no_power():
    with pytest.raises(ValueError, match="positive"):
        theory.min_norm_point(0.0)


@pytest.mark.parametrize("kind", [1, 2, 3.0, 4, 0.5, "exp"])
@pytest.mark.parametrize(("start", "end"), [(0.01, 1.4), (5.0, 1.6)])
def test_learning_time_agrees_with_direct_quadrature(kind, start, end):
    direct = quad(lambda s: s ** -theory.exponent(kind) / (1.5 - s), start, end, epsabs=0, epsrel=1e-11, limit=500)[0]
    assert theory.learning_time(kind, start, end, 1.5) == pytest.approx(direct, rel=1e-9)


@pytest.mark.parametrize("kind", [1, 2, 4, "exp"])
def test_exact_solution_takes_the_time_that_quadrature_gives(kind):
    times = np.array([0.0, *(theory.learning_time(kind, 0.01, s, 2.0) for s in (0.05, 0.8, 1.9))])
    assert theory.exact_solution(kind, times, 0.01, 2.0) == pytest.approx([0.01, 0.05, 0.8, 1.9], rel=1e-10)


def test_exact_solution_arrives_and_stays():
    assert theory.exact_solution("exp", np.array([1e5]), 0.01, 2.0) == pytest.approx([2.0], rel=1e-12)


def test_companion_path_of_the_plain_model_is_straight():
    first = np.array([0.5, 1.0, 2.9])
    expected = 0.1 + (first - 0.5) * (6 - 0.1) / (3 - 0.5)
    assert theory.companion_path(1, np.array([0.5, 0.1]), (3.0, 6.0), first) == pytest.approx(expected, rel=1e-9)


def test_threshold_at_depth_two_solves_the_closed_form():
    r, s, f = 1.7, 0.1, 0.9
    start = math.exp(theory.threshold(2, r, s, f))
    small, large = (theory.exact_time(2, start, end, target) for end, target in ((s, 1.0), (f * r, r)))
    assert small == pytest.approx(large, rel=1e-10)


@pytest.mark.parametrize("kind", DEEP)
def test_threshold_lies_between_its_bounds_and_follows_its_law(kind):
    for gap in (0.02, 0.3, 3.0):
        low, high = theory.threshold_bounds(kind, 1 + gap, 0.1, 0.9)
        assert low < theory.threshold(kind, 1 + gap, 0.1, 0.9) < high
    x = np.array([1e-3, 2e-3])
    y = [theory.threshold(kind, 1 + gap, 0.1, 0.9) for gap in x]
    measured = (y[1] - y[0]) / (1 / x[1] - 1 / x[0] if kind == 2 else math.log(2))
    assert measured == pytest.approx(theory.threshold_law(kind, 0.1, 0.9), rel=2e-3)


@pytest.mark.parametrize("arguments", [(1.0, 0.1, 0.9), (2.0, 0.9, 0.1), (2.0, 0.0, 0.9)])
def test_threshold_refuses_fractions_out_of_order(arguments):
    with pytest.raises(ValueError, match="ratio > 1"):
        theory.threshold(2, *arguments)


def test_laws_stop_where_they_stop_holding():
    with pytest.raises(ValueError, match="N >= 2"):
        theory.threshold_bounds(1.0, 2.0, 0.1, 0.9)
    with pytest.raises(ValueError, match="N >= 2"):
        theory.threshold_law(1.5, 0.1, 0.9)
    with pytest.raises(ValueError, match="'exp' only"):
        theory.exponent("polar")
    with pytest.raises(ValueError, match="one side"):
        theory.learning_time(2, 0.1, 3.0, 2.0)
    with pytest.raises(ValueError, match="N = 1, 2, 4"):
        theory.exact_time(3, 0.1, np.array([1.0]), 2.0)
