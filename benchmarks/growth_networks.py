"""How a training step of the networks grows with width, depth, images, order, channels and replicas.

Steps are a loss and its gradient: of the network of flow and descent (float64), of its form in dual coordinates, of
Taylor models and of the regularized convolutional network (float32). Operations are the multiplications of the matrix
products, forward and backward.

    OMP_NUM_THREADS=1 python benchmarks/growth_networks.py
"""

from collections.abc import Callable
from functools import partial

import timing
import torch
from timing import Knob

from offconvex import rng, runtime
from offconvex.book.publication.performance import CostGrowth
from offconvex.flow_vs_descent.dual import DualLoss
from offconvex.flow_vs_descent.model import Network, images
from offconvex.flow_vs_descent.objective import network_loss
from offconvex.locality import networks
from offconvex.locality import training as regularized
from offconvex.locality.networks import Architecture
from offconvex.locality.regularizer import Patch
from offconvex.tangents import training

CPU, SINGLE = runtime.resolve("cpu", threads=1), runtime.resolve("cpu", torch.float32, threads=1)
BLOCKS, STRIPS = 5, 32


def layered(width: int, hidden: int = 2, replicas: int = 1) -> Callable[[int], None]:
    """Gradient on 1000 images of 7 x 7 pixels."""
    network = Network((49, *(width,) * hidden, 10))
    objective = network_loss(network, images(CPU, count=1000, side=7))
    start = network.start(CPU, 0, "growth", replicas=replicas)
    return timing.repeated(lambda: objective(start))


def layered_operations(width: int, hidden: int = 2) -> float:
    """Two products with the images, three with every other layer."""
    return 1000 * width * (2 * 49 + 3 * (hidden - 1) * width + 3 * 10)


def dual(count: int) -> Callable[[int], None]:
    network, data = Network(), images(CPU, count=count)
    objective = DualLoss(network, data)
    point = objective.lift(network.start(CPU, 0, "growth"))
    return timing.repeated(lambda: objective(point))


def taylor(order: int, width: int, hidden: int = 3) -> Callable[[int], None]:
    config = training.TaylorTraining((width,) * hidden, replicas=1)
    pixels, labels = training.fashion(SINGLE, "train", config.batch)
    start = training.draw_start(config, SINGLE, 0, "growth")
    move = [torch.zeros_like(w).requires_grad_() for w in start]
    return timing.repeated(lambda: training.step(config, start, move, pixels, labels, order, 1e-3))


def taylor_operations(order: int, width: int, hidden: int = 3) -> float:
    """Products with a layer: 2k + 1 of the series, k for its gradient, 2k + 1 to pass it on; at the first layer 3."""
    return 100 * (3 * 196 * width + (5 * order + 2) * width * ((hidden - 1) * width + 10))


def penalized(channels: int = 16, replicas: int = 1) -> Callable[[int], None]:
    a = Architecture(7, channels=channels, blocks=BLOCKS, kernel=(1, 3))
    weights = networks.start(a, SINGLE, networks.start_generators(0, range(replicas), "growth"))
    weights = [w.requires_grad_() for w in weights]
    x = SINGLE.normal(rng.generator(0, "growth"), replicas, STRIPS, a.inputs, 1, 22)
    y, pair = SINGLE.zeros(replicas, STRIPS), (Patch(0, 0, 1, 7), Patch(0, 15, 1, 7))

    def step() -> None:
        torch.autograd.grad(regularized.objective(a, weights, x, y, 1.0, pair).sum(), weights)

    return timing.repeated(step)


def convolution_operations(channels: int) -> float:
    """Of one pass through the layers; a step makes a fixed number of such passes."""
    return STRIPS * 22 * 3 * channels * (7 + 2 * BLOCKS * channels)


NETWORK, TAYLOR, LOCAL = "network", "Taylor models", "locality regularizer"
KNOBS = (
    Knob(NETWORK, "width w", "49-w-w-10, 1000 images", "gradient", (50, 100, 200, 400),
         layered, layered_operations, "N w (2 · 49 + 3 w + 30)"),
    Knob(NETWORK, "depth", "layers of 100, 1000 images", "gradient", (3, 5, 9, 17),
         lambda depth: layered(100, depth - 1), lambda depth: layered_operations(100, depth - 1),
         "three products a layer"),
    Knob(NETWORK, "replicas", "49-50-50-10, 1000 images", "gradient", (1, 2, 4, 8),
         lambda replicas: layered(50, replicas=replicas), lambda r: r * layered_operations(50), "linear"),
    Knob("network, dual coordinates", "images N", "784-50-50-10", "gradient", (500, 1000, 2000, 4000),
         dual, lambda count: 50 * count * (count + 3 * 50 + 3 * 10), "50 N² + 9000 N"),
    Knob(TAYLOR, "order k", "196-128-128-128-10, batch 100", "step", (1, 2, 3, 4),
         lambda order: taylor(order, 128), lambda order: taylor_operations(order, 128), "5 k + 2 products a layer"),
    Knob(TAYLOR, "width w", "order 2, 196-w-w-w-10, batch 100", "step", (128, 256, 512, 1024),
         partial(taylor, 2), partial(taylor_operations, 2), "12 products a layer, w² each"),
    Knob(LOCAL, "channels c", "11 layers, kernels 1 x 3, 32 strips", "step", (32, 64, 128, 256),
         penalized, convolution_operations, "3 c (7 + 10 c) a place and pass"),
    Knob(LOCAL, "replicas", "11 layers of 16 channels, kernels 1 x 3, 32 strips", "step", (2, 4, 8, 16),
         lambda replicas: penalized(replicas=replicas), lambda r: r * convolution_operations(16), "linear"),
)  # fmt: skip


def rows() -> list[CostGrowth]:
    return [timing.grow(knob) for knob in KNOBS]


if __name__ == "__main__":
    timing.show(rows())
