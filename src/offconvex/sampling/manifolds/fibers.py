"""Where matrices lie relative to the fibers of all rotations of X0: components, distances, rotations, Haar tests."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Places:
    """N matrices relative to X0.

    Attributes:
        rotation: (N, k, k) the orthogonal R for which X0 R is closest to X.
        own: (N,) squared distance to the closer of the two components.
        other: (N,) squared distance to the other one.
        component: (N,) determinant of R: +1 for the component of X0, -1 for the other.
    """

    rotation: torch.Tensor
    own: torch.Tensor
    other: torch.Tensor
    component: torch.Tensor


def places(position: Float[Tensor, "N d k"], minimizer: Float[Tensor, "d k"]) -> Places:
    """Procrustes: X0^T X = U S V^T gives R = U V^T and the squared distance |X|^2 + |X0|^2 - 2 tr S.

    For the other component the smallest singular value changes sign.

    Args:
        position: X.
        minimizer: X0.
    """
    u, s, vt = torch.linalg.svd(minimizer.T @ position.contiguous())
    rotation = u @ vt
    own = position.square().sum((1, 2)) + minimizer.square().sum() - 2 * s.sum(1)
    return Places(rotation, own.clamp(min=0), own + 4 * s[:, -1], torch.linalg.det(rotation))


def rotation_angles(rotation: Float[np.ndarray, "N k k"]) -> Float[np.ndarray, " N"]:
    """Angle in [0, pi] of rotations, k = 2 or 3."""
    trace = np.trace(rotation, axis1=-2, axis2=-1)
    return np.arccos(np.clip((trace - (rotation.shape[-1] - 2)) / 2, -1, 1))


@dataclass(frozen=True)
class HaarDeviations:
    """Moments of rotations in standard errors from those of the uniform law.

    Attributes:
        trace: its mean is 0.
        square: the squared trace, mean 1 (k = 2: tr R = 2 cos, mean 2).
        entries: squares of all entries of the first column, which share 1; the largest deviation of their means from
            1 / k.
    """

    trace: float
    square: float
    entries: float

    @property
    def largest(self) -> float:
        """Of the three."""
        return max(self.trace, self.square, self.entries)


def haar_deviations(rotation: Float[np.ndarray, "N k k"]) -> HaarDeviations:
    """Three moments of rotations."""
    size, count = rotation.shape[-1], len(rotation)
    trace = np.trace(rotation, axis1=-2, axis2=-1)
    square = trace**2 - (2.0 if size == 2 else 1.0)
    column = rotation[:, :, 0] ** 2 - 1 / size
    errors = column.std(0) / count**0.5
    return HaarDeviations(
        trace=float(abs(trace.mean()) / (trace.std() / count**0.5)),
        square=float(abs(square.mean()) / (square.std() / count**0.5)),
        entries=float((np.abs(column.mean(0)) / errors).max()),
    )


def trace_memory(rotation: Float[Tensor, "T N k k"], lag: int) -> tuple[float, float]:
    """Mean of tr(R_s^T R_{s + lag}) / k over all starts and chains, and its standard error.

    Args:
        rotation: along chains.
        lag: records between the two, which then begin anew: increments over disjoint times are independent, since the
            posterior does not change when X is rotated.
    """
    pairs = rotation[: (len(rotation) - 1) // lag * lag + 1 : lag]
    traces = (pairs[:-1] * pairs[1:]).sum((2, 3)) / rotation.shape[-1]
    return float(traces.mean()), float(traces.std()) / traces.numel() ** 0.5


def memory_rate(rotation: Float[Tensor, "T N k k"], lag: int, time: float) -> tuple[float, float]:
    """Decay rate -log(mean of `trace_memory`) / time, where `lag` records take `time`, and its standard error."""
    mean, error = trace_memory(rotation, lag)
    return -float(np.log(mean)) / time, error / mean / time
