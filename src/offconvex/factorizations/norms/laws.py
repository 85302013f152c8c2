"""The theorem's quantities along curves of the 2 x 2 completion, each against its bound."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from offconvex.factorizations.norms import measure as norms_measure
from offconvex.factorizations.norms import theory as norms_theory
from offconvex.factorizations.norms.curves import Curve
from offconvex.factorizations.norms.task import CornerCompletion

POWERS = (0.5, 2 / 3, 1.0, 2.0, np.inf)
"""Schatten powers shown: two quasi-norms, the nuclear, Frobenius and spectral norms."""


SMALLEST = 1e-12
"""Losses below it are left out: a run that fits the task ends at zero, where the bounds are infinite or zero."""


def constants(curves: Sequence[Curve], level: float) -> Float[np.ndarray, "{len(curves)} R"]:
    """|W11| (2 loss)^(1/2) where each run's loss first falls to `level`, (curves, R): 1 on the rank-one manifold."""
    return np.array([curve.entry_at(level) for curve in curves]) * np.sqrt(2 * level)


def arrival_times(curves: Sequence[Curve], level: float, depths: Sequence[int]) -> Float[np.ndarray, "{len(curves)} R"]:
    """Time at which the loss falls to `level` over the time the growth law gives, (curves, R)."""
    entry = norms_theory.entry_curve(level)
    rows = []
    for curve, depth in zip(curves, depths):
        times = np.broadcast_to(curve.times[:, None], curve.loss.shape)
        rows.append(norms_measure.at_loss(curve.loss, times, level) / norms_theory.entry_time(entry, depth=depth))
    return np.array(rows)


def entry_over_bound(curve: Curve, task: CornerCompletion) -> float:
    """Least |W11| over its lower bound, along all runs where the bound is positive; at least 1 by the theorem."""
    bound = _bound(curve, task)
    return float((curve.entry[bound > 0] / bound[bound > 0]).min())


def norms_over_bound(curve: Curve, task: CornerCompletion) -> Float[np.ndarray, " powers"]:
    """Least Schatten (quasi-)norm over the bound on |W11|, for every power of `POWERS`, (powers,)."""
    bound = _bound(curve, task)
    keep = bound > 0
    return np.array([(norms_measure.schatten(curve.log_values, p)[keep] / bound[keep]).min() for p in POWERS])


def norm_slopes(curve: Curve, high: float, low: float) -> Float[np.ndarray, "powers {curve.loss.shape[1]}"]:
    """Slope of log norm over log loss between two losses, (powers, R): -1/2 by the theorem, 0 for a bounded norm."""
    slopes = []
    for power in POWERS:
        logs = np.log(norms_measure.schatten(curve.log_values, power))
        rise = norms_measure.at_loss(curve.loss, logs, low) - norms_measure.at_loss(curve.loss, logs, high)
        slopes.append(rise / np.log(low / high))
    return np.array(slopes)


def rank_over_bounds(curve: Curve) -> dict[str, float]:
    """Largest distance to rank one and largest effective rank, minus one, over their bounds; at most 1 by the theorem.

    Returns:
        "distance" and "effective rank" against the published bounds; "sharp distance" against q, where
        the loss is below 1/2; "sharp effective rank" where it is below 1/8 and above 1e-5, beyond which an effective
        rank minus one is lost in rounding.
    """
    distance, rank = np.exp(curve.log_values[..., 1]), norms_measure.effective_rank(curve.log_values) - 1
    fitting = curve.loss > SMALLEST
    half, eighth = fitting & (curve.loss < 0.5), (curve.loss < 0.125) & (curve.loss > 1e-5)
    sharp_rank = norms_theory.sharp_effective_rank_bound(curve.loss[eighth]) - 1
    with_bounds = np.maximum(curve.loss, SMALLEST)
    return {
        "distance": float((distance / norms_theory.distance_bound(with_bounds))[fitting].max()),
        "effective rank": float((rank / (norms_theory.effective_rank_bound(with_bounds) - 1))[fitting].max()),
        "sharp distance": float((distance / norms_theory.sharp_distance_bound(with_bounds))[half].max()),
        "sharp effective rank": float((rank[eighth] / sharp_rank).max()),
    }


def rank_curves(curve: Curve) -> dict[str, Float[np.ndarray, "{len(curve.times)} R"]]:
    """Distance to rank one and effective rank minus one, each (T, R)."""
    return {
        "distance to rank one": np.exp(curve.log_values[..., 1]),
        "effective rank - 1": norms_measure.effective_rank(curve.log_values) - 1,
    }


def rank_bounds(loss: Float[np.ndarray, " T"]) -> dict[str, Float[np.ndarray, " T"]]:
    """Sharp bounds on `rank_curves` at losses (T,); nan for the effective rank where the loss is 1/8 or more."""
    small = np.where(loss < 0.125, loss, np.nan)
    return {
        "distance bound": norms_theory.sharp_distance_bound(loss),
        "effective rank bound": norms_theory.sharp_effective_rank_bound(small) - 1,
    }


def same_branch(curve: Curve, task: CornerCompletion) -> Bool[np.ndarray, " {curve.loss.shape[1]}"]:
    """Whether a run ends with the sign of W11 that a rank-one fit has, sign(W12 W21 W22), (R,); all if W22 = 0."""
    wanted = np.sign(task.right * task.below * task.corner)
    return np.sign(curve.product[-1, :, 0, 0]) * wanted >= 0


def perturbed_constants(curve: Curve, task: CornerCompletion, level: float) -> Float[np.ndarray, " runs"]:
    """|W11| over |W12 W21| / (|W22| + (2 loss)^(1/2)) at a loss, for the runs on the branch of a rank-one fit."""
    expected = norms_theory.entry_curve(level, right=task.right, below=task.below, corner=task.corner)
    return curve.entry_at(level)[same_branch(curve, task)] / expected


def flips_before(curve: Curve, level: float) -> Bool[np.ndarray, " {curve.loss.shape[1]}"]:
    """Whether the determinant leaves its first sign before the loss first falls to `level`, (R,)."""
    below = curve.loss <= level
    first = np.where(below.any(0), below.argmax(0), len(curve.loss))
    before = np.arange(len(curve.loss))[:, None] < first
    return ((np.sign(curve.determinant) != np.sign(curve.determinant[0])) & before).any(0)


def decay_rates(curve: Curve, high: float, low: float) -> Float[np.ndarray, " {curve.loss.shape[1]}"]:
    """Slope of log sigma_2 over |W11|^2 between two losses, (R,): -1/2 at depth 2 by the growth law."""
    squares = curve.entry**2
    ends = [
        (
            norms_measure.at_loss(curve.loss, curve.log_values[..., 1], level),
            norms_measure.at_loss(curve.loss, squares, level),
        )
        for level in (high, low)
    ]
    return (ends[1][0] - ends[0][0]) / (ends[1][1] - ends[0][1])


def _bound(curve: Curve, task: CornerCompletion) -> np.ndarray:
    loss = np.maximum(curve.loss, SMALLEST)
    return norms_theory.entry_lower_bound(loss, right=task.right, below=task.below, corner=task.corner)
