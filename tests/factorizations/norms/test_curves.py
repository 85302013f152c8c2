"""The 2 x 2 completion: its loss, its starts, and its flow in coordinates against that of matrices and of layers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.linalg import fractional_matrix_power

from offconvex import rng, runtime
from offconvex.descent import autograd_objective
from offconvex.factorizations.matrix.model import end_to_end, gaussian_layers
from offconvex.factorizations.norms import coordinates
from offconvex.factorizations.norms.curves import SOURCE, CornerRuns, coordinate_curve, descent_gap, weight_curve
from offconvex.factorizations.norms.task import CornerCompletion, determinant, gaussian_products, unbalanced_layers


@pytest.fixture
def rt():
    return runtime.resolve("cpu")


def generators(count):
    return [rng.generator(3, "test norms", k) for k in range(count)]


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_the_loss_ignores_the_free_entry_and_its_gradient_is_right(rt, depth):
    task = CornerCompletion(-2.0, 0.5, 0.1)
    layers = gaussian_layers(rt, generators(3), depth=depth, size=2, std=1.0)

    def loss(parameters):
        w = end_to_end(parameters)
        return 0.5 * ((w[:, 0, 1] + 2) ** 2 + (w[:, 1, 0] - 0.5) ** 2 + (w[:, 1, 1] - 0.1) ** 2)

    value, gradients = task.objective(rt)(layers)
    expected, oracle = autograd_objective(loss)(layers)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(gradients, oracle)


def test_the_sign_that_no_fit_has():
    assert CornerCompletion().opposite_sign == 1
    assert CornerCompletion(-2.0, 0.5, 0.1).opposite_sign == -1
    with pytest.raises(ValueError, match="must not be zero"):
        CornerCompletion(right=0.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_products_have_the_given_sign_and_the_gaussian_law(rt, sign):
    products = gaussian_products(rt, generators(4000), std=0.1, sign=sign)
    assert bool((determinant(products) * sign > 0).all())
    # 16000 entries: the standard error of a variance is sqrt(2 / 16000) = 1.1 %, of a mean 0.8e-3.
    assert abs(products.var().item() / 0.01 - 1) < 0.06
    assert abs(products.mean().item()) < 5e-3


@pytest.mark.parametrize("depth", [2, 4])
def test_gaussian_layers_have_a_product_of_the_given_size(rt, depth):
    layers = unbalanced_layers(rt, generators(4000), depth=depth, std=1e-3, sign=1)
    product = end_to_end(layers)
    assert bool((determinant(product) > 0).all())
    # Products of Gaussians have heavy tails: the fourth power's spread makes this 10 % at depth 4.
    assert abs(product.std().item() / 1e-3 - 1) < 0.1


def test_a_start_needs_a_size_and_a_sign(rt):
    with pytest.raises(ValueError, match="sign"):
        gaussian_products(rt, generators(1), std=0.1, sign=0)
    with pytest.raises(ValueError, match="std"):
        unbalanced_layers(rt, generators(1), depth=2, std=0.0, sign=1)


@pytest.mark.parametrize("sign", [1, -1])
def test_coordinates_and_matrices_are_inverse(sign):
    draws = rng.numpy_generator(0, "test coordinates", sign).normal(size=(50, 2, 2))
    draws[np.linalg.det(draws) * sign < 0] = draws[np.linalg.det(draws) * sign < 0][:, ::-1]
    for matrix in draws:
        state, found = coordinates.from_product(matrix)
        assert found == sign
        np.testing.assert_allclose(coordinates.to_product(state, sign), matrix, atol=1e-13)


def test_a_singular_matrix_has_no_coordinates():
    with pytest.raises(ValueError, match="invertible"):
        coordinates.from_product(np.zeros((2, 2)))


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_field_is_the_end_to_end_flow(depth, sign):
    task = CornerCompletion(-1.3, 0.7, 0.2)
    draws = rng.numpy_generator(1, "test field", depth, sign).normal(size=(10, 2, 2))
    for matrix in draws:
        w = matrix if np.linalg.det(matrix) * sign > 0 else matrix[::-1]
        gradient = w - [[w[0, 0], task.right], [task.below, task.corner]]
        left, right = w @ w.T, w.T @ w
        # dW/dt = - sum_j (W W^T)^((j-1)/L) G (W^T W)^((L-j)/L), by matrix powers: knows no singular vectors' motion.
        velocity = -sum(
            fractional_matrix_power(left, (j - 1) / depth)
            @ gradient
            @ fractional_matrix_power(right, (depth - j) / depth)
            for j in range(1, depth + 1)
        )
        state, _ = coordinates.from_product(w)
        rate, h = np.array(coordinates.field(task, depth=depth, sign=sign)(state)), 1e-5
        ahead, behind = (coordinates.to_product(state + s * h * rate, sign) for s in (1, -1))
        np.testing.assert_allclose((ahead - behind) / (2 * h), velocity, rtol=1e-6, atol=1e-7)


def test_the_coordinates_need_two_layers_and_a_sign():
    with pytest.raises(ValueError, match="depth >= 2"):
        coordinates.field(CornerCompletion(), depth=1, sign=1)


@pytest.mark.parametrize("setting", SOURCE[2::2])
def test_layers_and_coordinates_follow_the_same_curve(rt, setting):
    config = CornerRuns(setting, replicas=1, smallest_loss=0.1, points=40)
    ours, layers = coordinate_curve(config, rt, 5), weight_curve(config, rt, 5, rtol=1e-9)
    np.testing.assert_allclose(ours.product, layers.product, atol=1e-6 * np.abs(layers.product).max())
    np.testing.assert_allclose(ours.loss, layers.loss, atol=1e-6)


def test_descent_stays_on_the_flow_in_proportion_to_its_step(rt):
    coarse = CornerRuns(SOURCE[2], replicas=2, smallest_loss=1e-2, points=60)
    fine = replace(coarse, setting=replace(SOURCE[2], rate=SOURCE[2].rate / 4))
    gaps = [
        descent_gap(config, rt, 5, levels=(0.3,), steps=steps).max() for config, steps in ((coarse, 200), (fine, 800))
    ]
    assert gaps[0] < 0.01
    assert 3 < gaps[0] / gaps[1] < 5


def test_a_configuration_that_cannot_run_is_refused():
    with pytest.raises(ValueError, match="smallest loss"):
        CornerRuns(SOURCE[0], smallest_loss=1.0)
