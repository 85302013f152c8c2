"""One norm and one decay of the reader's choice: margin and certificate along two runs, without decay and with it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from offconvex.bias.certificate import NORMS, bound, margins, norm
from offconvex.bias.steepest.margins import step_scale
from offconvex.bias.steepest.radius import DecayedRun
from offconvex.bias.steepest.rules import direction, follow


@dataclass(frozen=True)
class Pick:
    """Steepest descent in one norm.

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
