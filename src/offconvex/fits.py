"""Numbers read off curves and samples: lines and powers, first crossings, quartiles, distances in standard errors."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped


def slope(x: Shaped[np.ndarray, " n"] | Sequence[float], y: Shaped[np.ndarray, " n"] | Sequence[float]) -> float:
    """Least-squares slope of y (n,) over x (n,)."""
    return float(np.polyfit(x, y, 1)[0])


def power_law(
    x: Shaped[np.ndarray, " n"] | Sequence[float], y: Shaped[np.ndarray, " n"] | Sequence[float]
) -> tuple[float, float]:
    """Exponent and factor of y = factor x^exponent, by least squares in log-log; all numbers (n,) positive."""
    exponent, offset = np.polyfit(np.log(x), np.log(y), 1)
    return float(exponent), float(np.exp(offset))


def crossing(times: Shaped[np.ndarray, " T"], values: Shaped[np.ndarray, " T"], level: float | np.floating) -> float:
    """First time at which a curve (T,) reaches `level`, interpolated linearly; nan if it never does."""
    reached = np.flatnonzero(values >= level)
    if not len(reached):
        return float("nan")
    k = reached[0]
    if k == 0:
        return float(times[0])
    share = (level - values[k - 1]) / (values[k] - values[k - 1])
    return float(times[k - 1] + share * (times[k] - times[k - 1]))


def quartiles(values: Shaped[np.ndarray, "..."], axis: int = -1) -> Float[np.ndarray, "3 ..."]:
    """Lower quartile, median and upper quartile along an axis."""
    return np.quantile(values, (0.25, 0.5, 0.75), axis=axis)


def z_scores(samples: np.ndarray, expected: np.ndarray | Sequence[float] | float = 0.0, axis: int = 0) -> np.ndarray:
    """Mean minus expected along an axis of n >= 2 samples, in standard errors of the mean."""
    error = samples.std(axis, ddof=1) / np.sqrt(samples.shape[axis])
    return (samples.mean(axis) - expected) / error


def largest_z_score(
    samples: Float[np.ndarray, "n columns"], expected: Float[np.ndarray, " #columns"] | Sequence[float] | float = 0.0
) -> float:
    """Largest distance of a column's mean from what is expected, in standard errors."""
    return float(np.abs(z_scores(samples, expected)).max())
