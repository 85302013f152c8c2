"""Curves of the 2 x 2 completion: in coordinates, in weights, and by gradient descent."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import rng
from offconvex.descent import Gradients, descend
from offconvex.factorizations.matrix.model import Layers, balanced_layers, end_to_end
from offconvex.factorizations.norms import coordinates as norms_coordinates
from offconvex.factorizations.norms import measure as norms_measure
from offconvex.factorizations.norms import theory as norms_theory
from offconvex.factorizations.norms.task import CornerCompletion, determinant, gaussian_products, unbalanced_layers
from offconvex.flow import flow, integrate
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class CornerSetting:
    """One of the six settings of the source's first experiment (razin2020implicit, code).

    Attributes:
        depth: number of layers.
        rate: step size of gradient descent.
        std: standard deviation of the entries of the product at the start.
    """

    depth: int
    rate: float
    std: float

    def __post_init__(self):
        if self.depth < 2 or not self.rate > 0 or not self.std > 0:
            raise ValueError(
                "A setting needs depth >= 2, rate > 0 and std > 0: at depth 1 the free entry never moves; "
                f"got {self.depth}, {self.rate}, {self.std}."
            )


SOURCE = (
    CornerSetting(2, 6e-3, 1e-5),
    CornerSetting(2, 3e-3, 1e-6),
    CornerSetting(3, 6e-3, 1e-5),
    CornerSetting(3, 3e-3, 1e-6),
    CornerSetting(4, 3e-3, 1e-3),
    CornerSetting(4, 1.5e-3, 1e-4),
)
"""Depths, steps and starts of the source."""


@dataclass(frozen=True)
class CornerRuns:
    """Runs of one setting from several starts.

    Attributes:
        setting: depth and start; the step is used by descent only.
        replicas: starts.
        sign: sign of the determinant at the start, or 0 for the sign that no fit with W22 = 0 has.
        smallest_loss: curves are followed until the rank-one manifold is expected to have this loss.
        points: times recorded, logarithmically spaced.
        task: observed entries.
    """

    setting: CornerSetting
    replicas: int = 16
    sign: int = 0
    smallest_loss: float = 1e-6
    points: int = 500
    task: CornerCompletion = CornerCompletion()

    def __post_init__(self):
        if self.replicas < 1 or self.sign not in (-1, 0, 1) or self.points < 10 or not 0 < self.smallest_loss < 0.5:
            raise ValueError(
                "Curves need replicas >= 1, sign -1, 0 or 1, points >= 10 and a smallest loss in (0, 1/2); "
                f"got {self.replicas}, {self.sign}, {self.points}, {self.smallest_loss}."
            )

    @property
    def start_sign(self) -> int:
        """Sign of the determinant at the start, +1 or -1."""
        return self.sign or self.task.opposite_sign

    @property
    def times(self) -> Float[np.ndarray, " {self.points}"]:
        """(points,) times from 0 to twice the time the rank-one manifold needs for the smallest loss, plus escape."""
        depth, std = self.setting.depth, self.setting.std
        growth = norms_theory.entry_time(norms_theory.entry_curve(self.smallest_loss), depth=depth)
        # Escape from a start of size std: logarithmic at depth 2, std^-(1-2/L) beyond; a small draw takes longer.
        escape = -np.log(std) if depth == 2 else 10 * std ** -(1 - 2 / depth)
        return np.concatenate([[0.0], np.geomspace(0.1, 2 * growth + escape, self.points - 1)])


@dataclass(frozen=True)
class Curve:
    """Recorded runs; T times, R replicas.

    Attributes:
        times: (T,) flow time.
        loss: (T, R).
        product: (T, R, 2, 2) end-to-end matrices.
        log_values: (T, R, 2) logarithms of the singular values, the larger first.
        determinant: (T, R).
    """

    times: np.ndarray
    loss: np.ndarray
    product: np.ndarray
    log_values: np.ndarray
    determinant: np.ndarray

    @property
    def entry(self) -> Float[np.ndarray, "{len(self.times)} R"]:
        """|W11|, (T, R)."""
        return np.abs(self.product[..., 0, 0])

    def entry_at(self, level: float) -> Float[np.ndarray, " {self.loss.shape[1]}"]:
        """|W11| where the loss first falls to `level`, (R,); nan where it never does."""
        return np.exp(norms_measure.at_loss(self.loss, np.log(self.entry), level))


def draw_products(config: CornerRuns, rt: Runtime, seed: int) -> Float[Tensor, "{config.replicas} 2 2"]:
    """Products at the start, (R, 2, 2): N(0, std^2) entries, given the determinant's sign."""
    return gaussian_products(rt, _generators(config, seed), std=config.setting.std, sign=config.start_sign)


