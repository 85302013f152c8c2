"""Langevin chains, unadjusted (ULA) and Metropolis-adjusted (MALA): thousands of them at once, on any target."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.runtime import Runtime
from offconvex.sampling.model import Target, standard_normal, uniform
from offconvex.trajectory import Recorder


@dataclass(frozen=True)
class ChainState:
    """Where N chains are; all that the next step needs.

    Attributes:
        position: (N, ...).
        log_density: (N,) at the positions; None for unadjusted chains, which never look at it.
        gradient: (N, ...) of the log density at the positions.
    """

    position: torch.Tensor
    log_density: torch.Tensor | None
    gradient: torch.Tensor


@dataclass(frozen=True)
class FirstPassages:
    """Which of N chains have passed, and when.

    Attributes:
        who: (N,) bool.
        steps: (N,) steps up to the first after which a chain had passed, or all where it never has.
    """

    who: torch.Tensor
    steps: torch.Tensor

    @property
    def steps_at_risk(self) -> int:
        """Steps after which a chain still had to pass, over all chains."""
        return int(self.steps.sum() - self.who.sum())


@dataclass(frozen=True)
class ChainDiagnostics:
    """How N chains have moved; nothing of it is needed to go on.

    Attributes:
        steps: taken by each chain.
        accepted: (N,) share of accepted proposals; one for unadjusted chains.
        records: name -> (T, ...) of what the caller asked to keep.
        passed: first passages, where the caller asked for them.
    """

    steps: int
    accepted: torch.Tensor
    records: Mapping[str, torch.Tensor]
    passed: FirstPassages | None = None


ChainRecord = Callable[[torch.Tensor], Mapping[str, torch.Tensor]]
"""Positions (N, ...) -> what to keep of them; pure, and copied at once: it may be a view of the positions."""


def start(target: Target, position: Float[Tensor, "N ..."]) -> ChainState:
    """State of chains at the given positions.

    Raises:
        ValueError: if the log density is not finite there, or the gradient has another shape than the positions.
    """
    log_density, gradient = target.log_density(position)
    if gradient.shape != position.shape or log_density.shape != position.shape[:1]:
        raise ValueError(
            f"For positions {tuple(position.shape)} the target must give log densities {tuple(position.shape[:1])} and "
            f"gradients {tuple(position.shape)}; got {tuple(log_density.shape)} and {tuple(gradient.shape)}."
        )
    if not bool(torch.isfinite(log_density).all()):
        raise ValueError("The log density must be finite at every start; move the starts into the target's support.")
    return ChainState(position, log_density, gradient)


def ula(
    target: Target,
    state: ChainState,
    rt: Runtime,
    generator: np.random.Generator,
    *,
    step: float,
    steps: int,
    record: ChainRecord | None = None,
    record_every: int = 1,
    until: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> tuple[ChainState, ChainDiagnostics]:
    """Unadjusted Langevin: x <- x + step grad log p(x) + sqrt(2 step) xi (lee2021post2, first display).

    Its stationary law is not p but close to it: on a Gaussian of unit variance it has variance 1 / (1 - step / 2).

    Args:
        target: what to sample.
        state: where to begin; not modified.
        rt: device and precision.
        generator: source of the noise.
        step: time per step, positive.
        steps: how many.
        record: what to keep, as a function of the positions.
        record_every: steps between records; the start is not recorded.
        until: positions -> (N,) bool, whether a chain is where its first passage is to be noted, asked after every
            step; all chains go on to the last one, so that the noise of one does not depend on the others.

    Raises:
        ValueError: if the step is not positive or a count is.
        FloatingPointError: if a chain has left every bound: the step is too long for the curvature.
    """
    _check(step, steps, record_every)
    position, scale, recorder = state.position.clone(), (2 * step) ** 0.5, Recorder(record)
    gradient, waiting = state.gradient, torch.ones(len(position), dtype=torch.bool, device=rt.device)
    waited = torch.zeros_like(waiting, dtype=torch.int64)
    for number in range(1, steps + 1):
        position.add_(gradient, alpha=step).add_(standard_normal(rt, generator, position.shape), alpha=scale)
        gradient = target.slope(position)
        if number % record_every == 0:
            recorder.look(position)
        if until:
            waited += waiting
            waiting &= ~until(position)
    if not bool(torch.isfinite(position).all()):
        raise FloatingPointError(f"An unadjusted chain diverged at step {step:g}; use a shorter one.")
    ones = torch.ones(len(position), dtype=rt.dtype, device=rt.device)
    passed = FirstPassages(~waiting, waited) if until else None
    return ChainState(position, None, gradient), ChainDiagnostics(steps, ones, recorder.fields(), passed)


def mala(
    target: Target,
    state: ChainState,
    rt: Runtime,
    generator: np.random.Generator,
    *,
    step: float,
    steps: int,
    record: ChainRecord | None = None,
    record_every: int = 1,
) -> tuple[ChainState, ChainDiagnostics]:
    """Metropolis-adjusted Langevin: the proposal of `ula`, accepted so that p is exactly stationary.

    Args:
        target: what to sample.
        state: where to begin, made by `start`; not modified.
        rt: device and precision.
        generator: source of the noise and of the decisions.
        step: time per proposal, positive.
        steps: how many.
        record: what to keep, as a function of the positions.
        record_every: steps between records; the start is not recorded.

    Raises:
        ValueError: if the step is not positive or a count is, or the state comes from unadjusted chains.
    """
    _check(step, steps, record_every)
    if state.log_density is None:
        raise ValueError("MALA needs the log density at the start, which unadjusted chains do not have; use `start`.")
    position, log_density, gradient = state.position, state.log_density, state.gradient
    accepted, recorder, scale = torch.zeros_like(log_density), Recorder(record), (2 * step) ** 0.5
    for number in range(1, steps + 1):
        noise = standard_normal(rt, generator, position.shape)
        proposal = torch.add(position, gradient, alpha=step).add_(noise, alpha=scale)
        new_density, new_gradient = target.log_density(proposal)
        ratio = log_acceptance(noise, gradient, new_gradient, new_density - log_density, step)
        take = torch.log1p(-uniform(rt, generator, len(position))) < ratio
        wide = take.reshape(-1, *[1] * (position.dim() - 1))
        position = torch.where(wide, proposal, position)
        gradient = torch.where(wide, new_gradient, gradient)
        log_density = torch.where(take, new_density, log_density)
        accepted += take
        if number % record_every == 0:
            recorder.look(position)
    return ChainState(position, log_density, gradient), ChainDiagnostics(steps, accepted / steps, recorder.fields())


def log_acceptance(
    noise: Float[Tensor, "R ..."],
    gradient: Float[Tensor, "R ..."],
    new_gradient: Float[Tensor, "R ..."],
    gain: Float[Tensor, " R"],
    step: float | Float[Tensor, "R ..."],
) -> Float[Tensor, " R"]:
    """Logarithm of p(y) q(y, x) / (p(x) q(x, y)) for y = x + step g + sqrt(2 step) noise.

    Args:
        noise: that made the proposal.
        gradient: g at x, of the log density that the chain samples.
        new_gradient: at y.
        gain: log p(y) - log p(x).
        step: one for all, or one for each.

    The way back has the noise -(noise + sqrt(step / 2) (g + g')), whose square replaces that of `noise`.
    """
    back = torch.add(noise, (gradient + new_gradient) * (step / 2) ** 0.5)
    return gain + 0.5 * (noise * noise - back * back).reshape(len(gain), -1).sum(1)


def _check(step: float, steps: int, record_every: int) -> None:
    if not step > 0 or steps < 1 or record_every < 1:
        raise ValueError(
            f"A chain needs step > 0, steps >= 1 and record_every >= 1; got {step}, {steps}, {record_every}."
        )
