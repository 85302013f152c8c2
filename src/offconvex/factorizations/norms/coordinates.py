"""Gradient flow of a balanced 2 x 2 factorization in its singular value decomposition.

W = U(theta) diag(sigma_1, s sigma_2) U(phi)^T with U a rotation, sigma_1 > sigma_2 > 0 and s = +1 or -1 the sign of the
determinant. The state is (log sigma_1, log sigma_2, theta, phi). Balanced layers make the flow of W closed (see
`field`), and the logarithm keeps what no floating-point weight can: a sigma_2 of e^(-2500), and its sign.
"""

import math

import numpy as np
from jaxtyping import Float

from offconvex.factorizations.norms.task import CornerCompletion
from offconvex.flow import Field


def field(task: CornerCompletion, *, depth: int, sign: int) -> Field:
    """Velocity of (log sigma_1, log sigma_2, theta, phi) under gradient flow over `depth` balanced layers.

    With G the loss gradient at W and H = U(theta)^T G U(phi):
    (log sigma_r)' = -L sigma_r^(1-2/L) s_r H_rr, where s_1 = 1 and s_2 = s (arora2019implicit, Theorem 3);
    theta' = -(sigma_1 H_21 + s sigma_2 H_12) / D, phi' = -(sigma_1 H_12 + s sigma_2 H_21) / D with
    D = sigma_1^(2/L) - sigma_2^(2/L): Lemma 2 there, written for two singular values.

    Raises:
        ValueError: below depth 2, where layers cannot be balanced, or if sign is not +1 or -1.
    """
    if depth < 2 or sign not in (1, -1):
        raise ValueError(f"The coordinates need depth >= 2 and sign +1 or -1; got depth {depth} and sign {sign}.")
    power = 2 / depth

    # Four numbers: the math module is ten times faster than arrays here.
    def velocity(state: np.ndarray) -> tuple[float, float, float, float]:
        log_1, log_2, theta, phi = state.tolist()
        one, two = math.exp(log_1), sign * math.exp(log_2)
        c, s, cc, ss = math.cos(theta), math.sin(theta), math.cos(phi), math.sin(phi)
        right = one * c * ss - two * s * cc - task.right
        below = one * s * cc - two * c * ss - task.below
        corner = one * s * ss + two * c * cc - task.corner
        first = s * below, c * right + s * corner
        second = c * below, c * corner - s * right
        h11, h12 = first[0] * cc + first[1] * ss, first[1] * cc - first[0] * ss
        h21, h22 = second[0] * cc + second[1] * ss, second[1] * cc - second[0] * ss
        gap = math.exp(power * log_1) - math.exp(power * log_2)
        return (
            -depth * math.exp((1 - power) * log_1) * h11,
            -depth * math.exp((1 - power) * log_2) * sign * h22,
            -(one * h21 + two * h12) / gap,
            -(one * h12 + two * h21) / gap,
        )

    return velocity


def from_product(product: Float[np.ndarray, "2 2"]) -> tuple[Float[np.ndarray, "4"], int]:
    """State and determinant's sign of an invertible matrix.

    Raises:
        ValueError: for a singular matrix, whose sigma_2 has no logarithm.
    """
    left, values, right = np.linalg.svd(np.asarray(product, dtype=np.float64))
    if not values[1] > np.finfo(np.float64).eps * values[0]:  # what rounding leaves of a zero
        raise ValueError("The matrix must be invertible, because the state holds log sigma_2; got a singular one.")
    # A reflection's second column, turned around, makes it a rotation and moves the sign into sigma_2.
    signs = np.array([np.linalg.det(left), np.linalg.det(right)])
    left[:, 1] *= np.sign(signs[0])
    right[1] *= np.sign(signs[1])
    angles = np.arctan2(left[1, 0], left[0, 0]), np.arctan2(right[0, 1], right[0, 0])
    return np.array([*np.log(values), *angles]), int(np.sign(signs.prod()))


def to_product(states: Float[np.ndarray, "*T 4"], sign: int) -> Float[np.ndarray, "*T 2 2"]:
    """Matrices of states."""
    one, two = np.exp(states[..., 0]), sign * np.exp(states[..., 1])
    c, s = np.cos(states[..., 2]), np.sin(states[..., 2])
    cc, ss = np.cos(states[..., 3]), np.sin(states[..., 3])
    rows = [
        [one * c * cc + two * s * ss, one * c * ss - two * s * cc],
        [one * s * cc - two * c * ss, one * s * ss + two * c * cc],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)
