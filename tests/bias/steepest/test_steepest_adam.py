"""Adam in rescaled units against Adam as others write it, its steady state, and the margins it is held against."""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq, linprog, minimize

from offconvex.bias import certificate
from offconvex.bias.steepest import adam_theory as theory
from offconvex.bias.steepest.adam import AdamStudy, adam, log_loss, observe, sign_rates
from offconvex.bias.steepest.best_margin import BALLS, best_margin
from offconvex.bias.steepest.model import SeparableData

DATA = SeparableData(rows=3, columns=4, examples=6, laws=("gaussian", "student"))
BETA2 = np.array([0.9, 0.99, 0.999])


@pytest.mark.parametrize("epsilon", [0.0, 1e-3])
def test_course_is_that_of_torch(epsilon):
    examples, rates = DATA.draw(0), np.array([[0.02, 0.1, 0.3], [0.3, 0.05, 0.01]])
    keep = np.array([[1, 2, 3], [40, 30, 7], [300, 100, 200]])
    found = adam(examples, rates, BETA2, keep, epsilon=epsilon)
    for place in np.ndindex(2, 3):
        weights = torch.zeros(3, 4, dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.Adam([weights], lr=rates[place], betas=(0.9, BETA2[place[1]]), eps=epsilon)
        kept = []
        for _ in range(keep[-1, place[1]]):
            optimizer.zero_grad()
            torch.exp(-torch.einsum("Nnm,nm->N", torch.as_tensor(examples[place[0]]), weights)).sum().backward()
            optimizer.step()
            kept.append(weights.detach().numpy().copy())
        for row, step in enumerate(keep[:, place[1]]):
            assert np.allclose(found[(row, *place)], kept[step - 1], rtol=1e-8, atol=1e-10)


def unscaled(examples, eta, beta, steps):
    """Adam in extended precision, beta1 = beta2 = beta: nothing underflows before 1e-4900."""
    flat, beta = examples.reshape(len(examples), 12).astype(np.longdouble), np.longdouble(beta)
    w, m, v = np.zeros((3, 12), np.longdouble)
    for step in range(1, steps + 1):
        g = np.exp(-(flat @ w)) @ flat
        m, v = beta * m + (1 - beta) * g, beta * v + (1 - beta) * g**2
        w = w + np.longdouble(eta) * (m / (1 - beta**step)) / np.sqrt(v / (1 - beta**step))
    assert v.min() > 0
    return w.astype(float).reshape(3, 4)


@pytest.mark.skipif(np.finfo(np.longdouble).maxexp < 16384, reason="needs a type with exponents to 16384")
@pytest.mark.parametrize(("count", "rates", "tolerance"), [(1, 0.1, 1e-10), (6, 0.01, 1e-3)])
def test_course_is_that_in_extended_precision_where_double_underflows(count, rates, tolerance):
    # Where some examples agree on an entry and others do not, the sign of its gradient alternates and rounding grows:
    # up to a bound, the size of a few steps. With one example nothing alternates.
    examples = DATA.draw(1)[:1, :count]
    found = adam(examples, np.array([[rates]]), np.array([0.9]), np.array([[40_000]]))[0, 0, 0]
    expected = unscaled(examples[0], rates, 0.9, 40_000)
    assert log_loss(examples[0], found) < -800 < np.log(np.finfo(float).tiny)
    assert log_loss(examples[0], found) == pytest.approx(log_loss(examples[0], expected), rel=tolerance / 100)
    assert np.abs(found - expected).max() < tolerance * np.abs(expected).max()


def test_a_setting_does_not_depend_on_its_company():
    examples = DATA.draw(2)
    together = adam(examples, np.full((2, 3), 0.1), BETA2, np.array([[5, 5, 5], [9, 60, 20]]))
    alone = adam(examples[1:], np.full((1, 1), 0.1), BETA2[1:2], np.array([[60]]))
    assert np.allclose(together[1, 1, 1], alone[0, 0, 0], rtol=1e-12)


def test_refusals_of_the_engine():
    examples, one = DATA.draw(0), np.array([[3]])
    for rates, beta2, keep, text in (
        (np.ones((1, 1)), [0.9], one, "one rate for each"),
        (np.ones((2, 1)), [0.9, 0.99], one, "one rate for each"),
        (np.ones((2, 1)), [0.9], np.array([3]), "column of steps"),
        (-np.ones((2, 1)), [0.9], one, "rates > 0"),
        (np.ones((2, 1)), [1.0], one, "beta2 in"),
        (np.ones((2, 1)), [0.9], np.array([[3], [3]]), "increase from 1"),
        (np.ones((2, 1)), [0.9], np.array([[0]]), "increase from 1"),
    ):
        with pytest.raises(ValueError, match=text):
            adam(examples, rates, beta2, keep)


# --- steady state -----------------------------------------------------------------------------------------------------


def test_stride_is_that_of_the_two_means():
    for rate, beta2 in ((0.02, 0.9), (0.05, 0.9), (0.004, 0.99), (0.0, 0.99)):
        m = v = 0.0
        for age in reversed(range(6000 if rate > 0.01 else 20_000)):
            g = np.exp(rate * age)  # in units of the last one
            m, v = 0.9 * m + 0.1 * g, beta2 * v + (1 - beta2) * g**2
        assert theory.stride(rate, beta2) == pytest.approx(m / np.sqrt(v), rel=1e-9)
    assert theory.stride(theory.speed_limit(0.99), 0.99) == pytest.approx(0, abs=1e-7)


def test_steady_rate_is_the_only_root():
    for x in (0.01, 0.3, 3.0, 100.0):
        for beta2 in (0.9, 0.95, 0.999):

            def excess(rate, x=x, beta2=beta2):
                return rate - x * (1 - beta2) * theory.stride(rate, beta2)

            limit = theory.speed_limit(beta2)
            assert np.count_nonzero(np.diff(np.sign(excess(np.linspace(0, limit, 2001))))) == 1
            assert theory.steady_rate(x, beta2) == pytest.approx(brentq(excess, 0, limit, xtol=1e-15), rel=1e-9)
            assert 0 < theory.steady_rate(x, beta2) < limit


def test_limits_for_a_long_second_mean():
    x = np.array([0.01, 0.3, 1.0, 3.0, 30.0])
    errors = [np.abs(theory.steady_rate(x, b) / (1 - b) / theory.slow_rate(x) - 1).max() for b in (0.99, 0.999, 0.9999)]
    assert errors[0] > 5 * errors[1] > 25 * errors[2]  # first order in 1 - beta2
    assert theory.slow_rate(1e9) == pytest.approx(0.5)
    assert theory.slow_rate(x) == pytest.approx(x * (np.sqrt(1 + x**2) - x), rel=1e-9)
    assert theory.memory(x, 0.9999) == pytest.approx(theory.slow_memory(x, 0.9999), rel=2e-3)
    assert theory.memory(30.0, 0.9) > 3 * theory.slow_memory(30.0, 0.9)  # as long as the first mean: the limit is far
    assert theory.slow_memory(1e-9, 0.99) == pytest.approx(100)
    assert np.log(10) / theory.speed_limit(0.999) == pytest.approx(4603, abs=1)


def test_memory_is_that_of_the_weights():
    for x, beta2 in ((0.3, 0.9), (3.0, 0.99), (30.0, 0.9)):
        rate = theory.steady_rate(x, beta2)
        assert theory.memory(x, beta2) == pytest.approx(1 / (1 - beta2 * np.exp(2 * rate)), rel=1e-6)


def test_refusals_of_the_theory():
    for x, beta2, beta1, text in ((0.0, 0.9, 0.9, "positive"), (1.0, 0.8, 0.9, "longer"), (1.0, 1.0, 0.9, "longer")):
        with pytest.raises(ValueError, match=text):
            theory.steady_rate(x, beta2, beta1)
        with pytest.raises(ValueError, match=text):
            theory.memory(x, beta2, beta1)


# --- best margins -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BALLS)
def test_best_margin_is_bracketed_tightly_and_rightly(name):
    examples = SeparableData(rows=5, columns=6, examples=14).draw(3)
    found = best_margin(name, examples)
    assert np.all(found.bound >= found.margin)
    assert np.all(found.bound <= found.margin * (1 + 1e-6))
    for data, margin in zip(examples, found.margin):
        flat = data.reshape(14, 30)
        if name == "max":
            solved = linprog(
                np.r_[np.zeros(30), -1.0],
                A_ub=np.c_[-flat, np.ones(14)],
                b_ub=np.zeros(14),
                bounds=[(-1, 1)] * 30 + [(None, None)],
            )
            assert margin == pytest.approx(-solved.fun, rel=1e-6)
        else:
            # The margin is 1 over the least norm of weights with margins of one or more.
            start = np.linalg.lstsq(flat, np.ones(14))[0]
            solved = minimize(
                lambda w: w @ w / 2,
                start,
                jac=lambda w: w,
                method="SLSQP",
                tol=1e-12,
                constraints={"type": "ineq", "fun": lambda w, a=flat: a @ w - 1, "jac": lambda w, a=flat: a},
            )
            assert margin == pytest.approx(1 / np.sqrt(2 * solved.fun), rel=1e-6)


def test_best_margin_of_one_example_is_its_dual_norm():
    one = np.array([[[[3.0, -4.0]]]])
    assert best_margin("frobenius", one).margin == pytest.approx(5, rel=1e-6)
    assert best_margin("max", one).margin == pytest.approx(7, rel=1e-6)


def test_best_margin_refuses():
    examples = DATA.draw(0)
    with pytest.raises(ValueError, match="frobenius and max"):
        best_margin("spectral", examples)
    with pytest.raises(ValueError, match="some weights separate"):
        best_margin("max", np.concatenate([examples, -examples], axis=1))


# --- studies ----------------------------------------------------------------------------------------------------------

STUDY = AdamStudy(SeparableData(laws=("gaussian", "uniform")), ((1.0, 0.9), (30.0, 0.9)), most=6000, kept=40)


@pytest.fixture(scope="module")
def courses():
    return observe(STUDY, 1)


def test_loss_falls_at_the_steady_rate_and_no_faster_than_the_limit(courses):
    rate = courses.measured_rate()
    assert courses.steps[-1].tolist() == STUDY.ends().tolist() == [6000, 6000]
    assert rate / theory.steady_rate(courses.x, courses.beta2) == pytest.approx(np.ones((2, 2)), abs=2e-3)
    assert np.all(rate < theory.speed_limit(0.9))
    # Without the two means it falls by gamma eta: the same instrument finds that, twice Adam's rate.
    assert sign_rates(STUDY.data, 1, np.array([0.1]), 2000) == pytest.approx(np.full((2, 1), 0.1), rel=0.02)
    assert np.all(rate[:, 0] < 0.06)


def test_clock(courses):
    late, late_round = courses.shares_after(40.0, 1.0, 0.9)
    early, early_round = courses.shares_after(0.02, 30.0, 0.9)
    assert np.all(late > 0.95) and np.all(late_round < late)
    assert np.all(early < early_round)
    at_end = courses.shares_after(float(courses.clock()[-1, 0]), 1.0, 0.9)
    assert np.allclose(at_end, [courses.share[-1, :, 0], courses.round_share[-1, :, 0]])
    with pytest.raises(ValueError, match="memories; got 100"):
        courses.shares_after(100.0, 1.0, 0.9)
    with pytest.raises(ValueError, match="has settings"):
        courses.setting(2.0, 0.9)


def test_shares_stay_below_one(courses):
    assert courses.share.max() <= 1 and courses.round_share.max() <= 1


def test_epsilon_has_the_last_word():
    # Once sqrt(v) is below epsilon, updates are m / epsilon: along the gradient, which they are not without epsilon.
    examples = SeparableData(laws=("gaussian",)).draw(4)
    rates, beta2, keep = np.array([[0.3 * 0.1 / 8]]), np.array([0.9]), np.array([[1500], [3000]])
    cosines, shares = {}, {}
    for epsilon in (0.0, 1e-3):
        weights = adam(examples, rates, beta2, keep, epsilon=epsilon)[:, 0, 0]
        gradient = certificate.mixture(
            examples[0], certificate.loss_weights(certificate.margins(examples[0], weights[1]))
        )
        update = weights[1] - weights[0]
        cosines[epsilon] = (update * gradient).sum() / np.linalg.norm(update) / np.linalg.norm(gradient)
        least = certificate.margins(examples[0], weights).min(axis=-1)
        shares[epsilon] = least / certificate.norm("max", weights)
    assert cosines[1e-3] > 0.999 > 0.9 > cosines[0.0]
    assert shares[1e-3][1] < shares[1e-3][0] and shares[0.0][1] > shares[0.0][0]


def test_refusals_of_a_study():
    for change, text in (
        ({"settings": ()}, "one setting"),
        ({"kept": 1}, "twice or more"),
        ({"most": 70}, "160 steps or more; got most"),
    ):
        with pytest.raises(ValueError, match=text):
            AdamStudy(**change)
