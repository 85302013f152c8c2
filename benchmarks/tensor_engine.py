"""Speed of the tensor engines against what one would write first, on one core.

The problems are those of the chapter's figures: 16 x 16 x 16 with 256 components, 10 x 10 x 10 x 10 with 1000
components (float64), and order 784 with a batch of 5000 inputs and 15 components (float32). Contestants are timed in
turn, several times over, in processor time, so that a busy machine slows all of them alike; medians are printed.

    OMP_NUM_THREADS=1 python benchmarks/tensor_engine.py
"""

import statistics
import time
from collections.abc import Callable

import torch

from offconvex import rng, runtime
from offconvex.descent import descend
from offconvex.factorizations import tensor
from offconvex.factorizations.tensor_binary import ones_start, squared_error_gradient
from offconvex.factorizations.tensor_task import CUBE, FOURTH_ORDER, TensorCompletion

ROUNDS, STEP, STD = 5, 0.1, 0.1
CPU = runtime.resolve("cpu", threads=1)
LETTERS = "abcdefg"


def problem(task: TensorCompletion) -> tuple[torch.Tensor, torch.Tensor, tensor.Factors]:
    one = range(1)
    target, _ = task.target(CPU, 0, "benchmark", one)
    return target, task.mask(CPU, 0, "benchmark", one), task.start(CPU, 0, "benchmark", one, std=STD)


def engine(task: TensorCompletion, steps: int) -> Callable[[], tensor.Factors]:
    target, mask, start = problem(task)
    objective = tensor.TensorObjective(tensor.completion_loss(target, mask))
    return lambda: descend(objective, start, steps=steps, step_size=STEP, record_every=steps).parameters


def autograd(task: TensorCompletion, steps: int, contraction: Callable) -> Callable[[], list[torch.Tensor]]:
    """Automatic differentiation of some contraction (factors (d, R) -> tensor) with torch.optim.SGD."""
    target, mask, start = problem(task)
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


def einsum(factors: list[torch.Tensor]) -> torch.Tensor:
    letters = LETTERS[: len(factors)]
    return torch.einsum(",".join(f"{x}z" for x in letters) + f"->{letters}", *factors)


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


def compare(title: str, contestants: dict[str, tuple[Callable, int]], unit: str) -> None:
    """Time (run, steps) of each contestant in turn and print milliseconds a step and ratios to the first."""
    times = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, (run, steps) in contestants.items():
            begin = time.process_time()
            run()
            times[name].append((time.process_time() - begin) / steps * 1e3)
    medians = {name: statistics.median(values) for name, values in times.items()}
    base = next(iter(medians.values()))
    print(f"{title}: milliseconds per {unit}")
    for name, median in medians.items():
        print(f"  {name:34s} {median:9.3f} {median / base:7.1f}")


def completion(title: str, task: TensorCompletion, steps: int, slow_steps: int) -> None:
    mine = engine(task, 20)()
    for contraction in (einsum, two_einsums):
        for a, b in zip(mine, autograd(task, 20, contraction)(), strict=True):
            torch.testing.assert_close(a[0], b.detach(), rtol=1e-6, atol=1e-9)
    compare(
        title,
        {
            "engine": (engine(task, steps), steps),
            "two einsums + autograd + SGD": (autograd(task, steps, two_einsums), steps),
            "one einsum + autograd + SGD": (autograd(task, slow_steps, einsum), slow_steps),
            "sum of components + autograd + SGD": (autograd(task, slow_steps, components), slow_steps),
        },
        "iteration",
    )


def high_order() -> None:
    rt = runtime.resolve("cpu", torch.float32)
    draw = rng.generator(0, "benchmark")
    weights = ones_start(rt, [draw], components=15, modes=784)
    inputs = (rt.uniform(draw, 5000, 784) > 0.5).to(rt.dtype)
    targets = 2 * (rt.uniform(draw, 5000, 1) < 0.1).to(rt.dtype)

    def naive() -> torch.Tensor:
        leaf = weights.clone().requires_grad_()
        value = torch.ones_like(inputs[:, :1].expand(-1, 15))
        for n in range(inputs.shape[1]):
            value = value * torch.lerp(leaf[0, :, 0, n], leaf[0, :, 1, n], inputs[:, n : n + 1])
        (value.sum(1) - targets[:, 0]).square().mean().backward()
        return leaf.grad

    exact = squared_error_gradient(weights, inputs, targets)[1]
    torch.testing.assert_close(exact, naive(), rtol=1e-3, atol=1e-6)
    fast = {"engine": (lambda: squared_error_gradient(weights, inputs, targets), 1)}
    compare("order 784, batch of 5000, 15 components", fast | {"factor by factor + autograd": (naive, 1)}, "gradient")


def main() -> None:
    completion("16 x 16 x 16, 256 components", CUBE, 300, 10)
    completion("10 x 10 x 10 x 10, 1000 components", FOURTH_ORDER, 60, 2)
    high_order()


if __name__ == "__main__":
    main()
