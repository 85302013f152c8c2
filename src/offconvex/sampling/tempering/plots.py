"""Figures of the chapter on tempering: arrays and axes in, ink out."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from offconvex import figures

LANGEVIN, TEMPERING, OTHER = figures.KIND_COLORS[1], figures.KIND_COLORS[0], figures.KIND_COLORS[2]
BARS = "#9fc5e0"


def stuck(ax: Axes, x: np.ndarray, density: np.ndarray, chains: np.ndarray, times: np.ndarray) -> Callable[[int], None]:
    """A cloud (T, N) released in the left mode, as a histogram and one chain, over the target, frame by frame.

    Returns:
        A function that draws the frame of a number.
    """
    edges = np.linspace(x[0], x[-1], 61)
    widths = np.diff(edges)
    bars = ax.bar(edges[:-1], np.zeros(60), widths, align="edge", color=BARS, linewidth=0, label="chains")
    ax.plot(x, density, label="target", **figures.THEORY)
    (tail,) = ax.plot([], [], color=LANGEVIN, linewidth=0.8, alpha=0.6, zorder=6)
    (dot,) = ax.plot([], [], "o", color=LANGEVIN, markersize=8, markeredgecolor="white", label="one of them", zorder=7)
    text = ax.text(0.02, 0.97, "", transform=ax.transAxes, ha="left", va="top", fontsize=10)
    ax.set(xlabel="$x$", ylabel="density", xlim=(x[0], x[-1]), ylim=(-0.03, 0.5), yticks=(0, 0.2, 0.4))
    ax.legend(loc="upper right")

    def frame(number: int) -> None:
        heights = np.histogram(chains[number], edges)[0] / chains.shape[1] / widths
        for bar, height in zip(bars, heights):
            bar.set_height(height)
        back = chains[max(0, number - 6) : number + 1, 0]
        tail.set_data(back, np.full(len(back), -0.012))
        dot.set_data([chains[number, 0]], [-0.012])
        share = (chains[number] > 0).mean()
        text.set_text(f"time {times[number]:.0f}: {share:.1%} on the right")

    return frame


def crossing(
    ax: Axes, x: np.ndarray, densities: np.ndarray, level: np.ndarray, position: np.ndarray, betas: np.ndarray
) -> Callable[[int], None]:
    """One tempered chain, level (T,) and position (T,), over the density of each level (L, n); frame by frame.

    Returns:
        A function that draws the frame of a number.
    """
    for i, density in enumerate(densities):
        top = i + 0.85 * density / density.max()
        ax.fill_between(x, i, top, color="0.9", linewidth=0, zorder=1)
        ax.plot(x, top, color="black", linewidth=1.0, linestyle=(0, (5, 2.5)), zorder=2)
    heights = level + 0.12
    (tail,) = ax.plot([], [], color=TEMPERING, linewidth=1.0, alpha=0.8, zorder=6)
    (dot,) = ax.plot([], [], "o", color=LANGEVIN, markersize=9, markeredgecolor="white", zorder=7)
    names = [f"{beta:.2g}" for beta in betas]
    ax.set(xlabel="$x$", ylabel=r"$\beta$", xlim=(x[0], x[-1]), ylim=(len(betas), -0.1))
    ax.set(yticks=np.arange(len(betas)) + 0.0, yticklabels=names)
    ax.set_ylim(-0.1, len(betas))

    def frame(number: int) -> None:
        tail.set_data(position[: number + 1], heights[: number + 1])
        dot.set_data([position[number]], [heights[number]])

    return frame


def gap_curves(
    ax: Axes, table: Mapping[str, np.ndarray], measured: Mapping[str, np.ndarray], law: tuple[float, float]
) -> None:
    """Gaps of Langevin and of tempering against the distance, measured rates, and the two laws.

    Args:
        ax: where to draw.
        table: "r", "tempering" (rates, rs), "log langevin", "log predicted".
        measured: "r", "rate", "error" of simulated Langevin.
        law: exponent and factor of the gap of tempering as a power of r.
    """
    r = table["r"]
    inside = table["log langevin"] > np.log(1e-9)
    fine = np.linspace(r[0], r[inside][-1], 100)
    log_law = np.interp(fine, r, table["log predicted"] + r**2 / 2) - fine**2 / 2
    ax.plot(fine, np.exp(log_law), **figures.THEORY)
    far = r >= 4
    ax.plot(r[far], law[1] * r[far] ** law[0], **figures.THEORY)
    # Points alone: the laws run through them. The rates' gaps are close, so the second has rings around the first.
    slow, fast = table["tempering"]
    ax.plot(r, slow, "o", color=TEMPERING, label="tempering", zorder=6)
    ax.plot(r, fast, "o", color=TEMPERING, markerfacecolor="none", markersize=9, markeredgewidth=1.2, zorder=6)
    plain = np.exp(table["log langevin"][inside])
    ax.plot(r[inside], plain, "o", color=LANGEVIN, markersize=4.5, label="Langevin", zorder=7)
    ax.errorbar(
        measured["r"],
        measured["rate"],
        3 * measured["error"],
        fmt="x",
        color="black",
        markersize=8,
        label="simulated",
        zorder=8,
    )
    ax.set(xscale="log", yscale="log", ylim=(1e-9, 0.5), xlabel="half distance $r$ of the modes", ylabel="spectral gap")
    ax.set_xticks([2, 3, 4, 6, 10, 20], ["2", "3", "4", "6", "10", "20"])
    ax.minorticks_off()
    ax.legend(loc="lower right")


def prefactor(ax: Axes, grid: np.ndarray, curves: Mapping[str, np.ndarray], limit: float, label: str) -> None:
    """Exact crossing time over formulas for it, along a growing parameter, and the limit."""
    for (name, values), color in zip(curves.items(), (LANGEVIN, TEMPERING)):
        ax.plot(grid, values, "o-", color=color, label=name, zorder=6)
    for height in {limit, 1.0}:
        ax.axhline(height, **figures.THEORY)
    ax.set(xscale="log", xlabel=label, ylim=(0.85, 1.45))
    ticks = grid[::2]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.legend(loc="upper right")


def mode_shares(ax: Axes, dimensions: Sequence[int], tempered: np.ndarray, plain: np.ndarray, target: float) -> None:
    """Share of the right mode with four standard errors, (dimensions, 2) each, by dimension."""
    places = np.arange(len(dimensions))
    for values, name, color, shift in ((tempered, "tempering", TEMPERING, -0.08), (plain, "Langevin", LANGEVIN, 0.08)):
        ax.errorbar(
            places + shift, values[:, 0], 4 * values[:, 1], fmt="o", color=color, capsize=4, label=name, zorder=6
        )
    ax.axhline(target, **figures.THEORY)
    ax.set(xlabel="dimension", ylabel="share of the right mode", ylim=(-0.05, 1), xlim=(-0.5, len(places) - 0.5))
    ax.set_xticks(places, [str(d) for d in dimensions])
    ax.legend(loc="center right")


def occupancies(ax: Axes, dimensions: Sequence[int], runs: Sequence[np.ndarray]) -> None:
    """Share of time at each level times their number, one curve per dimension."""
    for d, values, color in zip(dimensions, runs, figures.ordered_colors(len(runs))):
        places = np.linspace(0, 1, len(values))
        ax.plot(places, values, "o-", color=color, markersize=3, linewidth=1.2, label=f"$d={d}$", zorder=6)
    ax.axhline(1, **figures.THEORY)
    ax.axhspan(0.9, 1.1, color="0.93", zorder=0)
    ax.set(xlabel="level, from hot to cold", ylabel="occupancy, relative", ylim=(0.75, 1.25), xticks=())
    ax.legend(loc="lower center", ncols=4, columnspacing=1.0, handlelength=1.2)


def level_histograms(
    axes: Sequence[Axes],
    samples: Sequence[np.ndarray],
    x: np.ndarray,
    densities: Sequence[np.ndarray],
    names: Sequence[str],
) -> None:
    """Histogram of the chains at some levels over the level's density."""
    edges = np.linspace(x[0], x[-1], 49)
    for ax, values, density, name in zip(axes, samples, densities, names):
        ax.hist(values, edges, density=True, color=BARS)
        ax.plot(x, density, **figures.THEORY)
        ax.set(title=name, xlim=(x[0], x[-1]), ylim=(0, 0.33), yticks=(0, 0.1, 0.2, 0.3), xlabel="$x$")
        ax.set_ylabel("density")
        ax.label_outer()


