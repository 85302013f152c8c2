"""Figures of the chapter on matrix manifolds: arrays and axes in, ink out."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from offconvex import figures

ADJUSTED, UNADJUSTED = figures.KIND_COLORS[0], figures.KIND_COLORS[1]


def walk(axes: Sequence[Axes], time: np.ndarray, first: np.ndarray, second: np.ndarray) -> Callable[[int], None]:
    """A cloud of chains and one of them, as two points each, (T, N, 2), with the circles of the components.

    Returns:
        A function that draws the frame of a number.
    """
    angle = np.linspace(0, 2 * np.pi, 200)
    marks = []
    for ax, path, title in zip(axes, (first, second), ("coordinates of $E_1$", "coordinates of $E_2$")):
        ax.plot(np.cos(angle), np.sin(angle), **figures.THEORY)
        (cloud,) = ax.plot([], [], "o", color="#9fc5e0", markersize=3, zorder=3)
        (tail,) = ax.plot([], [], color=UNADJUSTED, linewidth=1.2, alpha=0.8, zorder=7)
        (dot,) = ax.plot([], [], "o", color=UNADJUSTED, markersize=9, markeredgecolor="white", zorder=8)
        ax.set(
            title=title, aspect="equal", xlim=(-1.35, 1.35), ylim=(-1.35, 1.35), xticks=(-1, 0, 1), yticks=(-1, 0, 1)
        )
        marks.append((path, cloud, tail, dot))
    text = axes[0].text(-1.3, 1.3, "", va="top")

    def frame(number: int) -> None:
        for path, cloud, tail, dot in marks:
            cloud.set_data(path[number, :, 0], path[number, :, 1])
            back = path[max(0, number - 3) : number + 1, 0]
            tail.set_data(back[:, 0], back[:, 1])
            dot.set_data(path[number, :1, 0], path[number, :1, 1])
        text.set_text(f"time {time[number]:.1f}")

    return frame


def distance_ratios(
    ax: Axes, names: Sequence[str], adjusted: np.ndarray, unadjusted: np.ndarray, law: np.ndarray
) -> None:
    """Squared distance over its prediction without steps, (settings, 2) with errors, and the inflated predictions."""
    places = np.arange(len(names))
    ax.axhspan(0.95, 1.05, color="0.93", zorder=0)
    for place, value in zip(places, law):
        ax.plot([place - 0.3, place + 0.3], [value, value], **figures.THEORY)
        ax.plot([place - 0.3, place + 0.3], [1, 1], **figures.THEORY)
    for values, name, color in ((adjusted, "adjusted", ADJUSTED), (unadjusted, "unadjusted", UNADJUSTED)):
        ax.errorbar(places, values[:, 0], 4 * values[:, 1], fmt="o", color=color, capsize=4, label=name, zorder=6)
    ax.set(ylabel="squared distance, relative", ylim=(0.9, 1.4), xlim=(-0.5, len(names) - 0.5))
    ax.set_xticks(places, names)
    ax.legend(loc="upper right", ncols=2)


def trace_decay(ax: Axes, curves: Mapping[int, tuple[np.ndarray, np.ndarray]], rates: Sequence[float]) -> None:
    """Mean trace of the rotation against time, one curve per k, and the exponential laws."""
    for (k, (time, trace)), rate, color in zip(curves.items(), rates, figures.ordered_colors(len(curves))):
        shown = time * rate < 4.2
        ax.semilogy(time[shown], np.exp(-rate * time[shown]), **figures.THEORY)
        seen = shown & (trace > 0.012)
        ax.semilogy(time[seen], trace[seen], "o", color=color, markersize=3.5, label=f"$k={k}$")
    ax.set(xlabel="time", ylabel=r"mean of $\mathrm{tr}(R_t)\,/\,k$", ylim=(0.012, 1.3))
    ax.legend(loc="upper right")


def angles(ax: Axes, samples: np.ndarray, grid: np.ndarray, density: np.ndarray, title: str) -> None:
    """Histogram of rotation angles and the uniform law's density."""
    ax.hist(samples, np.linspace(0, np.pi, 17), density=True, color="#9fc5e0")
    ax.plot(grid, density, **figures.THEORY)
    ax.set(title=title, xlabel="rotation angle", xlim=(0, np.pi), ylim=(0, 0.85))
    ax.set_xticks([0, np.pi / 2, np.pi], ["0", r"$\pi/2$", r"$\pi$"])


