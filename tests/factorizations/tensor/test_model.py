"""The CP engine against dense contraction, automatic differentiation and TensorLy."""

import numpy as np
import pytest
import torch

from offconvex import rng, runtime
from offconvex.descent import GroupRMSprop, autograd_objective, descend
from offconvex.factorizations.tensor import circuit as tensor_circuit
from offconvex.factorizations.tensor import measure as tensor_measure
from offconvex.factorizations.tensor import model as tensor

SHAPES = [(3, 4), (3, 4, 2), (3, 2, 4, 2), (2, 3, 2, 2, 3), (2, 2, 3, 2, 2, 2)]


def draw(rt, shape, components=5, replicas=2, std=1.0):
    generators = [rng.generator(0, "test", r) for r in range(replicas)]
    factors = tensor.gaussian_factors(rt, generators, shape=shape, components=components, std=std)
    target = rt.normal(generators[0], replicas, *shape)
    mask = (rt.uniform(generators[0], replicas, *shape) > 0.4).to(rt.dtype)
    return factors, target, mask


def dense(factors):
    """Every component's outer product, entry by entry."""
    letters = "abcdefg"[: len(factors)]
    return torch.einsum(",".join(f"z{x}r" for x in letters) + "->z" + letters, *factors)


@pytest.mark.parametrize("shape", SHAPES)
def test_end_tensor_is_the_dense_contraction(rt, shape):
    factors, _, _ = draw(rt, shape)
    torch.testing.assert_close(tensor.end_tensor(factors), dense(factors), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_those_of_automatic_differentiation(rt, shape):
    factors, target, mask = draw(rt, shape)
    objective = tensor.TensorObjective(tensor.completion_loss(target, mask))

    def loss(factors):
        residual = (dense(factors) - target) * mask
        return residual.square().flatten(1).sum(1) / mask.flatten(1).sum(1)

    for _ in range(2):  # the second call uses the buffers of the first
        value, gradients = objective(factors)
        expected, oracle = autograd_objective(loss)(factors)
        torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
        for g, o in zip(gradients, oracle, strict=True):
            torch.testing.assert_close(g, o, rtol=1e-11, atol=1e-12)


def test_replicas_do_not_see_each_other(rt):
    factors, target, mask = draw(rt, (3, 4, 2), replicas=3)
    _, together = tensor.TensorObjective(tensor.completion_loss(target, mask))(factors)
    for b in range(3):
        alone = tensor.TensorObjective(tensor.completion_loss(target[b : b + 1], mask[b : b + 1]))
        _, gradients = alone(tuple(f[b : b + 1] for f in factors))
        for g, t in zip(gradients, together, strict=True):
            torch.testing.assert_close(g[0], t[b], rtol=1e-12, atol=1e-14)


def test_single_precision_follows_double_precision():
    runs = []
    for dtype in (torch.float64, torch.float32):
        rt = runtime.resolve("cpu", dtype)
        factors, target, mask = draw(rt, (4, 4, 4), std=0.3)
        objective = tensor.TensorObjective(tensor.completion_loss(target, mask))
        runs.append(descend(objective, factors, steps=50, step_size=GroupRMSprop(1e-2)).loss[-1].double())
    torch.testing.assert_close(runs[0], runs[1], rtol=1e-4, atol=0)


def test_tensorly_builds_the_same_tensor_and_norms(rt):
    tensorly = pytest.importorskip("tensorly")
    factors, _, _ = draw(rt, (3, 4, 2, 3), replicas=1)
    arrays = [f[0].numpy() for f in factors]
    expected = tensorly.cp_to_tensor((None, arrays))
    np.testing.assert_allclose(tensor.end_tensor(factors)[0].numpy(), expected, rtol=1e-12, atol=1e-12)
    weights, _ = tensorly.cp_tensor.cp_normalize((None, arrays))
    np.testing.assert_allclose(tensor_measure.component_norms(factors)[0].numpy(), weights, rtol=1e-12)


def test_the_engine_names_its_device(explicit_devices, rt):
    factors, target, mask = draw(rt, (3, 4, 2))
    objective = tensor.TensorObjective(tensor.completion_loss(target, mask))
    descend(objective, factors, steps=2, step_size=GroupRMSprop(1e-2))
    tensor_circuit.one_hot_inputs((3, 3), factors)


def test_the_circuit_computes_every_entry(rt):
    factors, _, _ = draw(rt, (3, 3, 3, 3), replicas=1)
    inputs = tensor_circuit.one_hot_inputs((3, 3, 3, 3), factors)
    outputs = tensor_circuit.ConvolutionalArithmeticCircuit(factors)(inputs)
    torch.testing.assert_close(outputs.detach(), dense(factors).flatten(), rtol=1e-12, atol=1e-12)


def test_the_circuit_is_multilinear_beyond_one_hot_inputs(rt):
    factors, _, _ = draw(rt, (3, 3, 3), replicas=1)
    inputs = rt.normal(rng.generator(0, "inputs"), 7, 3, 3)
    expected = torch.einsum("abc,na,nb,nc->n", dense(factors)[0], *inputs.unbind(1))
    outputs = tensor_circuit.ConvolutionalArithmeticCircuit(factors)(inputs)
    torch.testing.assert_close(outputs.detach(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_observed_shares_are_those_of_the_dense_components(rt, shape):
    factors, _, mask = draw(rt, shape)
    letters = "abcdefg"[: len(shape)]
    apart = torch.einsum(",".join(f"z{x}r" for x in letters) + "->zr" + letters, *factors)
    seen = (apart * mask.unsqueeze(1)).square().flatten(2).sum(2) / apart.square().flatten(2).sum(2)
    shares = tensor_measure.observed_shares(factors, mask)
    torch.testing.assert_close(shares, seen, rtol=1e-11, atol=0)
    everything = tensor_measure.observed_shares(factors, torch.ones_like(mask))
    torch.testing.assert_close(everything, torch.ones_like(everything), rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rt, f: tensor.gaussian_factors(rt, [], shape=(3,), components=2, std=1.0), "two axes"),
        (lambda rt, f: tensor.gaussian_factors(rt, [], shape=(3, 3), components=2, std=0.0), "positive"),
        (lambda rt, f: tensor.end_tensor(f[:1]), "two or more factors"),
        (lambda rt, f: tensor.end_tensor((f[0], f[1][:, :, :2])), "same B and R"),
        (lambda rt, f: tensor.as_matrix(rt.zeros(2, 3)), "replica axis"),
        (lambda rt, f: tensor_circuit.ConvolutionalArithmeticCircuit(f), "one shape"),
        (lambda rt, f: tensor_measure.merged_norms(f, 0), "count"),
    ],
)
def test_bad_input_is_one_clear_sentence(rt, call, message):
    factors, _, _ = draw(rt, (3, 4, 2))
    with pytest.raises(ValueError, match=message):
        call(rt, factors)


def test_balanced_factors_have_equal_norms_and_the_same_components(rt):
    factors = tensor.gaussian_factors(rt, [rng.generator(0, "balanced")], shape=(3, 4, 5), components=2, std=1.0)
    balanced = tensor.balanced_factors(factors)
    assert float(tensor_measure.imbalance(balanced).max()) < 1e-12 < float(tensor_measure.imbalance(factors).min())
    for r in range(2):
        one, other = (tensor.end_tensor(tuple(f[:, :, r : r + 1] for f in x)) for x in (factors, balanced))
        torch.testing.assert_close(one, other)
