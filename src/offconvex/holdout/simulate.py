"""Two simulations without networks: many models fixed beforehand, and an adversary who picks the luckiest of them."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from offconvex import rng
from offconvex.holdout.razor import theory as razor_theory


def luckiest_gaps(
    counts: Sequence[int], size: int, models: int, seed: int
) -> tuple[Float[np.ndarray, " {len(counts)}"], Float[np.ndarray, " {len(counts)}"]]:
    """Mean gap (true minus test error) of the luckiest of t coin-flip models, and its standard error, (counts,) each.

    Args:
        counts: values of t, each a divisor of `models`, so that every model serves once for every t.
        size: n.
        models: test errors drawn in all.
        seed: of the draws.

    Raises:
        ValueError: if a count does not divide `models`, or leaves fewer than two groups.
    """
    if any(models % t or models // t < 2 for t in counts):
        raise ValueError(f"Each count must divide {models} and leave two groups or more; got {list(counts)}.")
    errors = rng.numpy_generator(seed, "luckiest").binomial(size, 0.5, size=models) / size
    groups = [0.5 - errors.reshape(-1, t).min(1) for t in counts]
    return np.array([g.mean() for g in groups]), np.array([g.std(ddof=1) / len(g) ** 0.5 for g in groups])


def adversary(
    bits: Sequence[int], size: int, error: float, delta: float, repetitions: int, seed: int
) -> dict[str, Float[np.ndarray, " {len(bits)}"]]:
    """The best of 2^bits independent models of one true error, against the bound that `bits` bits allow.

    Returns:
        per inequality, "<name> broken" (bits,), share of repetitions whose true error exceeds the bound, and
        "<name> ratio" (bits,), mean bound on the gap over the mean gap; "uncorrected broken" (bits,), the same share
        for a binomial bound that charges no bits.
    """
    found: dict[str, list[float]] = {}
    for k in bits:
        uniform = rng.numpy_generator(seed, "adversary", k).random(repetitions)
        values, places = np.unique(razor_theory.smallest_of(2**k, size, error, uniform), return_inverse=True)
        gap = (error - values / size)[places].mean()
        for name in razor_theory.INEQUALITIES:
            bound = _bounds(k, values / size, size, delta, name)
            found.setdefault(f"{name} broken", []).append(float((bound < error)[places].mean()))
            found.setdefault(f"{name} ratio", []).append(float((bound - values / size)[places].mean() / gap))
        free = _bounds(0, values / size, size, delta, "binomial")
        found.setdefault("uncorrected broken", []).append(float((free < error)[places].mean()))
    return {name: np.array(rows) for name, rows in found.items()}


def _bounds(bits: int, errors: np.ndarray, size: int, delta: float, inequality: str) -> np.ndarray:
    return np.array([razor_theory.true_error_bound(bits, e, size, delta=delta, inequality=inequality) for e in errors])
