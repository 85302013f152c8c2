"""What theory says of reused held-out sets: boosting, clean hygiene, the Ladder, private answers.

Labels are fair coins and losses lie between 0 and 1 throughout.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Shaped
from scipy.special import gammaln
from scipy.stats import binom, norm


def vote_loss(queries: float, size: int, *, flip: bool = False, noise: float = 0.0, digits: int = 5) -> float:
    """Expected loss, on the held-out set itself, of the boosted majority vote over fair coin flips: exact.

    Each of `queries` vectors agrees with the labels in A ~ Bin(n, 1/2) places and is answered with its loss plus
    Gaussian noise. Those answered 1/2 or less are kept (`flip`: the others are turned around instead of dropped). In a
    given place the kept vectors are right independently with probability q = E[A | kept] / n, so the vote of m of them
    is wrong there with probability P(Bin(m, q) < m/2) + P(Bin(m, q) = m/2) / 2, and m ~ Bin(queries, P(kept)).
    Own derivation.

    Args:
        queries: number of vectors.
        size: n.
        flip: turn rejected vectors around.
        noise: standard deviation of the noise in an answer.
        digits: decimals that an answer without noise is rounded to.
    """
    kept, right = kept_and_right(size, flip=flip, noise=noise, digits=digits)
    if flip:
        return float(_vote_wrong(np.array([queries]), right)[0])
    spread = 9 * np.sqrt(queries * kept * (1 - kept)) + 9
    counts = np.arange(max(0, int(queries * kept - spread)), min(queries, int(queries * kept + spread)) + 1)
    return float((binom.pmf(counts, queries, kept) * _vote_wrong(counts, right)).sum())


def vote_losses(queries: Iterable[int], size: int, **options) -> Float[np.ndarray, " queries"]:
    """`vote_loss` for several numbers of queries, (queries,), with its options (elementary)."""
    return np.array([vote_loss(k, size, **options) for k in queries])


def kept_and_right(size: int, *, flip: bool = False, noise: float = 0.0, digits: int = 5) -> tuple[float, float]:
    """Chance that a vector is kept, and chance q that a vector in the vote is right in a given place (elementary)."""
    agreeing = np.arange(size + 1)
    weight = binom.pmf(agreeing, size, 0.5)
    share = agreeing / size
    exact = (np.round(1 - share, digits) <= 0.5).astype(float)
    keep = norm.cdf((share - 0.5) / noise) if noise else exact
    kept = (weight * keep).sum()
    if flip:
        return 1.0, float((weight * (share * keep + (1 - share) * (1 - keep))).sum())
    return float(kept), float((weight * keep * share).sum() / kept)


def _vote_wrong(counts: np.ndarray, right: float) -> np.ndarray:
    below = binom.cdf(np.ceil(counts / 2) - 1, counts, right)
    tie = np.where(counts % 2 == 0, binom.pmf(counts // 2, counts, right), 0.0)
    return below + tie / 2


def vote_loss_normal(
    queries: Shaped[np.ndarray, "*any"] | float, size: int, *, flip: bool = False, noise: float = 0.0
) -> Float[np.ndarray, "*any"] | float:
    """Normal approximation of `vote_loss`: 1 - Phi(2 phi(0) rho sqrt(m / n)), m = queries / 2, or queries with `flip`.

    2 phi(0) = 0.798, and rho is the correlation of an answer with the loss, 1 without noise. For few queries it is
    1/2 - c sqrt(queries / n) with c = 1 / (pi sqrt 2) = 0.225, with `flip` 1 / pi = 0.318.
    Own derivation, by the central limit theorem.
    """
    spread = 0.5 / np.sqrt(size)
    correlation = spread / np.hypot(spread, noise)
    votes = np.asarray(queries) * (1.0 if flip else 0.5)
    return norm.cdf(-2 * norm.pdf(0) * correlation * np.sqrt(votes / size))


def luckiest_gap(models: Shaped[np.ndarray, " models"], size: int, error: float = 0.5) -> Float[np.ndarray, " models"]:
    """Expected largest (error - test error) of independent models that were fixed beforehand: exact, (models,).

    With test errors Bin(n, error) / n, the least of t has E[min] = sum over j of P(Bin > j)^t / n.
    Elementary.
    """
    log_above = binom.logsf(np.arange(size), size, error)
    return error - np.exp(np.outer(np.atleast_1d(models), log_above)).sum(1) / size


def hoeffding_gap(models: Shaped[np.ndarray, "*any"] | float, size: int) -> Float[np.ndarray, "*any"] | float:
    """Bound sqrt(log t / (2 n)) on that expectation (maximum of t variables that are sub-Gaussian with 1/(4n)).

    Elementary.
    """
    return np.sqrt(np.log(models) / (2 * size))


def ladder_guarantee(queries: int, size: int, step: float, delta: float) -> float:
    """Bound on |report - least true loss so far| of the Ladder with a fixed step: any analyst, probability 1 - delta.

    Reports fall through at most L + 1 values, L = ceil(1 / step) + 1, one of them "none yet". What an analyst submits
    at time t is a function of t - 1 reports, a falling sequence; over all t there are C(queries + L, L + 1) of them.
    Hoeffding's inequality for all of these classifiers at once, plus the step (Blum and Hardt, blum2015ladder,
    Theorem 3.1, with the counting done by binomial coefficients).
    """
    levels = np.ceil(1 / step) + 1
    return step + _uniform(log_binomial(queries + levels, levels + 1), size, delta)


def best_step(queries: int, size: int, delta: float) -> float:
    """The step, of the form 1/integer, whose guarantee is smallest (elementary: tried one by one)."""
    steps = 1 / np.arange(2.0, 200.0)
    return float(min(steps, key=lambda step: ladder_guarantee(queries, size, step, delta)))


def changes_guarantee(
    queries: int, size: int, changes: Shaped[np.ndarray, "*any"] | float, delta: float
) -> Float[np.ndarray, "*any"] | float:
    """The same bound for a leaderboard without rounding that has changed J = `changes` times, simultaneous in J.

    When something is submitted, the past is told by the times and the values of the changes, falling multiples of 1/n:
    at most C(queries, J + 1) C(n + 1, J) classifiers; J gets the share delta / ((J + 1)(J + 2)). The parameter-free
    Ladder ignores improvements below one standard error, which is at most 1 / sqrt(n - 1).
    Own derivation, after blum2015ladder.
    """
    changes = np.asarray(changes, dtype=float)
    count = log_binomial(queries, changes + 1) + log_binomial(size + 1, changes)
    return 1 / np.sqrt(size - 1) + _uniform(count + np.log((changes + 1) * (changes + 2)), size, delta)


def _uniform(log_count: np.ndarray, size: int, delta: float) -> np.ndarray:
    return np.sqrt((log_count + np.log(2 / delta)) / (2 * size))


def log_binomial(top: float, bottom: Shaped[np.ndarray, "*any"] | float) -> Float[np.ndarray, "*any"] | float:
    """Logarithm of the binomial coefficient C(top, bottom) (elementary)."""
    return gammaln(top + 1) - gammaln(bottom + 1) - gammaln(top - np.asarray(bottom) + 1)


def pairs_loss(queries: Shaped[np.ndarray, "*any"] | float, size: int) -> Float[np.ndarray, "*any"] | float:
    """Loss reported to an analyst who changes two labels at a time and keeps what is accepted: 1 / (2 (1 + t/n)).

    A change is accepted if both labels were wrong, with probability w^2, and mends both: dw/dt = -2 w^2 / n from 1/2.
    Own derivation.
    """
    return 0.5 / (1 + np.asarray(queries) / size)


def private_guarantee(
    queries: Shaped[np.ndarray, "*any"] | float, size: int, noise: float
) -> Float[np.ndarray, "*any"] | float:
    """Bound sqrt(queries) / (2 noise n) on the expected gap of any query after answers with Gaussian noise.

    One example moves a mean by at most 1/n, so an answer tells at most 1 / (2 noise^2 n^2) nats of it, and all answers
    I = queries / (2 noise^2 n) of the set; a mean of n losses in [0, 1] then has gap at most sqrt(I / (2 n))
    (bun2016concentrated, information of concentrated differential privacy; russo2016controlling).
    """
    return np.sqrt(queries) / (2 * noise * size)
