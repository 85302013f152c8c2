"""The chapter's experiments on one plane of weights: a configuration in, a record out."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from offconvex import descent, flow, rng
from offconvex.parameterizations import measure, theory
from offconvex.parameterizations.dynamics import Paths, flow_paths, objective, starting_parameters
from offconvex.parameterizations.model import LineLoss, Loss, PointLoss, induced_field, jacobians, parameterization
from offconvex.parameterizations.theory import Kind
from offconvex.runtime import Runtime

Start = tuple[float, float]


@dataclass(frozen=True)
class Fields:
    """Gradient fields over a square of weights, and a few flow paths on them.

    Defaults are the primer's own setting: 100 x 100 points on [0, 10]^2, optimum (3, 6) or the line w1 + 2 w2 = 15.

    Attributes:
        kinds: parameterizations, one panel each.
        loss: point or line loss.
        starts: where the drawn paths begin.
        points: grid points on a side.
        extent: side of the square.
    """

    kinds: tuple[Kind, ...]
    loss: Loss = PointLoss()
    starts: tuple[Start, ...] = ()
    points: int = 100
    extent: float = 10.0

    def __post_init__(self):
        for kind in self.kinds:
            parameterization(kind)
        if self.points < 2 or not self.extent > 0:
            raise ValueError(
                f"A grid needs at least 2 points and a positive side; got {self.points} and {self.extent}."
            )
        _check_starts(self.starts)


@dataclass(frozen=True)
class DrawnFields:
    """What a panel of fields draws.

    Attributes:
        axis: (n,) coordinates of the grid on both axes.
        arrows: kind -> (n, n, 2) unit vectors; first index w2, second w1.
        paths: kind -> (T, R, 2) flow paths.
        turned: largest angle in radians between an arrow and the closed-form field, over all kinds.
    """

    axis: np.ndarray
    arrows: Mapping[Kind, np.ndarray]
    paths: Mapping[Kind, np.ndarray]
    turned: float

    @property
    def data(self) -> dict[str, Float[np.ndarray, "..."]]:
        """Everything drawn, by name."""
        arrows = {f"arrows_{kind}": field for kind, field in self.arrows.items()}
        return {"axis": self.axis} | arrows | {f"paths_{kind}": path for kind, path in self.paths.items()}


def draw_fields(config: Fields, rt: Runtime) -> DrawnFields:
    """Directions of the induced fields on the grid, by automatic differentiation, and paths from the starts."""
    axis = np.linspace(0.0, config.extent, config.points)
    # On an axis the field is 0 for N > 1 and infinite for N < 1; its direction just inside is what can be drawn.
    inside = np.maximum(axis, 1e-3 * axis[1])
    w = np.stack(np.meshgrid(inside, inside), -1)
    arrows, turned = {}, 0.0
    for kind in config.kinds:
        flat = rt.tensor(w.reshape(-1, 2))
        gradient = config.loss.gradient(flat)
        field = induced_field(kind, flat, gradient).cpu().numpy()
        expected = theory.field(kind, w.reshape(-1, 2), gradient.cpu().numpy())
        moving = np.linalg.norm(gradient.cpu().numpy(), axis=-1) > 1e-9
        turned = max(turned, float(measure.angle_between(field[moving], expected[moving]).max()))
        length = np.linalg.norm(field, axis=-1, keepdims=True)
        arrows[kind] = (field / np.where(length > 0, length, 1.0)).reshape(w.shape)
    paths = run_paths(config.kinds, config.loss, config.starts, rt) if config.starts else {}
    return DrawnFields(axis, arrows, {kind: path.weights for kind, path in paths.items()}, turned)


def run_paths(kinds: tuple[Kind, ...], loss: Loss, starts, rt: Runtime) -> dict[Kind, Paths]:
    """Flow paths of every parameterization from the same starts (R, 2)."""
    return {kind: flow_paths(kind, loss, rt.tensor(starts)) for kind in kinds}


def random_starts(
    rt: Runtime, seed: int, stream: str, count: int, low: Start, high: Start
) -> Float[np.ndarray, "{count} 2"]:
    """Starts drawn uniformly from a box, (count, 2)."""
    draws = rt.uniform(rng.generator(seed, "parameterizations", stream), count, 2).cpu().numpy()
    return np.asarray(low) + draws * (np.asarray(high) - np.asarray(low))


@dataclass(frozen=True)
class FieldErrors:
    """Largest relative errors of the closed-form field, held against three products of the automatic Jacobian J.

    Attributes:
        formula: against J J^T, which is right.
        one_factor: against J alone, as if w moved like u.
        other_order: against J^T J.
    """

    formula: float
    one_factor: float
    other_order: float


def field_errors(kinds: tuple[Kind, ...], rt: Runtime, seed: int, points: int = 100) -> FieldErrors:
    """Closed-form field against the automatic Jacobian, on the primer's grid and as many random points."""
    grid = np.linspace(0.0, 10.0, points)[1:]
    random = random_starts(rt, seed, "field", points**2, (0.0, 0.0), (10.0, 10.0))
    w = rt.tensor(np.concatenate([np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2), random]))
    worst = np.zeros(3)
    for kind in kinds:
        gradient = PointLoss().gradient(w)
        keep = gradient.norm(dim=-1) > 1e-9
        w_kept, g = w[keep], gradient[keep][..., None]
        j = jacobians(kind, w_kept)
        closed = theory.field(kind, w_kept.cpu().numpy(), g[..., 0].cpu().numpy())
        candidates = (j @ (j.mT @ g), j @ g, j.mT @ (j @ g))
        errors = [measure.relative_error(-field[..., 0].cpu().numpy(), closed) for field in candidates]
        worst = np.maximum(worst, errors)
    return FieldErrors(*worst.tolist())