def rate_against_beta(ax: Axes, betas: np.ndarray, rates: np.ndarray) -> None:
    """Rate along the fiber over its prediction, (betas, 2) with errors, and five percent around one."""
    ax.axhspan(0.95, 1.05, color="0.93", zorder=0)
    ax.axhline(1, **figures.THEORY)
    ax.errorbar(betas, rates[:, 0], 4 * rates[:, 1], fmt="o", color=UNADJUSTED, capsize=4, zorder=6)
    ax.set(xscale="log", xlabel=r"$\beta$", ylabel="rate, relative", ylim=(0.9, 1.1))
    ax.set_xticks(betas, [f"{beta:g}" for beta in betas])
    ax.minorticks_off()


def curvature_bounds(ax: Axes, sizes: np.ndarray, measured: np.ndarray, exact: np.ndarray, bound: np.ndarray) -> None:
    """Measured relaxation times along the fiber, their law, and what Ricci curvature guarantees."""
    ax.plot(sizes, exact, **figures.THEORY)
    ax.plot(sizes, measured, "o", color=ADJUSTED, label="measured", zorder=6)
    finite = np.isfinite(bound)
    ax.plot(sizes[finite], bound[finite], "v", color=UNADJUSTED, markersize=8, label="bound from Ricci curvature")
    arrow = {"arrowstyle": "->", "color": UNADJUSTED}
    ax.annotate("no bound", (sizes[0], 5.2), (sizes[0], 4.0), color=UNADJUSTED, ha="center", arrowprops=arrow)
    ax.set(xlabel="columns $k$", ylabel="relaxation time", ylim=(0, 7), xticks=sizes, xlim=(1.6, sizes[-1] + 0.4))
    ax.legend(loc="upper right")


def least_ricci(ax: Axes, ratios: np.ndarray, curves: Mapping[str, np.ndarray]) -> None:
    """Least Ricci curvature against the ratio of lengths, for the fiber and for another invariant metric."""
    for (name, values), color in zip(curves.items(), (ADJUSTED, UNADJUSTED)):
        ax.plot(ratios, values, color=color, label=name)
    ax.axhline(0, color="0.6", linewidth=0.8)
    ax.set(xscale="log", xlabel="ratio $a$ of squared lengths", ylabel="least Ricci curvature")
    ax.set_xticks([0.1, 0.5, 1, 2, 6], ["0.1", "0.5", "1", "2", "6"])
    ax.minorticks_off()
    ax.legend(loc="lower left")


def escapes(ax: Axes, runs: Mapping[str, Mapping[str, np.ndarray]], fine: np.ndarray, law: np.ndarray) -> None:
    """Mean escape times against the barrier, one color per posterior, and the law of the scalar one."""
    ax.semilogy(fine, law, **figures.THEORY)
    for (name, run), color, marker in zip(runs.items(), figures.KIND_COLORS, "os^"):
        ax.errorbar(
            run["height"], run["time"], 3 * run["error"], fmt=f"{marker}-", color=color, linewidth=1.2, label=name
        )
    ax.set(xlabel=r"barrier $\beta\,\sigma_{\min}^4$", ylabel="mean time to the other component")
    ax.legend(loc="upper left")


def ratios(ax: Axes, names: Sequence[str], values: np.ndarray, title: str) -> None:
    """Quotients of measured and predicted numbers with errors, (names, 2), and five percent around one."""
    places = np.arange(len(names))
    ax.axhspan(0.95, 1.05, color="0.93", zorder=0)
    ax.axhline(1, **figures.THEORY)
    ax.errorbar(places, values[:, 0], 4 * values[:, 1], fmt="o", color=ADJUSTED, capsize=4, zorder=6)
    ax.set(title=title, ylim=(0.85, 1.15), xlim=(-0.5, len(names) - 0.5))
    ax.set_xticks(places, names)
