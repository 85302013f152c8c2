"""The experiments on hierarchical factorizations: identities, both sides of a bound, and settings that cannot work."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from offconvex import rng, runtime, stored
from offconvex.descent import GroupRMSprop, descend
from offconvex.factorizations import measure, theory
from offconvex.factorizations.hierarchical import laws as hierarchical_laws
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.hierarchical import network as hierarchical_network
from offconvex.factorizations.hierarchical import separation as hierarchical_separation
from offconvex.factorizations.hierarchical import wide as hierarchical_wide
from offconvex.factorizations.hierarchical.incremental import TreeLearning, learn_trees, mean_overlap
from offconvex.factorizations.hierarchical.one_law import STARTS, read_all
from offconvex.factorizations.hierarchical.task import TreeCompletion
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor

CPU = runtime.resolve("cpu")
SMALL = TreeCompletion(length=3, rank=2, observed=60, norm=9.0, width=8)


def test_growth_is_the_derivative_at_balance_and_not_elsewhere():
    record = hierarchical_laws.check_identity(hierarchical_laws.Identity(), CPU, 3)
    scale = np.abs(record.velocities).max()
    assert set(record.axes) == {3, 4}
    np.testing.assert_allclose(record.velocities, record.law, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose(record.unbalanced_velocities, record.exact, rtol=0, atol=1e-12 * scale)
    assert np.abs(record.unbalanced_velocities - record.unbalanced_law).max() > 1e-3 * scale


def test_discrete_growth_is_what_gradient_descent_does_to_a_component_alone():
    # One component of a tensor of rank one, all vectors along a line: its norms then obey the recursion exactly.
    factors = tuple(CPU.tensor([[[v]]]) for v in (0.5, 0.7, 1.1))
    objective = tensor.TensorObjective(tensor.completion_loss(CPU.tensor([[[[3.0]]]]), CPU.tensor([[[[1.0]]]])))

    run = descend(objective, factors, steps=50, step_size=0.01, record=tensor_measure.growth_projections)
    norms = np.array([[0.5], [0.7], [1.1]])
    path = theory.discrete_unbalanced_growth(np.full(50, 0.01), run["projections"][:, 0].numpy(), norms)
    np.testing.assert_allclose(path, run["norms"][:, 0].numpy(), rtol=1e-12)


def test_circuit_equals_tensor_and_another_pooling_does_not():
    record = hierarchical_network.compare(hierarchical_network.Equivalence(length=2, width=3, inputs=20), CPU, 1)
    assert record.entry_error < 1e-13 and record.input_error < 1e-13
    assert record.other_error > 1e-2


def test_circuit_output_is_linear_in_every_patch():
    tree = hierarchical.mode_tree(hierarchical.THREE_CHILDREN)
    generator = rng.generator(0, "circuit")
    weights = hierarchical.gaussian_weights(CPU, [generator], tree=tree, shape=(3,) * 4, width=4, std=1.0)
    circuit = hierarchical_network.ArithmeticCircuit(tree, weights)
    patches = CPU.normal(generator, 5, 4, 3)
    doubled = patches.clone()
    doubled[:, 2] *= 2
    with torch.no_grad():
        torch.testing.assert_close(circuit(doubled), 2 * circuit(patches), rtol=1e-12, atol=1e-14)


def test_separation_rank_counts_terms():
    record = hierarchical_separation.measure_separation(
        hierarchical_separation.Separation(length=3, terms=(1, 2, 5, 9), width=9), CPU, 2
    )
    assert record.ranks.tolist() == record.tree_ranks.tolist() == [1, 2, 5, 9]
    assert record.crossing_ranks.tolist() == [9, 9, 9, 9] and record.copy == 9


def test_small_run_learns_and_keeps_its_records_in_order():
    config = TreeLearning(task=SMALL, std=3e-2, steps=1500, finish_steps=500)
    run, other = learn_trees(config, CPU, 0, stream="test", replicas=range(2))
    (alone,) = learn_trees(config, CPU, 0, stream="test", replicas=range(1, 2))
    np.testing.assert_allclose(other.all_final[:2], alone.all_final[:2], rtol=1e-6)
    assert run.norms.shape == (1501, 8) and run.law.shape == (1501, 2)
    assert run.final_error < 0.9 and 1 <= measure.counted(run.final) <= 2
    assert run.law_deviation < 0.05
    whole = torch.from_numpy(run.tensor - run.target)
    assert run.final_error == pytest.approx(float(whole.norm() / np.linalg.norm(run.target)), rel=1e-12)
    (large,) = learn_trees(replace(config, std=0.7, rule=GroupRMSprop(rate=1e-2)), CPU, 0, stream="test")
    assert measure.counted(large.all_final) > 2 >= measure.counted(run.all_final)


def test_law_is_only_taken_where_every_iteration_is_recorded():
    (run,) = learn_trees(TreeLearning(task=SMALL, steps=40, finish_steps=1, record_every=2), CPU, 0, stream="test")
    assert np.isnan(run.law).all() and len(run.iterations) == 21


def test_overlap_and_count_leave_out_what_is_not_learned():
    times = np.arange(5.0)
    curves = np.array([[0, 0, 0], [0, 1, 0], [0, 2, 0.004], [1, 2, 0.005], [2, 2, 0.005]], dtype=float)
    assert measure.counted(curves[-1]) == 2
    assert mean_overlap(times, curves, curves[-1]) == 0.0
    assert mean_overlap(times, curves[:, [1, 1, 1, 2]], curves[-1, [1, 1, 1, 2]]) == 0.5


def test_one_law_on_short_runs():
    rates = read_all(replace(STARTS, duration=0.1), CPU, 1)
    assert set(rates) == {(k, n) for k in ("matrix", "tensor") for n in (2, 3, 4, 5)} | {
        ("hierarchical", n) for n in (3, 4, 5)
    }
    assert max(run.deviation for run in rates.values()) < 0.05


def test_stored_parts_assemble_and_a_slice_repeats_them():
    learning = TreeLearning(SMALL, std=5e-2, steps=60, finish_steps=5, kept=10)
    config = hierarchical_wide.Wide(learning, thinning=10, slice_steps=30)
    results = {which: hierarchical_wide.run_part(config, *which) for which in hierarchical_wide.parts(config).values()}
    arrays = hierarchical_wide.WIDE.assemble(config, results)
    assert arrays["root"].shape == (2, 7, 8) and arrays["split_values"].shape == (2, 3, 9)
    again = hierarchical_wide.slice_distance(arrays, hierarchical_wide.repeat_slice(config))
    assert again.distance < 1e-3 < 0.1 < again.control
    assert stored.settings(config)["task"]["length"] == 3
    assert "hierarchical-wide" in stored.experiments()


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: TreeLearning(steps=0), "at least 1"),
        (lambda: TreeLearning(kept=3), "`kept`"),
        (lambda: replace(STARTS, tensors=((3, STARTS.tensors[0][1], 0.1, 5),)), "K = "),
        (lambda: hierarchical_separation.Separation(terms=(17,)), "summands"),
        (lambda: hierarchical_wide.Wide(replicas=0), "`replicas`"),
        (lambda: hierarchical_wide.Wide(precision="half"), "`precision`"),
        (lambda: hierarchical_wide.Wide(slice_steps=40), "slice must end"),
    ],
)
def test_bad_input_is_one_clear_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()
