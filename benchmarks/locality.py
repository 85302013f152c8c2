"""The tasks and the regularized step, as ratios in one run on one core.

Pathfinder scenes made together against the same generator one image at a time; a step with the regularizer against
a plain one, in small networks and in the source's; and eight small networks together against one by one.

    OMP_NUM_THREADS=1 python benchmarks/locality.py
"""

import functools

import timing
import torch

from offconvex import rng, runtime
from offconvex.book.publication.performance import Comparison
from offconvex.locality import networks, training
from offconvex.locality.networks import Architecture
from offconvex.locality.pathfinder import images as pathfinder
from offconvex.locality.pathfinder import paper
from offconvex.locality.pathfinder.resnet18 import ResNet18, resnet18
from offconvex.locality.regularizer import Patch

CPU = runtime.resolve("cpu", torch.float32, threads=1)


def generator(length: int, count: int, alone: int = 8) -> Comparison:
    """Images together and one by one; 64 pixels."""
    task = pathfinder.Pathfinder(length=length, distractor_length=max(length // 3, 1))

    def one_by_one() -> None:
        for index in range(alone):
            pathfinder.images(task, 1, CPU, index, "alone")

    contestants = [
        timing.Contestant("together", lambda: pathfinder.images(task, count, CPU, 0, "together"), count),
        timing.Contestant("one by one", one_by_one, alone),
    ]
    problem = f"{count} images of 64 x 64, paths of {length} dashes"
    return timing.compare("Pathfinder scenes", problem, "image", contestants, rounds=3)


def step(kernel: tuple[int, int], replicas: int, strength: float) -> None:
    """A loss and its gradient; batches of 64 strips."""
    a = Architecture(7 if kernel[0] == 1 else 1, channels=16, blocks=5, kernel=kernel)
    weights = networks.start(a, CPU, networks.start_generators(0, range(replicas), "benchmark"))
    weights = [w.requires_grad_() for w in weights]
    height = 1 if kernel[0] == 1 else 7
    x = CPU.normal(rng.generator(0, "benchmark"), replicas, 64, a.inputs, height, 22)
    y, pair = CPU.zeros(replicas, 64), (Patch(0, 0, height, 7), Patch(0, 15, height, 7))
    torch.autograd.grad(training.objective(a, weights, x, y, strength, pair).sum(), weights)


def penalized(kernel: tuple[int, int]) -> Comparison:
    """Eight networks together and one, and one without the regularizer."""
    contestants = [
        timing.Contestant("regularized, one of eight networks", functools.partial(step, kernel, 8, 1.0), 8),
        timing.Contestant("regularized, one network alone", functools.partial(step, kernel, 1, 1.0)),
        timing.Contestant("not regularized, alone", functools.partial(step, kernel, 1, 0.0), reference=True),
    ]
    problem = f"kernels {kernel[0]} x {kernel[1]}, 11 layers of 16 channels, 64 strips, float32"
    return timing.compare("locality regularizer", problem, "step and network", contestants, rounds=5)


def source_step(network: ResNet18, images: torch.Tensor, strength: float) -> None:
    """A loss and its gradient."""
    side = images.shape[-1]
    pair = Patch(0, 0, 2, 2), Patch(side - 2, side - 2, 2, 2)
    loss, _, _ = paper.step_loss(network, images, CPU.zeros(len(images)), strength, pair)
    torch.autograd.grad(loss, tuple(network.parameters()))


def source_network(batch: int = 4) -> Comparison:
    """The price of the regularizer at the source's own sizes."""
    side = pathfinder.paper(9).used
    network = resnet18(1, CPU, rng.generator(0, "benchmark", "source"))
    images = CPU.normal(rng.generator(0, "benchmark", "images"), batch, 1, side, side)
    contestants = [
        timing.Contestant("regularized", functools.partial(source_step, network, images, 1.0)),
        timing.Contestant("not regularized", functools.partial(source_step, network, images, 0.0), reference=True),
    ]
    problem = f"ResNet18, {batch} images of {side} x {side}, float32"
    return timing.compare("locality regularizer", problem, "step", contestants, rounds=5)


def rows() -> list[Comparison]:
    scenes = [generator(length, 512) for length in (3, 5, 7, 9)]
    return [*scenes, *(penalized(kernel) for kernel in ((1, 3), (3, 3))), source_network()]


if __name__ == "__main__":
    timing.show(rows())
