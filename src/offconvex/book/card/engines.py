"""What a step of the float64 engines takes on another device, against one core of the same machine's processor.

Both begin alike and are compared after two steps. Then they take turns, by the clock, since a processor that waits for
a device does not count that as work. Each measurement has so many steps that it takes `LEAST` seconds, and ends when
the device has finished.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from offconvex import rng, runtime
from offconvex.descent import descend
from offconvex.factorizations.hierarchical import model as hierarchical
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.tensor import model as tensor
from offconvex.flow_vs_descent.dual import DualLoss
from offconvex.flow_vs_descent.model import PAPER_NETWORKS, images
from offconvex.flow_vs_descent.objective import network_loss
from offconvex.runtime import Runtime
from offconvex.sampling.langevin import start, ula
from offconvex.sampling.model import double_well

LEAST, ROUNDS, STEP = 0.3, 3, 1e-4
AGREE = 1e-9
"""Largest difference of two results, of their largest entry: rounding after two steps stays far below."""

TimedSteps = Callable[[int], Sequence[torch.Tensor]]
"""Does a number of steps from the start, and returns where they lead."""


@dataclass(frozen=True)
class EngineProblem:
    """An engine at one size.

    Attributes:
        sizes: in words.
        unit: what the times are of.
        build: runtime -> steps there.
    """

    sizes: str
    unit: str
    build: Callable[[Runtime], TimedSteps]


def _descent(objective: Callable, layers: tuple[torch.Tensor, ...]) -> TimedSteps:
    return lambda count: descend(objective, layers, steps=count, step_size=STEP, record_every=count).parameters


def _streams(replicas: int) -> list[torch.Generator]:
    return [rng.generator(0, "card", replica) for replica in range(replicas)]


def _many(replicas: int) -> str:
    return f", {replicas} replicas" if replicas > 1 else ""


def _unit(name: str, replicas: int) -> str:
    return f"{name} of all replicas" if replicas > 1 else name


def matrix_problem(size: int, replicas: int = 1, depth: int = 3) -> EngineProblem:
    """Matrix factorization."""

    def build(rt: Runtime) -> TimedSteps:
        layers = matrix.gaussian_layers(rt, _streams(replicas), depth=depth, size=size, std=size**-0.5)
        target = rt.zeros(replicas, size, size)
        return _descent(matrix.matrix_objective(matrix.completion_loss(target, torch.ones_like(target))), layers)

    return EngineProblem(f"{size} x {size}, depth {depth}{_many(replicas)}", _unit("iteration", replicas), build)


def tensor_problem(shape: tuple[int, ...], components: int, replicas: int = 1) -> EngineProblem:
    """Tensor factorization."""

    def build(rt: Runtime) -> TimedSteps:
        std = components ** (-0.5 / len(shape)) / shape[0] ** 0.5
        factors = tensor.gaussian_factors(rt, _streams(replicas), shape=shape, components=components, std=std)
        target = rt.zeros(replicas, *shape)
        return _descent(tensor.TensorObjective(tensor.completion_loss(target, torch.ones_like(target))), factors)

    sizes = f"{' x '.join(map(str, shape))}, {components} components{_many(replicas)}"
    return EngineProblem(sizes, _unit("iteration", replicas), build)


def hierarchical_problem(width: int, replicas: int = 1, length: int = 8) -> EngineProblem:
    """Hierarchical factorization over a binary tree of four axes."""

    def build(rt: Runtime) -> TimedSteps:
        tree, shape = hierarchical.mode_tree(((0, 1), (2, 3))), (length,) * 4
        weights = hierarchical.gaussian_weights(
            rt, _streams(replicas), tree=tree, shape=shape, width=width, std=width**-0.5
        )
        target = rt.zeros(replicas, *shape)
        loss = tensor.completion_loss(target, torch.ones_like(target))
        return _descent(hierarchical.HierarchicalObjective(tree, loss, low_rank=True), weights)

    return EngineProblem(
        f"order 4, length {length}, width {width}{_many(replicas)}", _unit("iteration", replicas), build
    )


def network_problem(count: int, replicas: int = 1, *, dual: bool = False) -> EngineProblem:
    """The network of flow and descent, layer by layer or in dual coordinates."""

    def build(rt: Runtime) -> TimedSteps:
        network, data = PAPER_NETWORKS["relu"], images(rt, count=count)
        layers = network.start(rt, 0, "card", replicas=replicas)
        if not dual:
            return _descent(network_loss(network, data), layers)
        objective = DualLoss(network, data)
        return _descent(objective, objective.lift(layers))

    form = "dual coordinates" if dual else "layer by layer"
    return EngineProblem(f"784-50-50-10, {count} images, {form}{_many(replicas)}", _unit("step", replicas), build)


def langevin_problem(chains: int) -> EngineProblem:
    """Langevin dynamics, whose noise is drawn on the processor so that a seed means the same everywhere."""

    def build(rt: Runtime) -> TimedSteps:
        well = double_well(rt)
        state = start(well, rt.normal(rng.generator(0, "card"), chains))

        def run(steps: int) -> list[torch.Tensor]:
            noise = rng.numpy_generator(0, "card")
            return [ula(well, state, rt, noise, step=1e-3, steps=steps)[0].position]

        return run

    return EngineProblem(f"double well on the line, {chains:,} chains", "step of all chains", build)


ENGINES: dict[str, tuple[EngineProblem, ...]] = {
    "matrix factorization": (matrix_problem(64), matrix_problem(64, 256), matrix_problem(1024)),
    "tensor factorization": (
        tensor_problem((16,) * 3, 256),
        tensor_problem((16,) * 3, 256, 64),
        tensor_problem((10,) * 4, 1000),
    ),
    "hierarchical factorization": (hierarchical_problem(64), hierarchical_problem(64, 64), hierarchical_problem(512)),
    "network": (network_problem(1000), network_problem(1000, 64), network_problem(1000, dual=True)),
    "Langevin dynamics": (langevin_problem(10_000), langevin_problem(1_000_000)),
}
"""Problems by engine: those of the chapters' figures first, then larger ones."""


