"""Figures of tensor factorization: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from offconvex import figures
from offconvex.factorizations.matrix import plots as matrix_plots
from offconvex.factorizations.matrix.plots import predicted_spectrum, spectrum, target_ticks

VARIANT_COLORS = dict(zip(("original", "random labels", "random images"), figures.KIND_COLORS))


def component_curves(
    ax: Axes, iterations: np.ndarray, norms: np.ndarray, law: np.ndarray, target_norms: np.ndarray
) -> None:
    """Component norms (T, k), in color as many as the target has; growth law (T, rank) dashed; the target as marks."""
    spectrum(ax, iterations, norms, law.shape[1])
    predicted_spectrum(ax, iterations, law, "growth law")
    target_ticks(ax, target_norms)
    ax.set_ylim(0, 1.2 * norms.max())


def error_curve(ax: Axes, iterations: np.ndarray, error: np.ndarray, *, logarithmic: bool) -> None:
    """Relative error over all entries against iterations."""
    ax.plot(iterations, error, color=figures.KIND_COLORS[0], linewidth=1.4)
    ax.set(xlim=(0, iterations[-1]), yscale="log" if logarithmic else "linear", xlabel="iteration")
    if not logarithmic:
        ax.set_ylim(0, None)


def growth_law(ax: Axes, orders: Sequence[int], *curves: Sequence[np.ndarray]) -> None:
    """The law of singular values, for component norms: measured rate over pull, one color an order."""
    matrix_plots.growth_law(ax, orders, *curves, symbol="N")
    ax.set(xlabel=r"component norm $\sigma$", ylabel=r"$\dot\sigma \, / \, \langle -G, C \rangle$")


def init_errors(ax: Axes, stds: np.ndarray, errors: np.ndarray, medians: np.ndarray, published: np.ndarray) -> None:
    """Final errors (S, B) of several tasks by size of the start, their medians, and the published run's."""
    for x, (cloud, median) in enumerate(zip(errors, medians)):
        ax.plot(np.full(len(cloud), x), cloud, "o", color=figures.KIND_COLORS[0], markersize=5, alpha=0.7)
        ax.plot([x - 0.22, x + 0.22], [median, median], color=figures.KIND_COLORS[0], linewidth=2.2)
    ax.plot(np.arange(len(stds)) + 0.32, published, "D", color=figures.KIND_COLORS[1], markersize=5, label="published")
    ax.set_xticks(range(len(stds)), [f"{std:g}" for std in stds])
    ax.set(yscale="log", xlabel="standard deviation of the start", ylabel="final relative error", xlim=(-0.6, None))
    ax.legend(loc="lower left")


def component_spectra(ax: Axes, stds: np.ndarray, shares: np.ndarray, floor: float = 1e-12) -> None:
    """Largest component norms (S, B, k) as shares of the largest, one color a size of the start, one line a task."""
    # The largest has share one from every start: side by side, no start hides another.
    for std, tasks, color, marker, shift in zip(stds, shares, figures.KIND_COLORS, ("o", "s"), (-0.12, 0.12)):
        for b, line in enumerate(tasks):
            label = f"start {std:g}" if b == 0 else None
            place, drawn = np.arange(1, len(line) + 1) + shift, np.maximum(line, floor)
            ax.semilogy(place, drawn, marker, color=color, markersize=4, alpha=0.8, label=label)
    ax.set(xlabel="component, by size", ylabel="norm, as a share of the largest", xticks=range(1, shares.shape[2] + 1))
    ax.legend(loc="center right")


def correspondence(
    ax: Axes,
    factors: np.ndarray,
    index: Sequence[int],
    inputs: np.ndarray,
    activations: np.ndarray,
    products: np.ndarray,
) -> None:
    """One tensor entry computed twice, as cells of one size: from the factors, and by the circuit.

    Args:
        ax: a wide one.
        factors: (N, d, R).
        index: the entry, one position on each axis.
        inputs: (N, d) one-hot.
        activations: (N, R).
        products: (R,).
    """
    positions, length, channels = factors.shape
    span = float(np.abs(factors).max())
    signed = {"cmap": "PuOr_r", "vmin": -span, "vmax": span}
    middle, x = length / 2, 0.0

    def block(values: np.ndarray, title: str, **style) -> None:
        rows, columns = values.shape
        top = middle + rows / 2
        ax.imshow(values, extent=(x, x + columns, top - rows, top), **style)
        ax.add_patch(Rectangle((x, top - rows), columns, rows, fill=False, linewidth=0.6, edgecolor="0.6"))
        ax.text(x + columns / 2, length + 0.35, title, ha="center", va="bottom")

    def frame(column: float, bottom: float, width: float, height: float) -> None:
        ax.add_patch(Rectangle((column, bottom), width, height, fill=False, linewidth=2.0, zorder=6))

    for n, row in enumerate(index):
        block(factors[n], f"$W^{n + 1}$", **signed)
        frame(x, length - row - 1, channels, 1)
        x += channels + 1
    ax.axvline(x + 0.2, color="0.8", linewidth=1.0)
    x += 1.4
    layers = (
        (inputs.T, "one-hot\ninputs", {"cmap": "Greys", "vmin": 0, "vmax": 1.4}),
        (activations.T, "$1 \\times 1$ con-\nvolution", signed),
        (products[:, None], "product\npooling", signed),
        (np.full((1, 1), products.sum()), "sum", signed),
    )
    for k, (values, title, style) in enumerate(layers):
        if k:
            ax.annotate("", (x + 1.7, middle), (x + 0.3, middle), arrowprops={"arrowstyle": "->", "linewidth": 1.4})
            x += 2
        block(values, title, **style)
        if k == 1:
            for n in range(positions):
                frame(x + n, middle - channels / 2, 1, channels)
        x += values.shape[1]
    ax.set(xlim=(-0.2, x + 0.8), ylim=(-0.2, length + 2.2), xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)


def rank_errors(
    ax: Axes, ranks: np.ndarray, errors: np.ndarray, published: Mapping[str, np.ndarray], trivial: float
) -> None:
    """Mean and spread over labels of errors (ranks, variants, labels), with published means and the trivial error."""
    for v, (name, color) in enumerate(VARIANT_COLORS.items()):
        mean, spread = errors[:, v].mean(-1), errors[:, v].std(-1)
        ax.errorbar(ranks, mean, spread, color=color, marker="o", markersize=5, capsize=3, label=name)
        ax.plot(ranks, published[name], "D", color=color, markersize=5, markerfacecolor="none")
    ax.axhline(trivial, color="0.5", linewidth=1.0, linestyle=":")
    ax.set(xlabel="tensor rank $R$", xticks=ranks)
