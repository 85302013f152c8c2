"""Rate of Langevin updates over the rate at which torch.randn alone draws their noise, one core, float64.

The bars: at least half for 100,000 chains in a double well on the line, at least a quarter for 5 x 3 matrices of a
factorization posterior. Both sides alternate, so that a busy machine slows them alike; the medians count.

    OMP_NUM_THREADS=1 python benchmarks/langevin_rate.py
"""

import timing
import torch

from offconvex import rng, runtime
from offconvex.book.publication.performance import Comparison
from offconvex.sampling.langevin import start, ula
from offconvex.sampling.manifolds.experiments import begin_at
from offconvex.sampling.manifolds.posterior import Posterior
from offconvex.sampling.model import double_well

CPU = runtime.resolve("cpu", threads=1)
ROUNDS, STEPS = 9, 20


def compare(name: str, target, state, step: float, bar: float) -> Comparison:
    """Updates against the noise alone; the bar says how long an update may take."""
    torch_noise = rng.generator(0, "benchmark noise")
    generator = rng.numpy_generator(0, "benchmark", name)
    shape = tuple(state.position.shape)

    def draw():
        for _ in range(STEPS):
            torch.randn(shape, generator=torch_noise, dtype=torch.float64, device="cpu")

    def move():
        ula(target, state, CPU, generator, step=step, steps=STEPS)

    contestants = [
        timing.Contestant("Langevin updates", move, STEPS),
        timing.Contestant(
            "torch.randn alone", draw, STEPS, bar=bar, meaning="noise that an update needs", reference=True
        ),
    ]
    return timing.compare("Langevin dynamics", name, "step of all chains", contestants, rounds=ROUNDS)


def rows() -> list[Comparison]:
    well = double_well(CPU)
    chains = start(well, CPU.normal(rng.generator(0, "benchmark start"), 100_000))
    posterior = Posterior(5, (1.0, 1.0, 1.0), 100.0)
    matrices, step = begin_at(posterior, CPU, 10_000), posterior.step(0.5)
    return [
        compare("double well on the line, 100,000 chains, float64", well, chains, 1e-3, 0.5),
        compare("5 x 3 matrices, 10,000 chains, float64", posterior.target(CPU), matrices, step, 0.25),
    ]


if __name__ == "__main__":
    timing.show(rows())
