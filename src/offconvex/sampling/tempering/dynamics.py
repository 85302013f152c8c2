"""Simulated tempering: chains that also move between temperatures, and the weights of the levels, learned."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from offconvex.runtime import Runtime
from offconvex.sampling.langevin import log_acceptance
from offconvex.sampling.model import Target, standard_normal, uniform


def ladder(spread: float, dimension: int) -> Float[np.ndarray, " L"]:
    """Inverse temperatures from 1 / spread^2 up to 1, in equal ratios of at most 1 + 1 / dimension.

    `spread` is the largest distance of a mode's mean from the origin, in standard deviations of a mode: at the hottest
    level the density is one hill. The ratio keeps swaps likely (ge2018simulated).

    Raises:
        ValueError: if the spread is below one, where there is nothing to temper, or the dimension is not positive.
    """
    if not spread >= 1 or dimension < 1:
        raise ValueError(f"A ladder needs spread >= 1 and dimension >= 1; got {spread}, {dimension}.")
    rungs = 1 + int(np.ceil(np.log(spread**2) / np.log1p(1 / dimension) - 1e-9))
    return np.geomspace(spread**-2.0, 1.0, rungs) if rungs > 1 else np.ones(1)


@dataclass(frozen=True)
class Levels:
    """The temperatures and what the chain believes of their normalizing constants.

    Attributes:
        betas: (L,) inverse temperatures, increasing, the last one 1.
        log_constants: (L,) logarithms of the estimated integrals of p^beta, up to a common constant.
    """

    betas: torch.Tensor
    log_constants: torch.Tensor


@dataclass(frozen=True)
class TemperingState:
    """Where N tempered chains are; all that the next step needs.

    Attributes:
        level: (N,) index into the levels.
        position: (N, ...).
        log_density: (N,) of the target at the positions, without temperature.
        gradient: (N, ...) of it.
    """

    level: torch.Tensor
    position: torch.Tensor
    log_density: torch.Tensor
    gradient: torch.Tensor


@dataclass(frozen=True)
class TemperingDiagnostics:
    """How N tempered chains have moved, summed over chains and steps.

    Attributes:
        visits: (L,) chain-steps that ended at each level.
        moves_accepted: (L,) share of accepted Langevin proposals at each level.
        up: (L - 1,) mean acceptance probability of a swap from a level to the next colder one, over visits below.
        down: (L - 1,) the same from the colder one.
        marked: (N, 2) per chain: steps at the coldest level, and those of them in the marked set.
        path: level (T, N) and position (T, N, ...) at each step, if asked for.
    """

    visits: torch.Tensor
    moves_accepted: torch.Tensor
    up: torch.Tensor
    down: torch.Tensor
    marked: torch.Tensor
    path: dict[str, torch.Tensor]

    @property
    def occupancy(self) -> Float[Tensor, " L"]:
        """Share of time at each level times the number of levels: one where the weights are right."""
        return self.visits / self.visits.mean()

    @property
    def swaps_accepted(self) -> float:
        """Share of proposed swaps that were accepted, proposals beyond the ends not counted."""
        n, m = self.visits[:-1], self.visits[1:]
        return float((n * self.up + m * self.down).sum() / (n + m).sum())


def swap_log_ratio(
    log_density: Float[Tensor, " R"], levels: Levels, level: Int[Tensor, " R"], other: Int[Tensor, " R"]
) -> Float[Tensor, " R"]:
    """Logarithm of p_other(x) / p_level(x), both normalized by the estimated constants (lee2021post2, transitions)."""
    change = levels.betas[other] - levels.betas[level]
    return change * log_density - (levels.log_constants[other] - levels.log_constants[level])


def begin(target: Target, levels: Levels, rt: Runtime, generator: np.random.Generator, shape: tuple[int, ...]):
    """Chains at the hottest level, drawn from N(0, 1 / beta_1), the law of a hill as wide as all modes together.

    Args:
        target: what to sample.
        levels: the temperatures.
        rt: device and precision.
        generator: source of the draws.
        shape: (N, ...) of the positions.
    """
    position = standard_normal(rt, generator, shape) / levels.betas[0].sqrt()
    log_density, gradient = target.log_density(position)
    return TemperingState(torch.zeros(shape[0], dtype=torch.int64, device=rt.device), position, log_density, gradient)


def temper(
    target: Target,
    levels: Levels,
    state: TemperingState,
    rt: Runtime,
    generator: np.random.Generator,
    *,
    step: float,
    steps: int,
    swap_rate: float,
    adjusted: bool = True,
    always_swap: bool = False,
    mark=None,
    path_every: int = 0,
) -> tuple[TemperingState, TemperingDiagnostics]:
    """Simulated tempering: a Langevin step at the chain's own temperature, then, at a rate, a proposed swap.

    Each of the two leaves the joint law (uniform over levels, p^beta at each) as it is, so their sequence does too.

    Args:
        target: what to sample.
        levels: temperatures and constants.
        state: where to begin; not modified.
        rt: device and precision.
        generator: source of noise and decisions.
        step: time of a Langevin step, the same at every level, as in the source.
        steps: how many.
        swap_rate: proposed swaps per unit of time; half of them go up, half down.
        adjusted: whether Langevin proposals are accepted or rejected (MALA); otherwise all are taken (ULA).
        always_swap: control: take every swap, without the Metropolis filter.
        mark: positions -> (N,) bool, the set whose share of the coldest level is counted.
        path_every: keep level and position every so many steps; 0 for never.

    Raises:
        ValueError: if the step or the number of steps is not positive, or more than one swap would fall on a step.
    """
    if not step > 0 or steps < 1 or not 0 <= swap_rate * step <= 1:
        raise ValueError(
            f"Tempering needs step > 0, steps >= 1 and swap_rate * step <= 1; got {step}, {steps}, {swap_rate}."
        )
    count, rungs, chance = len(state.level), len(levels.betas), swap_rate * step
    wide = (-1, *[1] * (state.position.dim() - 1))
    level, position, log_density, gradient = state.level, state.position, state.log_density, state.gradient
    visits, taken, marked = rt.zeros(rungs), rt.zeros(rungs), rt.zeros(count, 2)
    chances, paths = rt.zeros(2, rungs), []
    for number in range(1, steps + 1):
        beta = levels.betas[level]
        noise = standard_normal(rt, generator, position.shape)
        proposal = torch.addcmul(position, gradient, (step * beta).reshape(wide)).add_(noise, alpha=(2 * step) ** 0.5)
        new_density, new_gradient = target.log_density(proposal)
        if adjusted:
            slope, new_slope = gradient * beta.reshape(wide), new_gradient * beta.reshape(wide)
            ratio = log_acceptance(noise, slope, new_slope, beta * (new_density - log_density), step)
            take = torch.log1p(-uniform(rt, generator, count)) < ratio
            position = torch.where(take.reshape(wide), proposal, position)
            gradient = torch.where(take.reshape(wide), new_gradient, gradient)
            log_density = torch.where(take, new_density, log_density)
            taken.index_add_(0, level, take.to(rt.dtype))
        else:
            position, log_density, gradient = proposal, new_density, new_gradient
            taken += torch.bincount(level, minlength=rungs)
        visits += torch.bincount(level, minlength=rungs)
        draw = uniform(rt, generator, count)
        who = (draw < chance).nonzero().squeeze(1)
        here = level[who]
        there = here + torch.where(draw[who] < chance / 2, 1, -1)
        inside = (there >= 0) & (there < rungs)
        who, here, there = who[inside], here[inside], there[inside]
        ratio = swap_log_ratio(log_density[who], levels, here, there)
        # Kept as probabilities, which vary less than the decisions: two rows, swaps toward cold and toward hot.
        chances.view(-1).index_add_(0, here + rungs * (there < here), ratio.clamp(max=0).exp())
        if not always_swap:
            keep = torch.log1p(-uniform(rt, generator, len(who))) < ratio
            there = torch.where(keep, there, here)
        level = level.index_copy(0, who, there)
        if mark is not None:
            cold = level == rungs - 1
            marked[:, 0] += cold
            marked[:, 1] += cold & mark(position)
        if path_every and number % path_every == 0:
            paths.append({"level": level, "position": position.clone()})
    proposed = (visits * chance / 2).clamp(min=1)
    return TemperingState(level, position, log_density, gradient), TemperingDiagnostics(
        visits,
        taken / visits.clamp(min=1),
        (chances[0] / proposed)[:-1],
        (chances[1] / proposed)[1:],
        marked,
        {name: torch.stack([p[name] for p in paths]) for name in ("level", "position")} if paths else {},
    )


@dataclass(frozen=True)
class LadderSchedule:
    """How the constants of the levels are learned.

    Attributes:
        step: time of a Langevin step.
        swap_rate: proposed swaps per unit of time.
        stage: steps for each level that is added.
        refinements: passes over the finished ladder that correct the constants by its own swaps, and are averaged.
        refinement: steps of each.
        adjusted: MALA, or ULA.
    """

    step: float = 0.05
    swap_rate: float = 10.0
    stage: int = 400
    refinements: int = 2
    refinement: int = 1000
    adjusted: bool = True


def learn(
    target: Target,
    betas: Float[np.ndarray, " L"],
    rt: Runtime,
    generator: np.random.Generator,
    shape: tuple[int, ...],
    schedule: LadderSchedule,
) -> tuple[Levels, TemperingState]:
    """Constants of the levels, from the hottest to the coldest, by the chain itself (ge2018simulated).

    With l levels known, the chains run on them and the next constant follows from those at level l:
    Z_{l+1} / Z_l = E_l exp((beta_{l+1} - beta_l) log p). When all are known, each refinement corrects the ratios by
    detailed balance, Z_{l+1} / Z_l times the mean acceptance upward over that downward. The corrected value does not
    depend on the constants that a refinement ran with, so all of them count: each next one runs with their mean.

    Args:
        target: what to sample.
        betas: inverse temperatures, increasing.
        rt: device and precision.
        generator: source of all draws.
        shape: (N, ...) of the positions.
        schedule: steps.

    Returns:
        The levels, and the state of the chains at the end.
    """
    temperatures, constants = rt.tensor(betas), rt.zeros(1)
    levels = Levels(temperatures[:1], constants)
    state = begin(target, levels, rt, generator, shape)
    options = {"step": schedule.step, "swap_rate": schedule.swap_rate, "adjusted": schedule.adjusted}
    for known in range(1, len(betas)):
        halves, estimates = max(schedule.stage // 8, 1), []
        for part in range(8):
            state, _ = temper(target, levels, state, rt, generator, steps=halves, **options)
            if part >= 2:  # the first quarter lets chains reach the newest level
                at_last = state.level == known - 1
                weights = (temperatures[known] - temperatures[known - 1]) * state.log_density[at_last]
                estimates.append(weights)
        pooled = torch.cat(estimates)
        growth = torch.logsumexp(pooled, 0) - np.log(max(len(pooled), 1))
        constants = torch.cat([constants, (constants[-1] + growth)[None]])
        levels = Levels(temperatures[: known + 1], constants)
    corrected = []
    for _ in range(schedule.refinements if len(betas) > 1 else 0):
        state, seen = temper(target, levels, state, rt, generator, steps=schedule.refinement, **options)
        correction = torch.cat([rt.zeros(1), torch.log(seen.up / seen.down).cumsum(0)])
        corrected.append(levels.log_constants + correction)
        levels = replace(levels, log_constants=torch.stack(corrected).mean(0))
    return levels, state
