"""Experiments at small size: what they measure is right, and broken hypotheses show."""

import math

import numpy as np
import pytest

from offconvex import fits, runtime
from offconvex.parameterizations import experiments, incremental, measure, theory
from offconvex.parameterizations.model import LineLoss, PointLoss

RT = runtime.resolve("cpu")


def test_drawn_fields_are_unit_vectors_along_the_closed_form():
    drawn = experiments.draw_fields(experiments.Fields((1.0, 4.0, 0.2, "polar"), points=12, starts=((1.0, 0.5),)), RT)
    for arrows in drawn.arrows.values():
        assert np.linalg.norm(arrows, axis=-1) == pytest.approx(1.0, rel=1e-12)
    assert drawn.turned < 1e-10
    # First index is w2: the plain field at the right end of the bottom row points up and left.
    toward = np.array([3.0 - 10.0, 6.0])
    assert drawn.arrows[1.0][0, -1] == pytest.approx(toward / np.linalg.norm(toward), abs=1e-3)
    assert set(drawn.data) == {"axis", *(f"{a}_{k}" for a in ("arrows", "paths") for k in (1.0, 4.0, 0.2, "polar"))}


def test_field_errors_separate_the_formula_from_its_neighbors():
    errors = experiments.field_errors((2.0, 0.5, "exp", "polar"), RT, seed=3, points=12)
    assert errors.formula < 1e-12 < 1e-2 < min(errors.one_factor, errors.other_order)


def test_streams_depend_on_seed_and_name_only():
    box = (RT, 5, "a", 4, (0.0, 1.0), (1.0, 3.0))
    first = experiments.random_starts(*box)
    assert np.array_equal(first, experiments.random_starts(*box))
    assert not np.array_equal(first, experiments.random_starts(RT, 6, *box[2:]))
    assert np.all((first >= [0, 1]) & (first <= [1, 3]))


def test_ratio_paths_meet_theory():
    for start in ((0.3, 0.8), (4.5, 9.5)):
        run = experiments.ratio_paths((1.0, 4.0, "exp"), start, RT, points=6)
        assert run["ratio"] == pytest.approx(run["theory"], rel=1e-6)


def test_deeper_powers_pull_further_and_smaller_powers_do_not():
    deep = experiments.ratio_extremes((1.0, 2.0, "exp"), RT, seed=2, count=2)
    flat = experiments.ratio_extremes((1.0, 0.5), RT, seed=2, count=2)
    assert deep["below"] > 0.1 and deep["above"] > 0.009 and deep["clock"] < 1e-6
    assert flat["below"] < 0.1 and flat["above"] < 0.009


def test_growth_ratio_is_the_lead_against_the_gap():
    assert experiments.growth_ratio((4.0,), (0.2, 0.1), RT) == pytest.approx(2**0.5 * 2.8 / 5.9, rel=1e-12)


def test_polar_law_holds_for_polar_coordinates_only():
    starts = np.array([[1.0, 0.2], [6.0, 6.0]])
    assert experiments.polar_law(starts, RT).error < 1e-6
    assert experiments.polar_law(starts, RT, kind=2.0).error > 0.1


def test_line_end_points_refuse_a_start_on_an_axis():
    with pytest.raises(ValueError, match="positive weights"):
        experiments.line_end_points((2.0,), [[0.0, 1.0]], RT, LineLoss())


def test_descent_halves_its_distance_with_the_step():
    run = experiments.descend_and_flow(experiments.Descents((4.0,), starts=1, steps=40, halvings=2), RT, seed=1)
    assert fits.power_law(run["step"], run["distance"][0])[0] == pytest.approx(1.0, abs=0.02)
    assert abs(fits.power_law(run["step"], run["to plain flow"][0])[0]) < 0.05


def test_infinite_depth_starts_from_its_first_order():
    run = experiments.infinite_depth((256.0, 512.0), RT, seed=1, points=50)
    assert run["distance"] == pytest.approx(run["theory"], rel=0.02)


def test_growth_is_exact():
    run = incremental.grow(incremental.GrowthCurves(kinds=(1.0, 4.0), weights=2, points=9), RT, seed=4)
    assert run["weights"] == pytest.approx(run["theory"], rel=1e-8)
    assert np.all(np.diff(run["targets"]) < 0)


def test_largest_start_is_the_threshold_and_the_laws_do_not_trade_places():
    config = incremental.Thresholds(kinds=(2.0, 3.0), gaps=(0.03, 0.1), draws=1)
    found = incremental.find_thresholds(config, RT, seed=1)
    assert np.abs(found["measured"] - found["theory"]).max() < 1e-3
    errors = incremental.law_errors(found, config)
    # Gaps of 0.03 and 0.1 are further from the limit than the chapter's smallest.
    assert errors.polynomial < 0.1 and errors.exponential < 0.02
    assert min(errors.depth_2_as_3, errors.depth_3_as_2) > 0.5
    curves = incremental.threshold_curves(config, points=2)
    assert curves["theory"] == pytest.approx(found["theory"], rel=1e-9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: experiments.Fields((0.0,)), "power N > 0"),
        (lambda: experiments.Fields((2.0,), points=1), "at least 2 points"),
        (lambda: experiments.Fields((2.0,), starts=((-1.0, 1.0),)), "positive weights"),
        (lambda: experiments.Descents(step=0.9), "step in"),
        (lambda: incremental.GrowthCurves(start=0.7), "start in"),
        (lambda: incremental.Thresholds(slow=0.9, fast=0.1), "slow < fast"),
        (lambda: incremental.Thresholds(kinds=(3.0,)), "Depths 2 and 3"),
    ],
)
def test_configurations_refuse_what_cannot_run(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_bend_sees_a_detour_and_only_a_detour():
    straight = np.linspace([[0.0, 0.0]], [[3.0, 6.0]], 5)
    assert measure.bend(straight, (3.0, 6.0)) < 1e-15
    straight[1] = [[0.0, 1.0]]
    assert measure.bend(straight, (3.0, 6.0)) == pytest.approx(math.atan2(3, 6))


def test_measures_on_known_arrays():
    points = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 4.5]])
    assert measure.smallest_distance(points) == pytest.approx(0.5)
    assert measure.angle_to(np.array([[-2.0, 1.0]]), (1.0, 2.0)) == pytest.approx([math.pi / 2])
    path = np.array([[[1.0, 2.0]], [[1.0, 4.0]], [[2.0, 2.0]]])
    assert (measure.peak_log_ratio(path), measure.lowest_log_ratio(path)) == (pytest.approx(math.log(4)), 0.0)


def test_clock_error_sees_a_wrong_path():
    start = np.array([[0.5, 0.4]])
    paths = experiments.run_paths((4.0,), PointLoss(), start, RT)
    assert experiments.clock_error(paths) < 1e-6
    assert experiments.clock_error({3.0: paths[4.0]}) > 1e-2
    assert theory.exponent(3.0) != theory.exponent(4.0)
