"""Spectral penalties against automatic differentiation, their dynamics, proximal solvers and local theory."""

import numpy as np
import pytest
import torch

from offconvex import rng, runtime
from offconvex.descent import autograd_objective
from offconvex.factorizations.matrix.model import end_to_end, matrix_objective
from offconvex.factorizations.matrix.nuclear_norm import minimize_nuclear_norm
from offconvex.factorizations.matrix.task import MatrixCompletion
from offconvex.factorizations.penalties import theory
from offconvex.factorizations.penalties.dynamics import Schedule, fit
from offconvex.factorizations.penalties.model import PENALTIES, SHARPEST, Penalty, penalized_loss
from offconvex.factorizations.penalties.proximal import duality_gap, proximal_ratio, soft_impute, soft_threshold

TASK = MatrixCompletion(size=20, rank=2, observed=240)


@pytest.fixture
def rt():
    return runtime.resolve("cpu")


@pytest.fixture
def drawn(rt):
    return TASK.draw(rt, 1, "test penalties", range(3))


def normal(rt, *shape, name="matrix"):
    return rt.normal(rng.generator(0, "test penalties", name), *shape)


def value(penalty, smoothing):
    """The penalty as the definition reads, for automatic differentiation."""

    def of(parameters):
        w = parameters[0]
        x = w / (torch.linalg.matrix_norm(w)[:, None, None] if penalty.normalized else penalty.scale)
        s = (torch.linalg.svdvals(x).square() + smoothing**2).sqrt()
        if penalty.power == 0:
            return torch.special.entr(s / s.sum(1, keepdim=True)).sum(1).exp()
        return s.pow(penalty.power).sum(1)

    return of


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("smoothing", [0.0, 1e-4, 0.1])
@pytest.mark.parametrize("shape", [(7, 7), (5, 9), (9, 5)])
def test_values_and_gradients_are_those_of_automatic_differentiation(rt, name, smoothing, shape):
    matrix = 10 * normal(rt, 4, *shape)
    expected, (gradient,) = autograd_objective(value(PENALTIES[name], smoothing))((matrix,))
    found = PENALTIES[name].value_and_gradient(matrix, smoothing)
    torch.testing.assert_close(found[0], expected, rtol=1e-9, atol=0)
    torch.testing.assert_close(found[1], gradient, rtol=1e-7, atol=1e-9 * float(gradient.abs().max()))


@pytest.mark.parametrize("name", ["ratio", "normalized Schatten", "effective rank"])
def test_normalized_penalties_ignore_the_scale_and_the_others_do_not(rt, name):
    matrix = normal(rt, 2, 6, 6)
    small, gradient = PENALTIES[name].value_and_gradient(matrix)
    large, smaller = PENALTIES[name].value_and_gradient(100 * matrix)
    torch.testing.assert_close(large, small, rtol=1e-12, atol=0)
    torch.testing.assert_close(100 * smaller, gradient, rtol=1e-9, atol=1e-12)
    assert float((gradient * matrix).sum().abs()) < 1e-12
    plain = PENALTIES["nuclear"].value_and_gradient
    assert float((plain(2 * matrix)[0] / plain(matrix)[0] - 1).min()) > 0.9


def test_smoothing_makes_a_matrix_of_low_rank_a_smooth_point(rt):
    low = normal(rt, 1, 8, 2) @ normal(rt, 1, 2, 8, name="other")
    for penalty in PENALTIES.values():
        gradient = penalty.value_and_gradient(low, 0.1)[1]
        near = penalty.value_and_gradient(low + 1e-7 * normal(rt, 1, 8, 8, name="noise"), 0.1)[1]
        assert float((near - gradient).norm() / gradient.norm()) < 1e-4


@pytest.mark.parametrize("depth", [1, 3])
def test_the_penalized_loss_has_the_gradient_of_its_value(rt, drawn, depth):
    target, mask = drawn
    weight = rt.tensor([0.0, 0.1, 1.0])
    layers = tuple(normal(rt, 3, 20, 20, name=f"layer {j}") for j in range(depth))
    penalty = PENALTIES["ratio"]

    def loss(parameters, smoothing):
        product = end_to_end(parameters)
        fit = (mask * (product - target)).square().sum((1, 2)) / TASK.observed
        return fit + weight * value(penalty, smoothing)((product,))

    # One objective at three times of a run that sharpens its penalty.
    objective = matrix_objective(penalized_loss(target, mask, penalty, weight))
    for smoothing in (0.3, 0.01, SHARPEST):
        expected, gradients = autograd_objective(lambda p, now=smoothing: loss(p, now))(layers)
        found = objective(layers, smoothing)
        torch.testing.assert_close(found[0], expected)
        torch.testing.assert_close(found[1], gradients)
    assert torch.equal(objective(layers)[0], objective(layers, SHARPEST)[0])


