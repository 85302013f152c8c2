"""Published numbers about reused test sets; evidence.json names the public repositories and commits they stand in."""

import functools
import json
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.stats import linregress, norm, spearmanr

from offconvex import paths

ORIGINAL, RENEWED = 10_000, 2021  # images in the CIFAR-10 test set and in CIFAR-10.1 v4


@functools.cache
def _read() -> dict[str, list]:
    return json.loads((paths.PACKAGE / "holdout" / "evidence.json").read_text(encoding="utf-8"))


def cifar() -> tuple[list[str], Float[np.ndarray, "models 2"]]:
    """Names of 30 published models, and their accuracies on the old and the new CIFAR-10 test set, (models, 2)."""
    rows = _read()["cifar"]
    return [row[0] for row in rows], np.array([row[1:] for row in rows]) / (ORIGINAL, RENEWED)


def imagenet() -> tuple[list[str], Float[np.ndarray, "models 2"]]:
    """Names of models, and their accuracies on the ImageNet validation set and on ImageNet-v2, (models, 2)."""
    rows = _read()["imagenet"]
    return [row[0] for row in rows], np.array([row[1:] for row in rows]) / 100


def kaggle(precision: str, board: str) -> Float[np.ndarray, "40 2"]:
    """Published attack on a leaderboard of 4000 labels: queries and the vote's loss, mean of five, (40, 2).

    Args:
        precision: "highacc", scores to five decimals, or "lowacc".
        board: "Kaggle" or "Ladder".
    """
    return np.array(_read()[f"kaggle {precision} {board}"])


def photo() -> Float[np.ndarray, "50 2"]:
    """Public and private score of the 50 best of a Kaggle contest, (50, 2), best private score first."""
    return np.array(_read()["photo"])


@dataclass(frozen=True)
class Agreement:
    """Old against new accuracy over models.

    Attributes:
        slope: of the least-squares line of new on old accuracy.
        slope_error: its standard error.
        intercept: of that line.
        probit_slope: the same slope after both were mapped to normal quantiles.
        rank: Spearman's rank correlation.
        drop: mean of old minus new accuracy.
    """

    slope: float
    slope_error: float
    intercept: float
    probit_slope: float
    rank: float
    drop: float


def compare(accuracies: Float[np.ndarray, "models 2"]) -> Agreement:
    """Lines and ranks of accuracies (models, 2)."""
    old, new = accuracies.T
    line, probit = linregress(old, new), linregress(norm.ppf(old), norm.ppf(new))
    rank = spearmanr(old, new).statistic
    values = (line.slope, line.stderr, line.intercept, probit.slope, rank, (old - new).mean())
    return Agreement(*map(float, values))
