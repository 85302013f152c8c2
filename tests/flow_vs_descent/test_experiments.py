"""The experiments at tiny size: orders, tubes, eigenvalues against dense ones, stored parts and their slices."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from offconvex import rng, runtime, stored
from offconvex.flow_vs_descent import (
    backward_error,
    convolutional,
    corrections,
    courses,
    curvature,
    paper_curvature,
    plane,
    precision,
    scalar_output,
    step_sizes,
    theory,
)
from offconvex.flow_vs_descent.model import Network, images
from offconvex.flow_vs_descent.objective import network_loss

CPU = runtime.resolve("cpu")
TINY = Network((49, 6, 5, 10), 1.0)


@pytest.mark.parametrize("slope", [1.0, 0.0])
def test_lanczos_finds_the_ends_of_the_dense_spectrum(slope):
    network = Network((49, 4, 10), slope)
    loss = network_loss(network, images(CPU, count=30, side=7))
    start = network.start(CPU, 0, "dense")
    _, product = loss.linearize(start)
    columns = []
    for unit in torch.eye(network.size, dtype=CPU.dtype, device=CPU.device):
        columns.append(backward_error.flatten(product(backward_error.unflatten(unit.numpy(), start))))
    dense = np.array(columns)
    np.testing.assert_allclose(dense, dense.T, atol=1e-13)
    values = np.linalg.eigvalsh(dense)
    found = curvature.extremes(product, start, rng.numpy_generator(0, "test"), tolerance=1e-6)
    assert found.least == pytest.approx(values[0], rel=1e-5) and found.most == pytest.approx(values[-1], rel=1e-5)
    assert found.error < 1e-4 and found.products > 20


def test_lanczos_draws_from_its_stream_alone(monkeypatch):
    network, states = Network((49, 4, 10), 0.0), []
    start = network.start(CPU, 0, "dense")
    _, product = network_loss(network, images(CPU, count=30, side=7)).linearize(start)

    def watched(*arguments, rng, **options):
        states.append(str(rng.bit_generator.state))  # SciPy would take the system's entropy without it
        return eigsh(*arguments, rng=rng, **options)

    eigsh = curvature.eigsh
    monkeypatch.setattr(curvature, "eigsh", watched)
    for seed in (0, 0, 1):
        curvature.extremes(product, start, rng.numpy_generator(seed, "test"))
    assert states[:2] == states[2:4] and not set(states[2:4]) & set(states[4:])


@pytest.mark.parametrize("make", [plane.bowl, plane.chain, plane.saddle])
def test_descent_stays_in_the_tube_and_derivatives_are_those_of_the_value(make):
    objective = make()
    followed = plane.follow(objective)
    assert np.max(followed.distance[1:] / followed.radius[1:]) <= 1
    point, h = np.array([0.4, 0.3]), 1e-6
    unit = np.eye(2)
    slopes = [(objective.value(point + h * e) - objective.value(point - h * e)) / (2 * h) for e in unit]
    bends = [(objective.gradient(point + h * e) - objective.gradient(point - h * e)) / (2 * h) for e in unit]
    np.testing.assert_allclose(objective.gradient(point), slopes, atol=1e-8)
    np.testing.assert_allclose(objective.hessian(point), bends, atol=1e-8)


def test_without_negative_curvature_the_tube_is_too_thin_at_the_saddle():
    followed = plane.follow(plane.saddle())
    assert np.max(followed.distance[1:] / followed.convex_radius[1:]) > 10


def test_orders_of_descent_and_of_its_corrections():
    config = corrections.Corrections(TINY, steps=(2e-2, 1e-2, 5e-3), time=1.0, count=30)
    found = corrections.compare(config, CPU, 0)
    slopes = {k: np.diff(np.log(found[k])) / np.diff(np.log(found["step"])) for k in ("plain", "modified", "corrected")}
    np.testing.assert_allclose(slopes["plain"], 1, atol=0.05)
    np.testing.assert_allclose(slopes["modified"], 2, atol=0.1)
    np.testing.assert_allclose(slopes["corrected"], 2, atol=0.15)
    with pytest.raises(ValueError, match="divide"):
        corrections.Corrections(steps=(0.3,), time=1.0)


@pytest.mark.parametrize("slope", [1.0, 0.0])
def test_a_course_stays_in_its_tubes_and_above_its_bound(slope):
    course = courses.Course(replace(TINY, slope=slope), iterations=100, count=30, checks=4, finer=2)
    found = courses.follow(course, CPU, 0)
    assert found["checked"][[0, -1]].tolist() == found["times"][[0, -1]].tolist()
    radii = courses.tubes(found, rate=course.rate)
    if slope == 1:
        # With kinks this is no theorem: of 30 images each may move the gradient by a thirtieth, which no Hessian sees.
        for name in ("constants", "local", "defect"):
            assert np.all(found["gap"][1:] <= radii[name][1:])
    assert np.all(radii["local"] <= radii["constants"] * (1 + 1e-12))
    np.testing.assert_allclose(courses.tubes(found, rate=course.rate, ratio=10)["defect"], radii["defect"] / 10)
    assert ("lower" in found) == (slope == 1)
    if slope == 1:
        assert np.all(found["least"] >= found["lower"])
    low, high = courses.exponents(found)
    assert 0 <= low < high
    with pytest.raises(ValueError, match="multiple"):
        courses.Course(iterations=150)


def test_random_points_have_more_negative_curvature_the_larger_they_are():
    found = courses.random_points(courses.Course(TINY, count=30), CPU, 0, (1.0, 8.0), 2)
    assert found["least"].shape == (2, 2) and np.all(found["least"][1] < 3 * found["least"][0])


def test_random_starts_converge_and_the_opposite_one_does_not():
    config = scalar_output.ScalarOutput(starts=8, norm=0.1, loss=1e-4)
    for depth in config.depths:
        assert np.all(scalar_output.converge(config, CPU, 0, depth)["loss"][-1] <= config.loss)
    times = scalar_output.arrivals(replace(config, steps=500, rate=0.05), CPU, 3, np.array([-1.0, 0.5]))
    assert times[0] == np.inf and times[1] == pytest.approx(theory.arrival_time(3, 0.1, 0.5, 1e-4), rel=0.05)


def test_balanced_starts_have_their_size_and_cosine():
    config = scalar_output.ScalarOutput()
    layers, target = scalar_output.balanced_starts(config, CPU, 4, np.array([-0.9, 0.3]))
    product = layers[3] @ layers[2] @ layers[1] @ layers[0]
    np.testing.assert_allclose(torch.linalg.vector_norm(product, dim=(1, 2)).numpy(), config.norm, rtol=1e-12)
    np.testing.assert_allclose((product @ target.mT).flatten().numpy(), config.norm * np.array([-0.9, 0.3]), rtol=1e-12)
    for below, above in zip(layers, layers[1:]):
        torch.testing.assert_close(above.mT @ above, below @ below.mT, rtol=1e-12, atol=1e-15)


SHORT = step_sizes.StepSizes(count=20, rate=1e-4, ratios=(1, 2, 4), iterations=(8, 8), records=4)


def test_stored_step_sizes_and_a_slice_of_them():
    results = {run: step_sizes.run_steps(SHORT, *run) for run in step_sizes.step_parts(SHORT).values()}
    arrays = step_sizes.assemble_steps(SHORT, results)
    for name in step_sizes.NETWORKS:
        gap = arrays[f"gap {name}"]
        assert gap.shape == (3, 3, 5)
        # With so few images a kink is a twentieth of the gradient, and the place in a step where it is met matters.
        closeness = 0.05 if name == "linear" else 0.4
        np.testing.assert_allclose(gap[0, 1, 1:] / gap[0, 2, 1:], (1 - 1 / 2) / (1 - 1 / 4), rtol=closeness)
        share = arrays[f"unit share {name}"]
        assert share.shape == (2, 5)
        assert np.all(share[:, 0] == 0) and np.all((share[:, 1:] > 1 / 110) & (share[:, 1:] < 1))
    # To the flow: the extrapolated limit is an order better than the finest run.
    assert np.all(arrays["flow gap extrapolated"][1:] < 0.1 * arrays["flow gap"][2, 1:])
    record = stored.Stored(arrays, SHORT, {})
    for ratio in (1, 2):
        assert step_sizes.slice_gap(record, "relu", ratio, 4) < 1e-9
    arrays["gap relu"] = arrays["gap relu"] * (1 + 1e-3)
    assert step_sizes.slice_gap(record, "relu", 2, 4) == pytest.approx(1e-3, rel=0.01)
    with pytest.raises(ValueError, match="multiple of 2"):
        step_sizes.slice_gap(record, "relu", 2, 3)
    with pytest.raises(ValueError, match="start with 1"):
        step_sizes.StepSizes(ratios=(2, 5))
    with pytest.raises(ValueError, match="multiples of 200"):
        step_sizes.StepSizes(iterations=(10, 10))


def test_a_law_is_compared_up_to_its_factor():
    law, gap = np.array([0.0, 0.5, 0.75]), np.zeros((3, 3, 2))
    gap[0, :, 1] = 7 * law * [1, 1.1, 1]
    np.testing.assert_allclose(step_sizes.law_deviation(gap, law), [[0.1], [0.0]], atol=1e-15)


def test_the_share_of_one_unit_is_that_of_a_row_of_its_layer():
    difference = np.zeros((2, 42_200))
    difference[1, 784 * 7 : 784 * 8] = 3.0  # all weights into the eighth unit of the first layer
    difference[1, 39_200 + 50 * 3] = 1.0  # one into the fourth of the second
    difference[1, -1] = 2.0
    np.testing.assert_allclose(step_sizes.unit_share(difference, "relu"), [0, 784 * 9 / (784 * 9 + 5)])


def test_stored_precisions_and_a_slice_of_them():
    config = precision.Precision(iterations=20, records=4, ratio=4, count=20)
    results = {run: precision.run_precision(config, *run) for run in precision.precision_parts(config).values()}
    arrays = precision.assemble_precision(config, results)
    assert np.all(arrays["rounding 4"][1:] > 1e-8) and arrays["travel"][-1] > 1e-3
    np.testing.assert_allclose(arrays["gap float32"][1:], arrays["gap float64"][1:], rtol=0.2)
    assert precision.precision_slice(stored.Stored(arrays, config, {}), 10) < 1e-9


def test_the_curvature_parts_keep_their_names():
    config = paper_curvature.Curvature(scales=(1.0,), draws=1)
    parts = paper_curvature.curvature_parts(config)
    assert list(parts) == [
        "course-linear",
        "course-relu",
        "random-linear",
        "random-relu",
    ]
    arrays = paper_curvature.assemble_curvature(config, {p: {"least": np.zeros((1, 2))} for p in parts.values()})
    assert list(paper_curvature.course_of(stored.Stored(arrays, config, {}), "relu")) == ["least"]
    assert config.course("relu").side == 28 and config.course("relu").iterations == 10_000


@pytest.mark.parametrize("name", ["adapted", "lenet"])
def test_a_convolutional_network_is_compared_at_all_steps(name):
    config = step_sizes.StepSizes(count=4, ratios=(1, 2, 4), iterations=(4, 4), records=2)
    found = convolutional.compare(name, config, CPU, 0, 4)
    np.testing.assert_allclose(found["times"], [0, 0.002, 0.004])
    assert found["loss"].shape == found["gap"].shape == (3, 3) and np.all(found["gap"][0] == 0)
    # At equal times the runs differ by the order of the step, and kinks decide by how much of it.
    assert np.all(found["gap"][1:, 1:] > 0) and np.all(found["gap"][:, 1:] < 0.2 * found["travel"][:, 1:])
    np.testing.assert_allclose(found["travel"][1:, 1:], found["travel"][[0, 0], 1:], rtol=0.2)
    with pytest.raises(ValueError, match="positive multiple of 2"):
        convolutional.compare(name, config, CPU, 0, 5)
