"""Speed of the tensor engines against what one would write first, on one core.

The problems are those of the chapter's figures: 16 x 16 x 16 with 256 components, 10 x 10 x 10 x 10 with 1000
components, and order 784 with a batch of 5000 inputs and 15 components (float32). Contestants are timed in turn,
several times over, in processor time, so that a busy machine slows all of them alike; medians are taken.

The engine makes three matrix products an iteration. They are timed bare as well: no method that forms the tensor
and its gradient from dense factors is faster, whatever it saves elsewhere.

    OMP_NUM_THREADS=1 python benchmarks/tensor_engine.py
"""

import itertools
from collections.abc import Callable, Iterable

import timing
import torch

from offconvex import rng, runtime
from offconvex.book.publication.performance import Comparison
from offconvex.descent import descend
from offconvex.factorizations.tensor import model as tensor
from offconvex.factorizations.tensor.binary import ones_start, squared_error_gradient
from offconvex.factorizations.tensor.task import CUBE, FOURTH_ORDER, TensorCompletion

ROUNDS, STEP, STD = 5, 0.1, 0.1
LETTERS = "abcdefg"
Contraction = Callable[[list[torch.Tensor]], torch.Tensor]
"""Factors (d, R) -> tensor."""


def problem(task: TensorCompletion, rt: runtime.Runtime) -> tuple[torch.Tensor, torch.Tensor, tensor.Factors]:
    one = range(1)
    target = task.target(rt, 0, "benchmark", one)
    return target, task.mask(rt, 0, "benchmark", one), task.start(rt, 0, "benchmark", one, std=STD)


def engine(task: TensorCompletion, rt: runtime.Runtime, steps: int) -> Callable[[], tensor.Factors]:
    target, mask, start = problem(task, rt)
    objective = tensor.TensorObjective(tensor.completion_loss(target, mask))
    return lambda: descend(objective, start, steps=steps, step_size=STEP, record_every=steps).parameters


def bare_products(task: TensorCompletion, rt: runtime.Runtime, steps: int) -> Callable[[], None]:
    """Only the three matrix products of an iteration, into buffers: tensor, and its gradient times either half."""
    target, _, _ = problem(task, rt)
    matrix = tensor.as_matrix(target)[0]
    rows, columns = matrix.shape
    left, right = rt.zeros(rows, task.components), rt.zeros(columns, task.components)
    gradients = torch.empty_like(left), torch.empty_like(right)

    def run() -> None:
        for _ in range(steps):
            torch.mm(left, right.mT, out=matrix)
            torch.mm(matrix, right, out=gradients[0])
            torch.mm(matrix.mT, left, out=gradients[1])

    return run


def autograd(
    task: TensorCompletion, rt: runtime.Runtime, steps: int, contraction: Contraction
) -> Callable[[], list[torch.Tensor]]:
    """Automatic differentiation of some contraction with torch.optim.SGD."""
    target, mask, start = problem(task, rt)
    target, mask = target[0], mask[0]

    def run() -> list[torch.Tensor]:
        factors = [f[0].clone().requires_grad_() for f in start]
        optimizer = torch.optim.SGD(factors, lr=STEP)
        for _ in range(steps):
            optimizer.zero_grad()
            (mask * (contraction(factors) - target)).square().sum().div(task.observed).backward()
            optimizer.step()
        return factors

    return run


def einsum(order: tuple[int, ...]) -> Contraction:
    """One call of torch.einsum with the operands in this order; without a planner it goes from left to right."""
    letters = LETTERS[: len(order)]
    equation = ",".join(f"{letters[n]}z" for n in order) + f"->{letters}"
    return lambda factors: torch.einsum(equation, *(factors[n] for n in order))


def best_order(task: TensorCompletion, rt: runtime.Runtime) -> tuple[int, ...]:
    """The order of operands in which one call of torch.einsum is fastest, all of them tried."""
    seconds = {}
    for order in itertools.permutations(range(task.order)):
        run = autograd(task, rt, 2, einsum(order))
        seconds[order] = min(timing.seconds(run) for _ in range(3))
    return min(seconds, key=seconds.get)