def unequal_shapes(
    axes: Sequence[Axes],
    shapes: np.ndarray,
    on_line: np.ndarray,
    dimensions: np.ndarray,
    curves: Mapping[str, np.ndarray],
    law: np.ndarray,
) -> None:
    """Gap against shape on the line (left), against the dimension for shells (right), and the predicted fall."""
    axes[0].loglog(shapes, on_line, "o-", color=TEMPERING)
    axes[0].set(
        xlabel="standard deviation of the right mode", ylabel="spectral gap", ylim=(4e-3, 4e-2), title="on the line"
    )
    axes[0].invert_xaxis()
    axes[0].set_xticks(shapes, [f"1/{1 / shape:g}" if shape < 1 else "1" for shape in shapes])
    axes[0].set_yticks([0.005, 0.01, 0.02, 0.04], ["0.005", "0.01", "0.02", "0.04"])
    axes[0].minorticks_off()
    axes[1].semilogy(dimensions, law, **figures.THEORY)
    # In few dimensions one shell and two have the same gap: the larger rings stay in sight.
    sizes = {"o": {"markersize": 10, "markerfacecolor": "none"}}
    for (name, values), color, marker in zip(curves.items(), (OTHER, TEMPERING, LANGEVIN), "os^"):
        style = {"color": color, "label": name, "linewidth": 1.3, "zorder": 6} | sizes.get(marker, {})
        axes[1].semilogy(dimensions, values, f"{marker}-", **style)
    axes[1].set(xlabel="dimension", title="shells around one center", ylim=(1e-6, 300))
    axes[1].legend(loc="upper right")


