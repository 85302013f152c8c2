"""How often a search through seeds meets accidents, and how often it misses: NumPy alone."""

import numpy as np
from jaxtyping import Float


def accidents(
    sums: Float[np.ndarray, " N"], largest: Float[np.ndarray, " N"], k: int, rows: int, tolerance: float
) -> float:
    """Expected accidental hits a seed: rows whose sum and larger coefficient are both near some label's.

    Two coefficients of a row |z| / sum |z| have at (a, b) the density of (|z_1|, |z_2|, B) = S (a, b, 1 - a - b),
    integrated over S, B the sum of the other k - 2:

        p(a, b) = int S^2 f(aS) f(bS) f_B((1 - a - b) S) dS,    f the half-normal density.

    Either may be the larger one, and a label is met in a square of side twice the tolerance: 8 tolerance^2 p a label
    and row (own derivation).

    Args:
        sums: of the coefficients that labels show.
        largest: of both.
        k: coefficients in a row, more than two.
        rows: tried for each seed.
        tolerance: of either number.
    """
    x, step = np.linspace(0, 24, 4801, retstep=True)
    half_normal = np.sqrt(2 / np.pi) * np.exp(-(x**2) / 2)
    others = half_normal
    for _ in range(k - 3):
        # Trapezoids: both ends of the convolution's integral count half.
        both = half_normal[0] * others + half_normal * others[0]
        others = (np.convolve(half_normal, others)[: len(x)] - both / 2) * step
    one, two = largest[:, None], (sums - largest)[:, None]
    density = np.zeros(len(sums))
    for whole in np.array_split(x[1:], 48):  # in pieces that fit into memory
        rest = np.interp((1 - one - two) * whole, x, others)
        density += (whole**2 * 2 / np.pi * np.exp(-(one**2 + two**2) * whole**2 / 2) * rest).sum(1) * step
    return float(8 * tolerance**2 * rows * density.sum())


def useless_share(accepted: float, same_class: Float[np.ndarray, " rows"]) -> float:
    """Chance that no label shows any of some rows, each rejected or of two images of a class (own derivation).

    Args:
        accepted: chance that a row keeps its bounds.
        same_class: chance that the second image of each row has the first one's class.
    """
    return float(np.prod(1 - accepted * (1 - same_class)))
