"""Time to loss 1e-4 on the 2 x 2 completion: flow in coordinates against gradient descent in a Python loop.

Depth 3, step 6e-3, start 1e-5: the source's setting, on one core. The loop is the shortest one in NumPy, with the
gradient written out for one run; the engine advances 32 runs at once. By default a slice of the loop is timed and
multiplied by the number of steps that the whole takes; --whole takes them all, some minutes.

    OMP_NUM_THREADS=1 python benchmarks/norms_curve.py [--whole]
"""

import sys

import numpy as np
import timing

from offconvex import runtime
from offconvex.book.publication.performance import Comparison
from offconvex.descent import descend
from offconvex.factorizations.norms.curves import SOURCE, CornerRuns, coordinate_curve, start_layers

LEVEL, SLICE = 1e-4, 20_000
CPU = runtime.resolve("cpu", threads=1)
CONFIG = CornerRuns(SOURCE[2], replicas=1, smallest_loss=LEVEL)


def loop(steps: int) -> tuple[int, float]:
    """Steps taken until the loss is at the level, and |W11| there."""
    first, second, third = (layer[0].numpy().copy() for layer in start_layers(CONFIG, CPU, 0, balanced=True))
    rate = CONFIG.setting.rate
    for step in range(steps):
        below = second @ first
        product = third @ below
        residual = product - [[0.0, 1.0], [1.0, 0.0]]
        residual[0, 0] = 0.0
        if step % 1000 == 0 and 0.5 * (residual**2).sum() <= LEVEL:
            break
        pulled = third.T @ residual
        third, second, first = (
            third - rate * residual @ below.T,
            second - rate * pulled @ first.T,
            first - rate * second.T @ pulled,
        )
    return step, abs(product[0, 0])


def flow() -> tuple[float, float]:
    """Time of flow at the level, and |W11| there."""
    curve = coordinate_curve(CONFIG, CPU, 0)
    row = int(np.argmax(curve.loss[:, 0] <= LEVEL))
    return curve.times[row], float(curve.entry_at(LEVEL)[0])


def engine(replicas: int) -> None:
    """A slice of the steps of the batched engine."""
    config = CornerRuns(SOURCE[2], replicas=replicas)
    layers = start_layers(config, CPU, 0, balanced=True)
    descend(config.task.objective(CPU), layers, steps=SLICE, step_size=config.setting.rate, record_every=SLICE)


def rows(whole: bool = False) -> list[Comparison]:
    end, entry = flow()
    needed = round(end / CONFIG.setting.rate)
    if whole:
        steps, other = loop(10 * needed)
        # The two end within a thousand steps of each other, and at one entry.
        assert abs(steps - needed) < 0.01 * needed and abs(other - entry) < 0.01 * entry
    contestants = [
        timing.Contestant("flow in coordinates", flow),
        timing.Contestant(
            "gradient descent, NumPy loop", lambda: loop(SLICE), SLICE / needed, meaning=f"{needed:,} steps"
        ),
        timing.Contestant(
            "gradient descent, 32 runs at once", lambda: engine(32), 32 * SLICE / needed, meaning="one of the runs"
        ),
    ]
    problem = f"2 x 2 completion, depth 3, start 1e-5, to loss {LEVEL:g}"
    return [timing.compare("flow of small matrices", problem, "run", contestants, rounds=3)]


if __name__ == "__main__":
    timing.show(rows("--whole" in sys.argv))