def test_adam_is_the_library_s(rt, drawn):
    target, mask = drawn
    start = normal(rt, 3, 20, 20)
    schedule = Schedule("Adam", 30)
    ours = fit(target, mask, (start,), schedule, rate=0.05, penalty=PENALTIES["nuclear"], weight=0.1).product
    leaf = start.clone().requires_grad_()
    theirs = torch.optim.Adam([leaf], lr=0.05)
    objective = autograd_objective(
        lambda p: (
            (mask * (p[0] - target)).square().sum((1, 2)) / TASK.observed
            + 0.1 * value(PENALTIES["nuclear"], SHARPEST)(p)
        )
    )
    for step in range(30):
        theirs.param_groups[0]["lr"] = 0.05 * schedule.decay(step)
        (leaf.grad,) = objective((leaf,))[1]
        theirs.step()
    torch.testing.assert_close(ours, leaf.detach(), rtol=1e-6, atol=1e-8)


def test_descent_without_penalty_leaves_unobserved_entries_and_replicas_are_independent(rt, drawn):
    target, mask = drawn
    start = normal(rt, 3, 20, 20)
    rate = rt.tensor([1.0, 60.0, 1e6])  # stable, stable, far beyond
    run = fit(target, mask, (start,), Schedule("descent", 200), rate=rate)
    unseen = mask[:2] == 0
    torch.testing.assert_close(run.product[:2][unseen], start[:2][unseen])
    alone = fit(target[:1], mask[:1], (start[:1],), Schedule("descent", 200), rate=1.0)
    torch.testing.assert_close(run.product[:1], alone.product)
    assert float((mask * (run.product - target))[1].abs().max()) < 1e-4
    assert float(run.product[2].abs().max()) > 1e6


def test_schedules_decay_and_sharpen():
    schedule = Schedule("Adam", 100, smoothing=0.1)
    assert schedule.decay(0) == schedule.decay(50) == 1 and schedule.decay(99) < 1e-2
    assert schedule.sharpness(0) == pytest.approx(0.1)
    assert schedule.sharpness(60) == schedule.sharpness(99) == pytest.approx(SHARPEST)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Penalty(2.0),
        lambda: Penalty(0.0),
        lambda: Schedule("momentum", 10),
        lambda: Schedule("Adam", 10, smoothing=0.0),
    ],
)
def test_bad_settings_are_refused(make):
    with pytest.raises(ValueError, match="needs a"):
        make()


def test_bad_numbers_are_refused(rt, drawn):
    target, mask = drawn
    with pytest.raises(ValueError, match="rate"):
        fit(target, mask, (target,), Schedule("Adam", 1), rate=0.0)
    with pytest.raises(ValueError, match="weight"):
        fit(target, mask, (target,), Schedule("Adam", 1), rate=0.1, penalty=PENALTIES["ratio"], weight=-1.0)
    with pytest.raises(ValueError, match="smoothing"):
        PENALTIES["ratio"].value_and_gradient(target, -1.0)
    with pytest.raises(ValueError, match="thresholds"):
        soft_impute(target, mask, [0.0])
    with pytest.raises(ValueError, match="positive weight"):
        proximal_ratio(target, mask, target, 0.0, 1)


@pytest.mark.parametrize("shape", [(6, 9), (9, 6)])
def test_soft_thresholding_is_that_of_singular_values(rt, shape):
    matrix = normal(rt, 3, *shape)
    found, values = soft_threshold(matrix, rt.tensor([0.5, 1.0, 100.0]))
    left, s, right = torch.linalg.svd(matrix, full_matrices=False)
    kept = (s - rt.tensor([0.5, 1.0, 100.0])[:, None]).clamp_min(0)
    torch.testing.assert_close(found, (left * kept[:, None]) @ right, atol=1e-12, rtol=0)
    torch.testing.assert_close(values.sort(descending=True).values, kept, atol=1e-12, rtol=0)
    assert bool((found[2] == 0).all())


def test_soft_impute_meets_its_gap_and_its_limit_is_the_least_nuclear_norm(drawn):
    target, mask = drawn
    solved = soft_impute(target, mask, [1.0, 0.01, 1e-3], tolerance=1e-7, iterations=3000)
    assert float(solved.gaps.max()) <= 1e-7
    least = minimize_nuclear_norm(target, mask, tolerance=1e-7)
    size = torch.linalg.svdvals(solved.products[-1]).sum(1)
    torch.testing.assert_close(size, least.nuclear_norm, rtol=1e-3, atol=0)
    # Any other matrix has a gap that says so.
    assert float(duality_gap(mask * target, mask, target + 0.1, 1.0).min()) > 1e-3


