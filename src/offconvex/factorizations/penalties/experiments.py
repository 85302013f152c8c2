"""Completion by explicit penalties: one cell of the table, sweeps of weight, step and spectrum."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import rng
from offconvex.factorizations import theory
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.matrix.task import MatrixCompletion
from offconvex.factorizations.penalties.dynamics import Schedule, fit
from offconvex.factorizations.penalties.measure import scores
from offconvex.factorizations.penalties.model import PENALTIES, SHARPEST
from offconvex.factorizations.penalties.proximal import proximal_ratio, soft_impute
from offconvex.files import Arrays
from offconvex.runtime import Runtime

WEIGHTS = {"nuclear": 2e-3, "Schatten": 2e-3, "ratio": 1e-2, "normalized Schatten": 2e-3, "effective rank": 3e-3}
"""Weights lambda, one per penalty: small enough that the first-order error they cause (`penalties_theory.Local`)
stays near 1e-4 at 2000 observed entries, large enough to act within a few hundred steps."""

SOFT = 0.1
"""Smoothing that a graduated run starts with, relative to the scale: twice the mean singular value of what is seen."""

IN_WORDS = {
    "none": "no penalty",
    "nuclear": "nuclear norm",
    "Schatten": "quasi-norm",
    "normalized Schatten": "normalized quasi-norm",
}
"""What the table calls penalties whose names do not say it."""


@dataclass(frozen=True)
class Cell:
    """One way to complete a matrix.

    Attributes:
        penalty: a name in `PENALTIES`, or "none".
        depth: number of layers.
        optimizer: "Adam" or "descent".
        graduated: whether the penalty starts smooth and is sharpened.
    """

    penalty: str
    depth: int = 1
    optimizer: str = "Adam"
    graduated: bool = False

    def __post_init__(self):
        if self.penalty != "none" and self.penalty not in PENALTIES:
            raise ValueError(f"Unknown penalty {self.penalty!r}; expected 'none' or one of {', '.join(PENALTIES)}.")

    @property
    def name(self) -> str:
        """Usable as the name of a file."""
        kind = self.penalty.replace(" ", "-") + ("-graduated" if self.graduated else "")
        return f"{kind}_depth-{self.depth}_{self.optimizer}"

    @property
    def label(self) -> str:
        """The same in words."""
        kind = IN_WORDS.get(self.penalty, self.penalty) + (", smooth first" if self.graduated else "")
        return f"{kind} · depth {self.depth} · {self.optimizer}"

    @property
    def steps(self) -> int:
        """Steps after which the errors of successful runs have settled."""
        if self.optimizer == "descent":
            return 1000 if self.depth == 1 else 2500
        return 1500 if self.penalty == "none" else 600


@dataclass(frozen=True)
class Tasks:
    """Completion tasks: size 100 and rank 5 as in arora2019implicit.

    Attributes:
        task: what is completed.
        replicas: independent targets and masks.
        stream: name of their random stream.
    """

    task: MatrixCompletion = field(default_factory=lambda: MatrixCompletion(size=100, rank=5, observed=2000))
    replicas: int = 5
    stream: str = "penalties"

    def draw(
        self, rt: Runtime, seed: int
    ) -> tuple[Float[Tensor, "{self.replicas} n n"], Float[Tensor, "{self.replicas} n n"]]:
        """Targets and masks, each (R, size, size)."""
        return self.task.draw(rt, seed, self.stream, range(self.replicas))

    def small_start(self, rt: Runtime, seed: int, depth: int, alpha: float = 1e-3) -> matrix.Layers:
        """Gaussian layers with entries of variance alpha^(2/L) / size (arora2019implicit, code)."""
        std = alpha ** (1 / depth) / self.task.size**0.5
        return self.task.start(rt, seed, self.stream, range(self.replicas), depth=depth, std=std)


def default_rate(cell: Cell, task: MatrixCompletion) -> float:
    """First step of a cell: 0.03 for Adam, a tenth of it on layers; for descent half the largest stable step.

    The largest singular value of a target is near half of its Frobenius norm.
    """
    if cell.optimizer == "Adam":
        return 0.03 if cell.depth == 1 else 0.003
    return 0.5 * theory.stable_step(task.size / 2, observed=task.observed, depth=cell.depth)


def run_cell(tasks: Tasks, cell: Cell, rt: Runtime, seed: int, *, weight: float | None = None) -> Arrays:
    """Scores of one cell, each (R,).

    At depth 1 the start is what is observed, and zero elsewhere; at depth >= 2 it is small.
    """
    targets, masks = tasks.draw(rt, seed)
    penalty = PENALTIES.get(cell.penalty)
    start = (masks * targets,) if cell.depth == 1 else tasks.small_start(rt, seed, cell.depth)
    lam = 0.0 if penalty is None else WEIGHTS[cell.penalty] if weight is None else weight
    schedule = Schedule(cell.optimizer, cell.steps, SOFT if cell.graduated else SHARPEST)
    rate = default_rate(cell, tasks.task)
    run = fit(targets, masks, start, schedule, rate=rate, penalty=penalty, weight=lam)
    return scores(run.product, targets, masks)


def path(tasks: Tasks, cell: Cell, rt: Runtime, seed: int, keep: tuple[int, ...]) -> Arrays:
    """Scores on the way, each (T, R), of a depth-1 cell."""
    targets, masks = tasks.draw(rt, seed)
    schedule = Schedule(cell.optimizer, cell.steps, SOFT if cell.graduated else SHARPEST)
    run = fit(
        targets,
        masks,
        (masks * targets,),
        schedule,
        rate=default_rate(cell, tasks.task),
        penalty=PENALTIES[cell.penalty],
        weight=WEIGHTS[cell.penalty],
        keep=keep,
    )
    rows = [scores(product, targets, masks) for product in [*run.products, run.product]]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def sweep_nuclear(tasks: Tasks, weights: tuple[float, ...], rt: Runtime, seed: int) -> Arrays:
    """Scores (K, R) of the exact minimizers with the plain nuclear norm, and their relative duality "gap" (K, R).

    Mean squared error + lambda |W|_* / scale has the minimizers of soft-impute at tau = lambda m / (2 scale).
    """
    targets, masks = tasks.draw(rt, seed)
    order = np.argsort(weights)[::-1]
    factor = tasks.task.observed / (2 * PENALTIES["nuclear"].scale)
    solved = soft_impute(targets, masks, [weights[k] * factor for k in order], tolerance=1e-3)
    rows = [scores(product, targets, masks) for product in solved.products]
    back = np.argsort(order)
    found = {name: np.stack([row[name] for row in rows])[back] for name in rows[0]}
    return found | {"gap": solved.gaps.cpu().numpy()[back]}


@dataclass(frozen=True)
class ProximalEnds:
    """Where proximal descent on the ratio ends, for each weight, (K, R).

    Attributes:
        test: mean squared error over unobserved entries.
        exact_rank: of the matrix, up to rounding.
    """

    test: np.ndarray
    exact_rank: np.ndarray


def proximal(tasks: Tasks, weights: tuple[float, ...], rt: Runtime, seed: int, iterations: int = 500) -> ProximalEnds:
    """Proximal descent on the ratio from what is observed."""
    targets, masks = tasks.draw(rt, seed)
    found = [proximal_ratio(targets, masks, masks * targets, weight, iterations) for weight in weights]
    test = np.stack([scores(product, targets, masks)["test"] for product in found])
    ranks = np.stack([torch.linalg.matrix_rank(product, rtol=1e-9).cpu().numpy() for product in found])
    return ProximalEnds(test, ranks)


@dataclass(frozen=True)
class Steps:
    """Step size x start for one penalty at depth 1.

    Attributes:
        tasks: what is completed.
        penalty: a name in `PENALTIES`.
        weight: lambda.
        steps: length of a run.
        adam: first steps of Adam.
        descent: first steps of gradient descent, in units of the largest stable step on the data term, m.
        starts: "observed": what is seen and zeros elsewhere; "small": a Gaussian matrix of size 1e-3.
    """

    tasks: Tasks = field(default_factory=lambda: Tasks(stream="penalties steps"))
    penalty: str = "ratio"
    weight: float = 0.02
    steps: int = 1000
    adam: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3)
    descent: tuple[float, ...] = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 0.9)
    starts: tuple[str, ...] = ("observed", "small")


def step_sweep(config: Steps, optimizer: str, start: str, rt: Runtime, seed: int) -> Arrays:
    """Scores (K, R) at each first step of one optimizer from one kind of start, all in one batch.

    Raises:
        ValueError: for an unknown start.
    """
    if start not in ("observed", "small"):
        raise ValueError(f"`start` must be 'observed' or 'small'; got {start!r}.")
    units = config.adam if optimizer == "Adam" else [c * config.tasks.task.observed for c in config.descent]
    targets, masks = config.tasks.draw(rt, seed)
    first = masks * targets if start == "observed" else config.tasks.small_start(rt, seed, 1)[0]
    targets, masks, first = (x.repeat(len(units), 1, 1) for x in (targets, masks, first))
    rates = rt.tensor(units).repeat_interleave(config.tasks.replicas)
    run = fit(
        targets,
        masks,
        (first,),
        Schedule(optimizer, config.steps),
        rate=rates,
        penalty=PENALTIES[config.penalty],
        weight=config.weight,
    )
    found = scores(run.product, targets, masks)
    return {name: value.reshape(len(units), config.tasks.replicas) for name, value in found.items()}


def spectrum_targets(tasks: Tasks, ratio: float, rt: Runtime, seed: int) -> Float[Tensor, "{tasks.replicas} n n"]:
    """Targets (R, n, n) with singular values proportional to 1, ratio, ratio^2, ... and Frobenius norm n.

    Raises:
        ValueError: unless 0 < ratio <= 1.
    """
    if not 0 < ratio <= 1:
        raise ValueError(f"`ratio` of neighboring singular values must lie in (0, 1]; got {ratio}.")
    size, rank = tasks.task.size, tasks.task.rank
    values = rt.tensor([ratio**k for k in range(rank)])
    draws = [rt.normal(rng.generator(seed, tasks.stream, "spectrum", r), 2, size, rank) for r in range(tasks.replicas)]
    frames = torch.linalg.qr(torch.stack(draws)).Q
    return size / values.norm() * (frames[:, 0] * values) @ frames[:, 1].mT


@dataclass(frozen=True)
class SpectrumSweep:
    """Ratio against least nuclear norm, from flat spectra to steep ones, on the same masks.

    Attributes:
        ratio: (K, R) test errors of proximal descent from what is observed.
        nuclear: (K, R) those of the convex problem at a weight so small that its error is that of the limit.
        targets: (K, R, n, n).
        masks: (K, R, n, n).
    """

    ratio: np.ndarray
    nuclear: np.ndarray
    targets: np.ndarray
    masks: np.ndarray


def sweep_spectrum(
    tasks: Tasks,
    ratios: tuple[float, ...],
    rt: Runtime,
    seed: int,
    *,
    weight: float = 2.5e-3,
    iterations: int = 400,
) -> SpectrumSweep:
    """Complete targets of each spectrum with the ratio and with the nuclear norm."""
    _, masks = tasks.draw(rt, seed)
    targets = torch.cat([spectrum_targets(tasks, ratio, rt, seed) for ratio in ratios])
    masks = masks.repeat(len(ratios), 1, 1)
    shape = (len(ratios), tasks.replicas)
    products = (
        proximal_ratio(targets, masks, masks * targets, weight, iterations),
        soft_impute(targets, masks, [10.0, 0.3], tolerance=1e-3).products[-1],
    )
    errors = (scores(product, targets, masks)["test"].reshape(shape) for product in products)
    return SpectrumSweep(*errors, *(x.reshape(*shape, *x.shape[1:]).cpu().numpy() for x in (targets, masks)))


def with_observed(tasks: Tasks, observed: int) -> Tasks:
    """The same tasks with another number of observed entries."""
    return replace(tasks, task=replace(tasks.task, observed=observed))
