"""Speed of the penalties' gradients against automatic differentiation of a singular value decomposition, on one core.

Matrices are those of the chapter, 100 x 100 in float64, ten at a time. All contestants are timed in turn, several times
over, and medians of CPU time are printed, so that a busy machine slows all of them alike. The polar factor by
Newton-Schulz iteration is the other way to the nuclear norm's gradient without any decomposition; it needs as many
products as the smallest singular value asks for, so its accuracy is printed beside its time.

    OMP_NUM_THREADS=1 python benchmarks/penalties_gradient.py
"""

import statistics
import time

import torch

from offconvex import rng, runtime
from offconvex.descent import autograd_objective
from offconvex.factorizations.penalties import PENALTIES

ROUNDS, REPLICAS = 9, 10
CPU = runtime.resolve("cpu", threads=1)
MATRIX = CPU.normal(rng.generator(0, "benchmark"), REPLICAS, 100, 100)


def by_svd() -> torch.Tensor:
    """U V^T from the decomposition."""
    left, _, right = torch.linalg.svd(MATRIX, full_matrices=False)
    return left @ right


def by_autograd() -> torch.Tensor:
    """The gradient of the sum of singular values."""
    return autograd_objective(lambda p: torch.linalg.svdvals(p[0]).sum(1))((MATRIX,))[1][0]


def by_newton_schulz(iterations: int = 16) -> torch.Tensor:
    """Cubic iteration X <- X (3 - X^T X) / 2 toward the polar factor."""
    x = MATRIX / torch.linalg.matrix_norm(MATRIX, 2)[:, None, None]
    for _ in range(iterations):
        x = 1.5 * x - 0.5 * x @ (x.mT @ x)
    return x


def by_engine(name: str) -> torch.Tensor:
    """The package's gradient, in the unit of the others for the nuclear norm."""
    return PENALTIES[name].value_and_gradient(MATRIX, 0.0)[1] * PENALTIES[name].scale


if __name__ == "__main__":
    contestants = {
        "engine, nuclear norm": lambda: by_engine("nuclear"),
        "engine, ratio": lambda: by_engine("ratio"),
        "decomposition": by_svd,
        "automatic differentiation": by_autograd,
        "Newton-Schulz, 16 iterations": by_newton_schulz,
    }
    times = {name: [] for name in contestants}
    for _ in range(ROUNDS + 1):
        for name, run in contestants.items():
            start = time.process_time()
            run()
            times[name].append(time.process_time() - start)
    exact = by_svd()
    base = statistics.median(times["engine, nuclear norm"][1:])
    for name, run in contestants.items():
        seconds = statistics.median(times[name][1:])
        error = "" if name == "engine, ratio" else f"   error {float((run() - exact).norm() / exact.norm()):.0e}"
        print(f"{name:<30}{seconds / REPLICAS * 1e3:8.2f} ms a matrix   {seconds / base:5.2f} times the engine{error}")