def test_proximal_descent_ends_where_first_order_theory_says(drawn):
    target, mask = drawn
    errors, weight = [], 1e-3
    for lam in (weight, 2 * weight):
        found = proximal_ratio(target, mask, mask * target, lam, 3000)
        assert torch.linalg.matrix_rank(found, rtol=1e-9).tolist() == [2, 2, 2]
        unseen = ((1 - mask) * (found - target)).square().sum((1, 2)) / (1 - mask).sum((1, 2))
        errors.append(unseen.numpy() / lam**2)
    predicted = [theory.local_theory(t.numpy(), m.numpy(), 2, 1.0, normalized=True) for t, m in zip(target, mask)]
    gaps = [np.abs(error / [p.test for p in predicted] - 1) for error in errors]
    assert gaps[0].max() < 0.02
    # What is left is of second order: twice the weight, twice the gap.
    np.testing.assert_allclose(gaps[1] / gaps[0], 2, rtol=0.2)


def test_slopes_are_derivatives_of_the_penalty():
    values = np.array([3.0, 2.0, 0.5])
    for name, penalty in PENALTIES.items():
        slope, at_zero = theory.slopes(values, penalty.power, normalized=penalty.normalized, scale=penalty.scale)
        diagonal = torch.diag(torch.as_tensor(values, device="cpu"))[None]
        gradient = penalty.value_and_gradient(diagonal, 0.0)[1][0]
        np.testing.assert_allclose(gradient.diagonal().numpy(), slope, rtol=1e-9, atol=1e-12, err_msg=name)
        assert np.isinf(at_zero) == (penalty.power != 1)


def test_the_pull_of_the_ratio_is_less_than_that_of_the_nuclear_norm_and_vanishes_on_equal_values():
    for values in (np.array([4.0, 2.0, 1.0]), np.full(5, 3.0)):
        rank, square = len(values), values.sum() ** 2 / (values**2).sum()
        for normalized, pull in ((False, rank**0.5), (True, (rank - square) ** 0.5)):
            slope, at_zero = theory.slopes(values, 1.0, normalized=normalized, scale=7.0)
            assert np.linalg.norm(slope) / at_zero == pytest.approx(pull, abs=1e-7)


def test_the_tangent_equation_is_solved(drawn):
    target, mask = drawn[0][0].numpy(), drawn[1][0].numpy()
    left, values, right = np.linalg.svd(target)
    u, v = left[:, :2], right[:2].T
    gradient = u @ v.T
    h = theory._solve_tangent(gradient, u, v, mask)

    def tangent(x):
        return x - (x - u @ (u.T @ x)) @ (np.eye(20) - v @ v.T)

    np.testing.assert_allclose(tangent(h), h, atol=1e-10)
    np.testing.assert_allclose(tangent(mask * h), gradient, atol=1e-10)
    # With every entry seen the equation is trivial.
    np.testing.assert_allclose(theory._solve_tangent(gradient, u, v, np.ones((20, 20))), gradient, atol=1e-10)


def test_a_certificate_below_one_means_exact_recovery_by_the_nuclear_norm(rt):
    task = MatrixCompletion(size=20, rank=2, observed=340)
    targets, masks = task.draw(rt, 3, "test certificate", range(6))
    found = [theory.local_theory(t.numpy(), m.numpy(), 2, 1.0).certificate for t, m in zip(targets, masks)]
    sure = np.array(found) < 1
    assert sure.sum() >= 2
    least = minimize_nuclear_norm(targets, masks, tolerance=1e-8, iterations=5000)
    errors = torch.linalg.matrix_norm(least.product - targets) / 20
    assert float(errors[torch.as_tensor(sure, device="cpu")].max()) < 1e-3


def test_a_graduated_run_starts_with_the_soft_penalty_and_ends_with_the_sharp_one(rt, drawn):
    target, mask = drawn
    penalty, weight, rate = PENALTIES["nuclear"], 5.0, 0.1
    start = (0.1 * normal(rt, *target.shape, name="graduated"),)
    schedule = Schedule("descent", steps=3, smoothing=1.0, sharpest=1e-3)
    run = fit(target, mask, start, schedule, rate=rate, penalty=penalty, weight=weight, keep=(0, 1, 2))
    objective = matrix_objective(penalized_loss(target, mask, penalty, rt.tensor([weight] * len(target))))
    # The last step is the third, 0.75 = (1 + cos(pi / 3)) / 2 as long as the first.
    for before, after, length, smoothing in (
        (run.products[0], run.products[1], rate, 1.0),
        (run.products[2], run.product, 0.75 * rate, 1e-3),
    ):
        steps = {s: -length * objective((before.clone(),), s)[1][0].clone() for s in (1.0, SHARPEST, 1e-3)}
        torch.testing.assert_close(after - before, steps.pop(smoothing), rtol=1e-9, atol=1e-12)
        assert all((after - before - step).abs().max() > 1e-6 for step in steps.values())
