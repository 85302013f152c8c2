"""Closed forms of the jumps of one weight alone: all there is where the columns are orthogonal."""

import numpy as np
from jaxtyping import Float


def lone_time(
    curvature: Float[np.ndarray, "*any"] | float, target: Float[np.ndarray, "*any"] | float
) -> Float[np.ndarray, "*any"] | float:
    """Limit of the time tau at which a weight with loss c (w - b)^2 / 2 jumps, 1 / (c |b|).

    Its gradient is -c b until it moves, and s has to go from 0 to +-1 (pesme2023saddle, Algorithm 1, first jump).
    """
    return 1 / (np.asarray(curvature) * np.abs(target))


def lone_offset(
    curvature: Float[np.ndarray, "*any"] | float, target: Float[np.ndarray, "*any"] | float
) -> Float[np.ndarray, "*any"] | float:
    """What ln(1/alpha) (tau(alpha) - tau) tends to at half loss, (ln|b| - arcsinh 1) / (2 c |b|).

    Once it moves, |w| is logistic, |b| / (1 + exp(-4 c |b| (t - t0))), and long before equals alpha^2 exp(4 c |b| t),
    so 4 c |b| t0 = 2 ln(1/alpha) + ln|b|; the loss is half when |w| = |b| (1 - 1/sqrt 2), which is when
    4 c |b| (t - t0) = -arcsinh 1 (own derivation).
    """
    slope = np.asarray(curvature) * np.abs(target)
    return (np.log(np.abs(target)) - np.arcsinh(1.0)) / (2 * slope)
