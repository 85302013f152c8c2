"""Figures of the chapter on InstaHide: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from offconvex import figures

BLUE, ORANGE, GREEN, PINK, YELLOW, SKY = figures.KIND_COLORS


def gallery(axes: np.ndarray, pictures: np.ndarray, rows: Sequence[str]) -> None:
    """Gray pictures (rows, columns, height, width) with levels in [-1, 1], a name beside each row."""
    for line, name, images in zip(axes, rows, pictures):
        for ax, image in zip(line, images):
            ax.imshow(image, cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
            for spine in ax.spines.values():
                spine.set_visible(False)
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10)


def arms(ax: Axes, names: Sequence[str], plain: np.ndarray, many: np.ndarray) -> None:
    """Test accuracies (arms, seeds) on plain images and, a little lower, by averaging encryptions; line: the first."""
    place = np.arange(len(names))[::-1]
    for values, color, marker, label, side in (
        (plain, BLUE, "o", "plain test images", 0.14),
        (many, ORANGE, "D", "mean over encryptions", -0.14),
    ):
        for column in values.T:
            ax.plot(column, place + side, marker, color=color, markersize=5, alpha=0.8)
        ax.plot([], [], marker, color=color, markersize=5, label=label)
    ax.axvline(plain[0].mean(), color="0.6", linewidth=1, zorder=0)
    ax.set_yticks(place, names)
    ax.set(xlabel="test accuracy", xlim=(0.34, 0.92), ylim=(-0.6, len(names) - 0.4))


def quality(ax: Axes, epochs: Sequence[int], curves: Mapping[str, np.ndarray], mean: float, *, label: str) -> None:
    """Quality (seeds, T) for each arm against the number of epochs released; the mean image's as a gray line."""
    for (name, values), color, marker in zip(curves.items(), (BLUE, SKY, ORANGE, YELLOW), "osD^"):
        ax.plot(epochs, values.mean(0), marker + "-", color=color, markersize=4.5, label=name)
        ax.fill_between(epochs, values.min(0), values.max(0), color=color, alpha=0.18, linewidth=0)
    ax.axhline(mean, color="0.5", linewidth=1.2, zorder=0)
    ax.annotate("mean image", (epochs[-1], mean), xytext=(0, -11), textcoords="offset points", ha="right", fontsize=10,
        color="0.35")  # fmt: skip
    top = max(values.max() for values in curves.values())
    ax.set_ylim(mean - 0.14 * (top - mean), top + 0.05 * (top - mean))
    ax.set_xscale("log")
    ax.set_xticks(epochs, [str(t) for t in epochs])
    ax.minorticks_off()
    ax.set(xlabel="epochs released, $T$", ylabel=label)


def receiver(ax: Axes, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """True against false positive rate of each similarity, name -> (false, true)."""
    for (name, (false, true)), color in zip(curves.items(), ("0.55", BLUE, ORANGE)):
        ax.plot(false, true, color=color, linewidth=1.8, label=name)
    ax.plot([0, 1], [0, 1], **figures.THEORY)
    ax.set(xlabel="pairs without a common image, called similar", ylabel="pairs with one, called similar")
    ax.legend(loc="lower right")


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
    ax.locator_params(axis="y", integer=True)
