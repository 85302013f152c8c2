"""What a leaderboard tells of each submission: everything, or only real improvements."""

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt64

from offconvex.holdout import bits


def naive(losses: Float[np.ndarray, "*any"], digits: int = 5) -> Float[np.ndarray, "*any"]:
    """Every loss, rounded as Kaggle rounded it, in any shape."""
    return np.round(losses, digits)


def ladder(losses: Float[np.ndarray, "R k"], step: float) -> tuple[Float[np.ndarray, "R k"], Bool[np.ndarray, "R k"]]:
    """The Ladder with a fixed step (blum2015ladder, Algorithm 1).

    Args:
        losses: true losses on the held-out set, in the order of submission.
        step: improvements up to it are not reported, and reports are multiples of it.

    Returns:
        Reports, and whether each submission lowered the report.

    Raises:
        ValueError: if the step is not in (0, 1].
    """
    if not 0 < step <= 1:
        raise ValueError(f"The Ladder's step must lie in (0, 1]; got {step}.")
    reports, accepted = np.empty(losses.shape), np.empty(losses.shape, dtype=bool)
    best = np.full(len(losses), np.inf)
    for t, loss in enumerate(losses.T):
        accepted[:, t] = loss < best - step
        best = np.where(accepted[:, t], np.round(loss / step) * step, best)
        reports[:, t] = best
    return reports, accepted


def paired_deviation(
    differing: Shaped[np.ndarray, "*any"] | int, change: Float[np.ndarray, "*any"], size: int
) -> Float[np.ndarray, "*any"]:
    """Sample standard deviation of the differences of 0/1 losses of two submissions that differ in `differing` places.

    The differences are 0, 1 and -1 with sum `change` * n and sum of squares `differing`.
    """
    return np.sqrt(np.maximum(differing - size * change**2, 0) / (size - 1))


def free_ladder(
    submissions: UInt64[np.ndarray, "R k words"], labels: UInt64[np.ndarray, "R words"], size: int
) -> tuple[Float[np.ndarray, "R k"], Bool[np.ndarray, "R k"]]:
    """The parameter-free Ladder: an improvement counts if it exceeds its own standard error (blum2015ladder, Sec. 3.1).

    Args:
        submissions: packed predictions.
        labels: packed labels.
        size: n.

    Returns:
        Reports, and whether each submission lowered the report.
    """
    losses = bits.ones(submissions ^ labels[:, None]) / size
    reports, accepted = np.empty(losses.shape), np.empty(losses.shape, dtype=bool)
    best, leader = np.full(len(losses), np.inf), submissions[:, 0]
    for t, loss in enumerate(losses.T):
        now = submissions[:, t]
        if t:
            spread = paired_deviation(bits.ones(now ^ leader), loss - best, size)
            accepted[:, t] = loss < best - spread / np.sqrt(size)
        else:
            accepted[:, 0] = True
        best = np.where(accepted[:, t], loss, best)
        leader = np.where(accepted[:, t, None], now, leader)
        reports[:, t] = best
    return reports, accepted


def thresholdout(
    train: Float[np.ndarray, "*any"],
    held_out: Float[np.ndarray, "*any"],
    threshold: float,
    noise: float,
    draws: np.random.Generator,
) -> Float[np.ndarray, "*any"]:
    """Answers of Thresholdout: the value on the training set unless the held-out value contradicts it.

    With |train - held out| > threshold + noise it answers the held-out value plus noise (dwork2015reusable, with the
    Gaussian noise of their published demonstration).
    """
    gate, answer = draws.normal(scale=noise, size=(2, *np.shape(train)))
    return np.where(np.abs(train - held_out) > threshold + gate, held_out + answer, train)
