"""Muon's rule, the radius at which it rests, and its part of the spectral margin."""

import numpy as np
import pytest

from offconvex.bias import certificate
from offconvex.bias.steepest import model, muon, polynomial, polynomial_theory
from offconvex.bias.steepest.radius import DecayedRun
from offconvex.bias.steepest.rules import direction, follow

SMALL = model.SeparableData(rows=4, columns=5, examples=8, laws=("gaussian", "uniform"))


def polar(gradient):
    return direction("spectral", gradient)


def test_rule_has_a_memory_for_each_momentum():
    gradients = np.random.default_rng(0).standard_normal((3, 2, 4, 4))
    rule = muon.muon(np.array([0.0, 0.9]))
    found = [rule(gradient) for gradient in gradients]
    assert np.allclose(found[2][0], polynomial.orthogonalized(gradients[2, 0]))
    memory = 0.1 * (0.81 * gradients[0, 1] + 0.9 * gradients[1, 1] + gradients[2, 1])
    assert np.allclose(found[2][1], polynomial.orthogonalized(0.9 * memory + 0.1 * gradients[2, 1]))
    with pytest.raises(ValueError, match="momentum"):
        muon.muon(1.0)


def test_rule_is_that_of_another_library():
    import torch

    if not hasattr(torch.optim, "Muon"):
        pytest.skip("this version has no Muon")
    gradients = np.random.default_rng(1).standard_normal((4, 4, 6))
    weights = torch.zeros((4, 6), dtype=torch.float64, requires_grad=True)
    other = torch.optim.Muon([weights], lr=1.0, weight_decay=0.0, momentum=0.9)
    rule, own = muon.muon(0.9), np.zeros((4, 6))
    for gradient in gradients:
        weights.grad = torch.tensor(-gradient)
        other.step()
        own += rule(gradient)
    # That library computes with eight binary digits.
    assert np.abs(weights.detach().numpy() - own).max() < 0.05 * np.abs(own).max()


def test_rest_is_where_the_polynomial_says():
    config = DecayedRun(decays=(0.5, 2.0), steps=4000, tail=0.75, fall=100.0, looks=20)
    found = muon.rested(config, SMALL.draw(3))
    assert found.radius.shape == (len(found.steps), 2, 2, 2) and found.predicted.shape == (2, 2, 2)
    assert found.error[:, 1].max() < 1e-6
    assert np.median(found.error[:, 0]) < 1e-3
    assert found.radius.max() <= polynomial_theory.band(polynomial.TUNED).highest
    assert found.radius[-1].max() > 1.03
    # By hand, from the same last gradient.
    g = np.random.default_rng(2).standard_normal((4, 5))
    moved = np.linalg.svd(polynomial.orthogonalized(g), compute_uv=False).max()
    assert muon.predicted(g) == pytest.approx(moved, rel=1e-12)


def test_gain_over_size_is_one_for_the_exact_factor_and_needs_every_step():
    data, lengths = SMALL.draw(4), 0.3 / np.sqrt(np.arange(1, 61))
    course = follow(data, polar, lengths, keep=list(range(1, 61)))
    assert np.allclose(muon.gain_over_size(data, course, lengths), 1, rtol=1e-10)
    slow = follow(data, lambda g: 0.2 * direction("spectral", g), lengths, keep=list(range(1, 61)))
    assert np.allclose(muon.gain_over_size(data, slow, lengths), 1, rtol=1e-10)
    frobenius = follow(data, lambda g: direction("frobenius", g), lengths, keep=list(range(1, 61)))
    assert muon.gain_over_size(data, frobenius, lengths).max() < 0.95
    with pytest.raises(ValueError, match="every|all"):
        muon.gain_over_size(data, follow(data, lambda g: g, lengths), lengths)


def test_shares_are_explained_and_certified():
    config = muon.MuonRace(steps=3000)
    data = SMALL.draw(5)
    found = muon.shares(config, data)
    assert found.share.shape == found.gain.shape == (2, 2) and found.polar.shape == (2,)
    assert np.all(found.share - found.gain > -0.01) and np.all(found.share - found.gain < 0.1)
    assert found.polar.min() > 0.97
    assert found.gain.min() > polynomial_theory.share_floor(4, 5, polynomial.TUNED)
    # Divided by its share, the margin of the exact factor is the certificate: no other rule's margin is above it.
    ends = [follow(data, rule, config.lengths).weights[-1] for rule in (polar, muon.muon(0.5), np.sign)]
    reached = [certificate.margins(data, end).min(axis=-1) / certificate.norm("spectral", end) for end in ends]
    assert np.all(np.array(reached) <= reached[0] / found.polar)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="race"):
        muon.MuonRace(steps=5)
