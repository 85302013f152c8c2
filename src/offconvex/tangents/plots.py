"""Figures of the chapter beyond the neural tangent kernel: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator

from offconvex import figures

BLUE, ORANGE, GREEN, PINK, AMBER, SKY = figures.KIND_COLORS
ORDERS = {0: "network", 1: "linear", 2: "quadratic", 3: "cubic", 4: "quartic"}
MODELS = {
    "linear": ("linear term", BLUE),
    "network": ("network", AMBER),
    "decayed": ("network, weight decay", PINK),
    "signed": ("random signs", ORANGE),
    "quadratic": ("quadratic term", GREEN),
}
LEARNERS = {
    "quadratic": ("quadratic model", ORANGE, "o"),
    "hierarchical": ("quadratic model", ORANGE, "o"),
    "kernel": ("polynomial kernel", BLUE, "s"),
    "kernel4": ("polynomial kernel", BLUE, "s"),
    "tangent": ("tangent kernel", PINK, "^"),
    "tangent4": ("tangent kernel", PINK, "^"),
}


def width_gaps(ax: Axes, widths: Sequence[int], gaps: Mapping[str, np.ndarray], slopes: Mapping[str, float]) -> None:
    """Gaps (widths, R) against the width, medians joined, each with a dashed line of its derived slope."""
    for (name, values), color, marker in zip(gaps.items(), (ORANGE, BLUE, GREEN), "os^"):
        middle = np.median(values, axis=1)
        ax.loglog(np.repeat(widths, values.shape[1]), values.ravel(), ".", color=color, markersize=2, alpha=0.3)
        ax.loglog(widths, middle, marker, color=color, markersize=5, label=name, zorder=6)
        if name in slopes:
            ax.loglog(widths, middle[-1] * (np.array(widths) / widths[-1]) ** slopes[name], **figures.THEORY)
    _ticks(ax, widths)
    ax.set(xlabel="width $m$")


def loss_decay(ax: Axes, losses: Mapping[str, np.ndarray], kernel: np.ndarray) -> None:
    """Relative losses (T, R) of networks by name, and the kernel's (T,)."""
    for (name, values), color in zip(losses.items(), (ORANGE, BLUE)):
        lines = ax.semilogy(values, color=color, linewidth=1.2, alpha=0.8)
        lines[0].set_label(name)
    ax.semilogy(kernel, **figures.THEORY, label="kernel")
    ax.axhline(1e-3, color="0.6", linewidth=0.8, linestyle=":")
    ax.set(xlabel="step", ylabel="training loss over its start", xlim=(0, len(kernel) - 1), ylim=(1e-16, 2))


def training_curves(axes: Sequence[Axes], steps: np.ndarray, record: Mapping[str, np.ndarray]) -> None:
    """Loss, accuracy and cosine, (orders, R, T) each, medians with quartiles; order 0, the network, in black."""
    names = {"loss": "training loss", "accuracy": "test accuracy", "cosine": "cosine of logits to the network's"}
    for ax, (key, title) in zip(axes, names.items()):
        colors = ["black", *figures.ordered_colors(len(record[key]) - 1)]
        for order, (values, color) in enumerate(zip(record[key], colors)):
            if key == "cosine" and order == 0:
                continue
            # The highest orders lie on the network's line: it is dotted and on top of them.
            style = {"linewidth": 1.6} if order else {"linewidth": 1.6, "linestyle": (0, (1, 1.2)), "zorder": 5}
            figures.band(ax, steps, values, axis=0, color=color, shade=0.15, label=ORDERS[order], **style)
        ax.set(title=title, xlabel="step", xlim=(0, steps[-1]))


def term_sizes(ax: Axes, widths: Sequence[int], sizes: Mapping[str, np.ndarray], slopes: Mapping[str, float]) -> None:
    """Sizes (widths,) of terms, each with a dashed line of its derived slope through the widest."""
    for (name, values), color, marker in zip(sizes.items(), (BLUE, SKY, ORANGE), "s^o"):
        ax.loglog(widths, values, marker, color=color, label=name, zorder=6)
        ax.loglog(widths, values[-1] * (np.array(widths) / widths[-1]) ** slopes[name], **figures.THEORY)
    ax.set(xlabel="width $m$", ylabel="size of the term")


def ball_radii(ax: Axes, widths: Sequence[int], radii: Mapping[str, np.ndarray], slopes: Mapping[str, float]) -> None:
    """Radii (widths,) where models hold, drawn as sizes of terms are."""
    term_sizes(ax, widths, radii, slopes)
    ax.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set(ylabel=r"radius, in units of $m^{-1/4}$", ylim=(1, 14))


