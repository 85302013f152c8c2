"""Five norms of matrices, their duals, and the certificate by which a run bounds how far from the best margin it is.

All of it is NumPy in float64: nothing here depends on a device.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

NORMS = ("frobenius", "max", "spectral", "sum", "nuclear")
"""Root of the sum of squares, largest entry, largest singular value, sum of entries, sum of singular values."""

DUAL = {"frobenius": "frobenius", "max": "sum", "spectral": "nuclear", "sum": "max", "nuclear": "spectral"}
"""Of each norm the one that is the largest inner product with its unit ball (elementary, e.g. by the five rules)."""

LOSSES = ("exponential", "logistic")


def norm(name: str, matrices: Float[np.ndarray, "*any n m"]) -> Float[np.ndarray, "*any"] | np.floating:
    """One of `NORMS` of each matrix.

    Raises:
        ValueError: if there is no such norm, or an entry is not finite.
    """
    if name not in DUAL:
        raise ValueError(f"A norm is one of {', '.join(NORMS)}; got {name!r}.")
    matrices = np.asarray(matrices)
    if not np.isfinite(matrices).all():
        raise ValueError(f"A norm needs finite entries; got {np.count_nonzero(~np.isfinite(matrices))} that are not.")
    if name == "frobenius":
        return np.sqrt(np.sum(matrices**2, axis=(-2, -1)))
    if name == "max":
        return np.abs(matrices).max(axis=(-2, -1))
    if name == "sum":
        return np.abs(matrices).sum(axis=(-2, -1))
    values = np.linalg.svd(matrices, compute_uv=False)
    return values[..., 0] if name == "spectral" else values.sum(axis=-1)


def dual_norm(name: str, matrices: Float[np.ndarray, "*any n m"]) -> Float[np.ndarray, "*any"] | np.floating:
    """Largest inner product of each matrix with a matrix whose norm `name` is at most one.

    Raises:
        ValueError: as `norm`.
    """
    return norm(DUAL.get(name, name), matrices)


def margins(
    examples: Float[np.ndarray, "*#any N n m"], weights: Float[np.ndarray, "*#any n m"]
) -> Float[np.ndarray, "... N"]:
    """Inner product of the weights with each example, shape (*any, N); the label y_i is a factor of its example."""
    *_, count, rows, columns = np.shape(examples)
    flat = np.reshape(examples, (*np.shape(examples)[:-2], rows * columns))
    return (flat @ np.reshape(weights, (*np.shape(weights)[:-2], rows * columns, 1)))[..., 0]


def loss_weights(values: Float[np.ndarray, "*any N"], loss: str = "exponential") -> Float[np.ndarray, "*any N"]:
    """Share p_i of each example in the gradient, -l'(z_i) over its sum, from the margins z_i.

    For the exponential loss the softmax of -z, for the logistic one sigmoid(-z) over its sum. It is computed relative
    to the smallest margin, so no margin is too large.

    Raises:
        ValueError: if there is no such loss.
    """
    if loss not in LOSSES:
        raise ValueError(f"A loss is one of {', '.join(LOSSES)}; got {loss!r}.")
    logs = -np.asarray(values) if loss == "exponential" else -np.logaddexp(0.0, values)
    found = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return found / found.sum(axis=-1, keepdims=True)


def mixture(
    examples: Float[np.ndarray, "*#any N n m"], p: Float[np.ndarray, "*#any N"]
) -> Float[np.ndarray, "... n m"]:
    """Sum of p_i times example i, shape (*any, n, m): minus the gradient of the loss over the sum of the -l'(z_i)."""
    *_, count, rows, columns = np.shape(examples)
    flat = np.reshape(examples, (*np.shape(examples)[:-2], rows * columns))
    found = (np.asarray(p)[..., None, :] @ flat)[..., 0, :]
    return found.reshape(*found.shape[:-1], rows, columns)


def bound(
    name: str, examples: Float[np.ndarray, "*#any N n m"], p: Float[np.ndarray, "*#any N"]
) -> Float[np.ndarray, "..."] | np.floating:
    """The certificate: no weights of norm one have a smallest margin above the dual norm of sum_i p_i X_i.

    For every p >= 0 of sum one, min_i <W, X_i> <= sum_i p_i <W, X_i> <= ||W|| ||sum_i p_i X_i||_dual; with the best p
    equality holds (minimax). Whichever loss, p = `loss_weights` is a choice that costs nothing, since the run has
    computed it: the certificate is the dual norm of the loss's gradient over the sum of the -l'(z_i). So is every mean
    of several p.

    Raises:
        ValueError: if p is not a mean, or as `norm`.
    """
    p = np.asarray(p)
    if not (np.all(p >= 0) and np.allclose(p.sum(axis=-1), 1, rtol=0, atol=1e-9)):
        raise ValueError(
            f"A certificate needs weights p >= 0 of sum 1; got a least one of {p.min():.3g} and sums from "
            f"{p.sum(axis=-1).min():.6g} to {p.sum(axis=-1).max():.6g}: divide by the sum, or use `loss_weights`."
        )
    return dual_norm(name, mixture(examples, p))


@dataclass(frozen=True)
class Certificate:
    """What a run knows of its own optimality, each (*any,).

    Attributes:
        margin: smallest margin over the norm of the weights; the best possible one is no smaller.
        bound: what the best possible one does not exceed.
    """

    margin: np.ndarray | np.floating
    bound: np.ndarray | np.floating

    @property
    def share(self) -> Float[np.ndarray, "..."] | np.floating:
        """At least this share of the best margin is reached."""
        return self.margin / self.bound


def certify(
    name: str,
    examples: Float[np.ndarray, "*#any N n m"],
    weights: Float[np.ndarray, "*#any n m"],
    p: Float[np.ndarray, "*#any N"] | None = None,
) -> Certificate:
    """Brackets the best margin in a norm between what the weights reach and what p certifies.

    Args:
        name: one of `NORMS`.
        examples: each times its label.
        weights: of the separators, any size but zero.
        p: that of the exponential loss at these weights unless given.

    Raises:
        ValueError: if the weights separate the examples in no direction, and as `bound`.
    """
    found = margins(examples, weights)
    upper = bound(name, examples, loss_weights(found) if p is None else p)
    least = found.min(axis=-1)
    if not np.all(least > 0):
        raise ValueError(
            f"A certificate judges weights that separate the examples; got a smallest margin of {least.min():.3g}, and "
            f"no weights of norm one have more than {upper.min():.3g}: train longer, and if that number tends to zero, "
            "the examples are not separable."
        )
    return Certificate(least / norm(name, weights), upper)
