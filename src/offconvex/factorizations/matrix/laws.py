"""The growth law and what follows from it: exponent, balance, escape time, closed forms."""

from dataclasses import dataclass, field

import numpy as np
import torch

from offconvex import fits, rng
from offconvex.factorizations import theory
from offconvex.factorizations.balance import Drift, Ladder, measure_drift
from offconvex.factorizations.growth import Rates, Window, read_rates
from offconvex.factorizations.matrix import measure as matrix_measure
from offconvex.factorizations.matrix import model as matrix
from offconvex.factorizations.matrix.task import MatrixCompletion
from offconvex.flow import flow, hitting_time
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class MatrixGrowth:
    """Plain gradient descent along which the growth law is read off (task of razin2022implicit, Fig. 1).

    Attributes:
        task: what is completed.
        depth: number of layers.
        std: of every entry of every layer at the start.
        step_share: constant step over the largest stable one for a target of this norm; small enough that a layer's
            singular value moves by a few percent at most in one of them.
        steps: iterations.
        record_every: iterations between records; each record takes one step ahead and looks at both ends.
        layer_scales: factors on the layers of the start, or None; unequal ones make it unbalanced.
    """

    task: MatrixCompletion = field(default_factory=MatrixCompletion)
    depth: int = 3
    std: float = 1e-2
    step_share: float = 0.075
    steps: int = 10_000
    record_every: int = 20
    layer_scales: tuple[float, ...] | None = None

    def __post_init__(self):
        if self.depth < 1 or not self.step_share > 0 or self.steps < 1:
            raise ValueError(
                "A growth experiment needs depth >= 1, step_share > 0 and steps >= 1; "
                f"got depth {self.depth}, step_share {self.step_share}, steps {self.steps}."
            )
        if self.layer_scales is not None and len(self.layer_scales) != self.depth:
            raise ValueError(f"`layer_scales` needs one factor a layer, {self.depth}; got {len(self.layer_scales)}.")

    @property
    def step(self) -> float:
        """The constant step."""
        return self.step_share * theory.stable_step(self.task.size, observed=self.task.observed, depth=self.depth)


GROWTH = (
    MatrixGrowth(depth=2, std=1e-3, step_share=0.0125, steps=4_000),
    MatrixGrowth(depth=3),
    MatrixGrowth(depth=4, std=3e-2, step_share=0.1, steps=13_000),
)
"""The three depths of the chapter. Starts shrink with decreasing depth so that all of them escape in about as long."""


def measure_growth(config: MatrixGrowth, rt: Runtime, seed: int) -> Rates:
    """Rates of the learned singular values along descent, to be held against L sigma^(2-2/L) gamma."""
    task, one = config.task, range(1)
    loss = matrix.completion_loss(*task.draw(rt, seed, "growth", one))
    start = task.start(rt, seed, "growth", one, depth=config.depth, std=config.std)
    if config.layer_scales is not None:
        start = tuple(scale * layer for scale, layer in zip(config.layer_scales, start))
    return read_rates(
        lambda: matrix.matrix_objective(loss),
        {config.depth: matrix_measure.singular_growth(loss, task.rank)},
        start,
        Window(scale=task.size, each=True),
        step=config.step,
        steps=config.steps,
        record_every=config.record_every,
    )[config.depth]


@dataclass(frozen=True)
class MatrixBalance:
    """One start whose layer gaps are followed.

    Attributes:
        task: what is completed.
        depth: number of layers, at least 2.
        std: of every entry of every layer at the start.
        ladder: steps, and time.
    """

    task: MatrixCompletion = field(default_factory=MatrixCompletion)
    depth: int = 3
    std: float = 3e-2
    ladder: Ladder = Ladder()

    def __post_init__(self):
        if self.depth < 2:
            raise ValueError(f"Balance is a property of neighboring layers; got depth {self.depth}.")


