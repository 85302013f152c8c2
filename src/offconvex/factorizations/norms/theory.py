"""What the sign of a determinant forces on a 2 x 2 completion, in closed form.

Throughout q = (2 loss)^(1/2), the largest residual that a loss (1/2) sum of squared residuals allows.
"""

import numpy as np
from jaxtyping import Float

EFFECTIVE_RANK_SLOPE = 2 * np.sqrt(12) / np.log(2)
"""Factor of loss^(1/2) in the effective rank bound of razin2020implicit, Theorem 1."""


def entry_curve(
    loss: Float[np.ndarray, "*any"] | float, *, right: float = 1.0, below: float = 1.0, corner: float = 0.0
) -> Float[np.ndarray, "*any"] | float:
    """|W11| of the rank-one matrix with W12 = right, W21 = below and all loss in W22: |right below| / (|corner| + q).

    For corner = 0 this is 1 / (2 loss)^(1/2). For another corner it is the branch on which |W22| exceeds |corner|,
    where W11 has the sign of right * below * corner; on the other branch q is subtracted, and the loss cannot fall
    below corner^2 / 2 (razin2020implicit, Theorem 2; own derivation of the branches).
    """
    return abs(right * below) / (abs(corner) + np.sqrt(2 * np.asarray(loss)))


def entry_lower_bound(
    loss: Float[np.ndarray, "*any"] | float, *, right: float = 1.0, below: float = 1.0, corner: float = 0.0
) -> Float[np.ndarray, "*any"] | float:
    """Least |W11| while det W has the sign that no fit has: (|right| - q)(|below| - q) / (|corner| + q), else 0.

    det W = W11 W22 - W12 W21 has the sign of -W12 W21 unless |W11 W22| >= |W12 W21|, and W12, W21 and W22 are within q
    of their observations (razin2020implicit, proof of Theorem 1). Every Schatten norm and quasi-norm is at least the
    largest singular value and hence at least |W11|, so this bounds all of them.
    """
    q = np.sqrt(2 * np.asarray(loss, dtype=np.float64))
    return np.maximum(abs(right) - q, 0) * np.maximum(abs(below) - q, 0) / (abs(corner) + q)


def entry_time(entry: Float[np.ndarray, "*any"] | float, *, depth: int) -> Float[np.ndarray, "*any"] | float:
    """Flow time after which |W11| has grown to `entry`, leading order: entry^(2 + 2/L) / (2 (L + 1)).

    On the rank-one manifold, with W12 = W21 up to 1/|W11|^2 and W22 = 1/|W11|, the growth law becomes
    |W11|' = L |W11|^(-1-2/L) (own derivation).
    """
    return np.asarray(entry, dtype=np.float64) ** (2 + 2 / depth) / (2 * (depth + 1))


def distance_bound(loss: Float[np.ndarray, "*any"] | float) -> Float[np.ndarray, "*any"] | float:
    """Largest distance to rank one, 3 (2 loss)^(1/2), while det W > 0 (razin2020implicit, Theorem 1)."""
    return 3 * np.sqrt(2 * np.asarray(loss))


def sharp_distance_bound(loss: Float[np.ndarray, "*any"] | float) -> Float[np.ndarray, "*any"] | float:
    """Largest sigma_2, q, while det W > 0 and loss < 1/2.

    Then W12 W21 > 0, so 0 < sigma_1 sigma_2 = det W < W11 W22 <= sigma_1 q (own derivation).
    """
    return np.sqrt(2 * np.asarray(loss))


def effective_rank_bound(loss: Float[np.ndarray, "*any"] | float) -> Float[np.ndarray, "*any"] | float:
    """Largest effective rank, 1 + (2 sqrt(12) / ln 2) loss^(1/2), while det W > 0 (razin2020implicit, Theorem 1)."""
    return 1 + EFFECTIVE_RANK_SLOPE * np.sqrt(loss)


def sharp_effective_rank_bound(loss: Float[np.ndarray, "*any"] | float) -> Float[np.ndarray, "*any"] | float:
    """Largest effective rank while det W > 0 and loss < 1/8: exp(entropy(p)) with p = x / (1 + x), x = (q / (1 - q))^2.

    x bounds sigma_2 / sigma_1, as sigma_2 <= q and sigma_1 >= (1 - q)^2 / q; for q < 1/2 it is below 1, where the
    entropy still grows with p (own derivation).
    """
    q = np.sqrt(2 * np.asarray(loss, dtype=np.float64))
    ratio = (q / (1 - q)) ** 2
    small, large = ratio / (1 + ratio), 1 / (1 + ratio)
    return np.exp(-small * np.log(small) - large * np.log(large))


def spiked_nuclear_minimizer(*, spike: float, flat: Float[np.ndarray, " b"]) -> float:
    """W11 of least nuclear norm among [[W11, spike b^T], [spike b, b b^T]] with |b| <= spike: |b|^2.

    In the basis e1, b/|b| the matrix is [[w, spike |b|], [spike |b|, |b|^2]]. While w < spike^2 its determinant is
    negative, so its squared nuclear norm |W|_F^2 + 2 |det W| is w^2 - 2 w |b|^2 + const (own example, after
    arora2019implicit, Section 2). Rank one would need w = spike^2.

    Args:
        spike: k.
        flat: b, with |b| <= k.

    Raises:
        ValueError: if |b| > k, where the formula does not hold.
    """
    size = float(np.linalg.norm(flat))
    if size > abs(spike):
        raise ValueError(f"The formula needs |b| <= spike; got |b| = {size:.3g} and spike {spike:.3g}.")
    return size**2


def least_norm_solution(
    features: Float[np.ndarray, "n d"], labels: Float[np.ndarray, " n *columns"]
) -> Float[np.ndarray, " d *columns"]:
    """Solution (d,) of least Euclidean norm of features (n, d) w = labels (n,), n < d, by the pseudoinverse.

    Elementary.
    """
    return np.linalg.pinv(features) @ labels
