"""Speed of the penalties' gradients against automatic differentiation of a singular value decomposition, on one core.

Matrices are those of the chapter, 100 x 100 in float64, ten at a time. All contestants are timed in turn, several times
over, and medians of processor time are taken, so that a busy machine slows all of them alike. The polar factor by
Newton-Schulz iteration is the other way to the nuclear norm's gradient without any decomposition; it needs as many
products as the smallest singular value asks for, so its accuracy stands beside its time.

    OMP_NUM_THREADS=1 python benchmarks/penalties_gradient.py
"""

import timing
import torch

from offconvex import rng, runtime
from offconvex.book.publication.performance import Comparison
from offconvex.descent import autograd_objective
from offconvex.factorizations.penalties.model import PENALTIES

ROUNDS, REPLICAS = 7, 10
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


def rows() -> list[Comparison]:
    exact = by_svd()

    def contestant(name: str, run) -> timing.Contestant:
        error = float((run() - exact).norm() / exact.norm())
        return timing.Contestant(name, run, REPLICAS, meaning=f"error {error:.0e}" if error else "no error")

    contestants = [
        contestant("engine, nuclear norm", lambda: by_engine("nuclear")),
        timing.Contestant(
            "engine, ratio of norms", lambda: by_engine("ratio"), REPLICAS, meaning="another penalty", reference=True
        ),
        contestant("singular value decomposition", by_svd),
        contestant("automatic differentiation of it", by_autograd),
        contestant("Newton-Schulz, 16 iterations", by_newton_schulz),
    ]
    problem = "100 x 100 matrices, ten at a time, float64"
    return [timing.compare("gradient of a penalty", problem, "matrix", contestants, rounds=ROUNDS)]


if __name__ == "__main__":
    timing.show(rows())