def infinite_depth(
    depths: tuple[float, ...], rt: Runtime, seed: int, points: int = 2000
) -> dict[str, Float[np.ndarray, " {len(depths)}"]]:
    """Mean relative distance of the depth-N field, divided by N^2, to the field of "exp", at random points.

    Returns:
        "depth" (D,), "distance" (D,), "undivided" (D,) without the division, "theory" (D,): 2 mean|log w|.../N.
    """
    w = rt.tensor(random_starts(rt, seed, "infinite depth", points, (0.0, 0.0), (10.0, 10.0)))
    gradient = PointLoss().gradient(w)
    limit = induced_field("exp", w, gradient).cpu().numpy()
    fields = [induced_field(n, w, gradient).cpu().numpy() for n in depths]
    # w^(2-2/N) = w^2 (1 - 2 log w / N + ...): the first-order difference of the fields is -2 log w / N times the limit.
    first_order = 2 * np.log(w.cpu().numpy()) * limit
    coefficient = measure.mean_relative_distance(limit + first_order, limit)
    return {
        "depth": np.array(depths, dtype=float),
        "distance": np.array([measure.mean_relative_distance(f / n**2, limit) for f, n in zip(fields, depths)]),
        "undivided": np.array([measure.mean_relative_distance(f, limit) for f in fields]),
        "theory": coefficient / np.array(depths, dtype=float),
    }


def ratio_extremes(kinds: tuple[Kind, ...], rt: Runtime, seed: int, count: int = 8) -> dict[str, float]:
    """How far flow paths of the point loss push w2/w1 away from its start, over random starts, depth by depth.

    Starts from below have w1 in [0.1, 0.5] and w2/w1 in [2, 3]; from above w1 in [4, 5] and w2 in [9, 10]. In both
    boxes w2 is the larger weight with the larger gap: paths stay at w2 > w1, where depth tilts them toward w2.

    Returns:
        "below": smallest rise of the peak of log(w2/w1) from one depth to the next; "above": smallest fall of its
        lowest value; "clock": `clock_error` of all these paths.
    """
    low = random_starts(rt, seed, "below", count, (0.1, 2.0), (0.5, 3.0))
    low[:, 1] *= low[:, 0]
    high = random_starts(rt, seed, "above", count, (4.0, 9.0), (5.0, 10.0))
    below, above = run_paths(kinds, PointLoss(), low, rt), run_paths(kinds, PointLoss(), high, rt)
    peaks = np.array([measure.peak_log_ratio(path.weights) for path in below.values()])
    lows = np.array([measure.lowest_log_ratio(path.weights) for path in above.values()])
    return {
        "below": float(np.diff(peaks, axis=0).min()),
        "above": float(-np.diff(lows, axis=0).max()),
        "clock": max(clock_error(below), clock_error(above)),
    }


