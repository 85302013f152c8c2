"""Sizes and ranks of 2 x 2 matrices along a curve of falling loss."""

import numpy as np
from jaxtyping import Float


def schatten(log_values: Float[np.ndarray, "*any r"], power: float) -> Float[np.ndarray, "*any"] | np.float64:
    """Schatten norm (power >= 1) or quasi-norm (power < 1), (sum sigma^p)^(1/p), from log sigma.

    Logarithms are taken because sigma_2 may be smaller than any floating-point number; power may be infinite.

    Raises:
        ValueError: unless power > 0.
    """
    if not power > 0:
        raise ValueError(f"A Schatten (quasi-)norm needs a positive power; got {power}.")
    largest = log_values.max(-1)
    if np.isinf(power):
        return np.exp(largest)
    return np.exp(largest) * np.exp(power * (log_values - largest[..., None])).sum(-1) ** (1 / power)


def effective_rank(log_values: Float[np.ndarray, "*any r"]) -> Float[np.ndarray, "*any"] | np.float64:
    """Exponential of the entropy of the normalized singular values, from log sigma."""
    shifted = log_values - log_values.max(-1, keepdims=True)
    log_shares = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return np.exp(-(np.exp(log_shares) * log_shares).sum(-1))


def at_loss(loss: Float[np.ndarray, "T R"], values: Float[np.ndarray, "T R"], level: float) -> Float[np.ndarray, " R"]:
    """Values where each loss curve first falls to `level`, linear in log loss; nan if never."""
    out = np.full(loss.shape[1], np.nan)
    for r, (curve, value) in enumerate(zip(loss.T, values.T)):
        reached = np.flatnonzero(curve <= level)
        if not len(reached):
            continue
        k = reached[0]
        if k == 0:
            out[r] = value[0]
            continue
        span = np.log(curve[k - 1] / curve[k])
        out[r] = value[k - 1] + (value[k] - value[k - 1]) * np.log(curve[k - 1] / level) / span
    return out
