"""Figures of the chapter on private learning: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from offconvex import figures

BLUE, ORANGE, GREEN, PINK, YELLOW, SKY = figures.KIND_COLORS


def rates(ax: Axes, names: Sequence[str], values: Sequence[np.ndarray], colors: Sequence) -> None:
    """Test accuracies of several ways to train, one row of dots each; a thin line at the mean of each color's first."""
    place = np.arange(len(names))[::-1]
    for row, accuracy, color in zip(place, values, colors):
        ax.plot(accuracy, np.full(len(accuracy), row), "o", color=color, markersize=6, alpha=0.85)
    for color in dict.fromkeys(colors):
        ax.axvline(np.mean(values[list(colors).index(color)]), color=color, linewidth=1, alpha=0.6, zorder=0)
    ax.set_yticks(place, names)
    ax.set(xlabel="test accuracy", ylim=(-0.6, len(names) - 0.4))


def budgets(
    ax: Axes, epsilons: Sequence[float], curves: Mapping[str, np.ndarray], scratch: Mapping[float, np.ndarray]
) -> None:
    """Test accuracies (seeds, budgets) against the budget for each kind of features, and of networks from scratch."""
    markers = "osD^vP"
    for (name, values), color, marker in zip(curves.items(), (BLUE, PINK, GREEN, SKY, YELLOW), markers):
        size = 8 if marker == "s" else 4.5  # the second and the third may lie on each other
        ax.plot(epsilons, values.mean(0), marker + "-", color=color, markersize=size, label=name)
        ax.fill_between(epsilons, values.min(0), values.max(0), color=color, alpha=0.18, linewidth=0)
    for i, (epsilon, values) in enumerate(scratch.items()):
        label = "network from scratch" if i == 0 else None
        ax.plot(np.full(len(values), epsilon), values, "x", color=ORANGE, markersize=6, label=label, zorder=6)
    ax.axhline(0.75, color="0.6", linewidth=1, zorder=0)
    _budget_axis(ax, epsilons)
    ax.set(ylabel="test accuracy", ylim=(0.1, 0.95))


def losses(ax: Axes, names: Sequence[str], values: Mapping[str, np.ndarray]) -> None:
    """Points of accuracy lost (cases, seeds) for each budget, one row of dots for each case."""
    place = np.arange(len(names))[::-1]
    for (label, lost), color, marker, side in zip(values.items(), (BLUE, ORANGE), "oD", (0.12, -0.12)):
        for row, points in zip(place, 100 * lost):
            ax.plot(points, np.full(len(points), row + side), marker, color=color, markersize=4.5, alpha=0.7)
        ax.plot([], [], marker, color=color, label=label)
    ax.axvline(0, color="0.6", linewidth=1, zorder=0)
    ax.set_yticks(place, names)
    ax.set(xlabel="points of accuracy lost", ylim=(-0.6, len(names) - 0.4))
    ax.legend(loc="upper right")


def meaning(
    ax: Axes, epsilons: np.ndarray, alone: np.ndarray, mechanism: np.ndarray, tested: Mapping[float, np.ndarray],
    heart: np.ndarray,
) -> None:  # fmt: skip
    """Largest advantage by the budget alone and by the mechanism (dashed), and of a test on models (dots)."""
    ax.plot(epsilons, alone, **figures.THEORY)
    ax.plot(epsilons, mechanism, **figures.THEORY)
    _note(ax, r"by $\varepsilon$ alone", (epsilons[np.searchsorted(alone, 0.9)], 0.92), ha="right")
    _note(ax, r"by $\mu$", (epsilons[np.searchsorted(mechanism, 0.55)], 0.5))
    for epsilon, values in tested.items():
        ax.plot(np.full(len(values), epsilon), values, "o", color=BLUE, markersize=4, alpha=0.6)
    last = 2.2 * epsilons[-1]
    ax.plot(np.full(len(heart), last), heart, "D", color=ORANGE, markersize=4, alpha=0.6)
    _note(ax, "test by the loss", (min(tested), -0.09), color=BLUE)
    _note(ax, "learned by heart", (last, 0.2), color=ORANGE, ha="right")
    _budget_axis(ax, [*tested, last], [f"{e:g}" for e in tested] + ["none"])
    ax.set(ylabel="advantage", ylim=(-0.14, 1.05))


def prices(ax: Axes, epsilons: Sequence[float], curves: Mapping[str, np.ndarray], limit: float) -> None:
    """Points of accuracy lost (seeds, budgets) against the budget for each training, and the limit as a line."""
    for (name, values), color, marker in zip(curves.items(), (BLUE, GREEN), "oD"):
        ax.plot(epsilons, 100 * values.mean(0), marker + "-", color=color, markersize=4.5, label=name)
    ax.axhline(100 * limit, color="0.6", linewidth=1, zorder=0)
    _budget_axis(ax, epsilons)
    ax.set_yscale("symlog", linthresh=1)  # none may be lost, or a little won
    ax.set(ylabel="points of accuracy lost", ylim=(-0.3, 70))
    ax.set_yticks([0, 0.5, 1, 5, 10, 50], ["0", "0.5", "1", "5", "10", "50"])
    ax.minorticks_off()
    ax.legend(loc="upper right")


def _budget_axis(ax: Axes, epsilons: Sequence[float], names: Sequence[str] | None = None) -> None:
    ax.set_xscale("log")
    ax.set_xticks(epsilons, names or [f"{epsilon:g}" for epsilon in epsilons])
    ax.minorticks_off()
    ax.set_xlabel(r"privacy budget $\varepsilon$")


def _note(ax: Axes, text: str, at: tuple[float, float], **options) -> None:
    ax.annotate(text, at, fontsize=10, xytext=(-6 if options.get("ha") else 8, 0), textcoords="offset points",
        va="center", **options)  # fmt: skip
