"""Deep matrix factorization against automatic differentiation, a dense chain rule, and itself on the batch axis."""

import pytest
import torch

from offconvex import rng, runtime
from offconvex.descent import autograd_objective, descend
from offconvex.factorizations.matrix import measure as matrix_measure
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.matrix.task import MatrixCompletion

CPU = runtime.resolve("cpu")
SMALL = MatrixCompletion(size=7, rank=2, observed=30)


def task_and_layers(depth, replicas=3, std=0.5):
    targets, masks = SMALL.draw(CPU, 0, "test", range(replicas))
    return targets, masks, SMALL.start(CPU, 0, "test", range(replicas), depth=depth, std=std)


def mean_square(targets, masks):
    def loss(layers):
        residual = masks * (matrix.end_to_end(layers) - targets)
        return residual.square().sum((1, 2)) / masks.sum((1, 2))

    return loss


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5])
def test_hand_gradient_equals_autograd(depth):
    targets, masks, layers = task_and_layers(depth)
    loss, gradients = matrix.matrix_objective(matrix.completion_loss(targets, masks))(layers)
    oracle_loss, oracle = autograd_objective(mean_square(targets, masks))(layers)
    torch.testing.assert_close(loss, oracle_loss, rtol=1e-13, atol=0)
    for mine, theirs in zip(gradients, oracle, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-14)


def test_gradient_of_rectangular_layers_equals_autograd():
    generator = rng.generator(0, "rectangular")
    layers = tuple(CPU.normal(generator, 2, *shape) for shape in ((4, 6), (3, 4), (5, 3)))
    target, weights = CPU.normal(generator, 2, 5, 6), CPU.uniform(generator, 2, 5, 6)
    loss, gradients = matrix.matrix_objective(matrix.squared_loss(target, weights))(layers)

    def plain(layers):
        return 0.5 * (weights * (matrix.end_to_end(layers) - target) ** 2).sum((1, 2))

    oracle_loss, oracle = autograd_objective(plain)(layers)
    torch.testing.assert_close(loss, oracle_loss, rtol=1e-13, atol=0)
    for mine, theirs in zip(gradients, oracle, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-14)


def test_gradient_equals_the_dense_chain_rule():
    # vec(W) depends linearly on vec(W_j): its matrix is built column by column, without any product formula.
    targets, masks, layers = task_and_layers(3, replicas=1)
    _, gradients = matrix.matrix_objective(matrix.completion_loss(targets, masks))(layers)
    g = matrix.end_gradient(matrix.completion_loss(targets, masks), matrix.end_to_end(layers)).flatten()
    n = SMALL.size
    for j in range(3):
        columns = []
        for unit in CPU.eye(n * n).reshape(n * n, 1, n, n):
            columns.append(matrix.end_to_end((*layers[:j], unit, *layers[j + 1 :])).flatten())
        torch.testing.assert_close(gradients[j].flatten(), torch.stack(columns) @ g, rtol=1e-11, atol=1e-13)


def test_objective_leaves_layers_alone_and_follows_new_ones():
    targets, masks, layers = task_and_layers(1)
    objective = matrix.matrix_objective(matrix.completion_loss(targets, masks))
    before = layers[0].clone()
    first = objective(layers)[0].clone()
    assert torch.equal(layers[0], before)
    doubled = (2 * layers[0],)
    assert not torch.equal(objective(doubled)[0], first)
    assert torch.equal(objective(layers)[0], first)


@pytest.mark.parametrize("depth", [1, 3])
def test_replicas_on_the_batch_axis_equal_single_runs(depth):
    targets, masks, layers = task_and_layers(depth, replicas=4)
    objective = matrix.matrix_objective(matrix.completion_loss(targets, masks))
    together = descend(objective, layers, steps=40, step_size=0.05, record_every=40)
    for r in range(4):
        one = slice(r, r + 1)
        alone = descend(
            matrix.matrix_objective(matrix.completion_loss(targets[one], masks[one])),
            tuple(layer[one] for layer in layers),
            steps=40,
            step_size=0.05,
            record_every=40,
        )
        for all_layers, own in zip(together.parameters, alone.parameters, strict=True):
            torch.testing.assert_close(all_layers[one], own, rtol=1e-12, atol=1e-14)


def test_float32_follows_float64():
    targets, masks, layers = task_and_layers(3)
    single = [x.float() for x in (targets, masks)]
    _, exact = matrix.matrix_objective(matrix.completion_loss(targets, masks))(layers)
    _, rounded = matrix.matrix_objective(matrix.completion_loss(*single))(tuple(x.float() for x in layers))
    for a, b in zip(exact, rounded, strict=True):
        assert b.dtype == torch.float32
        torch.testing.assert_close(a.float(), b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_balanced_layers_are_balanced_and_multiply_to_their_matrix(depth):
    product = CPU.normal(rng.generator(0, "product"), 2, 6, 6)
    layers = matrix.balanced_layers(product, depth=depth)
    assert len(layers) == depth
    torch.testing.assert_close(matrix.end_to_end(layers), product, rtol=1e-12, atol=1e-12)
    if depth > 1:
        assert matrix_measure.layer_gaps(layers).abs().max() < 1e-12


def test_identity_layers_multiply_to_the_scale_and_gaussian_ones_have_their_spread():
    layers = matrix.identity_layers(CPU, depth=3, size=5, replicas=2, scale=1e-3)
    torch.testing.assert_close(matrix.end_to_end(layers), 1e-3 * CPU.eye(5).expand(2, 5, 5), rtol=1e-13, atol=0)
    (layer,) = matrix.gaussian_layers(CPU, [rng.generator(0, "spread")], depth=1, size=100, std=0.3)
    # The standard error of a standard deviation over n draws is std / sqrt(2 n).
    assert abs(layer.std() - 0.3) < 5 * 0.3 / (2 * 100**2) ** 0.5


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: MatrixCompletion(size=10, rank=11), "1 <= rank <= size"),
        (lambda: MatrixCompletion(size=10, rank=2, observed=101), "observed <= size"),
        (lambda: MatrixCompletion(size=10, rank=2, observed=20), "36 degrees of freedom"),
        (lambda: matrix.gaussian_layers(CPU, [], depth=0, size=3, std=1.0), "depth >= 1"),
        (lambda: matrix.gaussian_layers(CPU, [], depth=2, size=3, std=0.0), "`std`"),
        (lambda: matrix.identity_layers(CPU, depth=2, size=3, replicas=1, scale=-1.0), "`scale`"),
        (lambda: matrix.balanced_layers(CPU.zeros(1, 2, 3), depth=2), "square"),
        (lambda: matrix.squared_loss(CPU.zeros(1, 2, 2), CPU.zeros(1, 2, 3)), "one shape"),
        (lambda: matrix.squared_loss(CPU.zeros(1, 2, 2), -CPU.eye(2)[None]), "negative"),
        (lambda: matrix.completion_loss(CPU.zeros(1, 2, 2), CPU.zeros(1, 2, 2)), "observed entry"),
        (lambda: matrix_measure.layer_gaps((CPU.zeros(1, 2, 2),)), "depth 1"),
    ],
)
def test_bad_input_is_one_clear_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_every_tensor_names_its_device(explicit_devices):
    for depth in (1, 3):
        targets, masks, layers = task_and_layers(depth)
        objective = matrix.matrix_objective(matrix.completion_loss(targets, masks))
        descend(objective, layers, steps=2, step_size=0.1)
    matrix.balanced_layers(targets, depth=3)
    matrix.identity_layers(CPU, depth=3, size=4, replicas=2, scale=0.1)
