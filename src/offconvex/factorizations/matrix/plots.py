"""Figures of matrix factorization: arrays and axes in, ink out."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter

from offconvex import figures

REST = "0.75"
"""Gray of singular values that the target does not have."""

UNDER_THEORY = {"linewidth": 3.6, "alpha": 0.7, "solid_capstyle": "butt"}
"""Style of measured curves that a dashed line lies on: broad enough to be seen on both sides of it."""


def spectrum(ax: Axes, iterations: np.ndarray, values: np.ndarray, learned: int) -> None:
    """Singular values (T, k) against iterations: the first `learned` in color, dark to light, the rest in gray."""
    for r, color in zip(range(learned), figures.ordered_colors(learned)):
        ax.plot(iterations, values[:, r], color=color, **UNDER_THEORY)
    ax.plot(iterations, values[:, learned:], color=REST, linewidth=1.0, zorder=1)
    ax.set(xlim=(0, iterations[-1]), ylim=(0, None))


def predicted_spectrum(ax: Axes, iterations: np.ndarray, law: np.ndarray, label: str) -> None:
    """What theory predicts for each singular value (T, k); nan where it predicts nothing."""
    lines = ax.plot(iterations, law, **figures.THEORY)
    lines[0].set_label(label)


def target_ticks(ax: Axes, values: np.ndarray) -> None:
    """Short marks outside the right edge: the target's singular values, which the vertical axis is made to contain."""
    ax.set_ylim(top=max(ax.get_ylim()[1], 1.05 * np.max(values)))
    for value in values:
        ax.plot([1.005, 1.03], [value, value], "k", linewidth=1.4, transform=ax.get_yaxis_transform(), clip_on=False)


def error_curve(ax: Axes, iterations: np.ndarray, error: np.ndarray, floor: float) -> None:
    """Relative error on a log axis, and the level that the adaptive rule keeps it at."""
    ax.semilogy(iterations, error, color=figures.KIND_COLORS[0], linewidth=1.2)
    ax.axhline(floor, color=figures.KIND_COLORS[1], linewidth=1.2, linestyle=":")
    ax.text(0.03 * iterations[-1], floor * 0.72, "left by the adaptive step", color=figures.KIND_COLORS[1], va="top")
    ax.set(xlabel="iteration", ylabel=r"$\|W - W^*\|_F \, / \, \|W^*\|_F$", xlim=(0, iterations[-1]))


def growth_law(
    ax: Axes,
    depths: Sequence[int],
    values: Sequence[np.ndarray],
    quotients: Sequence[np.ndarray],
    grid: np.ndarray,
    laws: Sequence[np.ndarray],
    *,
    symbol: str = "L",
) -> None:
    """Measured rate over projection against size, one color a number of factors, and the law on the common grid."""
    for depth, x, y, law, color in zip(depths, values, quotients, laws, figures.ordered_colors(len(depths))):
        # Broader than the dashed line on them, so that both are seen.
        ax.loglog(x, y, "o", color=color, markersize=6, markeredgewidth=0, alpha=0.5)
        ax.loglog(grid, law, **figures.THEORY)
        place = {"xytext": (7, 0), "textcoords": "offset points", "va": "center"}
        ax.annotate(f"${symbol}={depth}$", (grid[-1], law[-1]), color=color, **place)
    ax.set(xlabel=r"singular value $\sigma$", ylabel=r"$\dot\sigma \, / \, \langle -G, u v^\top \rangle$")
    ax.margins(x=0.14)


def growth_deviation(
    ax: Axes, depths: Sequence[int], values: Sequence[np.ndarray], percents: Sequence[np.ndarray]
) -> None:
    """Deviation of the measured rate from the law in percent against singular value, one color a depth."""
    for depth, x, y, color in zip(depths, values, percents, figures.ordered_colors(len(depths))):
        ax.semilogx(x, y, "o", color=color, markersize=4, markeredgewidth=0, alpha=0.6, label=f"$L={depth}$")
    ax.axhline(0, **figures.THEORY)
    ax.set(xlabel=r"singular value $\sigma$", ylabel="measured rate against the law, %", ylim=(-5, 5))


def drift_by_step(ax: Axes, steps: np.ndarray, drifts: np.ndarray, line: np.ndarray) -> None:
    """Drift of the layer gaps under gradient descent against the step, and a line of slope one."""
    ax.loglog(steps, drifts, "o", color=figures.KIND_COLORS[0], markersize=7, label="gradient descent")
    ax.loglog(steps, line, label="slope one", **figures.THEORY)
    ax.set(xlabel=r"step $\eta$", ylabel="relative drift of the gaps")
    ax.set_xticks(steps, [f"{step:.2g}" for step in steps])
    ax.set_yticks(drifts, [f"{drift:.1e}" for drift in drifts])
    ax.minorticks_off()
    ax.margins(0.15)
    ax.legend(loc="upper left")


def drift_in_time(ax: Axes, times: np.ndarray, drifts: np.ndarray, descent: float) -> None:
    """Drift along the flow on a log axis, and the level that gradient descent reaches at its smallest step."""
    ax.semilogy(times, drifts, color=figures.KIND_COLORS[1], label="gradient flow")
    ax.axhline(descent, color=figures.KIND_COLORS[0], label="gradient descent, smallest step")
    ax.set(xlabel="flow time", xlim=(0, times[-1]))
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
            ax.plot(t, curve, color=color, **UNDER_THEORY)
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
    """One heat map a depth: median relative error (F, A) by observed fraction and start; returns the last image.

    Cells show percents, which are short enough for letters of the size of the axes'.
    """
    norm = LogNorm(1e-3, 1.0, clip=True)
    for ax, depth, cells in zip(axes, depths, medians):
        image = ax.imshow(cells, norm=norm, cmap="viridis_r", aspect="auto")
        for (i, j), value in np.ndenumerate(cells):
            color = "white" if value > 0.05 else "black"
            ax.text(j, i, _percent(value), ha="center", va="center", color=color, fontsize=10)
        ax.set_xticks(range(len(scales)), [f"$10^{{{round(np.log10(scale))}}}$" for scale in scales])
        ax.set_yticks(range(len(fractions)), [f"{fraction:.0%}" for fraction in fractions])
        ax.set(title=f"$L = {depth}$", xlabel=r"size $\alpha$ of the start")
    axes[0].set_ylabel("entries observed")
    return image


def recovery_colorbar(figure, image, axes) -> None:
    """Color scale of the heat maps."""
    percent = FuncFormatter(lambda x, _: f"{100 * x:g}")
    bar = figure.colorbar(image, ax=list(axes), pad=0.015, fraction=0.03, format=percent)
    bar.set_label("relative error, %")


def _percent(value: float) -> str:
    return f"{float(f'{100 * value:.1g}'):g}".lstrip("0")
