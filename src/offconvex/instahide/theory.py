"""The law of the coefficients, the overlap of absolute values, and the price of a seed search: closed forms."""

import numpy as np
from scipy import integrate, optimize, special, stats
from scipy.stats import qmc


def coefficient_density(coefficients: np.ndarray) -> np.ndarray:
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
    step = 14.0 / grid
    x = (np.arange(grid) + 0.5) * step
    one = np.sqrt(2 / np.pi) * np.exp(-(x**2) / 2)
    exceed = k * _excess(_sum_density(one, k - 1, step), x, upper, step)
    if not dominant or k == 2:
        return 1 - exceed
    pair, others = _sum_density(one, 2, step), _sum_density(one, k - 2, step)
    below = np.interp(dominant / (1 - dominant) * x, x, np.cumsum(pair) * step, left=0)
    low = (others * below).sum() * step
    both = (k - 2) * _both(one, pair, _sum_density(one, k - 3, step) if k > 3 else None, x, upper, dominant, step)
    return 1 - exceed - low + both


def _sum_density(one: np.ndarray, count: int, step: float) -> np.ndarray:
    """Density of a sum of `count` independent |z| on the midpoints of a grid."""
    total = one
    for _ in range(count - 1):
        full = np.convolve(total, one)[: len(one)] * step
        # Midpoints add up to whole steps: back to midpoints by averaging neighbors.
        total = 0.5 * (full + np.concatenate([[0.0], full[:-1]]))
    return total


def _excess(density: np.ndarray, x: np.ndarray, upper: float, step: float) -> float:
    return (density * special.erfc(upper * x / ((1 - upper) * np.sqrt(2)))).sum() * step


def _both(one, pair, rest, x, upper: float, dominant: float, step: float) -> float:
    """Chance that one public coefficient exceeds `upper` while the first two stay below `dominant`.

    With A the pair, C the other public ones and z the large one: z > u (A + C) / (1 - u) and z > (1 - d) A / d - C.
    """
    if rest is None:
        least = np.maximum(upper / (1 - upper), (1 - dominant) / dominant) * x
        return (pair * special.erfc(least / np.sqrt(2))).sum() * step
    a, c = x[::4, None], x[None, ::4]
    least = np.maximum(upper * (a + c) / (1 - upper), (1 - dominant) * a / dominant - c)
    return (pair[::4, None] * rest[None, ::4] * special.erfc(least / np.sqrt(2))).sum() * (4 * step) ** 2


def coefficient_moments(k: int, upper: float, dominant: float, *, power: int = 17) -> dict[str, float]:
    """Moments of accepted coefficients by a Sobol sequence of 2^power points, to some 1e-4 (own computation).

    Returns:
        "largest", E max; "private", E of the sum of the first two; "public", E of the sum of squares of the others.
    """
    points = qmc.Sobol(k, scramble=False).random_base2(power) + 0.5 / 2**power
    size = special.ndtri(0.5 + 0.5 * np.clip(points, 0, 1 - 1e-12))
    rows = size / size.sum(1, keepdims=True)
    kept = rows[(rows.max(1) <= upper) & (rows[:, :2].sum(1) >= dominant)]
    return {
        "largest": kept.max(1).mean(),
        "private": kept[:, :2].sum(1).mean(),
        "public": (kept[:, 2:] ** 2).sum(1).mean(),
    }


def folded_overlap(correlation: float) -> float:
    """E |u v| of standard normals with a correlation r: (2/pi) (sqrt(1 - r^2) + r arcsin r) (classical)."""
    return 2 / np.pi * (np.sqrt(1 - correlation**2) + correlation * np.arcsin(correlation))


def overlap_of(product: float) -> float:
    """Size of the correlation whose `folded_overlap` is `product`, by bisection.

    Raises:
        ValueError: unless 2/pi <= product <= 1, the values it takes.
    """
    if not 2 / np.pi <= product <= 1:
        raise ValueError(f"The mean product of absolute values lies in [2/pi, 1]; got {product}.")
    return float(optimize.brentq(lambda r: folded_overlap(r) - product, 0.0, 1.0))


def linear_error(mixing: np.ndarray, noise: float) -> float:
    """Mean square error of least squares with all signs known: noise variance times tr((M^T M)^-1) / n."""
    return float(noise * np.trace(np.linalg.inv(mixing.T @ mixing)) / mixing.shape[1])


def chance_matches(rows: int, seeds: int, tried: int, tolerance: float) -> float:
    """Expected number of accidental matches of a seed search, at most.

    Each tried row meets a given label if both coefficients agree within the tolerance; their density is at most that
    of the largest value on the relevant part of the simplex, for which 20 is an upper bound (k = 6, own computation).
    """
    return rows * seeds * tried * 20 * (2 * tolerance) ** 2


def half_normal_excess(level: float) -> float:
    """P(|z| > level), for tests of the quadrature: by integration rather than erfc."""
    return 2 * integrate.quad(stats.norm.pdf, level, np.inf)[0]
