"""From states and trajectories of any factorization to numbers: errors, counts, take-offs and their overlap."""

import numpy as np
from jaxtyping import Float, Shaped
from torch import Tensor

from offconvex import fits


def relative_error(found: Float[Tensor, "R ..."], target: Float[Tensor, "R ..."]) -> Float[Tensor, " R"]:
    """|W - T|_F / |T|_F over all entries, observed or not, of matrices or tensors."""
    return (found - target).flatten(1).norm(dim=1) / target.flatten(1).norm(dim=1)


def counted(values: Float[np.ndarray, "*rows n"], *, share: float = 0.01) -> Shaped[np.ndarray, "*rows"] | np.integer:
    """Number of values above `share` of the largest, along the last axis."""
    return (values > share * values.max(-1, keepdims=True)).sum(-1)


def take_offs(
    times: Shaped[np.ndarray, " T"], values: Float[np.ndarray, "T n"], final: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Take-off times of curves: when each first reaches half of its final value."""
    return np.array([fits.crossing(times, curve, end / 2) for curve, end in zip(values.T, final)])


def overlap(times: Shaped[np.ndarray, " T"], values: Float[np.ndarray, "T n"], final: Float[np.ndarray, " n"]) -> float:
    """How far the rises of successive curves run into each other, between 0 and 1.

    The largest share of its final value that any curve has already reached when the curve before it takes off. Zero
    means strictly one after another; curves that rise in step have one half.
    """
    starts = take_offs(times, values, final)
    shares = [np.interp(start, times, curve) / end for start, curve, end in zip(starts[:-1], values.T[1:], final[1:])]
    return float(max(shares)) if shares else 0.0


def last_rise(values: Shaped[np.ndarray, " T"], level: float | np.floating) -> int:
    """Index from which a curve stays at or above `level`; its length if it ends below."""
    below = np.flatnonzero(values < level)
    return int(below[-1]) + 1 if len(below) else 0
