"""Adam on separable data, epsilon = 0: the rate at which its loss falls, the limit of that rate, and its memory.

Own derivations. Let the gradient shrink by exp(-R) a step. Adam's two means are then geometric sums,

    m = g (1 - beta1) / (1 - beta1 e^R),    v = g^2 (1 - beta2) / (1 - beta2 e^{2R}),

so that m / sqrt(v) is the sign of g times one number, `stride`, in all entries in which g keeps its sign. If the
weights tend in direction to a solution of the best margin gamma in the max entry norm, and these are the entries in
which they end largest, then the largest entry grows by eta stride a step, and the log of the loss falls by gamma times
that. In other entries examples disagree in the limit, g alternates, and steps are shorter.
"""

import numpy as np
from jaxtyping import Float


def speed_limit(beta2: Float[np.ndarray, "*any"] | float) -> Float[np.ndarray, "*any"] | float:
    """-log(beta2) / 2, which R stays below in the long run, whatever the learning rate and the data (beta1^2 < beta2).

    v >= beta2 v_before, so sqrt(v) shrinks by sqrt(beta2) a step at most. Did g shrink faster than that for good, m /
    sqrt(v) would be summable, the weights would converge, and so would the loss, to more than zero (own derivation).
    """
    return -np.log(beta2) / 2


def stride(
    rate: Float[np.ndarray, "*any"] | float, beta2: Float[np.ndarray, "*any"] | float, beta1: float = 0.9
) -> Float[np.ndarray, "*any"] | float:
    """|m / sqrt(v)| where the gradient shrinks by exp(-rate) a step, for rates from zero to `speed_limit`.

    (1 - beta1) / (1 - beta1 e^R) sqrt((1 - beta2 e^{2R}) / (1 - beta2)): one at zero, zero at the limit;
    own derivation, at the head of the module.
    """
    return (1 - beta1) / (1 - beta1 * np.exp(rate)) * np.sqrt(-np.expm1(np.log(beta2) + 2 * rate) / (1 - beta2))


def steady_rate(
    x: Float[np.ndarray, "*any"] | float, beta2: Float[np.ndarray, "*any"] | float, beta1: float = 0.9
) -> Float[np.ndarray, "*any"] | float:
    """R by which the log of the loss falls a step: the root of R = x (1 - beta2) stride(R), by bisection.

    x = gamma eta / (1 - beta2), in which eta is the constant learning rate and gamma the best margin in the max entry
    norm. The logarithm of stride falls with R as long as beta1 <= beta2 e^R, so for beta1 <= beta2 the root is the only
    one between zero and `speed_limit` (own derivation).

    Raises:
        ValueError: if x is not positive, or not 0 <= beta1 <= beta2 < 1.
    """
    x, beta2 = np.broadcast_arrays(np.asarray(x, float), np.asarray(beta2, float))
    if not (np.all(x > 0) and np.isfinite(x).all()):
        raise ValueError(f"A rate needs positive finite x = gamma eta / (1 - beta2); got a least x of {x.min():.3g}.")
    if not (beta1 >= 0 and np.all(beta1 <= beta2) and np.all(beta2 < 1) and np.all(beta2 > 0)):
        raise ValueError(
            f"A steady rate is unique if 0 <= beta1 <= beta2 < 1 and beta2 > 0; got beta1 = {beta1} and beta2 from "
            f"{beta2.min()} to {beta2.max()}: the first mean must not be the longer one."
        )
    low, high = np.zeros(x.shape), speed_limit(beta2)
    for _ in range(100):
        middle = (low + high) / 2
        too_low = middle < x * (1 - beta2) * stride(middle, beta2, beta1)
        low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
    return (low + high) / 2


def slow_rate(x: Float[np.ndarray, "*any"] | float) -> Float[np.ndarray, "*any"] | float:
    """Limit of `steady_rate` / (1 - beta2) for 1 - beta2 << 1 - beta1: x (sqrt(1 + x^2) - x), from x to 1/2.

    With R = r (1 - beta2) the first factor of `stride` tends to one, the root to sqrt(1 - 2r), and r = x sqrt(1 - 2r)
    is a quadratic equation (own derivation). Written so that nothing cancels.
    """
    return x / (np.sqrt(1 + np.square(x)) + x)


def memory(
    x: Float[np.ndarray, "*any"] | float, beta2: Float[np.ndarray, "*any"] | float, beta1: float = 0.9
) -> Float[np.ndarray, "*any"] | float:
    """Steps that v remembers, M = 1 / (1 - beta2 e^{2R}): its mean, in units of g^2, weights age k by (beta2 e^{2R})^k.

    By the root's own equation 1 - beta2 e^{2R} is (1 - beta2) stride^2 (1 - beta1 e^R)^2 / (1 - beta1)^2 with stride =
    R / (x (1 - beta2)), in which nothing cancels (own derivation).

    Raises:
        ValueError: as `steady_rate`.
    """
    rate = steady_rate(x, beta2, beta1)
    share = rate / (x * (1 - np.asarray(beta2)))
    return 1 / ((1 - np.asarray(beta2)) * (share * (1 - beta1 * np.exp(rate)) / (1 - beta1)) ** 2)


def slow_memory(
    x: Float[np.ndarray, "*any"] | float, beta2: Float[np.ndarray, "*any"] | float
) -> Float[np.ndarray, "*any"] | float:
    """Limit of `memory` for 1 - beta2 << 1 - beta1: (sqrt(1 + x^2) + x)^2 / (1 - beta2) steps.

    1 / (1 - beta2) for small x and 4 x^2 / (1 - beta2) for large, since 1 - 2r = (r / x)^2 (own derivation).
    """
    return np.square(np.sqrt(1 + np.square(x)) + x) / (1 - np.asarray(beta2))
