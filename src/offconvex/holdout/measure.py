"""Repetitions -> numbers."""

import numpy as np


def z_score(samples: np.ndarray, expected: np.ndarray | float) -> float:
    """Largest |mean - expected| over columns, in standard errors of the mean over repetitions (R, columns)."""
    error = samples.std(0, ddof=1) / np.sqrt(len(samples))
    return float((np.abs(samples.mean(0) - expected) / error).max())
