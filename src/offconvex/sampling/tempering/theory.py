"""Closed forms of the chapter on tempering: crossing times, level laws, bias of unadjusted steps."""

import numpy as np
from jaxtyping import Float
from scipy.integrate import cumulative_trapezoid
from scipy.special import logsumexp


def log_eyring_kramers(curvature: float, barrier_curvature: float, height: float, beta: float = 1.0) -> float:
    """Logarithm of the textbook's mean time over a barrier, 2 pi / (beta sqrt(f'' |f''|)) exp(beta height).

    For dX = -beta f' dt + sqrt(2) dW and beta to infinity (bovier2004metastability); f'' at the bottom and at the top.
    """
    return np.log(2 * np.pi / beta) - 0.5 * np.log(curvature * barrier_curvature) + beta * height


def mode(r: float) -> float:
    """Position m of the right mode of half N(-r, 1) plus half N(r, 1): m = r tanh(r m); needs r > 1 for two modes.

    Elementary: the derivative is zero.
    """
    m = float(r)
    for _ in range(200):
        m = r * np.tanh(r * m)
    return m


def mode_curvature(r: float) -> float:
    """Second derivative of minus the log density at the mode, 1 - r^2 + m^2 (elementary: by differentiation)."""
    return 1 - r**2 + mode(r) ** 2


def barrier_height(r: float) -> float:
    """f(0) - f(m) of half N(-r, 1) plus half N(r, 1), f(x) = (x^2 + r^2) / 2 - log cosh(r x) (elementary)."""
    m = mode(r)
    return -(m**2 / 2 - (r * m + np.log1p(np.exp(-2 * r * m)) - np.log(2)))


def log_crossing_time(r: float, *, correction: bool = True) -> float:
    """Log of the mean time between equal modes, r large: (pi^{3/2} / sqrt 2) e^{r^2/2} / r (1 + pi^2 / (8 r^2)).

    The top of the barrier is log cosh(r x): as narrow as 1 / r, so a parabola never fits it (own derivation).
    """
    time = 1.5 * np.log(np.pi) - 0.5 * np.log(2) + r**2 / 2 - np.log(r)
    return time + (np.log1p(np.pi**2 / (8 * r**2)) if correction else 0.0)


TEXTBOOK_LIMIT = np.sqrt(np.pi / 2)
"""Limit for large r of the exact crossing time over the textbook's: 1.2533."""


def level_law(
    potential: Float[np.ndarray, " n"], x: Float[np.ndarray, " n"], beta: float
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Density proportional to exp(-beta f) on a grid, and its distribution function (elementary)."""
    density = np.exp(-beta * potential - logsumexp(-beta * potential)) / (x[1] - x[0])
    cumulative = cumulative_trapezoid(density, x, initial=0.0)
    return density, cumulative / cumulative[-1]


def total_variation(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"], x: Float[np.ndarray, " n"]
) -> float:
    """Half the integral of the difference of two densities (elementary)."""
    return float(np.trapezoid(np.abs(first - second), x) / 2)


def ula_variance(step: Float[np.ndarray, "*any"] | float) -> Float[np.ndarray, "*any"] | float:
    """Stationary variance 1 / (1 - step / 2) of unadjusted Langevin on a standard Gaussian, for steps below 2.

    Elementary: stationarity of a linear recursion.
    """
    return 1 / (1 - np.asarray(step) / 2)


def shell_rate(shape: float) -> float:
    """Rate per dimension at which the gap of half N(0, I) plus half N(0, shape^2 I) falls, in many dimensions.

    In units radius = sqrt(d) x the law of the radius is exp(d max(-x^2/2, log(1/shape) - x^2 / (2 shape^2)) + d log x):
    shells at 1 and at `shape`, of equal height, that meet at x* with x*^2 = 2 log(1/shape) / (1/shape^2 - 1). From the
    top of either to x* the exponent falls by log(1/x*) + x*^2/2 - 1/2. Warmer levels do not help: there the narrow
    shell has only the share shape^(d (1 - beta)) of the mass (own derivation, after woodard2009sufficient).
    """
    square = 2 * np.log(1 / shape) / (shape**-2 - 1)
    return float(-0.5 * np.log(square) + square / 2 - 0.5)
