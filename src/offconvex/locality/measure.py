"""Accuracies to verdicts."""

import numpy as np
from jaxtyping import Shaped


def sign_flip_p(treated: Shaped[np.ndarray, " n"], plain: Shaped[np.ndarray, " n"]) -> float:
    """One-sided p-value that treated networks do better than their plain twins, exact over all 2^n exchanges of twins.

    The share of exchanges, none included, in which the mean difference is at least as large: 2^-n at least. It is exact
    if twins may be exchanged pair by pair without changing the joint law, that is, if pairs are independent given what
    all of them share, and treatment does nothing.

    Args:
        treated: (n,).
        plain: (n,), entry by entry the twins.

    Raises:
        ValueError: if there are not equally many, or more than 20 pairs, whose exchanges are too many to enumerate.
    """
    treated, plain = np.ravel(treated), np.ravel(plain)
    if len(treated) != len(plain) or not 1 <= len(plain) <= 20:
        raise ValueError(f"Exact enumeration is for 1 to 20 pairs of twins; got {len(treated)} and {len(plain)}.")
    difference = treated - plain
    signs = 1 - 2 * (np.arange(2 ** len(plain))[:, None] >> np.arange(len(plain)) & 1)
    # A hair below, so that equal sums count as equal whatever the order of addition.
    return float(np.mean(signs @ difference >= difference.sum() - 1e-9 * max(1.0, np.abs(difference).sum())))
