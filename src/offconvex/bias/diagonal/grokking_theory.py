"""When a network w = u^2 - v^2 with weight decay groks, from the static curve alone: to first and to second order."""

import numpy as np
from jaxtyping import Float


def corrected_labels(
    X: Float[np.ndarray, "*batch n d"],
    y: Float[np.ndarray, "*batch n"],
    curvature: Float[np.ndarray, "*batch d"],
    decay: Float[np.ndarray, "*#batch"] | float,
) -> Float[np.ndarray, "*batch n"]:
    """What the sliding model fits in place of y: y - (n lambda / 2) H^-1 y, H = X diag(u^2 + v^2) X^T.

    The flow of |Xw - y|^2 / (2n) + lambda (|u|^2 + |v|^2) / 2 has w = 2 alpha^2 sinh(X^T nu) with alpha falling as
    exp(-lambda t) and nu' = -(4 / n)(Xw - y), exactly. While it slides, Xw = y to leading order, whose derivative
    0 = H nu' - 2 lambda Xw gives nu' = 2 lambda H^-1 y; so Xw = y - (n / 4) nu', up to a remainder of second order in
    lambda (own derivation).

    Args:
        X: examples as rows.
        y: labels.
        curvature: u^2 + v^2 = 2 alpha^2 cosh(X^T nu) of the interpolator of y at the present alpha.
        decay: lambda.
    """
    H = (X * curvature[..., None, :]) @ np.swapaxes(X, -1, -2)
    pull = np.linalg.solve(H, y[..., None])[..., 0]
    return y - X.shape[-2] / 2 * np.asarray(decay)[..., None] * pull


def grokking_time(
    log_alpha: Float[np.ndarray, "*#runs"] | float,
    log_critical: Float[np.ndarray, "*#runs"] | float,
    decay: Float[np.ndarray, "*#runs"] | float,
) -> Float[np.ndarray, "*runs"] | float:
    """Time ln(alpha / alpha_c) / lambda at which a start alpha has decayed to alpha_c (elementary).

    That it is of this order: lyu2024dichotomy; that decay moves the mirror map: jacobs2025mirror; with alpha_c from
    the static curve its error is a share of order lambda of it, with `corrected_labels` of order lambda^2 (ours).

    Raises:
        ValueError: if a decay is not positive.
    """
    if not np.all(np.asarray(decay) > 0):
        raise ValueError(f"Only a positive decay makes a network grok; got {decay}.")
    return (np.asarray(log_alpha) - log_critical) / np.asarray(decay)
