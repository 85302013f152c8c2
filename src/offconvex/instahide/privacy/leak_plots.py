"""What leaks from gradients of batches: arrays and axes in, ink out."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from offconvex import figures

BLUE, ORANGE = figures.KIND_COLORS[:2]


def batches(ax: Axes, sizes: Sequence[int], label: str) -> None:
    """An axis of batch sizes."""
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()
    ax.set(xlabel="encryptions in a batch, $B$", ylabel=label)


def held_alone(ax: Axes, sizes: Sequence[int], shares: np.ndarray, names: Sequence[str], law: np.ndarray) -> None:
    """Shares (views, sizes) that a row holds alone, and the law at sizes (2, m)."""
    for values, name, color, marker in zip(shares, names, (BLUE, ORANGE), "oD"):
        ax.plot(sizes, values, marker + "-", color=color, markersize=5, label=name)
    ax.plot(*law, **figures.THEORY, label="law, independent units")
    batches(ax, sizes, "share held by a row alone")


def gains(ax: Axes, sizes: Sequence[int], values: np.ndarray, released: float) -> None:
    """Gains (views, sizes) in dB of the attack on what leaked; a gray line: on the encryptions themselves."""
    for row, color, marker in zip(values, (BLUE, ORANGE), "oD"):
        ax.plot(sizes, row, marker + "-", color=color, markersize=5)
    ax.axhline(released, color="0.5", linewidth=1.2, zorder=0)
    ax.annotate("encryptions released", (sizes[-1], released), xytext=(0, 4), textcoords="offset points", ha="right",
        fontsize=10, color="0.35")  # fmt: skip
    batches(ax, sizes, "gain over the mean image, dB")
