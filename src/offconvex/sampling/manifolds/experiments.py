"""Experiments of the chapter on matrix manifolds: distances, mixing along the fiber, escapes at low beta."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Shaped

from offconvex import rng
from offconvex.runtime import Runtime
from offconvex.sampling.langevin import ChainState, mala, start, ula
from offconvex.sampling.manifolds import fibers, theory
from offconvex.sampling.manifolds.posterior import Posterior
from offconvex.sampling.model import replicas_inside


@dataclass(frozen=True)
class Distances:
    """Chains that settle around one fiber.

    Attributes:
        posterior: what they sample.
        chains: how many.
        share: step times largest curvature times beta, for adjusted and for unadjusted chains.
        settle: steps before the first record, from X0 itself.
        records: looks at the distance.
        every: steps between them.
    """

    posterior: Posterior
    chains: int = 1500
    share: float = 0.5
    settle: int = 200
    records: int = 40
    every: int = 20


def begin_at(posterior: Posterior, rt: Runtime, chains: int) -> ChainState:
    """State of chains that all begin at X0."""
    minimizer = rt.tensor(posterior.minimizer())
    return start(posterior.target(rt), replicas_inside(minimizer.expand(chains, *minimizer.shape)))


@dataclass(frozen=True)
class DistanceRatio:
    """Mean squared distance from the nearer component over its prediction, and how near chains came to leaving it.

    Attributes:
        ratio: to the prediction for the step.
        error: of that, from the spread over chains.
        plain_ratio: to the prediction for a step of zero.
        crossed: chains seen in the other component.
        farthest: largest squared distance over the least squared distance to the other component.
        accepted: share of the proposals.
    """

    ratio: float
    error: float
    plain_ratio: float
    crossed: float
    farthest: float
    accepted: float


def distances(config: Distances, rt: Runtime, seed: int, *, adjusted: bool) -> DistanceRatio:
    """Follow chains from X0 and look how far they are from the fiber."""
    posterior = config.posterior
    move, name = (mala, "adjusted") if adjusted else (ula, "unadjusted")
    generator = rng.numpy_generator(seed, "distances", name, repr(posterior))
    target, step = posterior.target(rt), posterior.step(config.share)
    minimizer = rt.tensor(posterior.minimizer())

    def look(x: torch.Tensor) -> dict[str, torch.Tensor]:
        seen = fibers.places(x, minimizer)
        return {"own": seen.own, "other": seen.other, "component": seen.component}

    state, _ = move(target, begin_at(posterior, rt, config.chains), rt, generator, step=step, steps=config.settle)
    options = {"steps": config.records * config.every, "record": look, "record_every": config.every}
    state, seen = move(target, state, rt, generator, step=step, **options)
    own = seen.records["own"]
    flat = theory.squared_distance(posterior.curvatures(), posterior.beta)
    law = flat if adjusted else theory.squared_distance(posterior.curvatures(), posterior.beta, step)
    return DistanceRatio(
        ratio=float(own.mean()) / law,
        error=float(own.mean(0).std()) / config.chains**0.5 / law,
        plain_ratio=float(own.mean()) / flat,
        crossed=float((seen.records["component"] < 0).any(0).sum()),
        farthest=float(own.max() / seen.records["other"].min()),
        accepted=float(seen.accepted.mean()),
    )


@dataclass(frozen=True)
class Mixing:
    """Unadjusted chains that spread along the fiber from X0.

    Attributes:
        posterior: what they sample.
        chains: how many.
        share: step times largest curvature times beta.
        relaxations: time they run, in units of the inverse of the predicted rate.
        records: records per unit of that.
    """

    posterior: Posterior
    chains: int = 1000
    share: float = 0.5
    relaxations: float = 8.0
    records: int = 20


@dataclass(frozen=True)
class Mixed:
    """Rotations of chains along the fiber.

    Attributes:
        time: (T,).
        rotation: (T, N, k, k), closest rotations; the first record is the identity.
        crossed: chains seen in the other component.
    """

    time: np.ndarray
    rotation: torch.Tensor
    crossed: int

    @property
    def spacing(self) -> float:
        """Time between records."""
        return float(self.time[1] - self.time[0])

    def rate(self, lag: int = 1) -> tuple[float, float]:
        """Decay rate of the mean trace over `lag` records, and its standard error."""
        return fibers.memory_rate(self.rotation, lag, lag * self.spacing)

    def trace(self) -> Float[np.ndarray, " {len(self.time)}"]:
        """(T,) mean of tr(R_t) / k over chains, from the identity."""
        return torch.einsum("tnii->t", self.rotation).cpu().numpy() / self.rotation.shape[1] / self.rotation.shape[-1]

    def last(self) -> Float[np.ndarray, "N k k"]:
        """(N, k, k) rotations at the end."""
        return self.rotation[-1].cpu().numpy()


def mix(config: Mixing, rt: Runtime, seed: int) -> Mixed:
    """Follow the closest rotation of chains from X0."""
    posterior = config.posterior
    rate, step = theory.fiber_rate(posterior.values), posterior.step(config.share)
    every = max(round(1 / (rate * step * config.records)), 1)
    return _follow(posterior, config.chains, step, every, round(config.relaxations * config.records), 0, rt, seed)


@dataclass(frozen=True)
class ShortMemory:
    """The rate along the fiber from increments over short times, which cost the same at every beta.

    Attributes:
        posterior: what is sampled.
        chains: how many.
        share: step times largest curvature times beta.
        lag: length of an increment, in units of the slowest relaxation across the fiber.
        increments: per chain.
    """

    posterior: Posterior
    chains: int = 5000
    share: float = 0.5
    lag: float = 40.0
    increments: int = 12


def short_memory(config: ShortMemory, rt: Runtime, seed: int) -> tuple[float, float]:
    """Rate at which the trace decays, over the predicted one, and its standard error."""
    posterior, step = config.posterior, config.posterior.step(config.share)
    every = round(config.lag / (posterior.beta * posterior.curvatures()[0] * step))
    settle = round(8 / (posterior.beta * posterior.curvatures()[0] * step))
    run = _follow(posterior, config.chains, step, every, config.increments, settle, rt, seed)
    rate, error = run.rate()
    law = theory.fiber_rate(posterior.values)
    return rate / law, error / law


def _follow(
    posterior: Posterior, chains: int, step: float, every: int, records: int, settle: int, rt: Runtime, seed: int
):
    target, minimizer = posterior.target(rt), rt.tensor(posterior.minimizer())
    generator = rng.numpy_generator(seed, "mixing", repr(posterior), chains)
    state = begin_at(posterior, rt, chains)
    if settle:
        state, _ = ula(target, state, rt, generator, step=step, steps=settle)

    def look(x: torch.Tensor) -> dict[str, torch.Tensor]:
        seen = fibers.places(x, minimizer)
        return {"rotation": seen.rotation, "component": seen.component}

    first = look(state.position)
    _, seen = ula(target, state, rt, generator, step=step, steps=every * records, record=look, record_every=every)
    rotation = torch.cat([first["rotation"][None], seen.records["rotation"]])
    crossed = int((seen.records["component"] < 0).any(0).sum())
    return Mixed(np.arange(records + 1) * every * step, rotation, crossed)


def walk(posterior: Posterior, rt: Runtime, seed: int, *, chains: int = 300, frames: int = 49, span: float = 6.0):
    """Unadjusted chains of matrices with two columns from X0, as two points of the plane: "time", "first", "second".

    With B = X0^T X / s^2 and equal singular values s, the first point is ((b11 + b22) / 2, (b21 - b12) / 2), which
    runs over the unit circle on the component of X0 and is zero on the other; the second is
    ((b11 - b22) / 2, (b21 + b12) / 2), for which it is the other way round. Both (T, N, 2).

    Raises:
        ValueError: if there are not two equal singular values.
    """
    if len(posterior.values) != 2 or posterior.values[0] != posterior.values[1]:
        raise ValueError(f"The walk is drawn for two equal singular values; got {posterior.values}.")
    minimizer, square = rt.tensor(posterior.minimizer()), posterior.values[0] ** 2
    every = max(round(span / (frames - 1) / posterior.step(0.5)), 1)
    generator, target = rng.numpy_generator(seed, "walk"), posterior.target(rt)

    def look(x: torch.Tensor) -> dict[str, torch.Tensor]:
        b = minimizer.T @ x / square
        first = torch.stack([b[:, 0, 0] + b[:, 1, 1], b[:, 1, 0] - b[:, 0, 1]], 1) / 2
        second = torch.stack([b[:, 0, 0] - b[:, 1, 1], b[:, 1, 0] + b[:, 0, 1]], 1) / 2
        return {"first": first, "second": second}

    state = begin_at(posterior, rt, chains)
    options = {"step": posterior.step(0.5), "steps": every * (frames - 1), "record": look, "record_every": every}
    _, seen = ula(target, state, rt, generator, **options)
    start_at = look(state.position)
    paths = {name: torch.cat([start_at[name][None], seen.records[name]]).cpu().numpy() for name in start_at}
    return {"time": np.arange(frames) * every * posterior.step(0.5)} | paths


@dataclass(frozen=True)
class Escapes:
    """Unadjusted chains at low beta that leave their component.

    Attributes:
        rows: d.
        values: singular values of X0.
        heights: beta times the smallest value's fourth power, the barrier, one run for each.
        chains: how many.
        events: escapes after which a run ends.
        share: step times largest curvature times beta; small, as the barrier must be climbed.
        horizon: longest time to follow them; the mean escape over the highest of these barriers takes about 100.
    """

    rows: int
    values: tuple[float, ...]
    heights: tuple[float, ...] = (1.5, 2.5, 4.0, 5.5, 6.5)
    chains: int = 4000
    events: int = 800
    share: float = 0.1
    horizon: float = 1e4


def escape_times(config: Escapes, rt: Runtime, seed: int) -> dict[str, Shaped[np.ndarray, " {len(config.heights)}"]]:
    """Mean time from one component to the other, per barrier, with standard errors: time at risk over escapes.

    A chain has escaped when det(X0^T X) has reached the value it has on the other component; it is then dropped.

    Raises:
        FloatingPointError: if fewer than `events` chains have escaped before the horizon.
    """
    found, block = {"height": np.array(config.heights), "time": [], "error": []}, 100
    for height in config.heights:
        posterior = Posterior(config.rows, config.values, height / min(config.values) ** 4)
        target, step = posterior.target(rt), posterior.step(config.share)
        generator = rng.numpy_generator(seed, "escapes", repr(posterior))
        minimizer, goal = rt.tensor(posterior.minimizer()), -float(np.prod(config.values) ** 2)

        def arrived(x: torch.Tensor, minimizer=minimizer, goal=goal) -> torch.Tensor:
            return _small_determinant(minimizer.T @ x) <= goal

        # Chains settle in their component first; what escapes meanwhile is not counted.
        settle = round(3 / (posterior.beta * posterior.curvatures()[0] * step))
        state, _ = ula(target, begin_at(posterior, rt, config.chains), rt, generator, step=step, steps=settle)
        position, at_risk, events, elapsed = state.position, 0.0, 0, 0.0
        while events < config.events and len(position) > 0:
            if elapsed >= config.horizon:
                raise FloatingPointError(
                    f"{events} of {config.events} escapes happened before time {config.horizon:.3g} over a barrier of "
                    f"{height}; give a longer `horizon`."
                )
            state, seen = ula(target, start(target, position), rt, generator, step=step, steps=block, until=arrived)
            elapsed += block * step
            at_risk += seen.passed.steps_at_risk * step
            events += int(seen.passed.who.sum())
            position = replicas_inside(state.position[~seen.passed.who])
        found["time"].append(at_risk / max(events, 1))
        found["error"].append(found["time"][-1] / max(events, 1) ** 0.5)
    return {name: np.array(values) for name, values in found.items()}


def arrhenius(times: dict[str, Shaped[np.ndarray, " n"]]) -> tuple[float, float]:
    """Coefficient of the barrier in log time = a height + b log height + c, weighted least squares, and its error.

    For singular values that do not change, log height is log beta plus a constant.
    """
    height, weights = times["height"], times["time"] / times["error"]
    design = np.stack([height, np.log(height), np.ones_like(height)], 1) * weights[:, None]
    covariance = np.linalg.inv(design.T @ design)
    solution = covariance @ design.T @ (weights * np.log(times["time"]))
    return float(solution[0]), float(covariance[0, 0] ** 0.5)


def _small_determinant(matrices: torch.Tensor) -> torch.Tensor:
    size = matrices.shape[-1]
    if size == 1:
        return matrices[:, 0, 0]
    if size == 2:
        return matrices[:, 0, 0] * matrices[:, 1, 1] - matrices[:, 0, 1] * matrices[:, 1, 0]
    return torch.linalg.det(matrices)


def identified(operator: str, rows: int, values: tuple[float, ...], strength: float, seed: int, **options) -> Posterior:
    """The first posterior of a stream of random operators that identifies X0 well, with beta set to its strength.

    Well means that the least curvature across the fiber is an eighth of the largest or more: otherwise the
    observations leave a direction nearly free, and the posterior is not concentrated at any beta of a chapter. Then
    beta times the least curvature is `strength`.

    Raises:
        ValueError: if none of the first 1000 does.
    """
    for attempt in range(1000):
        draw = Posterior(
            rows, values, 1.0, operator, seed=rng.stream_seed(seed, "operator", attempt) % 2**31, **options
        )
        curvatures = draw.curvatures()
        if curvatures[0] >= curvatures[-1] / 8:
            return replace(draw, beta=strength / float(curvatures[0]))
    raise ValueError(f"None of 1000 random operators identifies X0 ({operator}, {options}); observe more.")


def ricci_of_random_fibers(
    seed: int, *, sizes: tuple[int, ...], count: int
) -> Float[np.ndarray, "{len(sizes)} {count}"]:
    """Least Ricci curvature of the fiber over its largest, (sizes, count), for log-normal singular values."""
    found = []
    for size in sizes:
        generator = rng.numpy_generator(seed, "ricci", size)
        drawn = (theory.fiber_ricci(np.exp(0.5 * generator.normal(size=size))) for _ in range(count))
        found.append([curvature[0] / curvature[-1] for curvature in drawn])
    return np.array(found)


def ricci_formula_error(seed: int, count: int = 200) -> float:
    """Largest relative difference of the curvatures of SO(3) fibers from 2 s_i^2 s_j^2 over the product of lengths."""
    generator, worst = rng.numpy_generator(seed, "ricci formula"), 0.0
    for _ in range(count):
        s = np.exp(0.5 * generator.normal(size=3)) ** 2
        product = (s[0] + s[1]) * (s[0] + s[2]) * (s[1] + s[2])
        formula = np.sort([2 * s[0] * s[1], 2 * s[0] * s[2], 2 * s[1] * s[2]]) / product
        worst = max(worst, float(np.abs(theory.fiber_ricci(s**0.5) / formula - 1).max()))
    return worst
