"""A training step of Taylor models of orders one to four over a step of the network itself.

Power series through the network against nested forward derivatives, in one run: six layers of weights, eight networks
on the batch axis, as in the chapter beyond-ntk.

    OMP_NUM_THREADS=1 python benchmarks/taylor_step.py
"""

import functools

import timing
import torch

from offconvex import runtime
from offconvex.book.publication.performance import Comparison
from offconvex.tangents import training
from offconvex.tangents.series import network

ROUNDS, STEPS = 5, 3
CONFIG = training.TaylorTraining()


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


def rows() -> list[Comparison]:
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

    def contestant(name: str, step, order: int) -> timing.Contestant:
        run = timing.repeated(functools.partial(step, order))
        meaning = "" if order else "what a step of the model is a multiple of"
        return timing.Contestant(name, functools.partial(run, STEPS), STEPS, meaning=meaning, reference=order == 0)

    return [
        timing.compare(
            "Taylor models",
            f"order {order}, six layers of 32, eight networks, float32",
            "training step",
            [
                contestant("power series", by_series, order),
                contestant("nested forward derivatives", by_nesting, order),
                contestant("the network itself", by_series, 0),
            ],
            rounds=ROUNDS,
        )
        for order in range(1, 5)
    ]


if __name__ == "__main__":
    timing.show(rows())
