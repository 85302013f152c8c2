"""Growth of a local component along a run's own steps, without the assumption of balance."""

import numpy as np


def discrete_growth(steps: np.ndarray, projections: np.ndarray, vector_norms: np.ndarray) -> np.ndarray:
    """Norms of components along given pulls, (T, ...), taken with gradient descent's own steps.

    Each of the K vectors of a component has d(|w_k|^2 / 2)/dt = sigma gamma, so that a step of size eta moves |w_k| by
    eta gamma sigma / |w_k|. As eta -> 0 and for equal norms this is d sigma/dt = K sigma^(2 - 2/K) gamma
    (razin2022implicit, Theorem 1); it needs no balance (razin2021implicit, Lemma 1).

    Args:
        steps: (T - 1,) step sizes eta.
        projections: (T, ...) measured gamma before each step; the last row is not used.
        vector_norms: (K, ...) at the first row, positive.
    """
    norms = np.array(vector_norms, dtype=np.float64)
    path = [norms.prod(0)]
    for step, projection in zip(steps, projections):
        norms = norms + step * projection * path[-1] / norms
        path.append(norms.prod(0))
    return np.stack(path)
