"""Decoupled decay: the sphere on which the weights of steepest descent end."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from offconvex.bias.certificate import NORMS, bound, dual_norm, loss_weights, margins, mixture, norm
from offconvex.bias.steepest import theory
from offconvex.bias.steepest.margins import step_scale
from offconvex.bias.steepest.rules import Rule, direction, follow


@dataclass(frozen=True)
class DecayedRun:
    """W <- (1 - eta decay) W + eta D, with eta decay = `part`, falling by `fall` over the last steps.

    Attributes:
        decays: lambda of each run.
        part: of the weights that a step replaces.
        steps: of each run.
        tail: share of them that is shortened, evenly in the logarithm.
        fall: by which the last step is shorter than the first.
        looks: numbers of steps, evenly spaced in the logarithm, at which the norm is read.
    """

    decays: tuple[float, ...] = (0.5, 2.0)
    part: float = 0.02
    steps: int = 5000
    tail: float = 0.5
    fall: float = 1000.0
    looks: int = 50

    def __post_init__(self):
        possible = len(self.decays) and all(0 < decay < np.inf for decay in self.decays)
        if not possible or not 0 < self.part <= 1 or not 0 < self.tail < 1 or self.steps < 4:
            raise ValueError(
                "A decayed run needs finite positive decays, a part in (0, 1], a tail in (0, 1) and four steps or "
                f"more; got {self.decays}, {self.part}, {self.tail} and {self.steps}."
            )

    @property
    def parts(self) -> Float[np.ndarray, " T"]:
        """Part of the weights that each step replaces, eta times decay."""
        shortened = int(self.tail * self.steps)
        return self.part * np.r_[np.ones(self.steps - shortened), np.geomspace(1, 1 / self.fall, shortened)]


@dataclass(frozen=True)
class DecayedNorms:
    """Norm of the weights times decay, for each decay L, at K numbers of steps, R data sets.

    Attributes:
        steps: (K,).
        radius: norm times decay, (K, L, R).
        limit: what theory lets it be at most, (K,).
        gap: how far the loss's logarithm is above its least value in the ball, at most, at the end, (L, R).
    """

    steps: np.ndarray
    radius: np.ndarray
    limit: np.ndarray
    gap: np.ndarray


def decayed(
    config: DecayedRun, name: str, data: Float[np.ndarray, "R N n m"], rule: Rule | None = None
) -> DecayedNorms:
    """Runs with decay by the rule of a norm, or by another rule, judged in that norm; axes (L, R).

    The rule serves each decay in turn, so it must have no memory.
    """
    every = np.broadcast_to(data, (len(config.decays), *data.shape))
    decays = np.array(config.decays)[:, None]
    keep = np.unique(np.geomspace(1, config.steps, config.looks).astype(int))
    rule = rule or (lambda gradient: direction(name, gradient))
    # Each decay has its own step, so that all replace the same part of their weights: one call for each.
    courses = [follow(data, rule, config.parts / decay, decay=decay, keep=list(keep)) for decay in config.decays]
    weights = np.stack([course.weights for course in courses], axis=1)
    end = weights[-1]
    gradient = mixture(every, loss_weights(margins(every, end)))
    gap = theory.ball_gap(dual_norm(name, gradient), np.sum(gradient * end, axis=(-2, -1)), decays)
    limit = theory.ball_radius(config.parts, 1.0)[courses[0].steps - 1]
    return DecayedNorms(courses[0].steps, norm(name, weights) * decays, limit, gap)


@dataclass(frozen=True)
class Pick:
    """Steepest descent in one norm, without decay and with it.

    Attributes:
        norm: one of `certificate.NORMS`.
        decay: lambda of the second run.
        steps: of each run.
        first: first step of the run without decay, in units of `margins.step_scale`; steps fall like 1 / sqrt(t).
        looks: numbers of steps, evenly spaced in the logarithm, at which margin and certificate are read.
    """

    norm: str = "spectral"
    decay: float = 0.5
    steps: int = 5000
    first: float = 3.0
    looks: int = 50

    def __post_init__(self):
        if self.norm not in NORMS:
            raise ValueError(f"A norm is one of {', '.join(NORMS)}; got {self.norm!r}.")
        if not (0 < self.decay < np.inf and self.first > 0 and self.looks >= 2):
            raise ValueError(
                "A pick needs a positive decay, a positive first step and two looks or more; got "
                f"{self.decay}, {self.first}, {self.looks}."
            )


@dataclass(frozen=True)
class Picked:
    """What the two runs know at K numbers of steps, the one without decay first.

    Attributes:
        steps: (K,).
        margin: smallest margin over the norm, (2, K).
        bound: least certificate so far, (2, K).
    """

    steps: np.ndarray
    margin: np.ndarray
    bound: np.ndarray


def pick(config: Pick, examples: Float[np.ndarray, "N n m"]) -> Picked:
    """Both runs on one data set."""
    place = NORMS.index(config.norm)
    plain = config.first * step_scale(examples[None])[place, 0] / np.sqrt(np.arange(1, config.steps + 1))
    decayed = DecayedRun(decays=(config.decay,), steps=config.steps).parts / config.decay
    keep = np.unique(np.geomspace(1, config.steps, config.looks).astype(int))
    found = []
    for lengths, decay in ((plain, 0.0), (decayed, config.decay)):
        course = follow(examples, lambda g: direction(config.norm, g), lengths, decay=decay, keep=list(keep))
        every = np.broadcast_to(examples, (len(keep), *examples.shape))
        least = margins(every, course.weights).min(axis=-1)
        means = np.stack([course.mean_p(last=k) for k in range(len(keep))])
        bounds = np.minimum(bound(config.norm, every, course.p), bound(config.norm, every, means))
        found.append((least / norm(config.norm, course.weights), np.minimum.accumulate(bounds)))
    margin, bounds = (np.stack(column) for column in zip(*found))
    return Picked(keep, margin, bounds)
