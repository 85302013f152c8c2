"""From states and trajectories to numbers: spectra, growth, imbalance, take-offs."""

import numpy as np
import torch

from offconvex.factorizations.matrix.model import Layers


def relative_error(product: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """|W - T|_F / |T|_F over all entries, observed or not, (R,)."""
    return torch.linalg.matrix_norm(product - target) / torch.linalg.matrix_norm(target)


def growth_projections(product: torch.Tensor, gradient: torch.Tensor, count: int) -> dict[str, torch.Tensor]:
    """The `count` largest singular values of W and gamma_r = <-G, u_r v_r^T>, each (R, count).

    Args:
        product: end-to-end matrix W (R, n, n').
        gradient: gradient G of the loss at W, (R, n, n').
        count: how many singular values, at most min(n, n').
    """
    left, values, right = torch.linalg.svd(product, full_matrices=False)
    projections = -((left.mT @ gradient) * right).sum(-1)
    return {"values": values[:, :count], "projections": projections[:, :count]}


def layer_gaps(layers: Layers) -> torch.Tensor:
    """W_{j+1}^T W_{j+1} - W_j W_j^T for each j, (R, L - 1, n, n): constant along gradient flow (arora2018optimization).

    Raises:
        ValueError: for a single layer, which has no neighbor to be balanced with.
    """
    if len(layers) < 2:
        raise ValueError("Balance is a property of neighboring layers; got depth 1.")
    return torch.stack([above.mT @ above - below @ below.mT for below, above in zip(layers, layers[1:])], dim=1)


def crossing(times: np.ndarray, values: np.ndarray, level: float) -> float:
    """First time at which a curve (T,) reaches `level`, interpolated linearly; nan if it never does."""
    reached = np.flatnonzero(values >= level)
    if not len(reached):
        return float("nan")
    k = reached[0]
    if k == 0:
        return float(times[0])
    share = (level - values[k - 1]) / (values[k] - values[k - 1])
    return float(times[k - 1] + share * (times[k] - times[k - 1]))


def take_offs(times: np.ndarray, values: np.ndarray, final: np.ndarray) -> np.ndarray:
    """Take-off times (k,) of k curves (T, k): when each first reaches half of its final value."""
    return np.array([crossing(times, curve, end / 2) for curve, end in zip(values.T, final)])


def overlap(times: np.ndarray, values: np.ndarray, final: np.ndarray) -> float:
    """How far the rises of successive curves (T, k) run into each other, between 0 and 1.

    The largest share of its final value that any curve has already reached when the curve before it takes off. Zero
    means strictly one after another; curves that rise in step have one half.
    """
    starts = take_offs(times, values, final)
    shares = [np.interp(start, times, curve) / end for start, curve, end in zip(starts[:-1], values.T[1:], final[1:])]
    return float(max(shares)) if shares else 0.0


def last_rise(values: np.ndarray, level: float) -> int:
    """Index from which a curve (T,) stays at or above `level`; its length if it ends below."""
    below = np.flatnonzero(values < level)
    return int(below[-1]) + 1 if len(below) else 0


def power_law(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Exponent and factor of y = factor x^exponent, by least squares in log-log; all numbers positive."""
    exponent, offset = np.polyfit(np.log(x), np.log(y), 1)
    return float(exponent), float(np.exp(offset))
