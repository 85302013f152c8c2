"""Speed of the hierarchical engine against torch.einsum, automatic differentiation and torch.optim.SGD, on one core.

The problem is that of the chapter: order 4, length 8, 2048 observed entries, binary tree, widths 64 and 512, in float64
and float32. Contestants: one einsum with its operands in the order of the tree, one einsum a node, pairs of axes
multiplied by hand before each node, and the sum of all components written out. All are timed in turn, several times
over, and medians of processor time are taken, besides the time that the six products of (64 x width) (width x width)
take alone: every method that makes gradients needs them, so no ratio can exceed the loops' time over theirs.

    OMP_NUM_THREADS=1 python benchmarks/hierarchical_engine.py
"""

from collections.abc import Callable

import timing
import torch

from offconvex import runtime
from offconvex.book.publication.performance import Comparison
from offconvex.descent import LowRank, descend
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.hierarchical.task import TreeCompletion
from offconvex.factorizations.tensor import model as tensor

ROUNDS, STEP, STD = 7, 0.1, 3e-2
STEPS = {64: 60, 512: 10}
Entries = Callable[..., torch.Tensor]
"""Matrices of the seven nodes -> tensor."""


def one_einsum(w0, w1, w01, w2, w3, w23, root) -> torch.Tensor:
    return torch.einsum("ar,br,rs,s,qs,cq,dq->abcd", w0, w1, w01, root[:, 0], w23, w2, w3)


def einsum_per_node(w0, w1, w01, w2, w3, w23, root) -> torch.Tensor:
    left, right = torch.einsum("ar,br,rs->abs", w0, w1, w01), torch.einsum("cr,dr,rs->cds", w2, w3, w23)
    return torch.einsum("abs,cds,s->abcd", left, right, root[:, 0])


def pairs_first(w0, w1, w01, w2, w3, w23, root) -> torch.Tensor:
    left, right = torch.einsum("ar,br->abr", w0, w1), torch.einsum("cr,dr->cdr", w2, w3)
    left, right = torch.einsum("abr,rs->abs", left, w01) * root[:, 0], torch.einsum("cdr,rs->cds", right, w23)
    return torch.einsum("abs,cds->abcd", left, right)


def components(w0, w1, w01, w2, w3, w23, root) -> torch.Tensor:
    """Every local component of every node, then their sums."""
    left, right = (
        (a[:, None, :, None] * b[None, :, :, None] * mix).sum(2) for a, b, mix in ((w0, w1, w01), (w2, w3, w23))
    )
    return (left[:, :, None, None] * right * root[:, 0]).sum(-1)


LOOPS: dict[str, Entries] = {
    "one einsum, in the tree's order": one_einsum,
    "one einsum per node": einsum_per_node,
    "pairs first by hand, then einsum": pairs_first,
    "sum of components": components,
}


class Problem:
    """Task and start of one width and precision."""

    def __init__(self, width: int, dtype: torch.dtype):
        rt, one = runtime.resolve("cpu", dtype, threads=1), range(1)
        self.task, self.steps = TreeCompletion(width=width), STEPS[width]
        self.target, self.mask = (x(rt, 0, "benchmark", one) for x in (self.task.target, self.task.mask))
        self.start = self.task.start(rt, 0, "benchmark", one, std=STD)

    def objective(self) -> hierarchical.HierarchicalObjective:
        """The engine's objective."""
        loss = tensor.completion_loss(self.target, self.mask)
        return hierarchical.HierarchicalObjective(self.task.tree, loss, low_rank=True)

    def engine(self) -> None:
        """Gradient descent with it."""
        descend(self.objective(), self.start, steps=self.steps, step_size=STEP, record_every=self.steps)

    def loss(self, entries: Entries, weights: list[torch.Tensor]) -> torch.Tensor:
        """Mean squared error over the observed entries."""
        return (self.mask[0] * (entries(*weights) - self.target[0])).square().sum() / self.task.observed

    def loop(self, entries: Entries, steps: int) -> None:
        """The loop one would write."""
        weights = [w[0].clone().requires_grad_() for w in self.start]
        optimizer = torch.optim.SGD(weights, lr=STEP)
        for _ in range(steps):
            optimizer.zero_grad()
            self.loss(entries, weights).backward()
            optimizer.step()

    def products(self) -> None:
        """The six products alone, best layout for each."""
        weight = self.start[2][0]
        few = weight.new_ones(64, len(weight))
        made, out = torch.empty_like(weight), torch.empty_like(few)
        for _ in range(2 * self.steps):
            torch.mm(few, weight, out=out)
            torch.mm(few, weight.T, out=out)
            torch.mm(few.T, out, out=made)

    def check(self) -> None:
        """The engine's gradients are those of every loop to 1e-6 of the largest entry."""
        mine = [g.dense() if isinstance(g, LowRank) else g for g in self.objective()(self.start)[1]]
        for entries in LOOPS.values():
            weights = [w[0].clone().requires_grad_() for w in self.start]
            theirs = torch.autograd.grad(self.loss(entries, weights), weights)
            for a, b in zip(mine, theirs, strict=True):
                torch.testing.assert_close(a[0], b, rtol=0, atol=1e-6 * float(b.abs().max()))


def measure(width: int, dtype: torch.dtype) -> Comparison:
    problem = Problem(width, dtype)
    if dtype == torch.float64:
        problem.check()
    slow = max(1, problem.steps // 20)
    contestants = [
        timing.Contestant("engine", problem.engine, problem.steps),
        timing.Contestant(
            "its six large products", problem.products, problem.steps, meaning="no method is faster", reference=True
        ),
    ]
    for name, entries in LOOPS.items():
        steps = slow if entries is components else problem.steps
        run = lambda entries=entries, steps=steps: problem.loop(entries, steps)  # noqa: E731
        contestants.append(timing.Contestant(f"{name}, autograd + SGD", run, steps))
    sizes = f"order 4, length 8, width {width}, {str(dtype)[6:]}"
    return timing.compare("hierarchical factorization", sizes, "iteration", contestants, rounds=ROUNDS)


def rows() -> list[Comparison]:
    return [measure(width, dtype) for dtype in (torch.float64, torch.float32) for width in STEPS]


if __name__ == "__main__":
    timing.show(rows())
