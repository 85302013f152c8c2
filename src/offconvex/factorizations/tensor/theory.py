"""Growth of a component's norm without the assumption of balance; the balanced law is `theory.growth_rate`."""

import numpy as np


def unbalanced_growth(value: np.ndarray, projection: np.ndarray, vector_norms: np.ndarray) -> np.ndarray:
    """Velocity of a component's norm along gradient flow, gamma sigma^2 sum_k 1 / |w_k|^2, exact for any start.

    Every vector has d(|w_k|^2 / 2)/dt = sigma gamma; the product rule over the K vectors gives the rest. With equal
    norms it is K sigma^(2 - 2/K) gamma (razin2021implicit, Theorem 1; razin2022implicit, Theorem 1).

    Args:
        value: sigma, (...).
        projection: gamma = <-G, C>, (...).
        vector_norms: |w_k|, (..., K), positive.
    """
    return projection * value**2 * (1 / vector_norms**2).sum(-1)


def growth_bounds(value: np.ndarray, projection: np.ndarray, gap: float, *, axes: int) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of that velocity from the imbalance alone, for gamma >= 0 (razin2021implicit, Theorem 1).

    K gamma sigma^2 / (sigma^(2/K) + gap) <= d sigma/dt <= K gamma (sigma^(2/K) + gap)^(K - 1), where gap is the largest
    difference | |w_k|^2 - |w_l|^2 |, which gradient flow conserves.

    Args:
        value: sigma, (...).
        projection: gamma >= 0, (...).
        gap: >= 0.
        axes: K.
    """
    squared = value ** (2 / axes)
    return axes * projection * value**2 / (squared + gap), axes * projection * (squared + gap) ** (axes - 1)
