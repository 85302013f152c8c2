"""Time to loss 1e-4 on the 2 x 2 completion: flow in coordinates against gradient descent in a Python loop.

Depth 3, step 6e-3, start 1e-5: the source's setting, on one core. The loop is the shortest one in NumPy, with the
gradient written out for one run; the engine advances 32 runs at once. By default a slice of the loop is timed and
multiplied by the number of steps that the whole takes; --whole takes them all, some minutes.

    OMP_NUM_THREADS=1 python benchmarks/norms_curve.py [--whole]
"""

import sys
import time

import numpy as np

from offconvex import runtime
from offconvex.descent import descend
from offconvex.factorizations.norms_experiments import SOURCE, Curves, coordinate_curve, start_layers

LEVEL, SLICE = 1e-4, 20_000
CPU = runtime.resolve("cpu", threads=1)
CONFIG = Curves(SOURCE[2], replicas=1, smallest_loss=LEVEL)


def loop(steps: int) -> tuple[int, float, float]:
    """Steps taken until the loss is at the level, |W11| there, and seconds."""
    first, second, third = (layer[0].numpy().copy() for layer in start_layers(CONFIG, CPU, 0, balanced=True))
    rate, start = CONFIG.setting.rate, time.perf_counter()
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
    return step, abs(product[0, 0]), time.perf_counter() - start


def flow() -> tuple[float, float, float]:
    """Time of flow at the level, |W11| there, and seconds."""
    start = time.perf_counter()
    curve = coordinate_curve(CONFIG, CPU, 0)
    seconds = time.perf_counter() - start
    row = int(np.argmax(curve.loss[:, 0] <= LEVEL))
    return curve.times[row], float(curve.entry_at(LEVEL)[0]), seconds


def engine(replicas: int) -> float:
    """Seconds per step of the batched engine."""
    config = Curves(SOURCE[2], replicas=replicas)
    layers = start_layers(config, CPU, 0, balanced=True)
    start = time.perf_counter()
    descend(config.task.objective(CPU), layers, steps=SLICE, step_size=config.setting.rate, record_every=SLICE)
    return (time.perf_counter() - start) / SLICE


if __name__ == "__main__":
    flow()  # warm up
    end, entry, flow_seconds = flow()
    needed = round(end / CONFIG.setting.rate)
    steps, loop_entry, seconds = loop(10 * needed if "--whole" in sys.argv else SLICE)
    whole = seconds / steps * needed
    per_run = engine(32) / 32 * needed
    print(f"steps to loss {LEVEL:g}                {needed:>12,}")
    print(f"flow in coordinates              {flow_seconds:12.3f} s   |W11| = {entry:.3f}")
    if "--whole" in sys.argv:
        print(f"Python loop, {steps:,} steps      {seconds:12.1f} s   |W11| = {loop_entry:.3f}")
    print(f"Python loop, time of all steps   {whole:12.1f} s   {whole / flow_seconds:,.0f} times the flow")
    print(f"engine, one of 32 runs at once   {per_run:12.1f} s   {per_run / flow_seconds:,.0f} times the flow")
