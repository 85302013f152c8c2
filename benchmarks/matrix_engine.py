"""Speed of the matrix engine against automatic differentiation with torch.optim.SGD, on one core.

The problem is that of the chapter's first figure: 64 x 64, depth 3, 2048 observed entries, float64. All contestants are
timed in turn, several times over, and medians are taken, so that a busy machine slows all of them alike.

    OMP_NUM_THREADS=1 python benchmarks/matrix_engine.py
"""

from collections.abc import Callable

import timing
import torch

from offconvex import runtime
from offconvex.book.publication.performance import Comparison
from offconvex.descent import descend
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.matrix.task import MatrixCompletion

STEPS, ROUNDS, STEP, STD = 200, 9, 0.1, 1e-2
CPU = runtime.resolve("cpu", threads=1)
TASK = MatrixCompletion(size=64, rank=5, observed=2048)


def engine(replicas: int) -> Callable[[], object]:
    targets, masks = TASK.draw(CPU, 0, "benchmark", range(replicas))
    layers = TASK.start(CPU, 0, "benchmark", range(replicas), depth=3, std=STD)
    objective = matrix.matrix_objective(matrix.completion_loss(targets, masks))
    return lambda: descend(objective, layers, steps=STEPS, step_size=STEP, record_every=STEPS)


def autograd(*, gather: bool) -> Callable[[], object]:
    """The loop one would write first: look the observed entries up, or mask the whole residual."""
    targets, masks = TASK.draw(CPU, 0, "benchmark", range(1))
    start = TASK.start(CPU, 0, "benchmark", range(1), depth=3, std=STD)
    target, mask = targets[0], masks[0]
    rows, columns = mask.nonzero(as_tuple=True)
    values = target[rows, columns]

    def run() -> list[torch.Tensor]:
        w1, w2, w3 = layers = [layer[0].clone().requires_grad_() for layer in start]
        optimizer = torch.optim.SGD(layers, lr=STEP)
        for _ in range(STEPS):
            optimizer.zero_grad()
            product = w3 @ w2 @ w1
            if gather:
                loss = (product[rows, columns] - values).square().mean()
            else:
                loss = (mask * (product - target)).square().sum() / TASK.observed
            loss.backward()
            optimizer.step()
        return layers

    return run


def rows() -> list[Comparison]:
    looked_up = autograd(gather=True)
    mine, theirs = engine(1)().parameters, looked_up()
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a[0], b.detach(), rtol=1e-9, atol=1e-12)
    contestants = [
        timing.Contestant("engine, 1 replica", engine(1), STEPS),
        timing.Contestant("engine, 8 replicas", engine(8), 8 * STEPS, meaning="one of the replicas", reference=True),
        timing.Contestant("autograd + SGD, entries looked up", looked_up, STEPS),
        timing.Contestant("autograd + SGD, masked residual", autograd(gather=False), STEPS),
    ]
    problem = "completion, 64 x 64, depth 3, 2048 entries, float64"
    unit = "iteration and replica"
    return [timing.compare("matrix factorization", problem, unit, contestants, rounds=ROUNDS)]


if __name__ == "__main__":
    timing.show(rows())
