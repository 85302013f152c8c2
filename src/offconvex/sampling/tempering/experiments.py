"""Experiments of the chapter on tempering: crossing times, mode shares, level laws, bias of unadjusted steps."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from offconvex import rng
from offconvex.runtime import Runtime
from offconvex.sampling import measure
from offconvex.sampling.langevin import mala, start, ula
from offconvex.sampling.model import TwoModes, standard_gaussian, standard_normal
from offconvex.sampling.tempering import grid_theory, theory
from offconvex.sampling.tempering.dynamics import (
    LadderSchedule,
    Levels,
    TemperingDiagnostics,
    TemperingState,
    begin,
    ladder,
    learn,
    temper,
)


@dataclass(frozen=True)
class Crossings:
    """First passages of unadjusted Langevin from the bottom of one mode to that of the other.

    Attributes:
        rs: half distances of the means.
        chains: how many for each of them.
        step: time per step; overshoot makes hitting times too long by a share of order sqrt(step) / time.
        horizon: longest time to follow a chain; the mean passage takes 47 at r = 2.5, and its law has an exponential
            tail.
    """

    rs: tuple[float, ...] = (2.0, 2.5)
    chains: tuple[int, ...] = (30_000, 24_000)
    step: float = 0.01
    horizon: float = 1e4

    def __post_init__(self):
        if len(self.rs) != len(self.chains) or not min(self.rs) > 1 or min(self.chains) < 2 or not self.step > 0:
            raise ValueError(
                "Crossings need as many counts of chains as half distances, each r > 1 (else there is one mode), two "
                f"chains or more and step > 0; got {self.rs}, {self.chains}, {self.step}."
            )


@dataclass(frozen=True)
class BesideExact:
    """Simulated numbers beside the exact ones, each (len(rs),).

    Attributes:
        value: over chains.
        error: its standard error.
        exact: what it would be for infinitely many chains and no step.
    """

    value: np.ndarray
    error: np.ndarray
    exact: np.ndarray


def crossing_times(config: Crossings, rt: Runtime, seed: int) -> BesideExact:
    """Mean first passage times.

    Raises:
        FloatingPointError: if a chain does not arrive before the horizon.
    """
    found, block = [], 200
    for r, chains in zip(config.rs, config.chains):
        bottom, generator = theory.mode(r), rng.numpy_generator(seed, "crossings", str(r))
        steps, waiting = rt.zeros(chains), torch.arange(chains, device=rt.device)
        position, target, elapsed = rt.zeros(chains, 1) - bottom, TwoModes(r).target(), 0.0
        while len(waiting):
            if elapsed >= config.horizon:
                raise FloatingPointError(
                    f"{len(waiting)} of {chains} chains did not cross before time {config.horizon:.3g} at r = {r}; "
                    "give a longer `horizon`."
                )
            state, seen = ula(
                target,
                start(target, position),
                rt,
                generator,
                step=config.step,
                steps=block,
                until=lambda x, goal=bottom: x[:, 0] >= goal,
            )
            steps[waiting] += seen.passed.steps
            elapsed += block * config.step
            # Chains that have arrived are dropped block by block.
            waiting, position = waiting[~seen.passed.who], state.position[~seen.passed.who]
        mean, error = float(steps.mean()) * config.step, float(steps.std()) * config.step / chains**0.5
        x = grid_theory.grid(r + 9, 0.01)
        found.append((mean, error, grid_theory.hitting_time(grid_theory.two_modes(x, r=r), x, -bottom, bottom)))
    return BesideExact(*np.array(found).T)


@dataclass(frozen=True)
class Relaxation:
    """How fast stationary Langevin chains forget their side.

    Attributes:
        rs: half distances of the means.
        chains: independent chains for each.
        step: time per step.
        lead: time before the first of two looks, in which faster modes die out; their rates are near one.
        wait: time between the looks, in units of the predicted relaxation time: the error is least near one.
    """

    rs: tuple[float, ...] = (2.0, 2.5)
    chains: tuple[int, ...] = (250_000, 160_000)
    step: float = 0.02
    lead: float = 3.0
    wait: float = 0.8


def relaxation_rates(config: Relaxation, rt: Runtime, seed: int) -> BesideExact:
    """Relaxation rates, whose exact ones are the gaps."""
    found = []
    for r, chains in zip(config.rs, config.chains):
        generator, modes = rng.numpy_generator(seed, "relaxation", str(r)), TwoModes(r)
        x = np.arange(0, r + 9, 0.01)
        gap = float(np.exp(grid_theory.log_symmetric_gap(grid_theory.two_modes(x, r=r), x)))
        state = start(modes.target(), modes.draw(rt, generator, chains))
        first, looks = state.position[:, 0].sign(), []
        counts = [round(config.lead / config.step), round(config.wait / gap / config.step)]
        for steps in counts:
            state, _ = ula(modes.target(), state, rt, generator, step=config.step, steps=steps)
            looks.append(state.position[:, 0].sign())
        found.append((*measure.relaxation_rate(torch.stack(looks), first, counts[1] * config.step), gap))
    return BesideExact(*np.array(found).T)


@dataclass(frozen=True)
class Tempered:
    """A tempering run on two modes from a hot start, with learned constants.

    Attributes:
        modes: the target.
        chains: how many.
        schedule: how the constants are learned.
        settle: steps after that which are not counted.
        steps: steps that are.
    """

    modes: TwoModes = TwoModes(5.0, 1, 0.7)
    chains: int = 4000
    schedule: LadderSchedule = LadderSchedule(step=0.2, swap_rate=5.0, stage=80, refinements=2, refinement=800)
    settle: int = 800
    steps: int = 1200


@dataclass(frozen=True)
class TemperedRun:
    """What a tempering run left behind.

    Attributes:
        levels: temperatures and learned constants.
        state: where the chains ended.
        diagnostics: of the counted steps.
    """

    levels: Levels
    state: TemperingState
    diagnostics: TemperingDiagnostics

    def positions(self, level: int) -> Float[np.ndarray, " chains"]:
        """First coordinates of the chains at a level at the end, independent of each other."""
        return self.state.position[self.state.level == level, 0].cpu().numpy()


def on_the_right(position: Float[Tensor, "N d"]) -> Bool[Tensor, " N"]:
    """Whether chains are on the side of the right mode, (N,)."""
    return position[:, 0] > 0


def tempered(config: Tempered, rt: Runtime, seed: int) -> TemperedRun:
    """Learn the constants, let the chains settle, and count."""
    modes, schedule = config.modes, config.schedule
    generator = rng.numpy_generator(seed, "tempered", *map(str, (modes.r, modes.dimension, modes.right, modes.shape)))
    target, betas = modes.target(), ladder(modes.r, modes.dimension)
    levels, state = learn(target, betas, rt, generator, (config.chains, modes.dimension), schedule)
    options = {"step": schedule.step, "swap_rate": schedule.swap_rate}
    state, _ = temper(target, levels, state, rt, generator, steps=config.settle, **options)
    state, diagnostics = temper(target, levels, state, rt, generator, steps=config.steps, mark=on_the_right, **options)
    return TemperedRun(levels, state, diagnostics)


def unfiltered(config: Tempered, rt: Runtime, seed: int, looks: int = 8) -> list[Float[np.ndarray, " _"]]:
    """First coordinates at each level of chains that take every swap, pooled over looks, one array per level.

    Without the filter the levels' constants play no part. Chains walk through all levels in some dozens of swaps, so
    that looks are nearly independent.
    """
    modes, schedule = config.modes, config.schedule
    generator, betas = rng.numpy_generator(seed, "unfiltered"), ladder(modes.r, modes.dimension)
    levels = Levels(rt.tensor(betas), rt.zeros(len(betas)))
    state = begin(modes.target(), levels, rt, generator, (config.chains, modes.dimension))
    options = {"step": schedule.step, "swap_rate": schedule.swap_rate, "always_swap": True}
    state, _ = temper(modes.target(), levels, state, rt, generator, steps=config.settle, **options)
    options |= {"steps": config.steps, "path_every": max(config.steps // looks, 1)}
    _, seen = temper(modes.target(), levels, state, rt, generator, **options)
    first = seen.path["position"][..., 0]
    return [first[seen.path["level"] == level].cpu().numpy() for level in range(len(betas))]


def unlearned_occupancy(config: Tempered, rt: Runtime, seed: int) -> Float[np.ndarray, " L"]:
    """Occupancy (L,) of a run whose constants were never learned: all levels are believed to have the same integral."""
    modes, schedule = config.modes, config.schedule
    generator, betas = rng.numpy_generator(seed, "unlearned"), ladder(modes.r, modes.dimension)
    levels = Levels(rt.tensor(betas), rt.zeros(len(betas)))
    state = begin(modes.target(), levels, rt, generator, (config.chains, modes.dimension))
    options = {"step": schedule.step, "swap_rate": schedule.swap_rate}
    state, _ = temper(modes.target(), levels, state, rt, generator, steps=config.settle, **options)
    _, seen = temper(modes.target(), levels, state, rt, generator, steps=config.settle, **options)
    return seen.occupancy.cpu().numpy()


def plain(config: Tempered, rt: Runtime, seed: int) -> tuple[float, float]:
    """Share of the right mode, with error, of plain MALA from the left mode, after as many steps as `tempered`."""
    modes, schedule = config.modes, config.schedule
    generator = rng.numpy_generator(seed, "plain", str(modes.r), modes.dimension)
    rungs = len(ladder(modes.r, modes.dimension))
    steps = (rungs - 1) * schedule.stage + schedule.refinements * schedule.refinement + config.settle + config.steps
    state = start(modes.target(), modes.left(rt, generator, config.chains))
    state, _ = mala(modes.target(), state, rt, generator, step=schedule.step, steps=steps)
    right = on_the_right(state.position).double()
    return float(right.mean()), float(right.std()) / len(right) ** 0.5


def hot_only(config: Tempered, rt: Runtime, seed: int) -> Float[np.ndarray, " {config.chains}"]:
    """First coordinates of chains that only run at the hottest temperature, from its own start."""
    generator, target = rng.numpy_generator(seed, "hot"), config.modes.target()
    levels = Levels(rt.tensor(ladder(config.modes.r, config.modes.dimension)[:1]), rt.zeros(1))
    state = begin(target, levels, rt, generator, (config.chains, config.modes.dimension))
    state, _ = temper(target, levels, state, rt, generator, step=config.schedule.step, steps=2000, swap_rate=0.0)
    return state.position[:, 0].cpu().numpy()


@dataclass(frozen=True)
class StepBias:
    """Variance of Langevin chains on a standard Gaussian, step by step size.

    Attributes:
        step_sizes: time per step.
        chains: independent chains for each.
        forget: the chains run until what is left of the start's variance is below this.
    """

    step_sizes: tuple[float, ...] = (0.05, 0.1, 0.2, 0.4, 0.8)
    chains: int = 400_000
    forget: float = 1e-4


def step_bias(config: StepBias, rt: Runtime, seed: int) -> dict[str, Float[np.ndarray, " {len(config.step_sizes)}"]]:
    """Variances of unadjusted and adjusted chains, each (len(step_sizes),), and the relative standard error sqrt(2/n).

    Unadjusted chains start at their mean's variance of one and forget by (1 - step)^2 a step; adjusted ones start in
    their stationary law, and whatever moves them away from it would show.
    """
    found = {"ULA": [], "MALA": [], "accepted": []}
    target = standard_gaussian()
    for step in config.step_sizes:
        steps = int(np.ceil(np.log(config.forget) / np.log((1 - step) ** 2)))
        generator = rng.numpy_generator(seed, "bias", str(step))
        begin_at = start(target, standard_normal(rt, generator, (config.chains,)))
        state, _ = ula(target, begin_at, rt, generator, step=step, steps=steps)
        found["ULA"].append(float(state.position.square().mean()))
        state, seen = mala(target, begin_at, rt, generator, step=step, steps=steps)
        found["MALA"].append(float(state.position.square().mean()))
        found["accepted"].append(float(seen.accepted.mean()))
    return {name: np.array(values) for name, values in found.items()}
