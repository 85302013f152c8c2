"""Figures of the chapter on flow and descent: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from offconvex import figures

FLOW = {**figures.THEORY, "linewidth": 1.4}
DESCENT = figures.KIND_COLORS[1]
TUBE = "#9ecae1"
NAMES = {"linear": "linear", "relu": "ReLU", "adapted": "strided convolutions", "lenet": "LeNet"}


def tube_in_plane(
    ax: Axes, flow: np.ndarray, descent: np.ndarray, radius: np.ndarray, window: Sequence[float], levels: np.ndarray
) -> None:
    """Descent (K, 2) as a broken line, its flow (T, 2), and the width of the tube, its radius (T,) to both sides.

    Args:
        ax: where to draw.
        flow: points of the flow.
        descent: corners of the broken line.
        radius: of the tube; drawn where it is below half of the window's height.
        window: (left, right, bottom, top).
        levels: objective on a grid (n, n) over the window, for contours.
    """
    left, right, bottom, top = window
    grid = np.linspace(left, right, levels.shape[1]), np.linspace(bottom, top, levels.shape[0])
    ax.contour(*grid, levels, levels=np.quantile(levels, np.linspace(0.03, 0.9, 9)), colors="0.85", linewidths=0.7)
    known = radius < (top - bottom) / 2
    along = np.gradient(flow, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], -1) / np.linalg.norm(along, axis=1)[:, None]
    sides = [(flow + sign * radius[:, None] * across)[known] for sign in (1, -1)]
    ax.fill(*np.concatenate([sides[0], sides[1][::-1]]).T, color=TUBE, linewidth=0, zorder=1)
    ax.plot(*descent.T, "-o", color=DESCENT, linewidth=1.0, markersize=2.6, zorder=6)
    ax.plot(*flow.T, **{**FLOW, "zorder": 7})  # above the corners, which would hide it
    ax.set(xlim=(left, right), ylim=(bottom, top), xlabel="$x$", aspect="equal")


def tube_over_time(ax: Axes, times: np.ndarray, distance: np.ndarray, radius: np.ndarray, convex: np.ndarray) -> None:
    """Distance between descent and flow (T,), the radius of the tube, and the radius that convexity would give."""
    inside = np.isfinite(radius)
    ax.fill_between(times[inside], 1e-9, radius[inside], color=TUBE, linewidth=0)
    ax.semilogy(times[1:], distance[1:], color=DESCENT, label="distance")
    ax.semilogy(times[1:][inside[1:]], radius[1:][inside[1:]], **FLOW, label="tube")
    ax.semilogy(times[1:], convex[1:], color="0.35", linestyle=":", linewidth=1.4, label=r"tube without $\lambda_-$")
    ax.set(xlabel="time $t$", xlim=(0, times[-1]), ylim=(3e-4, 2))


def losses(ax: Axes, times: np.ndarray, loss: np.ndarray, ratios: Sequence[int]) -> None:
    """Training loss (runs, T) of all steps."""
    for values, ratio, color, width in zip(
        loss, ratios, figures.ordered_colors(len(ratios)), np.linspace(6, 1, len(ratios))
    ):
        ax.plot(times, values, color=color, linewidth=width, label=step_name(ratio))
    ax.set(ylabel="training loss", ylim=(0, None), xlim=(0, times[-1]))


def step_name(ratio: int) -> str:
    """The step eta_0 / r in mathematical notation."""
    return r"$\eta_0$" if ratio == 1 else rf"$\eta_0/{ratio}$"


def distances(ax: Axes, times: np.ndarray, travel: np.ndarray, gaps: np.ndarray, ratios: Sequence[int]) -> None:
    """Distance from the start (T,), and between the run at the largest step and the others (runs, T)."""
    ax.semilogy(times[1:], travel[1:], color="black", linewidth=1.4, label="from the start")
    for gap, ratio, color in zip(gaps[1:], ratios[1:], figures.ordered_colors(len(ratios))[1:]):
        ax.semilogy(times[1:], gap[1:], color=color, label="to the run at " + step_name(ratio))
    ax.set(ylabel="distance", xlim=(0, times[-1]), ylim=(1e-4, 10))


def shares(ax: Axes, times: np.ndarray, gaps: np.ndarray, ratios: Sequence[int], law: np.ndarray) -> None:
    """Gaps (runs, T) over the gap to the flow that the finest run implies, and the law 1 - 1/r (runs,)."""
    limit = gaps[-1, 1:] / law[-1]
    for gap, ratio, color, level in zip(gaps[1:], ratios[1:], figures.ordered_colors(len(ratios))[1:], law[1:]):
        ax.plot(times[1:], gap[1:] / limit, color=color, label=f"$r={ratio}$")
        ax.axhline(level, **{**figures.THEORY, "linewidth": 1.0})
    ax.set(ylabel="share of the distance", xlim=(0, times[-1]), ylim=(0, 1.05))


def eigenvalues(
    ax: Axes, times: np.ndarray, least: np.ndarray, most: np.ndarray, lower: np.ndarray | None, name: str
) -> None:
    """Extreme eigenvalues (C,) along a run, and below them the bound for linear networks where there is one."""
    ax.plot(times, most, "o-", color=figures.KIND_COLORS[0], markersize=3.5, label=r"$\lambda_{\max}$")
    ax.plot(times, least, "o-", color=figures.KIND_COLORS[1], markersize=3.5, label=r"$\lambda_{\min}$")
    if lower is not None:
        ax.plot(times, lower, **figures.THEORY, label="bound")
    ax.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    ax.set_yscale("symlog", linthresh=0.1)
    ax.set(title=name, xlabel="time $t$", xlim=(0, None), yticks=[-10, -1, -0.1, 0, 0.1, 1, 10, 100])


def random_eigenvalues(
    ax: Axes, scales: np.ndarray, least: Mapping[str, np.ndarray], ends: Mapping[str, float]
) -> None:
    """-lambda_min at random points (scales, draws), slope one dashed, and at the end of a run as a line each."""
    for (name, values), color in zip(least.items(), figures.KIND_COLORS):
        middle = np.median(-values, axis=1)
        ax.loglog(np.repeat(scales, values.shape[1]), -values.ravel(), "o", color=color, markersize=3, alpha=0.6)
        ax.loglog(scales, middle, color=color, label=f"random, {NAMES[name]}")
        ax.plot(scales, middle[-1] * scales / scales[-1], **{**figures.THEORY, "linewidth": 1.0})
        ax.axhline(-ends[name], color=color, linestyle="-.", linewidth=1.2, label=f"end of run, {NAMES[name]}")
    _ticks(ax, scales)
    ax.set(xlabel="scale of the point", ylabel=r"$-\lambda_{\min}$")
    ax.set_ylim(top=100 * ax.get_ylim()[1])  # room for the legend above the points


def _ticks(ax: Axes, values: np.ndarray) -> None:
    """Ticks at the values themselves on a logarithmic axis that is shorter than two decades."""
    ax.set_xticks(values, [f"{value:g}" for value in values])
    ax.xaxis.set_minor_locator(NullLocator())


def bounds(ax: Axes, times: np.ndarray, gap: np.ndarray, radii: Mapping[str, np.ndarray], travel: np.ndarray) -> None:
    """Distance between descent and flow (T,), below the radii of tubes (T,); the distance traveled for comparison."""
    ax.semilogy(times[1:], gap[1:], color=DESCENT, linewidth=2.2, label="descent to flow")
    for (name, radius), style in zip(radii.items(), ((0, (5, 2.5)), (0, (3, 1.5, 1, 1.5)), (0, (1, 1.5)))):
        ax.semilogy(times[1:], radius[1:], **{**figures.THEORY, "linestyle": style, "linewidth": 1.3}, label=name)
    ax.semilogy(times[1:], travel[1:], color="0.6", linewidth=1.2, label="traveled")
    ax.set(xlabel="time $t$", xlim=(0, times[-1]), ylim=(1e-5, 1e4))


def orders(ax: Axes, steps: np.ndarray, distances: Mapping[str, np.ndarray], slopes: Mapping[str, int]) -> None:
    """Distances (steps,) against the step, each with a dashed line of its expected slope through the smallest step."""
    for (name, values), color, marker in zip(distances.items(), figures.KIND_COLORS, "osD"):
        ax.loglog(steps, values, marker, color=color, label=name, zorder=6)
        ax.loglog(steps, values[-1] * (steps / steps[-1]) ** slopes[name], **{**figures.THEORY, "linewidth": 1.0})
    _ticks(ax, steps)
    ax.set(xlabel=r"step $\eta$", ylabel="distance of descent at equal time")


def leaving(ax: Axes, step: float, times: np.ndarray, height: np.ndarray, color) -> None:
    """|y| of descent over time, for one step."""
    ax.semilogy(times, height, color=color, label=f"$\\eta=10^{{{round(np.log10(step))}}}$")
    ax.set(xlabel="time $t$", ylabel="$|y|$", ylim=(1e-6, 2))


def leaving_times(ax: Axes, steps: np.ndarray, times: np.ndarray, rates: Sequence[float]) -> None:
    """Times (rates, steps) of leaving, and lines of slope ln(10)/m a decade through the smallest step."""
    for m, row, color in zip(rates, times, figures.KIND_COLORS):
        ax.semilogx(steps, row, "o", color=color, label=f"$m={m:g}$")
        ax.semilogx(steps, row[-1] - np.log(steps / steps[-1]) / m, **{**figures.THEORY, "linewidth": 1.0})
    ax.invert_xaxis()
    ax.set(xlabel=r"step $\eta$, falling $\rightarrow$", ylabel="time of leaving", ylim=(0, None))


def convergence(ax: Axes, times: np.ndarray, loss: np.ndarray, name: str) -> None:
    """Loss (T, starts) of all starts."""
    ax.semilogy(times, np.maximum(loss, 1e-12), color=figures.KIND_COLORS[0], linewidth=0.4, alpha=0.35)
    ax.set(title=name, xlabel="time $t$", ylim=(1e-6, 1), xlim=(0, times[-1]))


def arrivals(ax: Axes, odds: np.ndarray, measured: Mapping[int, np.ndarray], theory: Mapping[int, np.ndarray]) -> None:
    """Times (cosines,) to a small loss against (1 - nu) / (1 + nu), per depth, and those of the reduced flow."""
    for (depth, times), color in zip(measured.items(), figures.ordered_colors(len(measured))):
        ax.loglog(odds, times, "o", color=color, label=f"depth {depth}", zorder=6)
        ax.loglog(odds, theory[depth], **{**figures.THEORY, "linewidth": 1.1})
    _ticks(ax, np.round(odds))
    ax.set(xlabel=r"$(1-\nu)/(1+\nu)$ at the start", ylabel="time to loss $10^{-3}$", ylim=(3, 3e4))


def precision(ax: Axes, times: np.ndarray, gaps: Mapping[str, np.ndarray], rounding: np.ndarray) -> None:
    """Distance between two steps (T,) in each precision, and between the precisions at the smaller step (T,)."""
    for (name, values), color in zip(gaps.items(), (figures.KIND_COLORS[1], figures.KIND_COLORS[0])):
        ax.plot(times, values, color=color, label=f"between the steps, {name}")
    ax.plot(times, rounding, color="0.45", linestyle=":", label="float32 to float64, smaller step")
    ax.set(xlabel="time $t$", ylabel="distance", xlim=(0, times[-1]), ylim=(0, None))
