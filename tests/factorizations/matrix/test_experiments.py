"""The chapter's experiments at small size: laws that hold, hypotheses whose removal breaks them, and bad input."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from offconvex import runtime
from offconvex.factorizations.matrix import incremental as matrix_incremental
from offconvex.factorizations.matrix import laws as matrix_laws
from offconvex.factorizations.matrix import recovery as matrix_recovery
from offconvex.factorizations.matrix.nuclear_norm import minimize_nuclear_norm
from offconvex.factorizations.matrix.task import MatrixCompletion

CPU = runtime.resolve("cpu")
SMALL = MatrixCompletion(size=16, rank=2, observed=160)


def test_growth_law_and_its_controls():
    held = matrix_laws.measure_growth(matrix_laws.MatrixGrowth(SMALL, steps=6000), CPU, 3)
    assert held.deviation < 0.01 and abs(held.exponent - 4 / 3) < 0.03
    unbalanced = matrix_laws.MatrixGrowth(SMALL, steps=3000, layer_scales=(30, 1, 1 / 30))
    assert matrix_laws.measure_growth(unbalanced, CPU, 3).deviation > 0.05
    single = matrix_laws.MatrixGrowth(SMALL, depth=1, std=1e-3, step_share=0.01, steps=600, record_every=3)
    assert abs(matrix_laws.measure_growth(single, CPU, 3).exponent) < 0.01


def test_layers_follow_the_closed_form():
    config = matrix_laws.Quadratic(depths=(1, 2, 3), duration=(2.0, 2.0, 3.0), records=8)
    assert matrix_laws.solve_quadratic(config, CPU, 3).errors.max() < 1e-8


def test_escape_time_at_depth_three():
    config = matrix_laws.Escape(
        MatrixCompletion(size=10, rank=1, observed=50), depths=(2, 3), stds=(1e-3, 1e-4), replicas=1
    )
    record = matrix_laws.measure_escape(config, CPU, 3)
    assert record.log_slopes[0, 0] == pytest.approx(1, abs=0.05)
    assert record.slopes[1, 0] == pytest.approx(-1, abs=0.05)


def test_incremental_learning_of_two_values():
    config = matrix_incremental.MatrixLearning(SMALL, steps=2500, replicas=2)
    record = matrix_incremental.learn_incrementally(config, CPU, 3)
    assert record.components.tolist() == [2, 2]
    assert record.overlaps.max() < 0.1 and record.lowest_errors.max() < 1e-3
    # The other replicas do not change the drawn one.
    alone = matrix_incremental.learn_incrementally(replace(config, replicas=1), CPU, 3)
    np.testing.assert_array_equal(alone.drawn.norms, record.drawn.norms)


def test_depth_comparison_and_single_layer():
    config = matrix_recovery.Depths(
        MatrixCompletion(size=16, rank=1, observed=100), steps=(50, 50, 50), replicas=2, record_every=10
    )
    record = matrix_recovery.compare_depths(config, CPU, 3)
    assert record.runs[0].unseen_motion.max() == 0
    assert record.runs[1].unseen_motion.min() > 0
    assert (record.convex_norms <= record.target_nuclear_norms * (1 + 1e-6)).all()


def test_sweep_cells_are_single_runs():
    config = matrix_recovery.RecoverySweep(
        size=8, rank=1, fractions=(0.5, 0.8), scales=(1.0, 0.1), depths=(2,), replicas=2, steps=60, finish_steps=20
    )
    together = matrix_recovery.sweep_recovery(config, CPU, 3)
    alone = matrix_recovery.sweep_recovery(replace(config, fractions=(0.8,), scales=(0.1,)), CPU, 3)
    np.testing.assert_allclose(together.errors[0, 1, 1], alone.errors[0, 0, 0], rtol=1e-9)


def test_nuclear_norm_is_certified_and_its_certificate_is_sound():
    targets, masks = SMALL.draw(CPU, 3, "nuclear", range(2))
    solution = minimize_nuclear_norm(targets, masks, tolerance=1e-8)
    assert solution.gap.max() <= 1e-8
    torch.testing.assert_close(masks * solution.product, masks * targets, rtol=0, atol=0)
    # No feasible matrix may beat the certified value: random feasible ones, and small feasible moves, do not.
    generator = torch.Generator(device="cpu").manual_seed(0)
    for size in (1e-3, 1e-1, 1.0):
        move = size * (1 - masks) * torch.randn(masks.shape, generator=generator, dtype=torch.float64, device="cpu")
        assert (torch.linalg.svdvals(solution.product + move).sum(1) >= solution.nuclear_norm * (1 - 1e-8)).all()


def test_nuclear_norm_of_a_solved_case():
    # [[*, 1], [1, 0]]: the nuclear norm of [[x, 1], [1, 0]] is sqrt(x^2 + 4), least at x = 0.
    target = torch.tensor([[[5.0, 1.0], [1.0, 0.0]]], dtype=torch.float64, device="cpu")
    mask = torch.tensor([[[0.0, 1.0], [1.0, 1.0]]], dtype=torch.float64, device="cpu")
    solution = minimize_nuclear_norm(target, mask, tolerance=1e-10)
    assert solution.nuclear_norm.item() == pytest.approx(2, rel=1e-9)
    # The norm is flat at its minimum: x is known to the square root of the gap.
    assert abs(solution.product[0, 0, 0].item()) < 1e-4


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: matrix_incremental.MatrixLearning(depth=2), "depth 3 and 4"),
        (lambda: matrix_incremental.MatrixLearning(depth=5), "depth 3 and 4"),
        (lambda: matrix_incremental.MatrixLearning(std=0.0), "`std`"),
        (lambda: matrix_incremental.MatrixLearning(replicas=0), "at least 1"),
        (lambda: matrix_laws.MatrixGrowth(depth=0), "depth >= 1"),
        (lambda: matrix_laws.MatrixGrowth(layer_scales=(1.0,)), "one factor a layer"),
        (lambda: matrix_laws.MatrixBalance(depth=1), "depth 1"),
        (lambda: matrix_laws.Escape(depths=(1, 2)), "depths >= 2"),
        (lambda: matrix_laws.Quadratic(depths=(1,)), "one time a depth"),
        (lambda: matrix_recovery.Depths(steps=(1,)), "one count a depth"),
        (lambda: matrix_recovery.RecoverySweep(fractions=(0.0,)), "`fractions`"),
        (lambda: matrix_recovery.RecoverySweep(depths=(0,)), "`depths`"),
        (lambda: matrix_laws.measure_growth(matrix_laws.MatrixGrowth(SMALL, steps=5), CPU, 0), "more `steps`"),
        (
            lambda: minimize_nuclear_norm(CPU.zeros(1, 2, 2), CPU.zeros(1, 2, 3)),
            "one shape",
        ),
    ],
)
def test_bad_input_is_one_clear_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()
