"""The model cell of the chapter beyond the tangent kernel: both terms of its network against the chapter's learners."""

import re

import model_cells
import numpy as np
import pytest
import torch

from offconvex.tangents import fresh_signs, learners, two_layer

CHAPTER = "beyond-ntk"
ROW = re.compile(r"(\d+) samples: linear (\d+)% off, quadratic (\d+)%")
FULL, SHORT = "for n in (30, 100, 240):", "for n in (100,):"


def errors(printed: str) -> dict[int, tuple[int, int]]:
    """What is printed: samples -> errors of the linear and of the quadratic term, percents."""
    return {int(n): (int(linear), int(quadratic)) for n, linear, quadratic in ROW.findall(printed)}


@pytest.fixture
def square(monkeypatch):
    """The activation z^2 / 2, which the engine does not offer by itself."""
    act = two_layer.Activation(lambda z: z.square() / 2, lambda z: z, torch.ones_like, torch.zeros_like)
    monkeypatch.setitem(two_layer.ACTIVATIONS, "square", act)
    return "square"


@pytest.fixture
def network(square):
    """The cell's network in the engine, its samples and its test points."""
    names, _ = model_cells.vary(CHAPTER, (FULL, SHORT))
    tensors = {name: torch.tensor(names[name], dtype=torch.float64) for name in ("W0", "a", "seen", "unseen", "W")}
    return two_layer.TwoLayer(tensors["W0"][None], tensors["a"][None], square), tensors, names


def test_linear_term_is_the_engines_kernel_regression(network):
    net, tensors, names = network
    seen, unseen = tensors["seen"], tensors["unseen"]
    kernel, across = net.tangent_kernel(seen, seen), net.tangent_kernel(unseen, seen)
    assert kernel[0].numpy() == pytest.approx(names["tangent"](names["seen"], names["seen"]), rel=1e-12)
    found = learners.kernel_fit(kernel, across, seen[:, 0].square()[None])
    assert found[0].numpy() == pytest.approx(names["guesses"][0], abs=1e-5)


def test_quadratic_term_descends_as_the_engines_does(network):
    net, tensors, names = network
    seen, labels = tensors["seen"], tensors["seen"][:, 0].square()
    short, _ = model_cells.vary(CHAPTER, (FULL, SHORT), ("range(1000)", "range(0)"))
    move, start = torch.tensor(short["W"])[None], net.start(seen)
    for _ in range(1000):
        value, slope = fresh_signs.model(net, "quadratic", seen, start, move)
        pull = (slope * (value - labels)[..., None]).mT @ seen / len(seen) / 40**0.5
        move = move - 0.6 * net.signs[..., None] * pull
    assert move[0].numpy() == pytest.approx(names["W"], abs=1e-8)
    assert net.term(move, tensors["unseen"], 2)[0].numpy() == pytest.approx(names["guesses"][1], abs=1e-7)


def test_both_terms_are_all_there_is(network):
    net, tensors, _ = network
    move, inputs = tensors["W"][None], tensors["unseen"][:50]
    change = net.value(move, inputs) - net.value(torch.zeros_like(move), inputs)
    assert torch.allclose(change, net.term(move, inputs, 1) + net.term(move, inputs, 2))


def test_descent_comes_to_the_least_nuclear_norm(network):
    _, tensors, names = network
    seen = tensors["seen"]
    least = learners.least_nuclear(seen[None], seen[:, 0].square()[None])
    found = names["W"].T @ (names["a"][:, None] * names["W"]) / 2 / 40**0.5
    assert np.linalg.norm(found - least.matrix[0].numpy()) < 0.1 * np.linalg.norm(found)


def test_only_the_quadratic_term_learns_from_a_hundred_samples():
    found = errors(model_cells.run(CHAPTER)[1])
    assert list(found) == [30, 100, 240]
    assert found[100][0] > 40 and found[100][1] <= 3
    assert found[240] == (0, 0) and min(found[30]) > 10


def test_a_target_of_full_rank_takes_the_gain_away():
    # Squares of all inputs, half of them subtracted, in place of one square: no direction is better than another.
    target = "def target(x):\n    return x**2 @ np.repeat([1.0, -1.0], dim // 2) / np.sqrt(dim)\n\n"
    names, _ = model_cells.vary(
        CHAPTER,
        (FULL, SHORT),
        ("def tangent", target + "def tangent"),
        ("seen[:, 0] ** 2, rcond", "target(seen), rcond"),
        ("/ 2 / m**0.5 - seen[:, 0] ** 2", "/ 2 / m**0.5 - target(seen)"),
    )
    truth = names["target"](names["unseen"])
    linear, quadratic = (np.mean((guess - truth) ** 2) / truth.var() for guess in names["guesses"])
    assert linear > 0.3 and quadratic > 0.2
