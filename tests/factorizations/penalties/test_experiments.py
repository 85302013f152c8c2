"""Experiments of the chapter on explicit penalties at tiny size, and its stored results."""

from dataclasses import astuple, replace

import numpy as np
import pytest

from offconvex import runtime, stored
from offconvex.factorizations.matrix.task import MatrixCompletion
from offconvex.factorizations.penalties import experiments
from offconvex.factorizations.penalties import laws as penalties_laws
from offconvex.factorizations.penalties import ratings as penalties_ratings
from offconvex.factorizations.penalties import stored as penalties_stored
from offconvex.factorizations.penalties.experiments import Cell, Tasks

TINY = Tasks(MatrixCompletion(size=16, rank=1, observed=140), replicas=2, stream="test")


@pytest.fixture
def rt():
    return runtime.resolve("cpu")


def test_every_row_has_its_own_name_that_reads_well():
    names = [cell.name for cell in penalties_stored.ROWS]
    assert len(set(names)) == len(names)
    assert Cell("Schatten", graduated=True).label == "quasi-norm, smooth first · depth 1 · Adam"
    assert Cell("none", 3, "descent").label == "no penalty · depth 3 · descent"
    with pytest.raises(ValueError, match="Unknown penalty"):
        Cell("rank")


def test_a_cell_completes_and_no_penalty_does_not(rt):
    with_ratio = experiments.run_cell(TINY, Cell("ratio"), rt, 0)
    without = experiments.run_cell(TINY, Cell("none"), rt, 0)
    assert with_ratio["test"].max() < 0.02 and without["test"].min() > 0.5
    assert without["train"].max() < 1e-12


def test_replicas_do_not_depend_on_the_batch(rt):
    one = experiments.run_cell(replace(TINY, replicas=1), Cell("ratio", optimizer="descent"), rt, 0)
    two = experiments.run_cell(TINY, Cell("ratio", optimizer="descent"), rt, 0)
    assert one["test"][0] == pytest.approx(two["test"][0], rel=1e-3)


def test_the_step_sweep_covers_its_steps(rt):
    config = experiments.Steps(TINY, steps=20, adam=(0.01, 0.1), descent=(0.1, 0.2, 1e6))
    assert experiments.step_sweep(config, "Adam", "small", rt, 0)["test"].shape == (2, 2)
    assert np.isfinite(experiments.step_sweep(config, "descent", "observed", rt, 0)["test"]).all()
    with pytest.raises(ValueError, match="observed"):
        experiments.step_sweep(config, "Adam", "zero", rt, 0)


def test_targets_of_a_spectrum_have_it(rt):
    tasks = Tasks(MatrixCompletion(size=16, rank=3, observed=140), replicas=2, stream="test")
    values = np.linalg.svd(experiments.spectrum_targets(tasks, 0.5, rt, 0).numpy(), compute_uv=False)
    np.testing.assert_allclose(values[:, 1:3] / values[:, :2], 0.5)
    np.testing.assert_allclose((values**2).sum(1), 256)
    assert values[:, 3:].max() < 1e-12
    with pytest.raises(ValueError, match="neighboring"):
        experiments.spectrum_targets(tasks, 0.0, rt, 0)


def test_weights_come_back_in_their_order(rt):
    found = experiments.sweep_nuclear(TINY, (1.0, 1e-3, 1e-1), rt, 0)
    order = found["train"].mean(1)
    assert order[1] < order[2] < order[0] and found["gap"].max() <= 1e-3


def test_reach_reads_the_sweep():
    arrays = {"Adam": np.array([0.01, 0.1]), "descent": np.array([0.1, 0.3])}
    arrays |= {
        "test Adam-observed": np.array([[1e-3], [1e-4]]),
        "test Adam-small": np.array([[1.0], [0.7]]),
        "test descent-observed": np.array([[0.5], [0.4]]),
        "test descent-small": np.array([[0.9], [2.0]]),
    }
    found = penalties_laws.reach(stored.Stored(arrays, {}, {}), 2e-3)
    assert astuple(found) == pytest.approx((0.4, 0.7, 10, 0))


def tiny_ratings(noise):
    draws = np.random.default_rng(5)  # a fixed table of the test alone
    pairs = np.array([(u, i) for u in range(30) for i in range(40)])[draws.permutation(1200)[:700]]
    table = np.add.outer(draws.normal(size=30), draws.normal(size=40)) + np.outer(
        draws.normal(size=30), draws.normal(size=40)
    )
    stars = (3 + 0.5 * table[pairs[:, 0], pairs[:, 1]] + noise * draws.normal(size=700)).clip(1, 5)
    return np.column_stack([pairs, stars])


def test_ratings_of_low_rank_are_completed_beyond_their_offsets(rt):
    config = penalties_ratings.Ratings(thresholds=(5.0, 2.0, 1.0, 0.5), weights=(0.01, 0.1), rate=0.02, steps=100)
    found = penalties_ratings.compare(config, tiny_ratings(0.05), (30, 40), rt, 0)
    assert found["biases"] < found["mean"]
    assert found["soft-impute"] < found["biases"] and found["ratio"] < found["biases"]
    assert found["test"].shape == (2, 20)


def test_offsets_are_found_and_damped():
    rows = np.array([(u, i, 3 + 0.1 * u + 0.2 * i) for u in range(5) for i in range(4)])
    assert penalties_ratings.rmse(penalties_ratings.biases(rows, (5, 4), 0.0, sweeps=50), rows) < 1e-10
    damped = penalties_ratings.biases(rows, (5, 4), 1e9)
    np.testing.assert_allclose(damped, rows[:, 2].mean(), atol=1e-6)


def test_without_the_package_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setattr(penalties_ratings.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="recbole, which is not installed; install it with"):
        penalties_ratings.load()


@pytest.mark.parametrize("text", ["", "user_id\titem_id\trating\n1\t1\t3\n", "user\titem\trating\nx\ty\tz\n"])
def test_a_file_that_is_not_the_data_set_is_refused(monkeypatch, tmp_path, text):
    file = tmp_path / "dataset_example" / "ml-100k" / "ml-100k.inter"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(penalties_ratings.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(ValueError, match="install it with"):
        penalties_ratings.load()


def test_every_tensor_names_its_device(explicit_devices, rt):
    experiments.run_cell(TINY, Cell("ratio", depth=2), rt, 0)
    experiments.path(TINY, Cell("Schatten", graduated=True), rt, 0, (0, 10))
    experiments.proximal(TINY, (0.1,), rt, 0, iterations=3)
    experiments.sweep_spectrum(TINY, (1.0,), rt, 0, iterations=3)
    experiments.step_sweep(experiments.Steps(TINY, steps=2), "Adam", "observed", rt, 0)