def measure_balance(config: MatrixBalance, rt: Runtime, seed: int) -> Drift:
    """Drift of W_{j+1}^T W_{j+1} - W_j W_j^T, by gradient descent at several steps and by the adaptive flow."""
    task, one = config.task, range(1)
    objective = matrix.matrix_objective(matrix.completion_loss(*task.draw(rt, seed, "balance", one)))
    return measure_drift(
        objective,
        task.start(rt, seed, "balance", one, depth=config.depth, std=config.std),
        matrix_measure.layer_gaps,
        lambda layers: torch.stack([layer.flatten(1).norm(dim=1) for layer in layers]).amax(0) ** 2,
        config.ladder,
        stable_step=theory.stable_step(task.norm, observed=task.observed, depth=config.depth),
        std=config.std,
    )


@dataclass(frozen=True)
class Escape:
    """Gradient flow timed until the leading singular value reaches half of the target's.

    Attributes:
        task: what is completed, smaller than elsewhere because each time is one adaptive integration.
        depths: numbers of layers, at least 2.
        stds: of every entry at the start, decreasing: the same draw at several sizes.
        replicas: independent draws.
    """

    task: MatrixCompletion = field(default_factory=lambda: MatrixCompletion(size=24, rank=2, observed=288))
    depths: tuple[int, ...] = (2, 3, 4)
    stds: tuple[float, ...] = (1e-2, 3e-3, 1e-3, 3e-4)
    replicas: int = 5

    def __post_init__(self):
        if any(depth < 2 for depth in self.depths) or len(self.stds) < 2:
            raise ValueError(f"Escape needs depths >= 2 and at least two sizes; got {self.depths} and {self.stds}.")
        if self.replicas < 1:
            raise ValueError(f"`replicas` must be at least 1; got {self.replicas}.")


@dataclass(frozen=True)
class EscapeRecord:
    """Escape times.

    Attributes:
        depths: (D,).
        stds: (S,) per-layer standard deviation at the start.
        times: (D, S, R) flow time until escape.
        laws: (D, S) predicted dependence on the start, through the median time at the smallest one.
        slopes: (D, R) d log time / d log std.
        log_slopes: (D, R) |G(0)| d time / d log(1/std) with |G(0)| the operator norm of the gradient at zero:
            one at depth 2.
    """

    depths: np.ndarray
    stds: np.ndarray
    times: np.ndarray
    laws: np.ndarray
    slopes: np.ndarray
    log_slopes: np.ndarray


def measure_escape(config: Escape, rt: Runtime, seed: int) -> EscapeRecord:
    """Escape time against the size of the start, for the same draws scaled down."""
    stds = np.array(config.stds)
    times = np.empty((len(config.depths), len(stds), config.replicas))
    pulls = np.empty(config.replicas)
    for r in range(config.replicas):
        targets, masks = config.task.draw(rt, seed, "escape", range(r, r + 1))
        loss = matrix.completion_loss(targets, masks)
        objective = matrix.matrix_objective(loss)
        pull = matrix.end_gradient(loss, torch.zeros_like(targets))
        pulls[r] = float(torch.linalg.matrix_norm(pull, 2))
        half = float(torch.linalg.matrix_norm(targets, 2)) / 2
        for d, depth in enumerate(config.depths):
            start = config.task.start(rt, seed, f"escape {depth}", range(r, r + 1), depth=depth, std=1.0)
            for s, std in enumerate(config.stds):
                times[d, s, r] = hitting_time(
                    objective,
                    tuple(std * layer for layer in start),
                    until=lambda x, half=half: float(torch.linalg.matrix_norm(matrix.end_to_end(x), 2)) - half,
                    horizon=100 / pulls[r] * std ** -(depth - 2) * np.log(1 / std),
                    rtol=1e-7,
                    atol=1e-7 * std,
                )
    slopes = [[fits.power_law(stds, times[d, :, r])[0] for r in range(config.replicas)] for d in range(len(times))]
    logs = [
        [pulls[r] * fits.slope(np.log(1 / stds), times[d, :, r]) for r in range(config.replicas)]
        for d in range(len(times))
    ]
    laws = []
    for depth, last in zip(config.depths, np.median(times[:, -1], axis=1)):
        law = theory.escape_time(stds**depth, target=1.0, curvature=np.median(pulls), depth=depth)
        # The prefactor depends on the draw; the law says how the time changes with the size of the start.
        laws.append(last + law - law[-1] if depth == 2 else last * law / law[-1])
    return EscapeRecord(np.array(config.depths), stds, times, np.stack(laws), np.array(slopes), np.array(logs))


