"""Speed of the hierarchical engine against torch.einsum, automatic differentiation and torch.optim.SGD, on one core.

The problem is that of the chapter: order 4, length 8, 2048 observed entries, binary tree, float64, widths 64, 512. The
loops are given the best order of contraction: pairs of axes first, never an array of width times all entries. All
contestants are timed in turn, several times over, and medians of CPU time are printed.

    OMP_NUM_THREADS=1 python benchmarks/hierarchical_engine.py
"""

import statistics
import time
from collections.abc import Callable

import torch

from offconvex import runtime
from offconvex.descent import descend
from offconvex.factorizations import hierarchical, tensor
from offconvex.factorizations.hierarchical_task import TreeCompletion

ROUNDS, STEP, STD = 7, 0.1, 3e-2
STEPS = {64: 100, 512: 20}
CPU = runtime.resolve("cpu", threads=1)


def parts(width: int) -> tuple[TreeCompletion, torch.Tensor, torch.Tensor, hierarchical.Weights]:
    task, one = TreeCompletion(width=width), range(1)
    return (
        task,
        task.target(CPU, 0, "benchmark", one),
        task.mask(CPU, 0, "benchmark", one),
        task.start(CPU, 0, "benchmark", one, std=STD),
    )


def engine(width: int) -> Callable[[], object]:
    task, target, mask, start = parts(width)
    objective = hierarchical.HierarchicalObjective(task.tree, tensor.completion_loss(target, mask))
    steps = STEPS[width]
    return lambda: descend(objective, start, steps=steps, step_size=STEP, record_every=steps).parameters


def einsum(width: int, *, joint: bool) -> Callable[[], object]:
    """The loop one would write first: one einsum a node, or the Khatri-Rao products made beforehand."""
    task, target, mask, start = parts(width)
    whole, seen = target[0], mask[0]

    def node(left: torch.Tensor, right: torch.Tensor, mix: torch.Tensor) -> torch.Tensor:
        if joint:
            return torch.einsum("ar,br,rs->abs", left, right, mix)
        return torch.einsum("abr,rs->abs", torch.einsum("ar,br->abr", left, right), mix)

    def run() -> list[torch.Tensor]:
        weights = [w[0].clone().requires_grad_() for w in start]
        optimizer = torch.optim.SGD(weights, lr=STEP)
        for _ in range(STEPS[width]):
            optimizer.zero_grad()
            w0, w1, w01, w2, w3, w23, root = weights
            left = node(w0, w1, w01) * root[:, 0]
            product = torch.einsum("abs,cds->abcd", left, node(w2, w3, w23))
            loss = (seen * (product - whole)).square().sum() / task.observed
            loss.backward()
            optimizer.step()
        return weights

    return run


def main() -> None:
    for width, steps in STEPS.items():
        contestants = {
            f"engine, width {width}": engine(width),
            "einsum, one per node": einsum(width, joint=True),
            "einsum, pairs first": einsum(width, joint=False),
        }
        mine, theirs = (contestants[name]() for name in list(contestants)[:2])
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a[0], b.detach(), rtol=1e-6, atol=1e-12)
        times = {name: [] for name in contestants}
        for _ in range(ROUNDS):
            for name, run in contestants.items():
                begin = time.process_time()
                run()
                times[name].append((time.process_time() - begin) / steps * 1e3)
        medians = {name: statistics.median(values) for name, values in times.items()}
        base = next(iter(medians.values()))
        print(f"{'milliseconds of CPU time per iteration':40s} {'median':>8s} {'fastest':>8s} {'ratio':>7s}")
        for name, median in medians.items():
            print(f"{name:40s} {median:8.3f} {min(times[name]):8.3f} {median / base:7.2f}")


if __name__ == "__main__":
    main()
