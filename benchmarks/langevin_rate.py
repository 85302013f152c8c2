"""Rate of Langevin updates over the rate at which torch.randn alone draws their noise, one core, float64.

The bars: at least half for 100,000 chains in a double well on the line, at least a quarter for 5 x 3 matrices of a
factorization posterior. Both sides alternate, so that a busy machine slows them alike; the medians count.

    OMP_NUM_THREADS=1 python benchmarks/langevin_rate.py
"""

import time

import numpy as np
import torch

from offconvex import rng, runtime
from offconvex.sampling.langevin import start, ula
from offconvex.sampling.manifold_experiments import begin_at
from offconvex.sampling.model import double_well
from offconvex.sampling.posterior import Posterior

CPU = runtime.resolve("cpu", threads=1)
REPEATS, STEPS = 15, 20


def seconds(work) -> float:
    """CPU seconds of one call."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def compare(name: str, target, state, step: float, bar: float) -> None:
    """Print the rate of updates over the rate of noise."""
    torch_noise = rng.generator(0, "benchmark noise")
    generator = rng.numpy_generator(0, "benchmark", name)
    shape = tuple(state.position.shape)

    def draw():
        for _ in range(STEPS):
            torch.randn(shape, generator=torch_noise, dtype=torch.float64, device="cpu")

    def move():
        ula(target, state, CPU, generator, step=step, steps=STEPS)

    draw(), move()  # warm up
    pairs = np.array([(seconds(draw), seconds(move)) for _ in range(REPEATS)])
    noise, update = np.median(pairs, 0) / STEPS
    ratio = np.median(pairs[:, 0] / pairs[:, 1])
    print(
        f"{name:28} noise {shape[0] / noise / 1e6:7.2f}, updates {shape[0] / update / 1e6:7.2f} million chains/s: "
        f"{ratio:.0%} of the noise's rate (bar: {bar:.0%})"
    )


if __name__ == "__main__":
    well = double_well(CPU)
    positions = CPU.normal(rng.generator(0, "benchmark start"), 100_000)
    compare("double well, 100,000 chains", well, start(well, positions), 1e-3, 0.5)
    posterior = Posterior(5, (1.0, 1.0, 1.0), 100.0)
    compare("5 x 3, 10,000 chains", posterior.target(CPU), begin_at(posterior, CPU, 10_000), posterior.step(0.5), 0.25)
