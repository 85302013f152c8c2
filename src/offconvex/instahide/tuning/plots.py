"""Accuracy and leak against the number of private epochs: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from offconvex import figures

BLUE, ORANGE, GREEN, PINK, YELLOW, SKY = figures.KIND_COLORS


def against_epochs(
    ax: Axes, epochs: Sequence[int], curves: Mapping[str, np.ndarray], colors: Sequence, *, label: str
) -> None:
    """Means and ranges of (T, seeds), one curve each, against the number of private epochs."""
    for (name, values), color, marker in zip(curves.items(), colors, "osD^"):
        ax.plot(epochs, values.mean(1), marker + "-", color=color, markersize=4.5, label=name)
        ax.fill_between(epochs, values.min(1), values.max(1), color=color, alpha=0.18, linewidth=0)
    ax.set_xscale("log")
    ax.set_xticks(epochs, [str(t) for t in epochs])
    ax.minorticks_off()
    ax.set(xlabel="private epochs, $T$", ylabel=label)


def marked(ax: Axes, place: float) -> None:
    """The number of epochs that the source proposes."""
    ax.axvline(place, color="0.6", linewidth=1, zorder=0)
