"""Figures of the chapter: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from offconvex import figures

PATH, OPTIMUM, STREAM = figures.KIND_COLORS[0], figures.KIND_COLORS[1], "0.72"


def names(kinds: Sequence) -> list[str]:
    """Short labels of parameterizations: identity, N = 4, exp, polar."""
    return [kind if isinstance(kind, str) else "identity" if kind == 1 else f"$N={kind:g}$" for kind in kinds]


def field_panels(
    axes: Sequence[Axes],
    axis: np.ndarray,
    arrows: Mapping,
    paths: Mapping,
    *,
    point: tuple[float, float] | None = None,
    line: tuple[float, float, float] | None = None,
) -> None:
    """One panel a parameterization: streamlines in gray, flow paths in blue, the optimum in orange.

    Args:
        axes: as many as there are fields.
        axis: (n,) grid coordinates of both axes.
        arrows: kind -> (n, n, 2) directions.
        paths: kind -> (T, R, 2) weights.
        point: the optimum of the point loss.
        line: (a1, a2, b) of the line a.w = b.
    """
    for ax, (kind, field), name in zip(axes, arrows.items(), names(arrows)):
        ax.streamplot(
            axis, axis, field[..., 0], field[..., 1], density=0.95, color=STREAM, linewidth=0.7, arrowsize=0.7, zorder=1
        )
        if line is not None:
            ends = np.array([0.0, axis[-1]])
            ax.plot(ends, (line[2] - line[0] * ends) / line[1], color=OPTIMUM, linewidth=2.2, zorder=2)
        if point is not None:
            ax.plot(*point, "o", color=OPTIMUM, markersize=9, markeredgecolor="white", zorder=8)
        for path in np.moveaxis(paths.get(kind, np.empty((1, 0, 2))), 1, 0):
            _path(ax, path)
        ax.set(title=name, xlim=(0, axis[-1]), ylim=(0, axis[-1]), aspect="equal", xticks=(0, 5, 10), yticks=(0, 5, 10))


def label_outer(axes: np.ndarray, x: str = "$w_1$", y: str = "$w_2$") -> None:
    """Axis labels on the left column and the bottom row of a grid of panels only."""
    grid = np.atleast_2d(axes)
    for ax in grid[-1]:
        ax.set_xlabel(x)
    for ax in grid[:, 0]:
        ax.set_ylabel(y)


def unit_circle(ax: Axes) -> None:
    """The radius where the polar parameterization turns as fast as the plain one, on labeled axes."""
    angle = np.linspace(0, np.pi / 2, 100)
    ax.plot(np.cos(angle), np.sin(angle), color="black", linestyle=":", linewidth=1.8, zorder=6)
    ax.annotate(
        "$r=1$", (0.9, 0.45), (2.2, 0.45), va="center", arrowprops={"arrowstyle": "-", "linewidth": 0.8}, zorder=9
    )
    ax.set(xlabel="$w_1$", ylabel="$w_2$")


def ratios(
    ax: Axes, first: np.ndarray, ratio: np.ndarray, expected: np.ndarray, kinds: Sequence, target: float
) -> None:
    """Ratio w2/w1 against the progress of w1, one line a depth, theory dashed on top."""
    colors = figures.ordered_colors(len(kinds))
    for x, y, dashed, color, name in zip(first, ratio, expected, colors, names(kinds)):
        ax.plot(x, y, color=color, linewidth=3, alpha=0.75, label=name)
        ax.plot(x, dashed, **{**figures.THEORY, "linewidth": 1.0})
    ax.axhline(target, color=OPTIMUM, linewidth=1.2, zorder=0)
    ax.set(xlabel="first weight $w_1$", ylabel="ratio $w_2/w_1$")


def from_below_and_above(axes: Sequence[Axes]) -> None:
    """Titles of the two `ratios` panels; time runs from left to right in both."""
    axes[0].set_title("from below: pulled apart")
    axes[1].set_title("from above: pulled together")
    axes[1].invert_xaxis()
    axes[0].legend(loc="upper right")


def limit(ax: Axes, depth: np.ndarray, distance: np.ndarray, expected: np.ndarray) -> None:
    """Distance of the depth-N field to its limit, on logarithmic axes."""
    ax.loglog(depth, distance, "o", color=PATH, base=2, label="measured")
    ax.plot(depth, expected, **figures.THEORY, label="first order, $c/N$")
    ax.set(xlabel="depth $N$", ylabel="relative distance to exp")
    ax.legend()


def equalizing(ax: Axes, powers: np.ndarray, ends: np.ndarray, curve: np.ndarray, curve_points: np.ndarray) -> None:
    """End points (P, R, 2) over the power N, and the least-norm points (C, 2) as curves."""
    for i, (color, name) in enumerate(zip(figures.KIND_COLORS, ("$w_1$", "$w_2$"))):
        ax.plot(np.repeat(powers, ends.shape[1]), ends[..., i].ravel(), "o", color=color, label=f"end of {name}")
    for i in range(2):
        ax.plot(curve, curve_points[:, i], **figures.THEORY, label=None if i else "least $\\ell_{2/N}$ norm")
    ax.set(xlabel="power $N$", ylabel="weight at the end", xlim=(0, 1.04))
    ax.legend(loc="center", bbox_to_anchor=(0.36, 0.16))


def polar_law(ax: Axes, radius: np.ndarray, sine: np.ndarray, expected: np.ndarray) -> None:
    """Absolute sine of the angle to the normal against the squared radius, one line a start: parallel lines."""
    for i in range(radius.shape[1]):
        seen = np.abs(expected[:, i]) > 1e-4
        ax.semilogy(radius[seen, i] ** 2, np.abs(sine[seen, i]), color=PATH, alpha=0.55, linewidth=3.2)
        ax.semilogy(radius[seen, i] ** 2, np.abs(expected[seen, i]), **{**figures.THEORY, "linewidth": 1.0})
        ax.plot(radius[0, i] ** 2, np.abs(sine[0, i]), "o", color=PATH, markersize=4)
    ax.set(xlabel="squared radius $r^2$", ylabel=r"$|\sin\delta|$, angle to the normal", ylim=(5e-5, 2))


def end_points(ax: Axes, ends: np.ndarray, expected: np.ndarray, kinds: Sequence, starts: Sequence) -> None:
    """First weight at the end for each parameterization (rows) and start (colors); the prediction as a black bar."""
    colors = figures.KIND_COLORS
    rows = np.arange(len(kinds))[::-1]
    for j, start in enumerate(starts):
        shift = 0.27 - 0.18 * j
        ax.plot(ends[:, j, 0], rows + shift, "o", color=colors[j % len(colors)], label=f"({start[0]:g}, {start[1]:g})")
        ax.plot(expected[:, j, 0], rows + shift, "|", color="black", markersize=11, markeredgewidth=1.3, zorder=6)
    for row in rows[:-1]:
        ax.axhline(row - 0.5, color="0.9", linewidth=0.8, zorder=0)
    ax.set(yticks=rows, yticklabels=names(kinds), xlabel="$w_1$ at the end", xlim=(-0.3, 15.3))
    ax.legend(title="start $(w_1, w_2)$", loc="upper right")


def growth(axes: Sequence[Axes], times: np.ndarray, weights: np.ndarray, expected: np.ndarray, kinds: Sequence) -> None:
    """Weights over time, one panel a depth; time runs from 0 to the arrival of the slowest weight."""
    titles = ["exp ($N=\\infty$)" if kind == "exp" else f"$N={kind:g}$" for kind in kinds]
    for ax, t, w, dashed, title in zip(axes, times, weights, expected, titles):
        for i, color in enumerate(figures.ordered_colors(w.shape[1])):
            ax.plot(t / t[-1], w[:, i], color=color, linewidth=3, alpha=0.75)
            ax.plot(t / t[-1], dashed[:, i], **{**figures.THEORY, "linewidth": 1.0})
        ax.set(title=title, xticks=(0, 1), xlabel="time (rescaled)")
    axes[0].set_ylabel("weights")


def thresholds(
    ax: Axes, gaps: np.ndarray, measured: np.ndarray, curves: Mapping[str, np.ndarray], kinds: Sequence
) -> None:
    """Largest incremental start against the gap r - 1: measured points, theory dashed, bounds as a band.

    Args:
        ax: where to draw.
        gaps: (G,) gaps of the measured points.
        measured: (kinds, G) natural logarithms, nan where nothing was measured.
        curves: "gaps" (C,), and "theory", "lower", "upper" (kinds, C), natural logarithms.
        kinds: depths.
    """
    for i, (color, name) in enumerate(zip(figures.ordered_colors(len(kinds)), names(kinds))):
        low, high, mid = (np.exp(curves[key][i]) for key in ("lower", "upper", "theory"))
        ax.fill_between(curves["gaps"], low, high, color=color, alpha=0.12, linewidth=0)
        ax.plot(curves["gaps"], mid, **{**figures.THEORY, "linewidth": 1.1})
        ax.plot(
            gaps, np.exp(measured[i]), "o", color=color, markersize=6, markeredgecolor="white", label=name, zorder=6
        )
    ax.set(xscale="log", yscale="log", ylim=(1e-23, 3), xlabel="gap between the targets, $r-1$")
    ax.set_ylabel("largest start that waits")
    ax.legend(loc="lower left")


def step_ladder(ax: Axes, step: np.ndarray, distance: np.ndarray, kinds: Sequence, other: np.ndarray) -> None:
    """Distance between descent and its flow against the step, slope one dashed; `other`: to a foreign flow, in gray."""
    for i, (y, color, name) in enumerate(zip(distance, figures.KIND_COLORS, names(kinds))):
        # Distances of two parameterizations may agree: rings of their own size lie in each other.
        ring = {"markersize": 10 - 1.7 * i, "fillstyle": "none", "markeredgewidth": 1.8}
        ax.plot(step, y, "o", color=color, label=name, zorder=6, **ring)
        ax.plot(step, y[0] * step / step[0], **{**figures.THEORY, "linewidth": 1.1})
    for i, y in enumerate(other):
        ax.plot(step, y, "s", color="0.45", markersize=5, fillstyle="none", label=None if i else "to the plain flow")
    ax.set_xscale("log", base=2)
    ax.set(yscale="log", xlabel="relative step size", ylabel="largest distance in $w$")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _path(ax: Axes, path: np.ndarray) -> None:
    ax.plot(*path.T, color=PATH, linewidth=1.9, zorder=4)
    ax.plot(*path[0], "o", color=PATH, markersize=4, zorder=5)
    ax.plot(*path[-1], "o", color=PATH, markersize=4, zorder=7)
    # One arrowhead where half of the way is done.
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    middle = int(np.searchsorted(way, 0.5 * way[-1]))
    before = int(np.searchsorted(way, 0.5 * way[-1] - 0.1))
    if 0 < before < middle:
        ax.annotate(
            "",
            path[middle],
            path[before],
            arrowprops={"arrowstyle": "-|>", "color": PATH, "mutation_scale": 11, "linewidth": 0},
            zorder=5,
        )
