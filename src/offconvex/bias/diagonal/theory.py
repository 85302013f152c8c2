"""Closed forms for networks w = u^2 - v^2: the potential, limits of the step, and how fast label noise spends u v."""

import numpy as np
from jaxtyping import Bool, Float


def potential(w: Float[np.ndarray, "*batch d"], alpha: float) -> Float[np.ndarray, "*batch"] | np.floating:
    """Q_alpha(w) = alpha^2 sum q(w_i / alpha^2) with q(z) = 2 - sqrt(4 + z^2) + z arcsinh(z / 2).

    Gradient flow from u = v = alpha ends at the interpolator where it is least (woodworth2020kernel). To leading order
    it is |w|^2 / (4 alpha^2) for large alpha and |w|_1 ln(1 / alpha^2) for small alpha.

    Raises:
        ValueError: if alpha is not positive.
    """
    if not alpha > 0:
        raise ValueError(f"A potential needs alpha > 0; got {alpha}.")
    z = np.asarray(w) / alpha**2
    return alpha**2 * np.sum(2 - np.hypot(2, z) + z * np.arcsinh(z / 2), axis=-1)


def stable_rate(X: Float[np.ndarray, "*batch n d"]) -> Float[np.ndarray, "*batch"] | np.floating:
    """Rate n / (4 |X|^2), a scale for small steps (own computation).

    At an interpolator the Hessian in (u, v) has the eigenvalues of 4/n X diag(u^2 + v^2) X^T, so that descent is stable
    up to twice this rate where all u^2 + v^2 are one, and further where most are smaller.
    """
    return X.shape[-2] / (4 * np.linalg.norm(X, 2, axis=(-2, -1)) ** 2)


def support_rate(
    X: Float[np.ndarray, "*batch n d"], support: Bool[np.ndarray, "*batch d"]
) -> Float[np.ndarray, "*batch"] | np.floating:
    """Largest stable rate 2 / (4 lambda_max(X_S^T X_S) / n) of descent at w*, +-1 on S (own computation)."""
    return X.shape[-2] / (2 * np.linalg.norm(X * support[..., None, :], 2, axis=(-2, -1)) ** 2)


def single_rate(
    X: Float[np.ndarray, "*batch n d"], support: Bool[np.ndarray, "*batch d"]
) -> Float[np.ndarray, "*batch"] | np.floating:
    """Rate 2 / (4 max |x_S|^2) above which steps on the largest example alone would grow at w* (own computation)."""
    return 1 / (2 * np.sum((X * support[..., None, :]) ** 2, axis=-1).max(axis=-1))


def noise_drift(
    X: Float[np.ndarray, "*batch n d"],
    squares: Float[np.ndarray, "*batch d"],
    rate: float | Float[np.ndarray, "*batch"],
    noise: float,
) -> Float[np.ndarray, "*batch d"]:
    """Mean change of ln |u_i v_i| in a step with label noise: -4 rate^2 noise^2 x_i^T (I - rate H / 2)^-1 x_i / n^2.

    H = 4/n X diag(u^2 + v^2) X^T. Own computation, after blanc2020implicit and li2022what: u_i v_i is multiplied by
    1 - a_i^2 with a = 2 rate X^T r / n, and r, the residual with the noise in it, has the stationary covariance
    noise^2 (I - rate H / 2)^-1: with C that of Xw - y, C = (I - rate H) C (I - rate H) + rate^2 noise^2 H^2.

    Args:
        X: examples as rows, x_i its columns.
        squares: u^2 + v^2 where the run is.
        rate: gamma of a step, one number or one for each problem.
        noise: sigma.

    Raises:
        ValueError: if the rate is not stable there, that is 2 / lambda_max(H) or larger.
    """
    n = X.shape[-2]
    rate = np.asarray(rate, dtype=float)[..., None, None]
    H = 4 / n * (X * squares[..., None, :]) @ np.swapaxes(X, -1, -2)
    inner = np.eye(n) - rate * H / 2
    if not np.linalg.eigvalsh(inner).min() > 0:
        raise ValueError("Noise has a stationary size only below the rate 2 / lambda_max(H); take a smaller rate.")
    return -4 * (rate[..., 0] * noise) ** 2 * np.sum(X * np.linalg.solve(inner, X), axis=-2) / n**2