def measure(device: str, engine: str) -> dict[str, object]:
    """Times of all problems of an engine, in milliseconds of each unit."""
    return {"engine": engine, "problems": [compare(problem, device) for problem in ENGINES[engine]]}


def compare(problem: EngineProblem, device: str, *, least: float = LEAST, rounds: int = ROUNDS) -> dict[str, object]:
    """One problem on the device and on the processor.

    Raises:
        ValueError: if the results differ by more than rounding.
    """
    runtimes = runtime.resolve(device), runtime.resolve("cpu")
    runs = [problem.build(rt) for rt in runtimes]
    for mine, theirs in zip(*(run(2) for run in runs), strict=True):
        apart, largest = float((mine.cpu() - theirs).abs().max()), float(theirs.abs().max())
        if not apart <= AGREE * largest:
            raise ValueError(f"{problem.sizes}: the results differ by {apart / largest:.2g} of the largest entry.")
    counts = [_enough(run, rt, least) for run, rt in zip(runs, runtimes)]
    spent: list[list[float]] = [[], []]
    for _ in range(rounds):
        for own, run, rt, count in zip(spent, runs, runtimes, counts):
            own.append(_seconds(run, rt, count) / count)
    card, processor = (1e3 * statistics.median(own) for own in spent)
    return {"sizes": problem.sizes, "unit": problem.unit, "card": card, "processor": processor}


def _seconds(run: TimedSteps, rt: Runtime, count: int) -> float:
    _finish(rt)
    begin = time.perf_counter()
    run(count)
    _finish(rt)
    return time.perf_counter() - begin


def _finish(rt: Runtime) -> None:
    if rt.device.type == "cuda":
        torch.cuda.synchronize(rt.device)  # what was asked of a card is done some time later


def _enough(run: TimedSteps, rt: Runtime, least: float) -> int:
    count = 1
    while (spent := _seconds(run, rt, count)) < least / 2:
        count = max(2 * count, math.ceil(0.8 * count * least / max(spent, 1e-5)))
    return max(1, math.ceil(count * least / spent))
