"""What steepest descent owes its norm: the gap between margin and certificate, and the ball that decay keeps."""

import numpy as np
from jaxtyping import Float


def guaranteed_gap(lengths: Float[np.ndarray, " T"], largest: float, examples: int) -> Float[np.ndarray, " T"]:
    """After each number of steps, how far the certificate of the mean p is above a positive margin, at most.

    (ln N + L^2 sum eta^2 / 2) / sum eta, with L the largest dual norm of an example; own derivation in the manner of
    fan2025implicit: f = ln sum exp(-z_i) starts at ln N and is at least -min z; a step along D of norm one changes it
    by at most -eta ||G||_dual + eta^2 L^2 / 2, since its second derivative is a variance of numbers in [-L, L]; the
    weights' norm is at most sum eta; and by convexity the mean p certifies no more than the mean of ||G||_dual.
    Steps like 1 / sqrt(t) make it ln(t) / sqrt(t), whatever the data.
    """
    return (np.log(examples) + largest**2 * np.cumsum(lengths**2) / 2) / np.cumsum(lengths)


def ball_radius(lengths: Float[np.ndarray, " T"], decay: float, size: float = 1.0) -> Float[np.ndarray, " T"]:
    """After each number of steps from zero, what no norm of weights exceeds under decoupled decay.

    size (1 - prod(1 - eta_s decay)) / decay, for directions of norm at most `size`: elementary, the recursion
    r <- (1 - eta decay) r + eta size; for decay zero size times sum eta. It is below size / decay for ever.
    """
    if decay == 0:
        return size * np.cumsum(lengths)
    return size * -np.expm1(np.cumsum(np.log1p(-lengths * decay))) / decay


def ball_gap(
    dual: Float[np.ndarray, "*any"], product: Float[np.ndarray, "*any"], decay: Float[np.ndarray, "*#any"] | float
) -> Float[np.ndarray, "*any"]:
    """How far ln sum exp(-z_i) is above its least value in the ball of radius 1 / decay, at most.

    ||G||_dual / decay - <G, W>, which is zero only at the minimum. With decay a step is
    W <- (1 - eta decay) W + eta decay (D / decay), the method of Frank and Wolfe on the ball: the connection is that of
    xie2024implicit, the gap that of Frank and Wolfe.
    """
    return dual / decay - product
