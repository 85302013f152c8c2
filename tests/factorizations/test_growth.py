"""Rates read off descent against closed forms, and the window of what counts."""

import numpy as np
import pytest

from offconvex import rng
from offconvex.factorizations.growth import Rates, Window, read_rates
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.matrix.measure import singular_growth
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor

TARGET = np.array([3.0, 2.0, 1.0])


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize("each", [False, True])
def test_aligned_singular_values_grow_by_the_law_toward_their_targets(rt, depth, each):
    # Under (1/2) |W - T|_F^2 with common singular vectors the pull on a value is s - sigma.
    left, right = np.linalg.qr(rng.numpy_generator(0, "test growth").normal(size=(2, 3, 3)))[0]
    target = rt.tensor(left * TARGET @ right.T)[None]
    loss = matrix.squared_loss(target, rt.zeros(1, 3, 3) + 1)
    start = matrix.balanced_layers(0.05 * target, depth=depth)
    window = Window(scale=3.0, each=each)
    growth = {depth: singular_growth(loss, 3)}
    step = 4e-4
    run = read_rates(lambda: matrix.matrix_objective(loss), growth, start, window, step=step, steps=12_000)[depth]
    # Which of the targets a value is on its way to: the pull tells.
    gaps = np.abs(run.values[:, None] + run.projections[:, None] - TARGET)
    goal = TARGET[gaps.argmin(1)]
    assert set(goal) == set(TARGET) and gaps.min(1).max() < 1e-9
    # A step goes by the pull at its start: in its middle the law holds to first order in the step.
    np.testing.assert_allclose(run.rates, depth * run.values ** (2 - 2 / depth) * (goal - run.values), rtol=30 * step)
    np.testing.assert_allclose(run.law, depth * run.values ** (2 - 2 / depth) * (goal - run.values), rtol=1e-9)
    assert run.axes == depth and run.deviation < 15 * step and run.vectors is None
    peaks = {s: run.projections[goal == s] for s in TARGET}
    floor = [0.05 * (peaks[s].max() if each else peaks[3.0].max()) for s in TARGET]
    assert all(peaks[s].min() > low for s, low in zip(TARGET, floor))
    assert (peaks[1.0].min() < 0.05 * peaks[3.0].max()) == each


@pytest.mark.parametrize("scales", [(1.0, 1.0, 1.0), (4.0, 1.0, 0.5)])
def test_vectors_on_a_line_grow_by_the_exact_law_balanced_or_not(rt, scales):
    # One component of a tensor of one entry: sigma is the product of three numbers and its pull 2 (3 - sigma).
    start = tuple(rt.tensor([[[0.5 * scale]]]) for scale in scales)
    loss = tensor.completion_loss(rt.tensor([[[[3.0]]]]), rt.tensor([[[[1.0]]]]))

    def growth(factors, gradients):
        vectors = {"vectors": tensor_measure.vector_norms(factors).mT}
        return tensor_measure.growth_projections(factors, gradients) | vectors

    options = {"step": 1e-4, "steps": 20_000, "record_every": 50}
    run = read_rates(lambda: tensor.TensorObjective(loss), {3: growth}, start, Window(), **options)[3]
    np.testing.assert_allclose(run.projections, 2 * (3 - run.values), rtol=1e-6)
    np.testing.assert_allclose(run.vectors.prod(1), run.values, rtol=1e-6)
    exact = 2 * (3 - run.values) * run.values**2 * (1 / run.vectors**2).sum(1)
    np.testing.assert_allclose(run.rates, exact, rtol=5e-3)
    assert run.exact_deviation < 2e-3
    assert (run.deviation > 0.1) == (scales != (1.0, 1.0, 1.0))
    thin = run.thinned(7)
    assert len(thin.values) == 7 and thin.vectors.shape == (7, 3)


def test_a_run_ends_where_it_is_told_to(rt):
    loss = tensor.completion_loss(rt.tensor([[[[3.0]]]]), rt.tensor([[[[1.0]]]]))
    start = tuple(rt.tensor([[[0.5]]]) for _ in range(3))
    options = {"step": 1e-3, "steps": 5000, "record_every": 10, "stop": lambda loss: bool(loss < 1.0)}
    read = {3: tensor_measure.growth_projections}
    run = read_rates(lambda: tensor.TensorObjective(loss), read, start, Window(), **options)[3]
    # The loss (sigma - 3)^2 is below one from sigma = 2 on, the start of a step whose middle is recorded.
    assert run.values[-2] < 2.01 < run.values[-1] == run.values.max()


def test_the_window_looks_at_sizes_and_at_pulls():
    values = np.array([[0.005, 0.02], [0.5, 0.02], [1.0, 0.02]])
    pulls = np.array([[1.0, 0.02], [0.5, 0.001], [0.04, 0.0002]])
    assert Window().keeps(values, pulls).tolist() == [[False, False], [True, False], [False, False]]
    assert Window(each=True).keeps(values, pulls).tolist() == [[False, True], [True, False], [False, False]]
    assert Window(scale=0.1, weakest=0.01).keeps(values, pulls).tolist() == [[True, True], [True, False], [True, False]]
    assert Window(scale=100.0, smallest=0.3).keeps(values, pulls).sum() == 0


def test_rates_of_an_exact_power_law():
    values = np.geomspace(0.01, 10, 200)
    rates = Rates(3, values, np.ones(200), 3 * values ** (4 / 3))
    assert rates.exponent == pytest.approx(4 / 3, rel=1e-12) and rates.deviation < 1e-12
    np.testing.assert_allclose(rates.scaled, values ** (4 / 3), rtol=1e-12)
    thin = rates.thinned(10)
    assert len(thin.values) == 10 and thin.values[0] == values[0] and thin.values[-1] == values[-1]


def test_too_short_a_run_is_one_clear_sentence(rt):
    loss = tensor.completion_loss(rt.tensor([[[[3.0]]]]), rt.tensor([[[[1.0]]]]))
    start = tuple(rt.tensor([[[0.5]]]) for _ in range(3))
    read = {3: tensor_measure.growth_projections}
    with pytest.raises(ValueError, match="Only 3 records with 3 axes show a growing component; take more `steps`"):
        read_rates(lambda: tensor.TensorObjective(loss), read, start, Window(), step=1e-3, steps=40)
