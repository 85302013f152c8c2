"""Dual norms and certificates against linear and quadratic programs."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special

from offconvex.bias import certificate


def examples(seed, count=7, shape=(3, 4)):
    return np.random.default_rng(seed).standard_normal((count, *shape))


def best_by_linear_program(name, data):
    """Largest smallest margin of weights of norm one, and the p that certifies it, for the two polyhedral norms."""
    count, size = len(data), data[0].size
    flat = data.reshape(count, size)
    # Weights are a difference of two parts w+ - w-, then the margin gamma to maximize.
    cost = np.r_[np.zeros(2 * size), -1.0]
    rows = np.c_[-flat, flat, np.ones(count)]
    if name == "max":
        answer = scipy.optimize.linprog(cost, rows, np.zeros(count), bounds=[(0, 1)] * (2 * size) + [(None, None)])
    else:
        rows, right = np.r_[rows, [np.r_[np.ones(2 * size), 0.0]]], np.r_[np.zeros(count), 1.0]
        answer = scipy.optimize.linprog(cost, rows, right, bounds=[(0, None)] * (2 * size) + [(None, None)])
    p = -answer.ineqlin.marginals[:count]
    return -answer.fun, p / p.sum()


@pytest.mark.parametrize("name", certificate.NORMS)
def test_dual_norm_is_the_largest_inner_product(name):
    generator = np.random.default_rng(1)
    gradient = generator.standard_normal((5, 3, 4))
    others = generator.standard_normal((4000, 5, 3, 4))
    products = np.sum(gradient * others, axis=(-2, -1)) / certificate.norm(name, others)
    assert np.all(products <= certificate.dual_norm(name, gradient) * (1 + 1e-12))
    # A subgradient of the dual norm, by difference quotients, has norm one and attains it.
    slopes = np.zeros((3, 4))
    for place in np.ndindex(3, 4):
        change = np.zeros((3, 4))
        change[place] = 1e-6
        ends = certificate.dual_norm(name, np.stack([gradient[0] + change, gradient[0] - change]))
        slopes[place] = (ends[0] - ends[1]) / 2e-6
    assert certificate.norm(name, slopes) == pytest.approx(1, abs=1e-6)
    assert np.sum(slopes * gradient[0]) == pytest.approx(certificate.dual_norm(name, gradient)[0], rel=1e-6)


@pytest.mark.parametrize("name", certificate.NORMS)
def test_duality_is_mutual_and_orders_agree_with_numpy(name):
    assert certificate.DUAL[certificate.DUAL[name]] == name
    order = {"frobenius": "fro", "spectral": 2, "nuclear": "nuc"}.get(name)
    matrix = examples(2)[0]
    if order:
        assert certificate.norm(name, matrix) == pytest.approx(np.linalg.norm(matrix, order), rel=1e-12)


@pytest.mark.parametrize("name", ["max", "sum"])
@pytest.mark.parametrize("seed", range(4))
def test_certificate_meets_the_linear_program(name, seed):
    data = examples(seed)
    best, p = best_by_linear_program(name, data)
    assert certificate.bound(name, data, p) == pytest.approx(best, rel=1e-9)
    for other in np.random.default_rng(seed).dirichlet(np.ones(len(data)), 200):
        assert certificate.bound(name, data, other) >= best * (1 - 1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_certificate_meets_the_quadratic_program(seed):
    data = examples(seed)
    flat = data.reshape(len(data), -1)
    answer = scipy.optimize.minimize(
        lambda w: (w @ w / 2, w),
        np.linalg.lstsq(flat, np.ones(len(flat)))[0],
        jac=True,
        constraints={"type": "ineq", "fun": lambda w: flat @ w - 1, "jac": lambda w: flat},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    # The weights are a nonnegative combination of the examples with margin one, whose coefficients certify them.
    duals = scipy.optimize.nnls(flat.T, answer.x)[0]
    found = certificate.certify("frobenius", data, answer.x.reshape(3, 4), duals / duals.sum())
    assert found.share == pytest.approx(1, abs=1e-6)
    assert certificate.certify("frobenius", data, answer.x.reshape(3, 4)).share < 0.999


@pytest.mark.parametrize("name", ["spectral", "nuclear"])
def test_minimax_holds_for_the_norms_of_singular_values(name):
    data = examples(5, count=3, shape=(2, 3))

    search = scipy.optimize.minimize(
        lambda a: certificate.bound(name, data, scipy.special.softmax(np.r_[a, 0])),
        np.zeros(2),
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 4000},
    )
    direct = scipy.optimize.minimize(
        lambda w: -certificate.margins(data, w.reshape(2, 3)).min() / certificate.norm(name, w.reshape(2, 3)),
        data.sum(axis=0).ravel(),
        method="Nelder-Mead",
        options={"xatol": 1e-11, "fatol": 1e-14, "maxiter": 40_000, "maxfev": 40_000, "adaptive": True},
    )
    assert -direct.fun <= search.fun * (1 + 1e-9)
    assert -direct.fun == pytest.approx(search.fun, rel=2e-3)


@pytest.mark.parametrize("loss", certificate.LOSSES)
def test_loss_weights_are_those_of_the_gradient(loss):
    z = np.array([[0.3, -0.4, 2.0], [1.0, 1.1, 0.2]])
    slope = np.exp(-z) if loss == "exponential" else 1 / (1 + np.exp(z))
    assert np.allclose(certificate.loss_weights(z, loss), slope / slope.sum(axis=-1, keepdims=True), rtol=1e-13)
    far = certificate.loss_weights(np.array([5000.0, 5001.0, 9000.0]), loss)
    assert np.allclose(far, np.array([1, np.exp(-1), 0]) / (1 + np.exp(-1)), rtol=1e-12)


def test_mixtures_and_margins_keep_leading_axes():
    data = np.random.default_rng(3).standard_normal((2, 5, 7, 3, 4))
    weights = np.random.default_rng(4).standard_normal((2, 5, 3, 4))
    p = certificate.loss_weights(certificate.margins(data, weights))
    assert np.allclose(certificate.margins(data, weights), np.einsum("abnij,abij->abn", data, weights))
    assert np.allclose(certificate.mixture(data, p), np.einsum("abnij,abn->abij", data, p))
    one = certificate.bound("nuclear", data, p)[1, 2]
    assert one == pytest.approx(float(certificate.bound("nuclear", data[1, 2], p[1, 2])), rel=1e-12)


def test_certificate_ignores_the_size_of_the_weights():
    data = examples(6)
    w = np.linalg.lstsq(data.reshape(7, 12), np.ones(7))[0].reshape(3, 4)
    p = np.full(7, 1 / 7)
    first, second = certificate.certify("max", data, w, p), certificate.certify("max", data, 50 * w, p)
    assert first.share == pytest.approx(float(second.share), rel=1e-12)
    assert 0 < first.share <= 1


def test_bad_input_gets_a_sentence():
    data = examples(7)
    with pytest.raises(ValueError, match="A norm is one of"):
        certificate.norm("taxicab", data)
    with pytest.raises(ValueError, match="finite entries; got 1"):
        certificate.norm("max", np.array([[1.0, np.nan]]))
    with pytest.raises(ValueError, match="A loss is one of"):
        certificate.loss_weights(np.zeros(3), "hinge")
    with pytest.raises(ValueError, match="divide by the sum"):
        certificate.bound("max", data, np.full(7, 1.0))
    with pytest.raises(ValueError, match="divide by the sum"):
        certificate.bound("max", data, np.r_[-0.5, 1.5, np.zeros(5)])
    opposite = np.stack([data[0], -data[0]])
    with pytest.raises(ValueError, match="not separable"):
        certificate.certify("frobenius", opposite, data[0], np.array([0.5, 0.5]))
