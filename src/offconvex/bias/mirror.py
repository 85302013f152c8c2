"""The one interpolator that a network w = u^2 - v^2 can reach with given u v, found without training anything.

All of it is NumPy in float64: nothing here depends on a device.
"""

import numpy as np
from jaxtyping import Bool, Float

TOLERANCE = 2e-13
"""Where Newton's method stops: |Xw - y| as a share of |y|, some hundred times the rounding of one product."""

RIDGE = 1e-15
"""Added to the Hessian's diagonal, which is scaled to one."""


def primal(
    s: Float[np.ndarray, "*batch d"],
    log_plus: Float[np.ndarray, "*#batch #d"] | float,
    log_minus: Float[np.ndarray, "*#batch #d"] | float,
) -> Float[np.ndarray, "*batch d"]:
    """Weights exp(log_plus + s) - exp(log_minus - s), accurate near zero too where both logarithms are the same."""
    middle, half = (log_plus + log_minus) / 2, (log_plus - log_minus) / 2
    return 2 * np.exp(middle) * np.sinh(s + half)


def curvature(
    s: Float[np.ndarray, "*batch d"],
    log_plus: Float[np.ndarray, "*#batch #d"] | float,
    log_minus: Float[np.ndarray, "*#batch #d"] | float,
) -> Float[np.ndarray, "*batch d"]:
    """Slope dw/ds = exp(log_plus + s) + exp(log_minus - s), that is u^2 + v^2."""
    return np.exp(log_plus + s) + np.exp(log_minus - s)


def dual(
    X: Float[np.ndarray, "*batch n d"],
    y: Float[np.ndarray, "*batch n"],
    log_plus: Float[np.ndarray, "*#batch #d"] | float,
    log_minus: Float[np.ndarray, "*#batch #d"] | float | None = None,
    *,
    start: Float[np.ndarray, "*batch n"] | None = None,
    most: int = 500,
) -> tuple[Float[np.ndarray, "*batch d"], Float[np.ndarray, "*batch n"]]:
    """The weights w = exp(log_plus + s) - exp(log_minus - s) with s = X^T nu and X w = y, and nu.

    They are unique, and minimize a potential among all interpolators (woodworth2020kernel; with one start for all
    weights, log_plus = log_minus = ln alpha^2, that of `diagonal.theory.potential`). nu minimizes the convex
    sum(exp(log_plus + s) + exp(log_minus - s)) - y.nu, by Newton's method. A step that moves s by at most m is
    shortened by ln(1 + m) / m, with which a sum of exponentials falls in every step, however far the start is:
    alpha = 1e-40 needs no other care than its logarithm. (Along the step the third derivative of such a sum is at
    most m times the second.)

    Args:
        X: examples as rows, fewer than weights and linearly independent, so that every y is reached.
        y: labels, or any other values that the model is to take.
        log_plus: ln alpha_+^2, one number or one for each weight.
        log_minus: ln alpha_-^2; the same as log_plus if it is not given.
        start: where Newton's method begins, 0 if not given; a solution nearby saves steps.
        most: Newton steps at most.

    Raises:
        ValueError: if shapes do not belong together, there are more examples than weights, or an entry is not finite,
            as the logarithm of a start at zero is not.
        ArithmeticError: if labels are not reached, because rows of X are nearly dependent.
    """
    *batch, n, d = X.shape
    if y.shape != (*batch, n) or n > d:
        raise ValueError(f"Expected X (..., n, d) and y (..., n) with n <= d; got {X.shape} and {y.shape}.")
    log_plus = np.broadcast_to(np.asarray(log_plus, dtype=float), (*batch, d))
    log_minus = log_plus if log_minus is None else np.broadcast_to(np.asarray(log_minus, dtype=float), (*batch, d))
    flat = (X.reshape(-1, n, d), y.reshape(-1, n), log_plus.reshape(-1, d), log_minus.reshape(-1, d))
    if not all(np.isfinite(part).all() for part in flat):
        raise ValueError("Examples, labels and ln alpha^2 must be finite; is alpha positive?")
    nu = np.zeros((len(flat[0]), n)) if start is None else np.array(start, dtype=float).reshape(-1, n)
    open_ = np.arange(len(nu))
    for _ in range(most):
        here = [part[open_] for part in flat]
        step, reached = _newton(nu[open_], *here)
        open_, step = open_[~reached], step[~reached]
        if not len(open_):
            break
        nu[open_] += step
    else:
        raise ArithmeticError(
            f"{len(open_)} of {len(nu)} interpolators are not found in {most} steps; "
            "give rows that are not nearly dependent."
        )
    s = (flat[0].transpose(0, 2, 1) @ nu[..., None])[..., 0]
    return primal(s, flat[2], flat[3]).reshape(*batch, d), nu.reshape(*batch, n)


def _newton(
    nu: Float[np.ndarray, "B n"],
    X: Float[np.ndarray, "B n d"],
    y: Float[np.ndarray, "B n"],
    log_plus: Float[np.ndarray, "B d"],
    log_minus: Float[np.ndarray, "B d"],
) -> tuple[Float[np.ndarray, "B n"], Bool[np.ndarray, " B"]]:
    """Newton's step, shortened, and which of the problems needs none."""
    s = (X.transpose(0, 2, 1) @ nu[..., None])[..., 0]
    residual = y - (X @ primal(s, log_plus, log_minus)[..., None])[..., 0]
    reached = np.linalg.norm(residual, axis=-1) <= TOLERANCE * np.linalg.norm(y, axis=-1)
    # Weights of very different size make X D X^T graded: rows and columns are put on one scale before it is solved.
    hessian = (X * curvature(s, log_plus, log_minus)[:, None, :]) @ X.transpose(0, 2, 1)
    scale = 1 / np.sqrt(np.einsum("bii->bi", hessian))
    # Where fewer weights than examples are of any size, it is singular to all digits: a ridge at the rounding keeps
    # the direction one of descent.
    scaled = hessian * scale[:, :, None] * scale[:, None, :] + RIDGE * np.eye(X.shape[-2])
    step = scale * np.linalg.solve(scaled, (scale * residual)[..., None])[..., 0]
    reach = np.abs((X.transpose(0, 2, 1) @ step[..., None])[..., 0]).max(axis=-1, keepdims=True)
    return step * np.log1p(reach) / np.maximum(reach, 1e-300), reached
