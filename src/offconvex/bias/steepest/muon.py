"""Muon on separable data: where decay lets its weights rest, and which part of the spectral margin it reaches."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from offconvex.bias.certificate import bound, certify, margins, mixture, norm
from offconvex.bias.steepest.polynomial import iterates, orthogonalized
from offconvex.bias.steepest.radius import DecayedRun
from offconvex.bias.steepest.rules import MarginCourse, Rule, direction, follow

MOMENTA = (0.0, 0.95)
"""None, and that of the public code."""


def muon(momenta: Float[np.ndarray, "*#any"] | float, steps: int = 5) -> Rule:
    """Muon's direction, a new rule with an empty memory.

    B <- beta B + (1 - beta) G, and Newton and Schulz's steps on beta B + (1 - beta) G, as in public code
    (jordan2024muon), without its factor sqrt(max(1, rows / columns)), which would scale the radius along. Its gradients
    are here those of the logarithm of the loss, as for every other rule.

    Args:
        momenta: beta of each replica.
        steps: of the polynomial.

    Raises:
        ValueError: if a momentum is not in [0, 1).
    """
    beta = np.asarray(momenta, float)[..., None, None]
    if not np.all((beta >= 0) & (beta < 1)):
        raise ValueError(f"A momentum must be in [0, 1); got {momenta}.")
    memory = np.zeros(())

    def step(gradient: np.ndarray) -> np.ndarray:
        nonlocal memory
        memory = beta * memory + (1 - beta) * gradient
        return orthogonalized(beta * memory + (1 - beta) * gradient, steps)

    return step


def predicted(gradients: Float[np.ndarray, "*any n m"], steps: int = 5) -> Float[np.ndarray, "*any"] | np.floating:
    """Largest singular value of Muon's direction once the gradient is at rest: the largest phi^steps(s_i)."""
    values = np.linalg.svd(gradients, compute_uv=False)
    return iterates(values / np.sqrt(np.sum(values**2, axis=-1, keepdims=True)), steps)[-1].max(axis=-1)


@dataclass(frozen=True)
class MuonRest:
    """Spectral norm of the weights times decay, for L decays, M momenta and R data sets.

    Attributes:
        steps: numbers of steps at which the norm is read, (K,).
        radius: norm times decay, (K, L, M, R).
        predicted: by the last gradient, (L, M, R).
    """

    steps: np.ndarray
    radius: np.ndarray
    predicted: np.ndarray

    @property
    def error(self) -> Float[np.ndarray, "L M R"]:
        """Relative difference of the last radius from the predicted one."""
        return np.abs(self.radius[-1] / self.predicted - 1)


def rested(
    config: DecayedRun, data: Float[np.ndarray, "R N n m"], momenta: tuple[float, ...] = MOMENTA, steps: int = 5
) -> MuonRest:
    """Muon with decoupled decay from zero, each step a given part of the weights, until it is at rest.

    Raises:
        ValueError: as `muon`.
    """
    every = np.broadcast_to(data, (len(momenta), *data.shape))
    keep = np.unique(np.geomspace(1, config.steps, config.looks).astype(int))
    radius, limits = [], []
    for decay in config.decays:
        rule = muon(np.array(momenta)[:, None], steps)
        course = follow(every, rule, config.parts / decay, decay=decay, keep=list(keep))
        radius.append(norm("spectral", course.weights) * decay)
        limits.append(predicted(mixture(every, course.p[-1]), steps))
    return MuonRest(course.steps, np.stack(radius, axis=1), np.stack(limits))


@dataclass(frozen=True)
class MuonRace:
    """Muon and the exact polar factor on the same data, with steps first / sqrt(t).

    Attributes:
        steps: of each run.
        first: length of the first step.
    """

    steps: int = 6000
    first: float = 0.3

    def __post_init__(self):
        if self.steps < 20 or not self.first > 0:
            raise ValueError(f"A race needs 20 steps and a positive first one; got {self.steps}, {self.first}.")

    @property
    def lengths(self) -> Float[np.ndarray, " T"]:
        """Of the steps."""
        return self.first / np.sqrt(np.arange(1, self.steps + 1))


@dataclass(frozen=True)
class MuonShares:
    """Shares of the best spectral margin, for M momenta and R data sets.

    Attributes:
        share: Muon's, (M, R).
        gain: what its own run explains: gain over size, relative to the exact polar factor's, (M, R).
        polar: share of the exact polar factor, (R,).
    """

    share: np.ndarray
    gain: np.ndarray
    polar: np.ndarray


def gain_over_size(
    data: Float[np.ndarray, "*any N n m"], course: MarginCourse, lengths: Float[np.ndarray, " T"]
) -> Float[np.ndarray, "*any"]:
    """(sum eta <G, D> / sum eta ||G||_*) / (sum eta ||D||_2 / sum eta) along a course from zero, kept at every step.

    One for the exact polar factor. Up to terms that vanish like ln(t) / sqrt(t) no share is less: the margin is then at
    least sum eta <G, D>, the weights are at most sum eta ||D||_2, and no mean of certificates is below the best margin
    (own derivation).

    Raises:
        ValueError: if the course was not kept at every step.
    """
    if len(course.steps) != len(lengths):
        raise ValueError(f"The gain needs all of {len(lengths)} steps; {len(course.steps)} were kept.")
    eta = np.asarray(lengths).reshape(-1, *[1] * (course.weights.ndim - 3))
    moves = np.diff(course.weights, axis=0, prepend=0.0 * course.weights[:1])
    p = np.concatenate([np.full_like(course.p[:1], 1 / data.shape[-3]), course.p[:-1]])
    gradients = mixture(np.broadcast_to(data, (len(eta), *data.shape)), p)
    gained = np.sum(gradients * moves, axis=(-2, -1)).sum(axis=0)
    possible = np.sum(eta * norm("nuclear", gradients), axis=0)
    return gained / possible / (norm("spectral", moves).sum(axis=0) / np.sum(lengths))


def shares(
    config: MuonRace, data: Float[np.ndarray, "R N n m"], momenta: tuple[float, ...] = MOMENTA, steps: int = 5
) -> MuonShares:
    """Runs Muon and the exact polar factor without decay; the least certificate of all of them judges each.

    Raises:
        ValueError: as `muon`, and if a run does not separate the examples.
    """
    every = np.broadcast_to(data, (len(momenta), *data.shape))
    lengths, half = config.lengths, config.steps // 2
    all_steps = list(range(1, config.steps + 1))
    course = follow(every, muon(np.array(momenta)[:, None], steps), lengths, keep=all_steps)
    polar = follow(data, lambda gradient: direction("spectral", gradient), lengths, keep=[half])
    own = certify("spectral", data, polar.weights[-1])
    found = [own.bound, bound("spectral", data, polar.mean_p(0)), *bound("spectral", every, course.mean_p())]
    best = np.min(found, axis=0)
    end = course.weights[-1]
    reached = margins(every, end).min(axis=-1) / norm("spectral", end)
    return MuonShares(reached / best, gain_over_size(every, course, lengths), own.margin / best)