@dataclass(frozen=True)
class Quadratic:
    """Balanced layers under (1/2) |W - T|_F^2, started on the target's singular vectors.

    Attributes:
        depths: numbers of layers with a closed form.
        target_values: singular values of the target; its vectors are drawn.
        initial: every singular value at the start.
        duration: (D,) last time of each depth, past the last rise.
        records: of each depth.
    """

    depths: tuple[int, ...] = (1, 2, 3, 4)
    target_values: tuple[float, ...] = (3.0, 2.0, 1.0)
    initial: float = 1e-2
    duration: tuple[float, ...] = (4.0, 4.0, 6.5, 8.0)
    records: int = 120

    def __post_init__(self):
        if len(self.depths) != len(self.duration):
            raise ValueError(f"`duration` needs one time a depth, {len(self.depths)}; got {len(self.duration)}.")


@dataclass(frozen=True)
class QuadraticRecord:
    """Integrated flow beside the closed form.

    Attributes:
        depths: (D,).
        times: (D, T).
        values: (D, T, k) singular values of the integrated layers.
        exact: (D, T, k) closed form.
        errors: (D,) largest absolute difference over the largest target value.
    """

    depths: np.ndarray
    times: np.ndarray
    values: np.ndarray
    exact: np.ndarray
    errors: np.ndarray


def solve_quadratic(config: Quadratic, rt: Runtime, seed: int) -> QuadraticRecord:
    """Integrate the layers and evaluate the closed form at the same times."""
    size = len(config.target_values)
    draws = rt.normal(rng.generator(seed, "quadratic", "vectors"), 2, size, size)
    left, right = torch.linalg.qr(draws)[0]
    target = (left * rt.tensor(config.target_values) @ right.mT)[None]
    objective = matrix.matrix_objective(matrix.squared_loss(target, torch.ones_like(target)))
    # Equal starting values have no singular vectors of their own: the layers are built in the target's.
    times, values, exact = [], [], []
    for depth, last in zip(config.depths, config.duration):
        layers = _aligned_layers(left, right, config.initial, depth)
        grid = np.linspace(0.0, last, config.records)
        path = flow(
            objective,
            layers,
            grid,
            record=lambda layers, _: {"values": torch.linalg.svdvals(matrix.end_to_end(layers))},
            rtol=1e-12,
            atol=1e-14,
        )
        closed = [
            theory.aligned_quadratic(grid, initial=config.initial, target=s, curvature=1.0, depth=depth)
            for s in config.target_values
        ]
        times.append(grid)
        values.append(path["values"][:, 0].cpu().numpy())
        exact.append(np.stack(closed, axis=1))
    values, exact = np.stack(values), np.stack(exact)
    errors = np.abs(values - exact).max((1, 2)) / max(config.target_values)
    return QuadraticRecord(np.array(config.depths), np.stack(times), values, exact, errors)


def _aligned_layers(left: torch.Tensor, right: torch.Tensor, initial: float, depth: int) -> matrix.Layers:
    root = initial ** (1 / depth)
    if depth == 1:
        return ((root * left @ right.mT)[None],)
    middle = root * torch.eye(len(left), dtype=left.dtype, device=left.device)
    return tuple(layer[None] for layer in (root * right.mT, *[middle] * (depth - 2), root * left))
