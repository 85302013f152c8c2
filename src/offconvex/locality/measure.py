"""Accuracies to verdicts."""

from itertools import combinations

import numpy as np


def permutation_p(treated: np.ndarray, plain: np.ndarray) -> float:
    """One-sided p-value that the treated have the larger mean, exact over all ways to share out the labels.

    The share of ways, the actual one included, in which the treated's sum is at least as large.

    Raises:
        ValueError: if there are more than 12 in a group, since the ways are then too many to enumerate.
    """
    treated, plain = np.ravel(treated), np.ravel(plain)
    if not 1 <= len(treated) <= 12 or not 1 <= len(plain) <= 12:
        raise ValueError(f"Exact enumeration is for 1 to 12 in a group; got {len(treated)} and {len(plain)}.")
    whole = np.concatenate([treated, plain])
    sums = np.array([whole[list(chosen)].sum() for chosen in combinations(range(len(whole)), len(treated))])
    # A hair below, so that equal sums count as equal whatever the order of addition.
    return float(np.mean(sums >= treated.sum() - 1e-9 * max(1.0, abs(treated.sum()))))
