"""Measurements and theory of component norms, and the experiments at small size."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from offconvex import rng
from offconvex.factorizations import theory
from offconvex.factorizations.tensor import init_scale as tensor_init_scale
from offconvex.factorizations.tensor import laws as tensor_laws
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor
from offconvex.factorizations.tensor.incremental import TensorLearning, learn_task
from offconvex.factorizations.tensor.task import TensorCompletion

SMALL = TensorCompletion((5, 5, 5), rank=2, observed=100, norm=11.0, components=25)


def problem(rt, task=SMALL, std=0.5):
    one = range(1)
    target = task.target(rt, 0, "test", one)
    objective = tensor.TensorObjective(tensor.completion_loss(target, task.mask(rt, 0, "test", one)))
    return target, objective, task.start(rt, 0, "test", one, std=std)


@pytest.mark.parametrize("shape", [(5, 5, 5), (3, 4, 3, 4)])
def test_the_exact_law_is_the_derivative_of_the_norms_along_the_flow(rt, shape):
    task = TensorCompletion(shape, rank=2, observed=60, norm=5.0, components=6)
    _, objective, factors = problem(rt, task)
    _, gradients = objective(factors)
    growth = tensor_measure.growth_projections(factors, gradients)
    _, rates = torch.func.jvp(
        lambda *f: tensor_measure.component_norms(f), factors, tuple(-g.clone() for g in gradients)
    )
    vectors = tensor_measure.vector_norms(factors)[0].T.numpy()
    law = theory.unbalanced_growth(growth["norms"][0].numpy(), growth["projections"][0].numpy(), vectors)
    np.testing.assert_allclose(rates[0].numpy(), law, rtol=1e-10)


def test_projections_are_inner_products_with_normalized_components(rt):
    target, objective, factors = problem(rt)
    _, gradients = objective(factors)
    gradients = tuple(g.clone() for g in gradients)
    weights = tensor.end_tensor(factors).requires_grad_()
    mask = SMALL.mask(rt, 0, "test", range(1))
    (end_gradient,) = torch.autograd.grad(((weights - target) * mask).square().sum() / SMALL.observed, weights)
    growth = tensor_measure.growth_projections(factors, gradients)
    for r in range(3):
        component = tensor.end_tensor(tuple(f[:, :, r : r + 1] for f in factors))
        expected = -(end_gradient * component).sum() / component.norm()
        torch.testing.assert_close(growth["projections"][0, r], expected, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(growth["norms"][0, r], component.norm(), rtol=1e-12, atol=0)


def test_merging_counts_a_split_component_once(rt):
    factors, _ = tensor.gaussian_factors(rt, [rng.generator(0, "m")], shape=(6, 6), components=3, std=1.0), None
    third = rt.normal(rng.generator(0, "third"), 1, 6, 3)
    factors = (*factors, third)
    whole = tensor_measure.merged_norms(factors, 3)
    # The first component is split in two that differ on one axis only and are of different signs on the others.
    shift = rt.normal(rng.generator(0, "shift"), 1, 6, 1)
    parts = (
        torch.cat((factors[0], factors[0][:, :, :1] - shift), 2),
        torch.cat((factors[1], -factors[1][:, :, :1]), 2),
        torch.cat((factors[2], -factors[2][:, :, :1]), 2),
    )
    parts[0][:, :, 0] = shift[:, :, 0]
    torch.testing.assert_close(tensor.end_tensor(parts), tensor.end_tensor(factors), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(tensor_measure.merged_norms(parts, 3), whole, rtol=1e-12, atol=0)
    assert not torch.allclose(tensor_measure.component_norms(parts).sort(descending=True).values[:, :3], whole)


def test_targets_have_the_norm_and_the_spread_that_were_asked_for(rt):
    targets, norms = (x(rt, 3, "test", range(4)) for x in (SMALL.target, SMALL.target_norms))
    torch.testing.assert_close(targets.flatten(1).norm(dim=1), rt.tensor([11.0] * 4), rtol=1e-12, atol=0)
    assert bool((norms[:, -1] >= SMALL.weakest * norms[:, 0]).all())
    assert SMALL.mask(rt, 3, "test", range(4)).flatten(1).sum(1).tolist() == [100.0] * 4


def test_a_small_start_learns_as_many_components_as_the_target_has(rt):
    task = TensorCompletion((8, 8, 8), rank=2, observed=300, norm=22.6, components=64)
    small = learn_task(TensorLearning(task, std=1e-3, steps=4000), rt, 0, stream="test")
    large = learn_task(TensorLearning(task, std=0.4, steps=600, record_every=10), rt, 0, stream="test")
    assert (small.merged_norms > 0.01 * small.merged_norms[0]).sum() == 2
    assert small.final_error < 1e-3 and small.norm_mismatch < 1e-3
    assert small.law_deviation < 0.05 and small.overlap < 0.2
    assert large.components > 10 and large.final_error > 0.05
    assert np.isnan(large.law_deviation)


def test_curves_are_resampled_on_any_grid_and_rest_after_the_last_record(rt):
    run = learn_task(TensorLearning(SMALL, std=0.1, steps=300, finish_steps=10, kept=5), rt, 0, stream="test")
    end = run.iterations[-1]
    moved = run.at(np.array([0, 3, end, end + 50]))
    np.testing.assert_array_equal(moved.norms[:3], run.norms[[0, 3, end]])
    np.testing.assert_array_equal(moved.norms[3], run.norms[-1])
    np.testing.assert_array_equal(moved.error[[1, 3]], run.error[[3, end]])
    assert moved.law.shape == (4, SMALL.rank) and moved.final_error == run.final_error


def test_the_law_is_judged_on_learned_components_only(rt):
    run = learn_task(TensorLearning(SMALL, std=0.1, steps=300, finish_steps=10, kept=5), rt, 0, stream="test")
    law, norms, final = np.full_like(run.law, 2.0), run.norms.copy(), np.array([2.0, 2e-3, 0, 0, 0])
    norms[:, 0], norms[:, 1] = 1.9, 0.5
    judged = replace(run, law=law, norms=norms, final=final)
    assert judged.law_deviation == pytest.approx(0.05)
    assert replace(judged, final=np.array([2.0, 1.0, 0, 0, 0])).law_deviation == pytest.approx(1.5)


def test_stored_parts_of_the_starts_come_together(rt):
    task = TensorCompletion((4, 4, 4, 4), rank=1, observed=150, norm=1.0, components=20)
    learning = TensorLearning(task, settled=1e-4, finish_steps=10, finish_share=0.9)
    config = tensor_init_scale.InitScales(learning, (0.4, 0.1), (40, 60), replicas=2, slice_steps=20)
    results = {which: tensor_init_scale.run_part(config, *which) for which in tensor_init_scale.parts(config).values()}
    stored = tensor_init_scale.assemble(config, results)
    assert stored["final_error"].shape == (2, 2) and stored["merged_norms"].shape == (2, 2, 10)
    assert stored["curve_law_1"].shape == (7, 1) and stored["curve_norms_0"].shape == (5, 10)
    one = tensor_init_scale.learn_one(config, 1, 1, curves=False)
    assert stored["final_error"][1, 1] == one.final_error
    np.testing.assert_array_equal(stored["slice_norms"], tensor_init_scale.repeat_slice(config))


def test_growth_at_small_size(rt):
    growth = tensor_laws.TensorGrowth(SMALL, std=0.2, steps=4000)
    assert tensor_laws.measure_growth(growth, rt, 0).exact_deviation < 0.01
    skewed = tensor_laws.measure_growth(replace(growth, axis_scales=(10.0, 1.0, 0.1)), rt, 0)
    assert skewed.exact_deviation < 0.01 < skewed.deviation


def test_a_run_that_learns_nothing_is_refused(rt):
    with pytest.raises(ValueError, match="take more `steps`"):
        tensor_laws.measure_growth(tensor_laws.TensorGrowth(SMALL, std=1e-3, steps=40), rt, 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: replace(SMALL, observed=10), "degrees of freedom"),
        (lambda: replace(SMALL, rank=0), "rank >= 1"),
        (lambda: replace(SMALL, weakest=0.95), "weakest"),
        (lambda: TensorLearning(TensorCompletion((5, 5), 1, 20, 1.0, 5)), "order 3"),
        (lambda: TensorLearning(SMALL, kept=1), "kept"),
        (lambda: tensor_laws.TensorGrowth(SMALL, axis_scales=(1.0,)), "one factor an axis"),
        (lambda: tensor_laws.Completions(SMALL, replicas=0), "replicas"),
        (lambda: tensor_init_scale.InitScales(stds=(0.1, 0.2), steps=(1, 1)), "decrease"),
        (lambda: tensor_init_scale.InitScales(replicas=0), "replicas"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