def growth_ratio(kinds: tuple[Kind, ...], start: Start, rt: Runtime) -> float:
    """Relative growth rate of the first weight over that of the second at `start`, largest over the kinds."""
    w = rt.tensor([start])
    fields = torch.cat([induced_field(kind, w, PointLoss().gradient(w)) for kind in kinds]) / w
    return float((fields[:, 0] / fields[:, 1]).max())


def clock_error(paths: Mapping[Kind, Paths], optimum: Start = (3.0, 6.0), points: int = 6) -> float:
    """Largest relative difference of the times that the two coordinates of a point-loss path imply, by quadrature.

    Both coordinates of one path were moving for the same time; a path with a wrong slope anywhere breaks this.
    """
    worst = 0.0
    for kind, path in paths.items():
        for way in np.moveaxis(path.weights, 1, 0):
            # Close to its target a coordinate no longer tells the time.
            left = np.abs((way - optimum) / (way[0] - optimum)).min(axis=-1)
            usable = np.flatnonzero((left > 1e-3) & (np.arange(len(way)) > 0))
            for i in usable[:: max(1, len(usable) // points)]:
                times = [theory.learning_time(kind, way[0, j], way[i, j], optimum[j]) for j in (0, 1)]
                worst = max(worst, abs(times[0] - times[1]) / max(times))
    return worst


def ratio_paths(
    kinds: tuple[Kind, ...], start: Start, rt: Runtime, points: int = 36
) -> dict[str, Float[np.ndarray, "{len(kinds)} {points}"]]:
    """Ratio w2/w1 along the point-loss flow from one start, and what equal times of both coordinates predict.

    Returns:
        "first" (kinds, points), the first weight; "ratio" and "theory", (kinds, points).
    """
    loss = PointLoss()
    first, ratio, expected = [], [], []
    for kind, path in run_paths(kinds, loss, (start,), rt).items():
        w = path.weights[:, 0]
        # Evenly spread in the logarithms, up to one percent before the target of the first weight.
        w = w[np.abs(w[:, 0] - loss.optimum[0]) > 0.01 * abs(start[0] - loss.optimum[0])]
        way = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(np.log(w), axis=0)).sum(axis=1))])
        w = w[np.searchsorted(way, np.linspace(0.0, way[-1], points))]
        first.append(w[:, 0])
        ratio.append(w[:, 1] / w[:, 0])
        expected.append(theory.companion_path(kind, np.array(start), loss.optimum, w[:, 0]) / w[:, 0])
    return {"first": np.array(first), "ratio": np.array(ratio), "theory": np.array(expected)}


def line_end_points(
    kinds: tuple[Kind, ...], starts, rt: Runtime, loss: LineLoss | None = None
) -> dict[str, Float[np.ndarray, "{len(kinds)} {len(starts)} 2"]]:
    """End points of the flow on the line loss, and the closed-form prediction, each (kinds, starts, 2)."""
    loss = loss or LineLoss()
    _check_starts(starts)
    paths = run_paths(kinds, loss, starts, rt)
    predicted = [[theory.line_end_point(k, np.array(s), loss.normal, loss.offset) for s in starts] for k in kinds]
    return {"ends": np.stack([paths[kind].ends for kind in kinds]), "theory": np.array(predicted)}


@dataclass(frozen=True)
class PolarPaths:
    """Flow paths on the line loss in polar coordinates, and the polar law for them.

    Attributes:
        radius: (T, R).
        sine: (T, R) of the angle to the line's normal.
        theory: (T, R) what the law says of it.
        error: largest relative error where the sine exceeds 1e-4, below which the subtraction of two angles leaves too
            few digits.
    """

    radius: np.ndarray
    sine: np.ndarray
    theory: np.ndarray
    error: float

    @property
    def data(self) -> dict[str, Float[np.ndarray, "{self.radius.shape[0]} {self.radius.shape[1]}"]]:
        """Everything drawn, by name."""
        return {"radius": self.radius, "sine": self.sine, "theory": self.theory}


