"""The tasks and the regularized step, as ratios in one run on one core.

Pathfinder scenes made together against the same generator one image at a time; a step with the regularizer against
a plain one; and eight networks together against one by one.

    OMP_NUM_THREADS=1 python benchmarks/locality.py
"""

import time

import torch

from offconvex import rng, runtime
from offconvex.locality import networks, pathfinder, training
from offconvex.locality.networks import Architecture
from offconvex.locality.regularizer import Patch

CPU = runtime.resolve("cpu", torch.float32, threads=1)


def generator(length: int, count: int) -> tuple[float, float]:
    """Images a second, together and one by one; 64 pixels."""
    task = pathfinder.Pathfinder(length=length, distractor_length=max(length // 3, 1))
    begun = time.perf_counter()
    pathfinder.images(task, count, CPU, 0, "together")
    together = count / (time.perf_counter() - begun)
    begun = time.perf_counter()
    for index in range(8):
        pathfinder.images(task, 1, CPU, index, "alone")
    return together, 8 / (time.perf_counter() - begun)


def step(kernel: tuple[int, int], replicas: int, strength: float) -> float:
    """Seconds of a loss and its gradient, the better of three; batches of 64 strips."""
    a = Architecture(7 if kernel[0] == 1 else 1, channels=16, blocks=5, kernel=kernel)
    weights = networks.start(a, CPU, networks.start_generators(0, range(replicas), "benchmark"))
    weights = [w.requires_grad_() for w in weights]
    height = 1 if kernel[0] == 1 else 7
    x = CPU.normal(rng.generator(0, "benchmark"), replicas, 64, a.inputs, height, 22)
    y, pair = CPU.zeros(replicas, 64), (Patch(0, 0, height, 7), Patch(0, 15, height, 7))
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        torch.autograd.grad(training.objective(a, weights, x, y, strength, pair).sum(), weights)
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


if __name__ == "__main__":
    for length in (3, 5, 7, 9):
        together, alone = generator(length, 512)
        print(f"{length} dashes: {together:7.0f} images a second, {together / alone:5.1f} times one by one")
    for kernel in ((1, 3), (3, 3)):
        plain, penalized, eight = step(kernel, 1, 0.0), step(kernel, 1, 1.0), step(kernel, 8, 1.0)
        print(
            f"{kernel[0]} x {kernel[1]}: regularized over plain step {penalized / plain:4.1f}, "
            f"eight networks one by one over together {8 * penalized / eight:4.1f}"
        )
