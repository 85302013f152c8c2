"""Figures of the chapter on the optimizer's norm: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from offconvex import figures

RULES = ("normalized\ngradient", "sign", "polar\nfactor", "single\nentry", "rank one")
"""What the rules of five norms are called, in the order of `certificate.NORMS`."""
NORM_NAMES = ("Frobenius", "max entry", "spectral", "sum of\nentries", "nuclear")
COLORS = dict(zip(RULES, figures.KIND_COLORS))
MUON = figures.KIND_COLORS[5]


def share_table(ax: Axes, shares: np.ndarray, descent: np.ndarray) -> None:
    """Shares (5, 5) of the best margin, rule by norm, as a heat map with numbers; gradient descent (5,) below."""
    rows = np.r_[shares, [descent]]
    places = np.r_[np.arange(len(shares)), len(shares) + 0.15]
    for place, row in zip(places, rows):
        for column, value in enumerate(row):
            light = (value - rows.min()) / (1 - rows.min())
            color = (1 - 0.75 * light**2, 1 - 0.45 * light**2, 1 - 0.28 * light**2)
            own = column == place or (place > len(shares) and column == 0)
            ax.fill_between([column - 0.5, column + 0.5], place - 0.5, place + 0.5, color=color, linewidth=0)
            weight = "bold" if own else "normal"
            ax.text(column, place, f"{value:.3f}", ha="center", va="center", fontweight=weight, fontsize=9)
    names = [*(name.replace("\n", " ") for name in RULES), "gradient descent"]
    ax.set(xlim=(-0.5, len(descent) - 0.5), ylim=(places[-1] + 0.5, -0.5))
    ax.set_xticks(range(len(descent)), NORM_NAMES)
    ax.set_yticks(places, names)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(False)
    for side in ax.spines.values():
        side.set_visible(False)


def brackets(
    axes: Sequence[Axes], steps: np.ndarray, margin: np.ndarray, bound: np.ndarray, guarantee: np.ndarray
) -> None:
    """Margin and certificate (K, 5) over steps, in units of the last certificate; their gap, and what it is at most.

    Args:
        axes: two.
        steps: (K,).
        margin: by rule.
        bound: least certificate so far.
        guarantee: what theory lets the gap be at most, in the same units as `margin`.
    """
    left, right = axes
    for number, (name, color) in enumerate(COLORS.items()):
        best, label = bound[-1, number], name.replace("\n", " ")
        left.plot(steps, margin[:, number] / best, color=color, label=label, zorder=6)
        left.plot(steps, bound[:, number] / best, color=color, linewidth=1.0, zorder=6)
        right.plot(steps, 1 - margin[:, number] / bound[:, number], color=color, zorder=6)
        right.plot(steps, guarantee[:, number] / best, **(figures.THEORY | {"linewidth": 1.0}))
    left.set(xscale="log", xlabel="steps", ylabel="over the last certificate", ylim=(0, 2))
    left.legend(loc="lower right", fontsize=8)
    right.set(xscale="log", yscale="log", xlabel="steps", ylabel="gap over the certificate")


def radii(
    ax: Axes,
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    dashes: Sequence[float] = (1.0,),
    colors: Mapping[str, str] | None = None,
) -> None:
    """Norm of the weights times decay over steps, one line a rule, and the radii of theory.

    Args:
        ax: where to draw.
        curves: by name, numbers of steps and radii, both (K,).
        dashes: radii of theory, such as 1 and the largest singular value that Muon's polynomial makes.
        colors: by name; else those of kinds, in order.
    """
    colors = colors or dict(zip(curves, figures.KIND_COLORS))
    # Lines that lie on each other are drawn ever thinner.
    for width, (name, (steps, radius)) in zip(np.linspace(4.5, 1.2, len(curves)), curves.items()):
        ax.plot(steps, radius, color=colors[name], label=name, linewidth=width, zorder=6)
    for height in dashes:
        ax.axhline(height, **figures.THEORY)
    ax.set(xscale="log", xlabel="steps", ylabel=r"norm of the weights $\times\ \lambda$", ylim=(0, 1.25))
    ax.legend(loc="upper left", bbox_to_anchor=(0.0, 0.78))