def polar_law(starts, rt: Runtime, kind: Kind = "polar") -> PolarPaths:
    """Radius and sine of the angle to the line's normal along the flow on the line loss, and the polar law for it."""
    loss = LineLoss()
    weights = flow_paths(kind, loss, rt.tensor(starts)).weights
    radius, angle = np.linalg.norm(weights, axis=-1), measure.angle_to(weights, loss.normal)
    pairs = zip(radius.T, angle.T)
    expected = np.stack([theory.polar_sine(r, r[0], a[0]) for r, a in pairs], -1)
    seen = np.abs(expected) > 1e-4
    error = np.abs(np.sin(angle) - expected)[seen] / np.abs(expected[seen])
    return PolarPaths(radius, np.sin(angle), expected, float(error.max()))


@dataclass(frozen=True)
class Descents:
    """Gradient descent next to gradient flow on the point loss, for a ladder of halved steps.

    Attributes:
        kinds: parameterizations.
        starts: number of random starts in the box [0.5, 1.5]^2.
        step: largest step, in units of 1 / (largest squared stretch of the map between start and optimum).
        halvings: how often the step is halved.
        steps: number of steps at the largest step.
    """

    kinds: tuple[Kind, ...] = (1.0, 2.0, 4.0, "exp", "polar")
    starts: int = 3
    step: float = 0.02
    halvings: int = 3
    steps: int = 400

    def __post_init__(self):
        if self.starts < 1 or self.halvings < 1 or self.steps < 20 or not 0 < self.step <= 0.5:
            raise ValueError(
                "Need starts >= 1, halvings >= 1, steps >= 20 and a step in (0, 0.5], beyond which descent diverges; "
                f"got {self.starts}, {self.halvings}, {self.steps}, {self.step}."
            )


def descend_and_flow(config: Descents, rt: Runtime, seed: int) -> dict[str, Float[np.ndarray, "..."]]:
    """Largest distance in w between descent and flow at equal times, over the run and the starts.

    Returns:
        "step" (S,), in the units of `Descents.step`; "distance" (kinds, S); "to plain flow" (kinds, S): distance to the
        flow of the plain parameterization instead.
    """
    w0 = rt.tensor(random_starts(rt, seed, "descent", config.starts, (0.5, 0.5), (1.5, 1.5)))
    relative = config.step * 0.5 ** np.arange(config.halvings + 1)
    records = [_descents_of(kind, config, w0, rt) for kind in config.kinds]
    return {
        "step": relative,
        "distance": np.array([own for own, _ in records]),
        "to plain flow": np.array([plain for _, plain in records]),
    }


def _descents_of(kind: Kind, config: Descents, w0: torch.Tensor, rt: Runtime) -> tuple[list[float], list[float]]:
    loss, p = PointLoss(), parameterization(kind)
    u0, goal = starting_parameters(kind, w0), starting_parameters(kind, rt.tensor([loss.optimum]))
    unit = 1 / float(torch.cat([p.stretch(u0), p.stretch(goal)]).max())
    every = config.steps // 20
    times = config.step * unit * np.arange(0, config.steps + 1, every)
    plain = flow.flow(objective(1.0, loss), (w0,), times, record=lambda q, _: {"w": q[0]})["w"]
    own = flow.flow(objective(kind, loss), (u0,), times, record=lambda q, _: {"w": p.weights(q[0])})["w"]
    distances = []
    for k in range(config.halvings + 1):
        run = descent.descend(
            objective(kind, loss),
            (u0,),
            steps=every * (len(times) - 1) * 2**k,
            step_size=config.step * unit / 2**k,
            record=lambda q, _: {"w": p.weights(q[0])},
            record_every=every * 2**k,
        )["w"]
        distances.append([float((run - flowed).norm(dim=-1).max()) for flowed in (own, plain)])
    return [d[0] for d in distances], [d[1] for d in distances]


def _check_starts(starts) -> None:
    array = np.asarray(starts, dtype=float)
    if array.size and (array.ndim != 2 or array.shape[1] != 2 or not (np.isfinite(array) & (array > 0)).all()):
        raise ValueError(f"Starts are pairs (w1, w2) of positive weights; got {[tuple(s) for s in starts]}.")
