"""A training step of Taylor models of orders one to four over a step of the network itself.

Power series through the network against nested forward derivatives, in one run: six layers of weights, eight networks
on the batch axis, as in the chapter beyond-ntk.

    OMP_NUM_THREADS=1 python benchmarks/taylor_step.py
"""

import time

import torch

from offconvex import runtime
from offconvex.tangents import training
from offconvex.tangents.series import network

ROUNDS, STEPS = 7, 5
CONFIG = training.Training()


def nested(start, move, inputs, order):
    """Taylor model by nested jvp."""

    def along(t):
        return network([w + t * v for w, v in zip(start, move)], inputs, CONFIG.activation)

    zero = torch.zeros((), device=inputs.device, dtype=inputs.dtype)
    total, current, factorial = along(zero), along, 1
    for k in range(1, order + 1):
        current = (lambda f: lambda t: torch.func.jvp(f, (t,), (torch.ones_like(t),))[1])(current)
        factorial *= k
        total = total + current(zero) / factorial
    return total


def seconds(call) -> float:
    start = time.process_time()
    for _ in range(STEPS):
        call()
    return time.process_time() - start


if __name__ == "__main__":
    rt = runtime.resolve("cpu", torch.float32)
    images, labels = training.fashion(rt, "train", CONFIG.batch)
    start = training.draw_start(CONFIG, rt, 0, "benchmark")
    moves = {order: [torch.zeros_like(w).requires_grad_() for w in start] for order in range(5)}

    def by_nesting(order):
        logits = nested(start, moves[order], images, order)
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.repeat(len(logits)))
        torch.autograd.grad(loss, moves[order])

    def by_series(order):
        training.step(CONFIG, start, moves[order], images, labels, order, 1e-3)

    times = {order: [] for order in range(5)}
    slow = {order: [] for order in range(1, 5)}
    for _ in range(ROUNDS):
        for order in times:
            times[order].append(seconds(lambda order=order: by_series(order)))
            if order:
                slow[order].append(seconds(lambda order=order: by_nesting(order)))
    plain = sorted(times[0])[ROUNDS // 2]
    for order in range(1, 5):
        mine, other = (sorted(t[order])[ROUNDS // 2] / plain for t in (times, slow))
        print(f"order {order}: {mine:.1f} steps of the network by series, {other:.1f} by nested derivatives")