def start_layers(config: CornerRuns, rt: Runtime, seed: int, *, balanced: bool) -> Layers:
    """Layers at the start: balanced with the products of `draw_products`, or independent Gaussian ones."""
    depth, std = config.setting.depth, config.setting.std
    if balanced:
        return balanced_layers(draw_products(config, rt, seed), depth=depth)
    return unbalanced_layers(rt, _generators(config, seed), depth=depth, std=std, sign=config.start_sign)


def coordinate_curve(config: CornerRuns, rt: Runtime, seed: int) -> Curve:
    """Gradient flow from balanced starts, integrated in singular value coordinates."""
    task, depth = config.task, config.setting.depth
    states = []
    for product in draw_products(config, rt, seed).cpu().numpy():
        start, sign = norms_coordinates.from_product(product)
        velocity = norms_coordinates.field(task, depth=depth, sign=sign)
        states.append(integrate(velocity, start, config.times, method="LSODA")[0])
    states = np.stack(states, 1)
    product = norms_coordinates.to_product(states, sign)
    residuals = product - [[0.0, task.right], [task.below, task.corner]]
    loss = 0.5 * (residuals[..., 0, 1] ** 2 + residuals[..., 1, 0] ** 2 + residuals[..., 1, 1] ** 2)
    return Curve(config.times, loss, product, states[..., :2], sign * np.exp(states[..., :2].sum(-1)))


def weight_curve(config: CornerRuns, rt: Runtime, seed: int, *, balanced: bool = True, rtol: float = 1e-8) -> Curve:
    """Gradient flow of the layers themselves, balanced from the same products as `coordinate_curve`, or Gaussian."""
    layers = start_layers(config, rt, seed, balanced=balanced)
    run = flow(
        config.task.objective(rt), layers, config.times, record=_record, rtol=rtol, atol=rtol / 100, method="LSODA"
    )
    return _curve(config.times, run)


def descent_gap(
    config: CornerRuns,
    rt: Runtime,
    seed: int,
    *,
    levels: tuple[float, ...] = (0.3, 0.1, 1e-2, 1e-3, 1e-4),
    steps: int = 2000,
) -> Float[np.ndarray, "{len(levels)} {config.replicas}"]:
    """Gradient descent at the setting's step against flow, in stretches of `steps` steps along the curve, (levels, R).

    Each stretch starts balanced, on the flow's curve, where its loss first falls to the level; all stretches are
    replicas of one run. Returned: |W11 of descent - W11 of flow| at the stretch's end over |W11 of flow|.
    """
    depth, rate, task = config.setting.depth, config.setting.rate, config.task
    curve = coordinate_curve(config, rt, seed)
    starts, ends = [], []
    for level in levels:
        rows = np.argmax(curve.loss <= level, axis=0)
        for replica, row in enumerate(rows):
            start, sign = norms_coordinates.from_product(curve.product[row, replica])
            velocity = norms_coordinates.field(task, depth=depth, sign=sign)
            path, _ = integrate(velocity, start, np.array([0.0, rate * steps]), method="LSODA")
            starts.append(curve.product[row, replica])
            ends.append(norms_coordinates.to_product(path[-1], sign)[0, 0])
    layers = balanced_layers(rt.tensor(np.array(starts)), depth=depth)
    run = descend(task.objective(rt), layers, steps=steps, step_size=rate, record_every=steps)
    reached = end_to_end(run.parameters)[:, 0, 0].cpu().numpy()
    return np.abs(reached / np.array(ends) - 1).reshape(len(levels), -1)


def with_depths(config: CornerRuns, settings: tuple[CornerSetting, ...]) -> tuple[CornerRuns, ...]:
    """The same runs for every setting."""
    return tuple(replace(config, setting=setting) for setting in settings)


def _generators(config: CornerRuns, seed: int) -> list[torch.Generator]:
    task, setting = config.task, config.setting
    stream = ("norms", setting.depth, setting.std, config.start_sign, task.right, task.below, task.corner)
    return [rng.generator(seed, *map(str, stream), replica) for replica in range(config.replicas)]


def _record(layers: Layers, _: Gradients) -> dict[str, torch.Tensor]:
    return {"product": end_to_end(layers)}


def _curve(times: np.ndarray, run) -> Curve:
    product = run["product"]
    values = torch.linalg.svdvals(product).cpu().numpy()
    with np.errstate(divide="ignore"):  # a singular value may round to zero
        logs = np.log(values)
    return Curve(times, run.loss.cpu().numpy(), product.cpu().numpy(), logs, determinant(product).cpu().numpy())
