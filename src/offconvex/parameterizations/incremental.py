"""Experiments on learning order: exact growth curves, and the largest start that still learns one by one."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq

from offconvex import flow, rng
from offconvex.parameterizations import theory
from offconvex.parameterizations.dynamics import objective, race, starting_parameters
from offconvex.parameterizations.model import PointLoss, parameterization
from offconvex.parameterizations.theory import Kind
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class GrowthCurves:
    """Several weights that start together and grow toward different targets.

    Attributes:
        kinds: those with an exact solution: 1, 2, 4, "exp".
        start: common start of all weights.
        weights: how many; each target exceeds the next by a random factor between 1.4 and 1.7, and the last is 1.
        points: times recorded.
    """

    kinds: tuple[Kind, ...] = (1.0, 2.0, 4.0, "exp")
    start: float = 5e-3
    weights: int = 4
    points: int = 121

    def __post_init__(self):
        if not 0 < self.start < 0.5 or self.weights < 2 or self.points < 3:
            raise ValueError(
                "Need a start in (0, 0.5), below half of every target, at least 2 weights and 3 times; "
                f"got {self.start}, {self.weights}, {self.points}."
            )


def grow(config: GrowthCurves, rt: Runtime, seed: int) -> dict[str, Float[np.ndarray, "..."]]:
    """Growth curves by gradient flow on u, beside the exact solution; time in units of 1/N^2, as loss / N^2 has it.

    Returns:
        "targets" (n,); "times", (kinds, T); "weights" and "theory", (kinds, T, n).
    """
    draws = rt.uniform(rng.generator(seed, "parameterizations", "targets"), config.weights - 1).cpu().numpy()
    targets = np.concatenate([np.cumprod(1.4 + 0.3 * draws)[::-1], [1.0]])
    times, weights, exact = [], [], []
    for kind in config.kinds:
        end = theory.learning_time(kind, config.start, 0.97, 1.0)
        times.append(np.linspace(0.0, end, config.points))
        weights.append(np.stack([_grow_one(kind, config.start, target, times[-1], rt) for target in targets], -1))
        exact.append(np.stack([theory.exact_solution(kind, times[-1], config.start, t) for t in targets], -1))
    return {"targets": targets, "times": np.array(times), "weights": np.array(weights), "theory": np.array(exact)}


def _grow_one(kind: Kind, start: float, target: float, times: np.ndarray, rt: Runtime) -> np.ndarray:
    # The loss separates, so each weight may take its own steps: common ones are too long for whichever is taking off.
    p, scale = parameterization(kind), 1.0 if kind == "exp" else float(kind) ** 2
    run = flow.flow(
        objective(kind, PointLoss((target,))),
        (starting_parameters(kind, rt.tensor([[start]])),),
        times / scale,
        record=lambda parameters, _: {"w": p.weights(parameters[0])},
        rtol=3e-14,
        atol=1e-15,
    )
    return run["w"][:, 0, 0].cpu().numpy()


def largest_start(kind: Kind, ratio: float, slow: float, fast: float) -> float:
    """Natural logarithm of the largest common start that is (slow, fast)-incremental, by running races.

    Targets are `ratio` and 1. A start passes if the large weight is at least `fast` of its target when the small one
    reaches `slow`; later in the race only the small one still moves. Searched by bisection on the logarithm.
    """

    def missing(log_start: float) -> float:
        return float(race(kind, [log_start], ratio, slow)[0]) / ratio - fast

    high = math.log(slow) - 1e-6
    low = high - 1.0
    while missing(low) < 0:
        low = high + 2 * (low - high)
    return brentq(missing, low, high, xtol=1e-7)


@dataclass(frozen=True)
class Thresholds:
    """Largest incremental starts over gaps r - 1 between the targets.

    Attributes:
        kinds: depths, N >= 2 or "exp".
        gaps: r - 1, increasing.
        smallest_gap_depth_2: at depth 2 nothing is raced below this gap, since the search around the threshold, about
            e^(-4.4/gap), leaves the range of floating-point numbers.
        slow: fraction of its target that the small weight may have reached.
        fast: fraction of its target that the large weight must have reached.
        draws: random triples (ratio, slow, fast) besides.
    """

    kinds: tuple[Kind, ...] = (2.0, 3.0, 4.0, 6.0, "exp")
    gaps: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1, 0.5, 2.0)
    smallest_gap_depth_2: float = 0.03
    slow: float = 0.1
    fast: float = 0.9
    draws: int = 4

    def __post_init__(self):
        if not {2, 3} <= set(self.kinds):
            raise ValueError(f"Depths 2 and 3 are needed, on either side of the change of law; got {self.kinds}.")
        if len(self.gaps) < 2 or not 0 < self.slow < self.fast < 1 or min(self.gaps) <= 0 or self.draws < 1:
            raise ValueError(
                f"Need 0 < slow < fast < 1, positive gaps and draws; "
                f"got {self.slow}, {self.fast}, {self.gaps}, {self.draws}."
            )


def find_thresholds(config: Thresholds, rt: Runtime, seed: int) -> dict[str, Float[np.ndarray, "..."]]:
    """Measured and theoretical thresholds, and the bounds of the companion paper; natural logarithms.

    Returns:
        "gaps" (G,); "measured", "theory", "lower", "upper", each (kinds, G), nan where the gap is too small; the same
        with prefix "random " and shape (kinds, draws), for random triples (ratio, slow, fast).
    """
    low, high = np.array([math.log(0.1), 0.05, 0.75]), np.array([math.log(3.0), 0.25, 0.95])
    draws = rt.uniform(rng.generator(seed, "parameterizations", "thresholds"), config.draws, 3).cpu().numpy()
    random = [(1 + math.exp(g), s, f) for g, s, f in low + draws * (high - low)]
    table = [(1 + gap, config.slow, config.fast) for gap in config.gaps]
    found = {"gaps": np.array(config.gaps)}
    for prefix, cells in (("", table), ("random ", random)):
        rows = np.array([[_threshold(kind, cell, config) for cell in cells] for kind in config.kinds])
        found |= {prefix + name: rows[..., i] for i, name in enumerate(("measured", "theory", "lower", "upper"))}
    return found


def threshold_curves(config: Thresholds, points: int = 60) -> dict[str, Float[np.ndarray, "... {points}"]]:
    """Theory and bounds on a fine grid of gaps: "gaps" (C,), "theory", "lower", "upper" (kinds, C), logarithms."""
    gaps = np.geomspace(config.gaps[0], config.gaps[-1], points)
    rows = np.array([[_predicted(kind, (1 + gap, config.slow, config.fast)) for gap in gaps] for kind in config.kinds])
    return {"gaps": gaps} | {name: rows[..., i] for i, name in enumerate(("theory", "lower", "upper"))}


@dataclass(frozen=True)
class LawErrors:
    """Relative deviations of measured thresholds, at the two smallest gaps, from the two laws of `theory`.

    Attributes:
        polynomial: log-log slope against N/(N-2), worst over N > 2.
        exponential: slope in 1/gap at N = 2.
        depth_2_as_3: depth two, judged by the law of depth three.
        depth_3_as_2: depth three, judged by the law of depth two.
    """

    polynomial: float
    exponential: float
    depth_2_as_3: float
    depth_3_as_2: float


def law_errors(found: dict[str, Float[np.ndarray, "..."]], config: Thresholds) -> LawErrors:
    """Measured thresholds against the law of their depth, and those of depths two and three against each other's."""
    rows = dict(zip(config.kinds, found["measured"]))

    def deviation(kind: Kind, by: Kind) -> float:
        i, j = np.flatnonzero(np.isfinite(rows[kind]))[:2]
        gaps, y = found["gaps"][[i, j]], rows[kind][[i, j]]
        x = 1 / gaps if by == 2 else np.log(gaps)
        return float(abs((y[1] - y[0]) / (x[1] - x[0]) / theory.threshold_law(by, config.slow, config.fast) - 1))

    polynomial = max(deviation(kind, kind) for kind in rows if kind != 2)
    return LawErrors(polynomial, deviation(2.0, 2.0), deviation(2.0, 3.0), deviation(3.0, 2.0))


def _predicted(kind: Kind, cell: tuple[float, float, float]) -> tuple[float, ...]:
    return (theory.threshold(kind, *cell), *theory.threshold_bounds(kind, *cell))


def _threshold(kind: Kind, cell: tuple[float, float, float], config: Thresholds) -> tuple[float, ...]:
    # Half a percent of room, so that 1.03 - 1 counts as 0.03.
    if kind == 2 and cell[0] - 1 < 0.995 * config.smallest_gap_depth_2:
        return (math.nan,) * 4
    return (largest_start(kind, *cell), *_predicted(kind, cell))
