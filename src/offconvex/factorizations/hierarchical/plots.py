"""Figures of hierarchical tensor factorization: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from offconvex import figures

MARKERS = {"matrix": "o", "tensor": "s", "hierarchical": "^"}
"""One marker per kind of factorization."""

SYMBOL = {"markersize": 7.5, "markeredgewidth": 0.7, "markeredgecolor": "white", "zorder": 6}


def local_norms(
    ax: Axes, iterations: np.ndarray, norms: np.ndarray, learned: int, law: np.ndarray | None = None
) -> None:
    """Norms (T, k) of local components, the first `learned` in color, the rest gray; the law (T, learned) dashed."""
    for r, color in zip(range(learned), figures.ordered_colors(learned)):
        ax.plot(iterations, norms[:, r], color=color, linewidth=3.6, alpha=0.7, solid_capstyle="butt")
    ax.plot(iterations, norms[:, learned:], color="0.75", linewidth=1.0, zorder=1)
    if law is not None:
        lines = ax.plot(iterations, law, **figures.THEORY)
        lines[0].set_label("growth law")
    ax.set(xlim=(0, iterations[-1]), ylim=(0, None), xlabel="iteration")
    ax.xaxis.set_major_locator(MaxNLocator(4))


def split_spectra(ax: Axes, names: Sequence[str], values: Sequence[np.ndarray], colors: Sequence, rank: int) -> None:
    """Singular values (D,) across splits of the axes on a log axis, shares of the largest, and a line after `rank`."""
    # The splits off the tree nearly coincide: rings around dots keep both in sight. What is below 1e-7 is drawn there,
    # and below that is room for a legend.
    styles = ({"markersize": 3.5}, {"markersize": 7, "markerfacecolor": "none"}, {"markersize": 3.5})
    for name, spectrum, color, style in zip(names, values, colors, styles):
        index = np.arange(1, len(spectrum) + 1)
        shares = np.maximum(spectrum / spectrum[0], 1e-7)
        ax.semilogy(index, shares, "o-", color=color, linewidth=1.2, label=name, **style)
    ax.vlines(rank + 0.5, 1e-7, 2, color="0.6", linewidth=0.8, linestyle=":")
    ax.set(xlabel="index of the singular value", ylim=(4e-12, 2), xlim=(0, 40))
    ax.set_yticks([1, 1e-2, 1e-4, 1e-6], ["1", "$10^{-2}$", "$10^{-4}$", "$10^{-6}$"])
    ax.set_yticks([], minor=True)


def law_fan(
    ax: Axes, rates: Mapping[tuple[str, int], tuple[np.ndarray, np.ndarray]], laws: Mapping[int, np.ndarray], label: str
) -> None:
    """Rates against norms, one color per K and one marker per kind; `laws` holds (2, G) lines that all meet at one."""
    colors = dict(zip(laws, figures.ordered_colors(len(laws))))
    for axes, (grid, law) in laws.items():
        ax.loglog(grid, law, color=colors[axes], linewidth=9, alpha=0.22, zorder=1, solid_capstyle="round")
        ax.loglog(grid, law, **figures.THEORY)
        place = {"xytext": (10, 0), "textcoords": "offset points", "va": "center", "ha": "left"}
        ax.annotate(f"$K={axes}$", (grid[-1], law[-1]), color=colors[axes], fontsize=13, **place)
    for (kind, axes), (x, y) in rates.items():
        ax.loglog(x, y, MARKERS[kind], color=colors[axes], **SYMBOL)
    ax.set_xlim(right=laws[min(laws)][0, -1] * 9)
    ax.set_xlabel(r"norm $\sigma$", fontsize=12)
    ax.set_ylabel(label, fontsize=12)
    if np.log10(ax.get_ylim()[1] / ax.get_ylim()[0]) < 2:  # too little for ticks at powers of ten alone
        ax.set_yticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
        ax.set_yticks([], minor=True)


def collapse(ax: Axes, rates: Mapping[tuple[str, int], tuple[np.ndarray, np.ndarray]], span: np.ndarray) -> None:
    """Rates against sigma^(2 - 2/K): one line for all, drawn over `span`."""
    counts = sorted({axes for _, axes in rates})
    colors = dict(zip(counts, figures.ordered_colors(len(counts))))
    ax.loglog(span, span, color="0.5", linewidth=9, alpha=0.22, zorder=1, solid_capstyle="round")
    ax.loglog(span, span, **figures.THEORY)
    for (kind, axes), (x, y) in rates.items():
        ax.loglog(x, y, MARKERS[kind], color=colors[axes], **SYMBOL)
    names = {"matrix": "products of $K$ matrices", "tensor": "tensors of order $K$", "hierarchical": "local components"}
    for kind, marker in MARKERS.items():
        ax.plot([], [], marker, color="0.35", label=names[kind], markersize=8)
    ax.legend(loc="upper left", fontsize=11)
    ax.set_xlabel(r"$\sigma^{\,2-2/K}$", fontsize=12)
    ax.set_ylabel(r"$\dot\sigma \, / \, (K \gamma)$", fontsize=12)


def correspondence(ax: Axes, nested: tuple, *, network: bool) -> None:
    """A mode tree, or the circuit with the same windows, drawn from its leaves (bottom) to its root (top)."""
    places: list[tuple[float, int]] = []
    _place(ax, nested, network, places)
    ax.set(xlim=(-0.7, 3.7), ylim=(-1, 2.5))
    ax.set_axis_off()


def _place(ax: Axes, part, network: bool, places: list) -> tuple[float, int, str]:
    if isinstance(part, int | np.integer):
        x, height, axes = float(part), 0, str(part)
    else:
        below = [_place(ax, child, network, places) for child in part]
        x, height = sum(b[0] for b in below) / len(below), max(b[1] for b in below) + 1
        axes = "".join(b[2] for b in below)
        for child, level, _ in below:
            ax.plot([child, x], [level + 0.22, height - 0.24], color="0.5", linewidth=1.2, zorder=1)
    color = figures.ordered_colors(4)[min(height, 2)]
    label = f"$W^{{({axes})}}$"
    ax.text(
        x, height, label, ha="center", va="center", color="white", zorder=3,
        bbox={"boxstyle": "round,pad=0.35", "facecolor": color, "edgecolor": "none"},
    )  # fmt: skip
    if height and network:
        ax.text(x, height - 0.36, "product", ha="center", va="center", fontsize=10, zorder=3,
                bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "0.6"})  # fmt: skip
    if not height:
        text = f"patch\n{part}" if network else f"axis\n{part}"
        ax.text(x, -0.34, text, ha="center", va="top", fontsize=10)
    return x, height, axes


def equal_outputs(ax: Axes, entries: object, outputs: object) -> None:
    """Outputs (M,) of the circuit on unit vectors against entries (M,) of the tensor, and the diagonal."""
    ax.plot(
        figures.array(entries),
        figures.array(outputs),
        "o",
        color=figures.KIND_COLORS[0],
        markersize=6,
        alpha=0.6,
        markeredgewidth=0,
    )
    ax.axline((0, 0), slope=1, **figures.THEORY)
    ax.set(xlabel="entry of the tensor", ylabel="output of the circuit", xlim=(-1.05, 1.05), ylim=(-1.05, 1.05))


def separation(ax: Axes, terms: np.ndarray, along: np.ndarray, across: np.ndarray, title: str) -> None:
    """Ranks across the split that the construction respects and across another, against the number of terms."""
    ax.plot(terms, across, "s", color=figures.KIND_COLORS[1], label="split 02 | 13")
    ax.plot(terms, along, "o", color=figures.KIND_COLORS[0], label="split 01 | 23")
    ax.plot(terms, terms, **figures.THEORY)
    ax.set(xlabel=title, xlim=(0, 17), ylim=(0, 17), xticks=[1, 4, 8, 12, 16], yticks=[1, 4, 8, 12, 16])


def norm_labels(axes: np.ndarray, names: Sequence[str]) -> None:
    """One title a panel, the quantity on the left ones, and the law's name in the last."""
    for ax, name in zip(axes.flat, names):
        ax.set_title(name)
    for ax in axes[:, 0]:
        ax.set_ylabel(r"norm $\sigma$ of local components")
    axes[1, 1].legend(loc="upper right")


def identity(ax: Axes, axes: np.ndarray, velocities: np.ndarray, law: np.ndarray) -> None:
    """Velocity of every local component against the law on signed logarithmic axes, one color per K."""
    counts = np.unique(axes)
    for count, color in zip(counts, figures.ordered_colors(len(counts))):
        own = axes == count
        ax.plot(law[own], velocities[own], "o", color=color, alpha=0.7, markeredgewidth=0, label=f"$K={count}$")
    limit = 2 * np.abs(law).max()
    ax.plot([-limit, limit], [-limit, limit], **figures.THEORY)
    ax.set_xscale("symlog", linthresh=limit / 1e4)
    ax.set_yscale("symlog", linthresh=limit / 1e4)
    ax.set(xlabel=r"$K \sigma^{2-2/K} \gamma$", ylabel=r"$\dot\sigma$ by automatic differentiation")
    ticks = 10.0 ** np.array([round(np.log10(limit / 1e3)), round(np.log10(limit / 10))])
    ax.set_xticks([*-ticks[::-1], 0, *ticks])
    ax.set_yticks([*-ticks[::-1], 0, *ticks])
    ax.legend(loc="upper left")
