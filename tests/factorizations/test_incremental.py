"""Learning one after another against closed forms, and the reading of a run on curves made by hand."""

import numpy as np
import pytest
import torch

from offconvex import rng
from offconvex.descent import GroupRMSprop
from offconvex.factorizations import measure, theory
from offconvex.factorizations.incremental import Learned, Phase, Reading, learn
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.matrix.measure import singular_growth
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor

TARGET = np.array([3.0, 2.0, 1.0])


def to_the_end(error):
    return len(error) - 1


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("step", [1e-3, GroupRMSprop(rate=3e-3)], ids=["constant", "adaptive"])
def test_aligned_values_rise_in_the_order_of_their_targets_along_the_closed_form(rt, depth, step):
    left, right = np.linalg.qr(rng.numpy_generator(0, "test incremental").normal(size=(2, 3, 3)))[0]
    target = rt.tensor(left * TARGET @ right.T)[None]
    loss = matrix.squared_loss(target, rt.zeros(1, 3, 3) + 1)
    growth = singular_growth(loss, 3)

    def record(layers, gradients):
        error = measure.relative_error(matrix.end_to_end(layers), target)
        return growth(layers, gradients) | {"error": error}

    (run,), finish = learn(
        matrix.matrix_objective(loss),
        matrix.balanced_layers(0.02 * target, depth=depth),
        record,
        Phase(15_000, step, 1, settled=1e-6),
        Phase(1000, 0.02, 100),
        lambda layers: torch.linalg.svdvals(matrix.end_to_end(layers)),
        Reading(3, 3, depth, to_the_end),
    )
    np.testing.assert_allclose(run.final, TARGET, rtol=1e-10)
    assert run.components == 3 and run.overlap < 0.5 and np.all(np.diff(run.take_offs) > 0)
    # The run ends at the first record whose loss is below the level, the finish after all its steps.
    ends = (run.error * np.linalg.norm(TARGET)) ** 2 / 2
    assert ends[-1] < 1e-6 <= ends[-2] and finish.steps == 1000
    # The law takes the run's own steps: it is the run, from one percent of the final value on.
    law = np.isfinite(run.law)
    assert [run.norms[law[:, r].argmax(), r] >= 0.01 * s for r, s in enumerate(TARGET)] == [True] * 3
    assert run.law_deviations.max() < 1e-8
    if isinstance(step, float):
        for s, path in zip(TARGET, run.norms.T):
            closed = theory.aligned_quadratic(
                step * run.iterations, initial=0.02 * s, target=s, curvature=1.0, depth=depth
            )
            np.testing.assert_allclose(path, closed, atol=0.03 * s)


def test_vectors_give_the_law_without_balance(rt):
    start = tuple(rt.tensor([[[v]]]) for v in (0.2, 0.4, 0.9))
    loss = tensor.completion_loss(rt.tensor([[[[3.0]]]]), rt.tensor([[[[1.0]]]]))

    def record(factors, gradients):
        vectors = {"vectors": tensor_measure.vector_norms(factors)}
        error = {"error": measure.relative_error(tensor.end_tensor(factors), rt.tensor([[[[3.0]]]]))}
        return tensor_measure.growth_projections(factors, gradients) | vectors | error

    def run(depth):
        phases = Phase(400, 0.01, 1), Phase(1, 0.01, 1)
        reading = Reading(1, 1, depth, to_the_end)
        return learn(tensor.TensorObjective(loss), start, record, *phases, tensor_measure.component_norms, reading)[0][
            0
        ]

    assert run(None).law_deviations[0] < 1e-12 < 1e-2 < run(3).law_deviations[0]
    sparse = learn(
        tensor.TensorObjective(loss),
        start,
        record,
        Phase(400, 0.01, 2),
        Phase(1, 0.01, 1),
        tensor_measure.component_norms,
        Reading(1, 1, 3, to_the_end),
    )[0][0]
    assert np.isnan(sparse.law).all() and np.isnan(sparse.law_deviations).all()


def ramps(*starts, length=11):
    """Curves (T, k) that rise from 0 to 1 over two records, from the given ones."""
    times = np.arange(length)[:, None]
    return np.clip((times - np.array(starts)) / 2, 0, 1)


def test_components_are_sorted_by_take_off_and_the_rest_by_size():
    iterations, final = np.arange(11), np.array([0.004, 0.6, 1.0, 0.002, 0.8])
    norms = ramps(9, 1, 5, 9, 3) * final
    reading = Reading(3, 5, 3, to_the_end)
    assert reading.order(iterations, norms, final).tolist() == [1, 4, 2, 0, 3]
    assert Reading(3, 4, 3, to_the_end).order(iterations, norms, final).tolist() == [1, 4, 2, 0]
    # Of four components that the target has one was not learned: it rises late, or early and by size last.
    early = ramps(0, 1, 5, 9, 3) * final
    assert Reading(4, 5, 3, to_the_end).order(iterations, early, final).tolist() == [0, 1, 4, 2, 3]
    learned = Reading(4, 5, 3, to_the_end, unlearned=False)
    assert learned.order(iterations, early, final).tolist() == [1, 4, 2, 0, 3]
    by_size = Reading(3, 5, 3, to_the_end, by_size=True)
    assert by_size.order(iterations, norms, final).tolist() == [0, 1, 2, 3, 4]


def test_the_law_ends_where_it_is_told_to_and_a_late_component_may_have_a_point():
    final, curves = np.ones(2), {"norms": ramps(1, 7), "projections": np.zeros((11, 2)), "error": np.linspace(1, 0, 11)}
    steps, order = np.ones(10), np.arange(2)
    law = Reading(2, 2, 3, lambda error: 5).law(steps, curves, order, final)
    assert np.isfinite(law).nonzero()[0].tolist() == [2, 3, 4, 5, 5]
    # Nothing pulls: the law stays where it starts.
    assert law[2:6, 0].tolist() == pytest.approx([0.5] * 4) and law[5, 1] == 0
    strict = Reading(2, 2, 3, lambda error: 5, late=False).law(steps, curves, order, final)
    assert np.isfinite(strict).any(0).tolist() == [True, False]


def test_deviations_are_medians_where_there_is_a_law():
    law = np.array([[np.nan, np.nan], [1.0, np.nan], [2.0, np.nan], [5.0, np.nan]])
    norms = np.array([[0.5, 0.0], [1.1, 0.0], [2.4, 0.0], [4.0, 0.0]])
    run = Learned(np.arange(4), norms, law, np.ones(4), np.array([4.0, 1.0]), {}, np.array([1.0, 4.0, 0.01]))
    np.testing.assert_allclose(run.law_deviations, [0.1, np.nan])
    assert run.components == 2
