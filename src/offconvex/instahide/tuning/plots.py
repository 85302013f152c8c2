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


def marked(axes: Sequence[Axes], place: float, level: float) -> None:
    """The number of epochs that the source proposes, in both panels, and the best single picture in the second."""
    for ax in axes:
        ax.axvline(place, color="0.6", linewidth=1, zorder=0)
        ax.legend(loc="best")
    axes[1].axhline(level, color="0.3", linewidth=1.2, linestyle=":", zorder=0)
    # At the right end, where all curves are far above it.
    beside = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right"}
    axes[1].annotate("best single picture", (0.99, level), xytext=(0, 4), fontsize=10, color="0.35", **beside)