def balls(ax: Axes, grid: np.ndarray, terms: Mapping[str, np.ndarray], tolerance: float, width: int):
    """Regions of the plane where the linear and the quadratic model hold, and the linear term's size as shading.

    Args:
        ax: where to draw.
        grid: (G,) of both coordinates.
        terms: "value", "first", "second" (G, G), the second coordinate on axis 0.
        tolerance: error up to which a model holds.
        width: of the network, for the title.

    Returns:
        the colored mesh, for a color bar.
    """
    first, second, value = terms["first"], terms["second"], terms["value"]
    mesh = ax.pcolormesh(grid, grid, np.abs(first), cmap="Blues", vmin=0, vmax=12, shading="gouraud", rasterized=True)
    for error, color in ((value - first, BLUE), (value - first - second, ORANGE)):
        ax.contour(grid, grid, np.abs(error), levels=[tolerance], colors=[color], linewidths=2.2)
    ax.plot(0, 0, "+", color="black")
    ax.set(title=f"$m={width}$", xlabel=r"along $W$", aspect="equal", xticks=[-10, 0, 10], yticks=[-10, 0, 10])
    return mesh


def ball_names(figure: Figure) -> None:
    """Names of the two curves, above the axes."""
    lines = [Line2D([], [], color=color, linewidth=2.2) for color in (BLUE, ORANGE)]
    names = ["inside: the linear model holds", "inside: the quadratic model holds"]
    figure.legend(lines, names, loc="outside upper center", ncols=2)


def legend_above(figure: Figure, ax: Axes) -> None:
    """One legend for all axes, that of `ax`, above them, where it hides no curve."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))


def color_bar(figure: Figure, mesh, axes: Sequence[Axes], label: str) -> None:
    """A color bar beside a row of axes."""
    figure.colorbar(mesh, ax=list(axes), label=label, shrink=0.85)


def signed_errors(ax: Axes, samples: Sequence[int], errors: Mapping[str, np.ndarray], dimension: int) -> None:
    """Relative test errors (sizes, R) of every model against n / d, medians joined."""
    shares = np.array(samples) / dimension
    for name, values in errors.items():
        label, color = MODELS[name]
        ax.plot(np.repeat(shares, values.shape[1]), values.ravel(), ".", color=color, markersize=3, alpha=0.4)
        ax.plot(shares, np.median(values, axis=1), "o-", color=color, label=label)
    ax.set(xlabel="samples $n/d$", ylabel="relative test error", ylim=(0, None), xticks=shares)


def signed_training(ax: Axes, steps: np.ndarray, errors: Mapping[str, np.ndarray]) -> None:
    """Relative training errors (T, R) of every model over the steps, medians."""
    for name, values in errors.items():
        label, color = MODELS[name]
        ax.semilogy(steps, np.median(values, axis=1), color=color, label=label)
    ax.set(xlabel="step of Adam", ylabel="relative training error", xlim=(0, steps[-1]), ylim=(1e-4, 2))


def learning_curves(ax: Axes, curves: Mapping[str, tuple[np.ndarray, np.ndarray]], vertical: Sequence[float]) -> None:
    """Median relative test errors (sizes,) of learners over samples (sizes,); dashed lines at predicted thresholds."""
    for name, (sizes, errors) in curves.items():
        label, color, marker = LEARNERS[name]
        figures.band(ax, sizes, errors, color=color, shade=0.15, label=label, marker=marker, markersize=4)
    ax.set_xscale("log")
    for size in vertical:
        ax.axvline(size, **{**figures.THEORY, "linewidth": 1.1})
    ax.axhline(0.05, color="0.6", linewidth=0.8, linestyle=":")
    _ticks(ax, [50, 100, 200, 500, 1000])
    ax.set(xlabel="samples $n$", ylabel="relative test error", ylim=(0, 1.2))


def thresholds(
    ax: Axes,
    found: Mapping[str, tuple[Sequence[int], np.ndarray, np.ndarray]],
    theory: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> None:
    """Samples needed over the dimension: (dimensions, n05, n50) of learners, and predicted (dimensions, samples)."""
    dimensions: set[int] = set()
    for name, (d, five, fifty) in found.items():
        label, color, marker = LEARNERS[name]
        ax.loglog(d, five, marker, color=color, label=label, zorder=6)
        ax.loglog(d, fifty, marker, color=color, markerfacecolor="white", markersize=4, zorder=6)
        dimensions |= set(d)
    for d, sizes in theory.values():
        ax.loglog(d, sizes, **{**figures.THEORY, "linewidth": 1.2})
    _ticks(ax, sorted(dimensions))
    ax.set(xlabel="dimension $d$", ylabel="samples needed")


def representations(ax: Axes, names: Sequence[str], errors: Sequence[np.ndarray], levels: Sequence[float]) -> None:
    """Relative test errors of all trials of several representations, one column each, and predicted levels."""
    for place, (values, level) in enumerate(zip(errors, levels)):
        spread = np.linspace(-0.12, 0.12, np.size(values)) if np.size(values) > 1 else 0.0
        ax.semilogy(place + spread, np.maximum(values, 1e-7), "o", color=(BLUE, ORANGE)[level <= 0], zorder=6)
        if level > 0:
            ax.plot([place - 0.3, place + 0.3], [level, level], **figures.THEORY)
    ax.set_xticks(range(len(names)), names)
    ax.set(ylabel="relative test error", xlim=(-0.5, len(names) - 0.5))


def _ticks(ax: Axes, values: Sequence[int]) -> None:
    """Ticks at the values themselves on a logarithmic axis."""
    ax.set_xticks(values, [f"{value:g}" for value in values])
    ax.xaxis.set_minor_locator(NullLocator())
