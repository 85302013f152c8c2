"""Very high orders: exact evaluation against the plain product, and fits of labelled inputs at small size."""

import numpy as np
import pytest
import torch

from offconvex import rng, runtime
from offconvex.factorizations.tensor import binary as tensor_binary
from offconvex.factorizations.tensor import fit as tensor_fit
from offconvex.factorizations.tensor import images as tensor_images


def naive(weights, inputs):
    """Products over the modes, one factor at a time."""
    value = torch.ones(len(inputs), *weights.shape[:2], dtype=weights.dtype)
    for n in range(inputs.shape[1]):
        value = value * torch.where(inputs[:, n, None, None] > 0, weights[:, :, 1, n], weights[:, :, 0, n])
    return value


def draw(rt, modes=9, predictors=3, components=2, count=40):
    generator = rng.generator(0, "binary")
    weights = rt.normal(generator, predictors, components, 2, modes)
    inputs = (rt.uniform(generator, count, modes) > 0.5).to(rt.dtype)
    return weights, inputs, rt.normal(generator, count, predictors)


def test_products_are_exact_with_signs(rt):
    weights, inputs, _ = draw(rt)
    assert bool((weights < 0).any())
    torch.testing.assert_close(tensor_binary.products(weights, inputs), naive(weights, inputs), rtol=1e-12, atol=0)


def test_gradient_is_that_of_the_plain_product(rt):
    weights, inputs, targets = draw(rt)
    leaf = weights.clone().requires_grad_()
    expected = (naive(leaf, inputs).sum(-1) - targets).square().mean(0)
    (oracle,) = torch.autograd.grad(expected.sum(), leaf)
    loss, gradient = tensor_binary.squared_error_gradient(weights, inputs, targets)
    torch.testing.assert_close(loss, expected.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(gradient, oracle, rtol=1e-10, atol=1e-12)


def test_order_784_does_not_underflow_in_single_precision():
    single, double = (runtime.resolve("cpu", dtype) for dtype in (torch.float32, torch.float64))
    inputs = (double.uniform(rng.generator(0, "inputs"), 20, 784) > 0.5).to(torch.float64)
    draws = double.normal(rng.generator(0, "weights"), 1, 2, 2, 784)
    # Factors around one half times their inverse: plain single precision loses the product on the way.
    scales = torch.where(torch.arange(784, device="cpu") < 392, 0.5, 2.0).to(torch.float64)
    weights = (1 + 0.02 * draws) * scales
    exact = naive(weights, inputs)
    value = tensor_binary.products(single.tensor(weights), single.tensor(inputs)).double()
    torch.testing.assert_close(value, exact, rtol=1e-3, atol=0)
    assert not torch.allclose(naive(single.tensor(weights), single.tensor(inputs)).double(), exact, rtol=1e-3)


def test_whitened_logarithms_start_the_positive_components_at_the_mean_target(rt):
    inputs = (rt.uniform(rng.generator(0, "inputs"), 300, 6) > 0.3).to(torch.uint8)
    chart = tensor_fit.whitening(inputs, components=3, ridge=0.1, rt=rt)
    phi, b = rt.normal(rng.generator(0, "phi"), 2, 3, 6), rt.normal(rng.generator(0, "b"), 2, 3)
    products = tensor_binary.products(chart.factors(phi, b), inputs.to(rt.dtype))
    centered = (inputs.to(rt.dtype) - chart.mean) @ chart.root
    expected = (b + torch.einsum("nk,prk->npr", centered, phi)).exp() * chart.signs
    torch.testing.assert_close(products, expected, rtol=1e-10, atol=0)
    covariance = torch.cov(inputs.to(rt.dtype).T, correction=0)
    identity = chart.root @ (covariance + 0.1 * rt.eye(6)) @ chart.root
    torch.testing.assert_close(identity, rt.eye(6), rtol=1e-6, atol=1e-6)


def test_a_predictor_of_rank_one_is_fitted_by_rank_one_and_noise_is_not(rt):
    inputs = (rt.uniform(rng.generator(0, "inputs"), 2000, 12) > 0.5).to(torch.uint8)
    truth = 1 + 0.5 * rt.normal(rng.generator(0, "truth"), 1, 1, 2, 12).clamp(-1, 1)
    clean = tensor_binary.predictions(truth, inputs.to(rt.dtype))
    clean = clean / clean.mean()
    noise = clean[rt.permutation(rng.generator(0, "noise"), len(clean))]
    weights = tensor_fit.fit(
        inputs,
        torch.cat((clean, noise), 1),
        components=1,
        settings=tensor_fit.FitSettings(log_steps=400, factor_steps=100, batch=500, log_rate=3e-2),
        start=rng.generator(0, "start"),
        order=rng.generator(0, "order"),
        rt=rt,
    )
    errors = tensor_fit.mean_error(weights, inputs, torch.cat((clean, noise), 1))
    variance = clean.var()
    assert errors[0] < 0.01 * variance and errors[1] > 0.8 * variance


def test_random_variants_keep_the_classes(monkeypatch):
    config = tensor_images.ImageFits(full=False, labels=(0, 6))
    rt = runtime.resolve("cpu", torch.float32)
    pictures = tensor_images.binary_split(config, "pictures", "test", rt)
    noise = tensor_images.binary_split(config, "noise", "test", rt)
    counts = pictures.targets.sum(0)
    torch.testing.assert_close(counts[:2], counts[2:])
    assert not torch.equal(pictures.targets[:, :2], pictures.targets[:, 2:])
    assert abs(float(noise.inputs.float().mean()) - 0.5) < 0.005
    assert set(pictures.inputs.unique().tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rt: tensor_fit.FitSettings(batch=0), "batch"),
        (lambda rt: tensor_fit.FitSettings(ridge=0.0), "positive"),
        (lambda rt: tensor_images.ImageFits(labels=(11,)), "labels"),
        (lambda rt: tensor_images.ImageFits(ranks=()), "ranks"),
        (lambda rt: tensor_images.binary_split(tensor_images.ImageFits(full=False), "photos", "test", rt), "design"),
        (lambda rt: tensor_binary.products(rt.zeros(1, 1, 2, 3), rt.zeros(5, 4)), "inputs"),
    ],
)
def test_bad_input_is_one_clear_sentence(rt, call, message):
    with pytest.raises(ValueError, match=message):
        call(rt)


def test_stored_parts_fit_together():
    config = tensor_images.ImageFits(ranks=(1, 2))
    parts = tensor_images.parts(config)
    assert list(parts) == ["pictures-2", "noise-2", "pictures-1", "noise-1", "slice"]

    def part(*which):
        if not which:
            return {"train": np.zeros((3, 5)), "test": np.zeros((3, 5))}
        variants = 2 if which[0] == "pictures" else 1
        value = which[1] + (10.0 if variants == 1 else 0.0)
        extra = {"weights": np.zeros((5, 1, 2, 784)), "inside_train": np.zeros(5), "inside_test": np.zeros(5)}
        return {"train": np.full((variants, 5), value), "test": np.full((variants, 5), value)} | extra

    stored = tensor_images.assemble(config, {which: part(*which) for which in parts.values()})
    assert stored["train"][:, :, 0].tolist() == [[1.0, 1.0, 11.0], [2.0, 2.0, 12.0]]
