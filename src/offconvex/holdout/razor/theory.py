"""From the length of a description to a bound on the true error.

Given a prefix-free code, at most 2^-bits of a unit budget belongs to each description (Kraft). If an inequality says
P(test error <= e) <= exp(-budget) for a true error p, then with probability 1 - delta over the test set no describable
model with budget = bits ln 2 + ln(1/delta) has such a p: the largest p that is not excluded is the bound. What the
models' designers saw of the test set does not matter, as long as the code was fixed before it.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import brentq
from scipy.special import gammaln, logsumexp, xlogy

INEQUALITIES = ("okamoto", "kl", "binomial", "hoeffding")


def true_error_bound(
    bits: float, error: float, size: int, *, delta: float = 0.05, inequality: str = "okamoto"
) -> float:
    """Bound on the true error of a model with a description of `bits` bits.

    okamoto: (p - e)^2 <= 2 c p (1 - p) for p <= 1/2, hoeffding's beyond, with c = budget / n (okamoto1959some);
    kl: n KL(e || p) <= budget, the exact exponent; binomial: P(Bin(n, p) <= n e) >= exp(-budget), exact;
    hoeffding: p - e <= sqrt(c / 2).

    Args:
        bits: length of the description.
        error: share of the test set that is classified wrongly.
        size: n, examples in the test set.
        delta: chance that the bound fails, over the test set.
        inequality: one of INEQUALITIES.

    Raises:
        ValueError: for arguments out of range.
    """
    if not (np.isfinite(bits) and bits >= 0):
        raise ValueError(f"The bits of a description must be a number, zero or more; got {bits}.")
    if not 0 <= error <= 1:
        raise ValueError(f"The test error must be a share between 0 and 1 (0.0449 for 4.49 %); got {error}.")
    if size != int(size) or size < 1:
        raise ValueError(f"The size of the test set must be a positive whole number; got {size}.")
    if not 0 < delta <= 1:
        raise ValueError(f"delta must lie in (0, 1]; got {delta}.")
    if inequality not in INEQUALITIES:
        raise ValueError(f"The inequality must be one of {', '.join(INEQUALITIES)}; got {inequality!r}.")
    budget = bits * np.log(2) - np.log(delta)
    if error == 1 or budget <= 0:
        return float(error)
    return float(min(1.0, _BOUNDS[inequality](error, int(size), budget)))


def _okamoto(error: float, size: int, budget: float) -> float:
    # (1 + 2c) x^2 - 2c (1 - 2e) x - 2c e (1 - e) = 0 for x = p - e.
    c = budget / size
    a, half_b, d = 1 + 2 * c, c * (1 - 2 * error), 2 * c * error * (1 - error)
    bound = error + (half_b + np.sqrt(half_b**2 + a * d)) / a
    # The inequality needs p <= 1/2; there it is Hoeffding's, which holds beyond.
    return bound if bound <= 0.5 else max(0.5, _hoeffding(error, size, budget))


def _hoeffding(error: float, size: int, budget: float) -> float:
    return error + np.sqrt(budget / (2 * size))


def _kl(error: float, size: int, budget: float) -> float:
    def excess(p: float) -> float:
        return size * (xlogy(error, error / p) + xlogy(1 - error, (1 - error) / (1 - p))) - budget

    high = 1 - 1e-15
    return brentq(excess, max(error, 1e-300), high, xtol=1e-14) if excess(high) > 0 else 1.0


def _binomial(error: float, size: int, budget: float) -> float:
    wrong = int(round(error * size))
    if wrong == size:
        return 1.0
    return brentq(lambda p: log_tail(wrong, size, p) + budget, max(wrong / size, 1e-12), 1 - 1e-12, xtol=1e-14)


def log_tail(wrong: int, size: int, p: float) -> float:
    """Logarithm of P(Bin(size, p) <= wrong), also where the probability is far below the smallest double.

    Elementary.
    """
    k = np.arange(wrong + 1)
    log_choose = gammaln(size + 1) - gammaln(k + 1) - gammaln(size - k + 1)
    return float(logsumexp(log_choose + k * np.log(p) + (size - k) * np.log1p(-p)))


_BOUNDS = {"okamoto": _okamoto, "kl": _kl, "binomial": _binomial, "hoeffding": _hoeffding}


def gap(bits, error, size: int, *, delta=0.05, inequality: str = "okamoto"):
    """Bound on the meta-overfitting error, `true_error_bound` minus the test error (elementary).

    Bits, error and delta may be arrays that fit together; the result has their shape, and is a number for numbers.
    """
    lengths, errors, deltas = np.broadcast_arrays(bits, error, delta)
    values = [
        true_error_bound(float(b), float(e), size, delta=float(d), inequality=inequality) - e
        for b, e, d in zip(lengths.ravel(), errors.ravel(), deltas.ravel())
    ]
    return np.array(values).reshape(lengths.shape) if lengths.ndim else float(values[0])


def smallest_of(
    count: int, size: int, error: float, quantiles: Float[np.ndarray, "*any"] | float
) -> Int[np.ndarray, "*any"] | np.integer:
    """Quantiles of the least number of wrong answers among `count` independent models of one true error: exact.

    P(min <= j) = 1 - P(Bin > j)^count, inverted by a table.
    Elementary.
    """
    k = np.arange(size + 1)
    log_weight = (
        gammaln(size + 1) - gammaln(k + 1) - gammaln(size - k + 1) + xlogy(k, error) + xlogy(size - k, 1 - error)
    )
    log_above = np.append(logsumexp_tails(log_weight)[1:], -np.inf)
    reached = -np.expm1(count * log_above)
    return np.searchsorted(reached, quantiles)


def logsumexp_tails(log_weight: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Logarithms of the sums over j >= k of exp(log_weight[j]), for each k; at most 0, as the weights are a law.

    Elementary.
    """
    return np.minimum(np.logaddexp.accumulate(log_weight[::-1])[::-1], 0.0)