def two_einsums(factors: list[torch.Tensor]) -> torch.Tensor:
    """The halves first, then one contraction: the best order of summation, which a plain einsum may not find."""
    cut = tensor.split_order(len(factors))
    letters = LETTERS[: len(factors)]
    halves = [
        torch.einsum(",".join(f"{x}z" for x in part) + f"->{part}z", *fs) if len(fs) > 1 else fs[0]
        for part, fs in ((letters[:cut], factors[:cut]), (letters[cut:], factors[cut:]))
    ]
    return torch.einsum(f"{letters[:cut]}z,{letters[cut:]}z->{letters}", *halves)


def components(factors: list[torch.Tensor]) -> torch.Tensor:
    """Every component's outer product, then their sum: R times as many numbers as the tensor has entries."""
    product = factors[0]
    for factor in factors[1:]:
        product = product.unsqueeze(-2) * factor
    return product.sum(-1)


def largest_difference(mine: Iterable[torch.Tensor], theirs: Iterable[torch.Tensor]) -> float:
    """Largest difference of two lists of tensors, each over the largest magnitude of the second."""
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(mine, theirs, strict=True))


def gradients(
    task: TensorCompletion, rt: runtime.Runtime, contraction: Contraction
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Gradients at the start by the engine, and as one step of the other loop shows them."""
    target, mask, start = problem(task, rt)
    _, mine = tensor.TensorObjective(tensor.completion_loss(target, mask))(start)
    after = autograd(task, rt, 1, contraction)()
    return [g[0] for g in mine], [(a[0] - b.detach()) / STEP for a, b in zip(start, after)]


def completion(sizes: str, task: TensorCompletion, dtype: torch.dtype, steps: int, slow_steps: int) -> Comparison:
    rt = runtime.resolve("cpu", dtype, threads=1)
    order = best_order(task, rt)
    written = tuple(range(task.order))
    contractions = {"pairs first by hand": two_einsums, "one einsum, as written": einsum(written)}
    if order != written:
        contractions |= {"one einsum, fastest order of operands found": einsum(order)}
    if dtype == torch.float64:
        for contraction in contractions.values():
            assert largest_difference(*gradients(task, rt, contraction)) < 1e-6
    contestants = [
        timing.Contestant("engine", engine(task, rt, steps), steps),
        timing.Contestant(
            "its three bare products",
            bare_products(task, rt, steps),
            steps,
            meaning="no dense method is faster",
            reference=True,
        ),
    ]
    for name, contraction in (contractions | {"sum of components": components}).items():
        count = steps if contraction is two_einsums else slow_steps
        run = autograd(task, rt, count, contraction)
        contestants.append(timing.Contestant(f"{name}, autograd + SGD", run, count))
    problem = f"{sizes}, {str(dtype).removeprefix('torch.')}"
    return timing.compare("tensor factorization", problem, "iteration", contestants, rounds=ROUNDS)


def high_order() -> Comparison:
    def draw(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        rt, stream = runtime.resolve("cpu", dtype, threads=1), rng.generator(0, "benchmark")
        weights = ones_start(rt, [stream], components=15, modes=784)
        inputs = (rt.uniform(stream, 5000, 784) > 0.5).to(rt.dtype)
        return weights, inputs, 2 * (rt.uniform(stream, 5000, 1) < 0.1).to(rt.dtype)

    def naive(weights: torch.Tensor, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        leaf = weights.clone().requires_grad_()
        value = torch.ones_like(inputs[:, :1].expand(-1, 15))
        for n in range(inputs.shape[1]):
            value = value * torch.lerp(leaf[0, :, 0, n], leaf[0, :, 1, n], inputs[:, n : n + 1])
        (value.sum(1) - targets[:, 0]).square().mean().backward()
        return leaf.grad

    double = draw(torch.float64)
    assert largest_difference([squared_error_gradient(*double)[1]], [naive(*double)]) < 1e-6
    single = draw(torch.float32)
    contestants = [
        timing.Contestant("engine", lambda: squared_error_gradient(*single)),
        timing.Contestant("factor by factor, autograd", lambda: naive(*single)),
    ]
    problem = "order 784, batch of 5000, 15 components, float32"
    return timing.compare("tensor factorization", problem, "gradient", contestants, rounds=ROUNDS)


def rows() -> list[Comparison]:
    found = []
    for dtype in (torch.float64, torch.float32):
        found.append(completion("16 x 16 x 16, 256 components", CUBE, dtype, 200, 10))
        found.append(completion("10 x 10 x 10 x 10, 1000 components", FOURTH_ORDER, dtype, 30, 2))
    return [*found, high_order()]


if __name__ == "__main__":
    timing.show(rows())
