"""The law of the coefficients and the overlap of absolute values: closed forms and quadrature."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import optimize, special
from scipy.stats import qmc


def coefficient_density(coefficients: Float[np.ndarray, "*any k"]) -> Float[np.ndarray, "*any"] | float:
    """Density (m,) of coefficients (m, k) on the simplex, before rejection: that of |z| / sum |z|, z standard normal.

    2^(k-1) Gamma(k/2) / pi^(k/2) / |lambda|^k with respect to the first k - 1 coordinates: integrate the density
    (2/pi)^(k/2) exp(-r^2 |lambda|^2 / 2) r^(k-1) of |z| = r lambda over r > 0 (own derivation).
    """
    k = coefficients.shape[-1]
    constant = 2 ** (k - 1) * special.gamma(k / 2) / np.pi ** (k / 2)
    return constant / np.linalg.norm(coefficients, axis=-1) ** k


def accepted_share(k: int, upper: float, dominant: float, *, grid: int = 4000) -> float:
    """Chance that a row keeps both bounds, by quadrature (own derivation).

    With S the sum of m independent |z|: a coefficient exceeds c with chance E erfc(c S / ((1 - c) sqrt 2)), m = k - 1.
    Above one half only one can, so that the chances add up; the first two stay below d with chance
    P(A < d B / (1 - d)), A and B sums of two and k - 2. Both bounds broken: a public one exceeds c while the first two
    stay below d, a sum over the excess of one of k - 2.

    Raises:
        ValueError: unless one half <= upper, which makes exceedances exclusive.
    """
    if upper < 0.5:
        raise ValueError(
            f"Expected `upper` of at least one half, where only one coefficient can exceed it; got {upper}."
        )
    x, step = _grid(grid)
    one = _half_normal(x)
    exceed = k * (_sum_density(one, k - 1, step) * special.erfc(upper * x / ((1 - upper) * np.sqrt(2)))).sum() * step
    if not dominant or k == 2:
        return 1 - exceed
    pair, others = _sum_density(one, 2, step), _sum_density(one, k - 2, step)
    below = np.interp(dominant / (1 - dominant) * x, x, (np.cumsum(pair) - pair / 2) * step, left=0)
    low = (others * below).sum() * step
    return 1 - exceed - low + (k - 2) * _both(k, upper, dominant, grid // 4)


def _grid(count: int) -> tuple[np.ndarray, float]:
    """Midpoints of `count` cells of [0, 14], beyond which sums of six |z| have no weight, and their width."""
    step = 14.0 / count
    return (np.arange(count) + 0.5) * step, step


def _half_normal(x: np.ndarray) -> np.ndarray:
    return np.sqrt(2 / np.pi) * np.exp(-(x**2) / 2)


def _sum_density(one: np.ndarray, count: int, step: float) -> np.ndarray:
    """Density of a sum of `count` independent |z| on the midpoints of a grid."""
    total = one
    for _ in range(count - 1):
        full = np.convolve(total, one)[: len(one)] * step
        # Midpoints add up to whole steps: back to midpoints by averaging neighbors.
        total = 0.5 * (full + np.concatenate([[0.0], full[:-1]]))
    return total


def _both(k: int, upper: float, dominant: float, grid: int) -> float:
    """Chance that one given public coefficient exceeds `upper` while the first two stay below `dominant`.

    With A the pair, C the other public ones and z the large one: z > u (A + C) / (1 - u) and z > (1 - d) A / d - C.
    """
    x, step = _grid(grid)
    one = _half_normal(x)
    pair = _sum_density(one, 2, step)
    if k == 3:
        least = np.maximum(upper / (1 - upper), (1 - dominant) / dominant) * x
        return (pair * special.erfc(least / np.sqrt(2))).sum() * step
    a, c = x[:, None], x[None]
    least = np.maximum(upper * (a + c) / (1 - upper), (1 - dominant) * a / dominant - c)
    rest = _sum_density(one, k - 3, step)
    return (pair[:, None] * rest[None] * special.erfc(least / np.sqrt(2))).sum() * step**2


@dataclass(frozen=True)
class CoefficientMoments:
    """Moments of accepted coefficients.

    Attributes:
        largest: E max.
        private: E of the sum of the first two.
        public: E of the sum of squares of the others.
    """

    largest: float
    private: float
    public: float


def coefficient_moments(k: int, upper: float, dominant: float, *, power: int = 17) -> CoefficientMoments:
    """Moments of accepted coefficients by a Sobol sequence of 2^power points, to some 1e-4 (own computation)."""
    points = qmc.Sobol(k, scramble=False).random_base2(power) + 0.5 / 2**power
    size = special.ndtri(0.5 + 0.5 * np.clip(points, 0, 1 - 1e-12))
    rows = size / size.sum(1, keepdims=True)
    kept = rows[(rows.max(1) <= upper) & (rows[:, :2].sum(1) >= dominant)]
    return CoefficientMoments(kept.max(1).mean(), kept[:, :2].sum(1).mean(), (kept[:, 2:] ** 2).sum(1).mean())


def folded_overlap(correlation: float) -> float:
    """E |u v| of standard normals with a correlation r: (2/pi) (sqrt(1 - r^2) + r arcsin r) (classical)."""
    return 2 / np.pi * (np.sqrt(1 - correlation**2) + correlation * np.arcsin(correlation))


def overlap_of(product: float) -> float:
    """Size of the correlation whose `folded_overlap` is `product`, by bisection (elementary: its inverse).

    Raises:
        ValueError: unless 2/pi <= product <= 1, the values it takes.
    """
    if not 2 / np.pi <= product <= 1:
        raise ValueError(f"The mean product of absolute values lies in [2/pi, 1]; got {product}.")
    return float(optimize.brentq(lambda r: folded_overlap(r) - product, 0.0, 1.0))
