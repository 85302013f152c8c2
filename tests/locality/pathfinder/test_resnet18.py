"""The source's network: its size, its reach, and derivatives of derivatives through it."""

import torch

from offconvex import rng, runtime
from offconvex.locality import regularizer
from offconvex.locality.pathfinder import resnet18


def test_resnet18_has_the_known_size_and_reach():
    rt = runtime.resolve("cpu", torch.float32)
    network = resnet18.resnet18(3, rt, rng.generator(0, "resnet"))
    # The published network has 11,689,512 parameters with 1000 outputs instead of one.
    assert sum(p.numel() for p in network.parameters()) == 11_689_512 - 999 * 513
    assert resnet18.RECEPTIVE_FIELD == 435
    x = rt.normal(rng.generator(0, "x"), 2, 3, 64, 64)
    shapes = []
    network.blocks.register_forward_hook(lambda module, given, result: shapes.append(tuple(result.shape)))
    assert network(x).shape == (2,) and shapes == [(2, 512, 2, 2)]
    one = regularizer.Patch(0, 0, 2, 2), regularizer.Patch(30, 30, 2, 2)
    _, similar = regularizer.gradient_similarity(network, x, *one, differentiable=True)
    similar.mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
    assert 0.2 < similar.mean().item() < 1


def test_any_network_with_an_output_layer_gets_the_same_start():
    rt = runtime.resolve("cpu", torch.float64)
    network = torch.nn.Sequential()
    network.first = torch.nn.Conv2d(2, 5000, 3, bias=False, dtype=rt.dtype)
    network.output = torch.nn.Linear(4, 1, dtype=rt.dtype)
    assert resnet18.draw(network, rt, rng.generator(0, "start")) is network
    expected = (2 / (5000 * 9)) ** 0.5
    assert abs(network.first.weight.std().item() / expected - 1) < 0.02
    assert max(p.abs().max().item() for p in network.output.parameters()) <= 0.5