def bound_curves(ax: Axes, r: np.ndarray, parts: np.ndarray, title: str) -> None:
    """Gap, projected gap and least restricted gap (rs, 3) and the bound, half the product of the last two."""
    for values, name, color in zip(
        parts.T, ("gap", "projected", "restricted"), (TEMPERING, OTHER, figures.KIND_COLORS[3])
    ):
        ax.semilogy(r, values, "o-", color=color, label=name, linewidth=1.3)
    ax.semilogy(r, parts[:, 1] * parts[:, 2] / 2, label="bound", **figures.THEORY)
    ax.set(xlabel="half distance $r$", title=title, ylim=(3e-8, 2))


def bias(
    ax: Axes, steps: np.ndarray, variances: Mapping[str, np.ndarray], error: float, fine: np.ndarray, law: np.ndarray
) -> None:
    """Variance of unadjusted and adjusted chains against the step, and the law of the first."""
    ax.plot(fine, law, **figures.THEORY)
    ax.axhline(1, **figures.THEORY)
    for (name, values), color in zip(variances.items(), (LANGEVIN, TEMPERING)):
        ax.errorbar(steps, values, 4 * error * values, fmt="o", color=color, label=name, capsize=3, zorder=6)
    ax.set(xlabel=r"step $\eta$", ylabel="variance (target: 1)", xlim=(0, 0.9), ylim=(0.9, 1.8))
    ax.legend(loc="upper left")
