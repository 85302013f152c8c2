"""Figures of matrix factorization: arrays and axes in, ink out."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter

from offconvex import figures

REST = "0.75"
"""Gray of singular values that the target does not have."""


def spectrum(ax: Axes, iterations: np.ndarray, values: np.ndarray, learned: int) -> None:
    """Singular values (T, k) against iterations: the first `learned` in color, dark to light, the rest in gray."""
    for r, color in zip(range(learned), figures.ordered_colors(learned)):
        ax.plot(iterations, values[:, r], color=color)
    ax.plot(iterations, values[:, learned:], color=REST, linewidth=1.0, zorder=1)
    ax.set(xlim=(0, iterations[-1]), ylim=(0, None))
    ax.margins(x=0)


def predicted_spectrum(ax: Axes, iterations: np.ndarray, law: np.ndarray, label: str) -> None:
    """What theory predicts for each singular value (T, k); nan where it predicts nothing."""
    lines = ax.plot(iterations, law, **figures.THEORY)
    lines[0].set_label(label)


def target_ticks(ax: Axes, values: np.ndarray) -> None:
    """Short marks at the right edge: the target's singular values."""
    for value in values:
        ax.plot([0.985, 1.0], [value, value], color="black", linewidth=1.2, transform=ax.get_yaxis_transform())


def error_curve(ax: Axes, iterations: np.ndarray, error: np.ndarray, floor: float) -> None:
    """Relative error on a log axis, and the floor that the adaptive rule keeps it at."""
    ax.semilogy(iterations, error, color=figures.KIND_COLORS[0], linewidth=1.2)
    ax.axhline(floor, color=figures.KIND_COLORS[1], linewidth=1.2, linestyle=":")
    ax.text(0.03 * iterations[-1], floor * 0.72, "floor of the adaptive step", color=figures.KIND_COLORS[1], va="top")
    ax.set(xlabel="iteration", ylabel=r"$\|W - W^*\|_F \, / \, \|W^*\|_F$", xlim=(0, iterations[-1]))


def growth_law(
    ax: Axes,
    depths: Sequence[int],
    values: Sequence[np.ndarray],
    quotients: Sequence[np.ndarray],
    grid: np.ndarray,
    laws: Sequence[np.ndarray],
) -> None:
    """Measured rate over projection against singular value, one color a depth, and the law on the common grid."""
    for depth, x, y, law, color in zip(depths, values, quotients, laws, figures.ordered_colors(len(depths))):
        ax.loglog(x, y, "o", color=color, markersize=3.2, markeredgewidth=0, alpha=0.8)
        ax.loglog(grid, law, **figures.THEORY)
        ax.annotate(
            f"$L={depth}$", (grid[-1], law[-1]), xytext=(6, 0), textcoords="offset points", va="center", color=color
        )
    ax.set(xlabel=r"singular value $\sigma$", ylabel=r"$\dot\sigma \, / \, \langle -G, u v^\top \rangle$")
    ax.margins(x=0.12)


def drift(ax: Axes, steps: np.ndarray, drifts: np.ndarray, line: np.ndarray, flow_drift: float) -> None:
    """Drift of the layer gaps against the step, a line of slope one, and the flow's drift as a level."""
    ax.loglog(steps, drifts, "o", color=figures.KIND_COLORS[0], label="gradient descent")
    ax.loglog(steps, line, label="slope one", **figures.THEORY)
    ax.axhline(flow_drift, color=figures.KIND_COLORS[1], label="adaptive gradient flow")
    ax.set(xlabel=r"step $\eta$", ylabel="relative drift of the layer gaps")
    ax.set_xticks(steps, [f"{step:g}" for step in steps], minor=False)
    ax.minorticks_off()
    ax.legend(loc="center right")


def escape(ax: Axes, stds: np.ndarray, times: np.ndarray, laws: np.ndarray, depths: Sequence[int]) -> None:
    """Escape times (D, S, R) against the start's standard deviation, with each depth's predicted dependence (D, S)."""
    for depth, cloud, law, color in zip(depths, times, laws, figures.ordered_colors(len(depths))):
        for replica in cloud.T:
            ax.loglog(stds, replica, "o", color=color, markersize=4, alpha=0.8, markeredgewidth=0)
        ax.loglog(stds, law, **figures.THEORY)
        ax.annotate(
            f"$L={depth}$", (stds[-1], law[-1]), xytext=(8, 0), textcoords="offset points", va="center", color=color
        )
    ax.invert_xaxis()
    ax.set(xlabel="standard deviation of every entry at the start (smaller to the right)", ylabel="escape time")
    ax.margins(x=0.15)


def closed_forms(axes: Sequence[Axes], depths: Sequence[int], times: np.ndarray, values: np.ndarray, exact: np.ndarray):
    """One panel a depth: integrated singular values (T, k) in color, closed forms dashed."""
    for ax, depth, t, measured, closed in zip(axes, depths, times, values, exact):
        for curve, color in zip(measured.T, figures.ordered_colors(measured.shape[1])):
            ax.plot(t, curve, color=color, linewidth=2.6)
        ax.plot(t, closed, **figures.THEORY)
        ax.set(title=f"$L = {depth}$", xlabel="time", xlim=(0, t[-1]), ylim=(0, None))
    axes[0].set_ylabel("singular values")


def method_errors(ax: Axes, names: Sequence[str], errors: np.ndarray, medians: np.ndarray) -> None:
    """Errors (M, R) of several methods on a log axis, one dot a task, a bar at the median."""
    for i, (dots, median) in enumerate(zip(errors, medians)):
        ax.semilogx(dots, np.full(len(dots), i), "o", color=figures.KIND_COLORS[0], alpha=0.7, markeredgewidth=0)
        ax.plot([median, median], [i - 0.3, i + 0.3], color="black", linewidth=2)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="mean squared error, all entries", ylim=(len(names) - 0.4, -0.6))


def recovery_maps(
    axes: Sequence[Axes], depths: Sequence[int], fractions: np.ndarray, scales: np.ndarray, medians: np.ndarray
):
    """One heat map a depth: median relative error (F, A) by observed fraction and start; returns the last image."""
    norm = LogNorm(1e-3, 1.0, clip=True)
    for ax, depth, cells in zip(axes, depths, medians):
        image = ax.imshow(cells, norm=norm, cmap="viridis_r", aspect="auto")
        for (i, j), value in np.ndenumerate(cells):
            ax.text(
                j, i, _short(value), ha="center", va="center", color="white" if value < 0.03 else "black", fontsize=7
            )
        ax.set_xticks(range(len(scales)), [f"$10^{{{round(np.log10(scale))}}}$" for scale in scales])
        ax.set_yticks(range(len(fractions)), [f"{fraction:.0%}" for fraction in fractions])
        ax.set(title=f"$L = {depth}$", xlabel=r"size $\alpha$ of the start")
    axes[0].set_ylabel("entries observed")
    return image


def recovery_colorbar(figure, image, axes) -> None:
    """Color scale of the heat maps."""
    bar = figure.colorbar(image, ax=list(axes), pad=0.015, fraction=0.03, format=FuncFormatter(lambda x, _: f"{x:g}"))
    bar.set_label("relative error")


def _short(value: float) -> str:
    return f"{value:.1g}" if value >= 0.095 else f"{value:.0e}".replace("e-0", "e-")
