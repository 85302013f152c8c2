"""Figure of the search through all seeds: arrays and axes in, ink out."""

import numpy as np
from matplotlib.axes import Axes

from offconvex import figures

BLUE, ORANGE, *_ = figures.KIND_COLORS


def agreement(ax: Axes, hits: np.ndarray, rows: np.ndarray, size: int) -> None:
    """Rows of the first epoch that agree (m,) against the seeds (m,) that hit; a dashed line where all agree."""
    whole = rows == size
    ax.plot(hits[~whole] / 2**32, rows[~whole], ".", color=BLUE, markersize=2.5, alpha=0.5, label="by accident")
    ax.plot(hits[whole] / 2**32, rows[whole], "D", color=ORANGE, markersize=6, label="the true seed")
    ax.axhline(size, **figures.THEORY)
    ax.set(xlabel="seed, in units of $2^{32}$", ylabel="rows that agree", xlim=(0, 1), ylim=(-3, 1.08 * size))
    ax.legend(loc="center left")


def counts(ax: Axes, hits: np.ndarray, expected: float) -> None:
    """How many of 64 blocks have how many of the hits (m,); dashed: the law of Poisson, with `expected` hits in all."""
    found = np.histogram(hits, 64, (0, 2**32))[0]
    edges = np.arange(found.min() // 10 * 10, found.max() + 11, 10)
    ax.hist(found, edges, color=BLUE, alpha=0.7)
    mean = expected / 64
    middle = np.arange(edges[0], edges[-1] + 1)
    ax.plot(
        middle, 64 * 10 * np.exp(-((middle - mean) ** 2) / (2 * mean)) / (2 * np.pi * mean) ** 0.5, **figures.THEORY
    )
    ax.set(xlabel="hits in $2^{26}$ seeds", ylabel="blocks")
