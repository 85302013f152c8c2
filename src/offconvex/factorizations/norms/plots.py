"""Figures of the chapter on norms: arrays and axes in, ink out."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from offconvex import figures, fits

LOSS = r"loss $\ell$, falling $\rightarrow$"
NORM_NAMES = {0.5: "$p=1/2$", 2 / 3: "$p=2/3$", 1.0: "nuclear", 2.0: "Frobenius", np.inf: "spectral"}


def falling_loss(ax: Axes, high: float, low: float) -> None:
    """A logarithmic loss axis that falls from left to right, as training does."""
    ax.set_xscale("log")
    ax.set_xlim(high, low)
    ax.set_xlabel(LOSS)


def regression(ax: Axes, iterations: np.ndarray, distances: Mapping[str, np.ndarray]) -> None:
    """Distance (T, problems) to the solution of least norm, one color per kind of start."""
    for (name, distance), color in zip(distances.items(), figures.KIND_COLORS):
        ax.semilogy(iterations, np.maximum(distance, 1e-16), color=color, linewidth=1.0)
        ax.annotate(
            name,
            (iterations[-1] * 0.97, np.median(distance[-1])),
            xytext=(0, 7),
            ha="right",
            color=color,
            textcoords="offset points",
        )
    ax.set(xlabel="iteration", ylabel="distance to the least-norm solution", ylim=(1e-16, 1e3))


def norm_profiles(ax: Axes, free: np.ndarray, norms: np.ndarray, powers: Sequence[float], least: np.ndarray) -> None:
    """Schatten (quasi-)norms (powers, n) of all fits over W11, and where each is least (powers,)."""
    colors, widths = figures.ordered_colors(len(powers)), _nested(len(powers))
    for power, norm, place, color, width in zip(powers, norms, least, colors, widths):
        ax.plot(free, norm, color=color, linewidth=width, label=NORM_NAMES[power])
        ax.plot(place, norm.min(), "o", color=color, markersize=5)
    # Above the curves there is room for the legend.
    ax.set(xlabel=r"unobserved entry $W_{11}$", ylabel="norm of the fit", xlim=(free[0], free[-1]), ylim=(0.8, 8.6))
    ax.legend(loc="upper center")


def diverging(
    ax: Axes,
    losses: Sequence[np.ndarray],
    entries: Sequence[np.ndarray],
    labels: Sequence[str],
    grid: np.ndarray,
    law: np.ndarray,
    bound: np.ndarray,
) -> None:
    """|W11| against falling loss: flow curves (T, R) per setting, the law and the lower bound on a grid of losses."""
    # Each panel has starts of its own, so they are named in it and not in the figure's one legend.
    _bundles(ax, zip(losses, entries), figures.KIND_COLORS, widths=(3.5, 1.2))
    for k, (label, color) in enumerate(zip(labels, figures.KIND_COLORS)):
        ax.text(0.04, 0.96 - 0.09 * k, _with_power(label), color=color, transform=ax.transAxes, va="top")
    ax.plot(grid, law, label=r"$1/\sqrt{2\ell}$", **figures.THEORY)
    ax.fill_between(grid, 1e-3, bound, color="0.88", linewidth=0, zorder=0)
    ax.set_yscale("log")
    ax.set_ylim(0.1, 2 * law.max())


def descent_points(ax: Axes, loss: np.ndarray, entry: np.ndarray, label: str) -> None:
    """Gradient descent runs (T, R) as open circles, at a few losses evenly spaced in the logarithm."""
    for k, (falling, reached) in enumerate(zip(loss.T, np.abs(entry.T))):
        levels = np.geomspace(falling[0], falling[-1], 16)[k % 2 :: 2]
        rows = [int(np.argmax(falling <= level)) for level in levels]
        ax.plot(
            falling[rows],
            reached[rows],
            "o",
            color="black",
            markersize=5,
            markerfacecolor="none",
            markeredgewidth=0.9,
            zorder=6,
            label=None if k else label,
        )


def determinants(ax: Axes, runs: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Determinants (T, R) against falling loss (T, R), one color a kind of start."""
    _bundles(ax, runs.values(), figures.KIND_COLORS, widths=(3.5, 1.2, 1.2))
    ax.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    ax.axhline(-1, **figures.THEORY)
    ax.set_ylabel(r"$\det W$")


def bounded_entries(
    ax: Axes, runs: Mapping[str, tuple[np.ndarray, np.ndarray]], grid: np.ndarray, law: np.ndarray
) -> None:
    """|W11| (T, R) against falling loss (T, R), one color a kind of start, and the law on a grid of losses."""
    _bundles(ax, runs.values(), figures.KIND_COLORS, widths=(3.5, 1.2, 1.2), labels=runs)
    ax.plot(grid, law, **figures.THEORY)
    ax.set(yscale="log", ylabel=r"$|W_{11}|$", ylim=(0.05, 2 * law.max()))


def norm_growth(ax: Axes, loss: np.ndarray, norms: np.ndarray, powers: Sequence[float], bound: np.ndarray) -> None:
    """Schatten (quasi-)norms (powers, T) of one run against falling loss (T,), and the bound below them all."""
    # The norms coincide: each is drawn narrower than the one before it, so that all look out.
    for power, norm, color, width in zip(powers, norms, figures.ordered_colors(len(powers)), _nested(len(powers))):
        ax.loglog(loss, norm, color=color, linewidth=1.6 * width, label=NORM_NAMES[power])
    ax.loglog(loss[bound > 0], bound[bound > 0], **figures.THEORY)
    ax.set(ylabel="norm of $W$", ylim=(0.1, None))


def rank_decay(ax: Axes, loss: np.ndarray, curves: Mapping[str, np.ndarray], bounds: Mapping[str, np.ndarray]) -> None:
    """Measures of rank (T, R) against falling loss (T, R), and their bounds (T,) at the first run's losses."""
    for (name, values), color in zip(curves.items(), figures.KIND_COLORS):
        shown = np.where(values > 1e-9, values, np.nan)
        lines = ax.loglog(loss, shown, color=color, linewidth=1.0, alpha=0.7)
        lines[0].set_label(name.replace(" - ", " − "))
    for values in bounds.values():
        ax.loglog(loss[:, 0], values, **figures.THEORY)
    ax.set_ylim(1e-7, 3)


def vanishing_value(ax: Axes, entry: np.ndarray, log_value: np.ndarray, law: np.ndarray) -> None:
    """Logarithm of sigma_2 (T, R) against |W11| (T, R) at depth 2, the law (T,), and where double precision ends."""
    ax.plot(entry, log_value / np.log(10), color=figures.KIND_COLORS[0], linewidth=2.5)
    ax.plot(entry[:, 0], law / np.log(10), **figures.THEORY)
    for level, text in ((-16, "rounding of weights near one"), (-308, "smallest double")):
        ax.axhline(level, color="0.5", linewidth=0.8)
        ax.annotate(
            text,
            (71, level),
            xytext=(0, -3),
            textcoords="offset points",
            ha="right",
            va="top",
            color="0.35",
        )
    ax.set(xlabel=r"$|W_{11}|$", ylabel=r"$\log_{10} \sigma_2$", xlim=(0, 73), ylim=(-1150, 60))


def leaving(
    ax: Axes,
    losses: Sequence[np.ndarray],
    entries: Sequence[np.ndarray],
    labels: Sequence[str],
    grid: np.ndarray,
    law: np.ndarray,
) -> None:
    """|W11| (T, R) of depth-2 weights against falling loss, one color a tolerance, and the law they leave."""
    colors = figures.ordered_colors(len(losses))
    _bundles(ax, zip(losses, entries), colors, widths=0.6 * _nested(len(losses)), labels=map(_with_power, labels))
    ax.plot(grid, law, **figures.THEORY)
    ax.set(yscale="log", ylabel=r"$|W_{11}|$", ylim=(0.5, 100))


def perturbed(
    ax: Axes,
    corners: Sequence[float],
    losses: Sequence[np.ndarray],
    entries: Sequence[np.ndarray],
    same: Sequence[np.ndarray],
    grid: np.ndarray,
    laws: Sequence[np.ndarray],
) -> None:
    """|W11| (T, R) against falling loss for each corner; runs on the other branch dotted; the laws on a grid."""
    for corner, loss, entry, keep, law, color in zip(
        corners, losses, entries, same, laws, figures.ordered_colors(len(corners))
    ):
        # Lightened, so that the law is seen on the darkest one too.
        ax.plot(loss[:, keep], entry[:, keep], color=0.55 * np.array(color) + 0.45, linewidth=3.2)
        if not keep.all():
            ax.plot(loss[:, ~keep], entry[:, ~keep], color=color, linewidth=1.5, linestyle=":")
        ax.plot(grid, law, **{**figures.THEORY, "linewidth": 1.1})
        ax.annotate(
            rf"$\varepsilon={corner:g}$",
            (grid[-1], law[-1]),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=color,
        )
    ax.set(yscale="log", ylabel=r"$|W_{11}|$", ylim=(0.3, 200))


def chosen_entries(
    ax: Axes, free: np.ndarray, norm: np.ndarray, chosen: Mapping[str, tuple[np.ndarray, np.ndarray]]
) -> None:
    """Nuclear norm (n,) of the first task's fits over W11, and the entries and norms that each method ends at."""
    ax.plot(free, norm, color="0.6", linewidth=1.2, label="fits of the first task")
    for (name, (entry, size)), color, marker in zip(chosen.items(), figures.KIND_COLORS, "osD"):
        ax.plot(entry, size, marker, color=color, label=name, markersize=5, alpha=0.8)
    ax.set(xlabel=r"unobserved entry $W_{11}$", ylabel="nuclear norm")
    ax.legend(loc="upper left")


def with_quartiles(
    ax: Axes, x: np.ndarray, values: np.ndarray, color, label: str, marker: str = "o", size: float = 1.0
) -> None:
    """Median over the last axis of values (n, R), with the quartiles as a bar; `size` of line and markers."""
    low, middle, high = fits.quartiles(values)
    ax.errorbar(
        x,
        middle,
        yerr=(middle - low, high - middle),
        color=color,
        marker=marker,
        markersize=4 * size,
        linewidth=1.4 * size,
        capsize=2 * size,
        label=label,
    )


def completion_errors(
    ax: Axes, observed: np.ndarray, errors: np.ndarray, linear: np.ndarray, stds: Sequence[float]
) -> None:
    """Errors (m, stds, starts) against the number of observed entries, and those of the linear method (m,)."""
    _completion(ax, observed, errors, linear, stds)
    ax.set(yscale="log", ylabel="reconstruction error")


def completion_ranks(
    ax: Axes, observed: np.ndarray, ranks: np.ndarray, linear: np.ndarray, stds: Sequence[float]
) -> None:
    """Estimated ranks (m, stds, starts) against the number of observed entries, and those of the linear method (m,)."""
    _completion(ax, observed, ranks, linear, stds)
    ax.set(yscale="log", xlabel="observed entries", ylabel="estimated tensor rank", ylim=(0.8, 100))
    ax.set_yticks([1, 2, 5, 10, 20, 50], labels=["1", "2", "5", "10", "20", "50"])
    ax.minorticks_off()


def spread(ax: Axes, x: np.ndarray, values: np.ndarray) -> None:
    """Quartiles over the last axis of values (n, R) as a gray band."""
    low, _, high = fits.quartiles(values)
    ax.fill_between(x, low, high, color="0.85", linewidth=0, zorder=0)


def _completion(ax: Axes, x: np.ndarray, values: np.ndarray, linear: np.ndarray, stds: Sequence[float]) -> None:
    ax.plot(x, linear, "D-", color=figures.KIND_COLORS[1], markersize=4, linewidth=1.4, label="linear")
    for k, (std, marker, size) in enumerate(zip(stds, "s^", (1.5, 1.0))):
        label = _with_power(f"factorization, start {std:g}")
        with_quartiles(ax, x, values[:, k], figures.KIND_COLORS[2 * k], label, marker, size)


def tolerance_sweep(ax: Axes, tolerances: np.ndarray, ranks: Mapping[str, np.ndarray]) -> None:
    """Estimated ranks (tolerances, R) against the tolerance, median and quartiles."""
    for (name, values), color, marker, size in zip(ranks.items(), figures.KIND_COLORS, "osD^", (1.7, 1.0, 1.0, 1.0)):
        with_quartiles(ax, tolerances, values, color, name, marker, size)
    ax.set(xscale="log", xlabel="tolerance on the mean squared error", ylabel="estimated tensor rank")
    ax.invert_xaxis()
    ax.legend()


def _bundles(
    ax: Axes,
    runs: Iterable[tuple[np.ndarray, np.ndarray]],
    colors: Sequence,
    *,
    widths: Sequence[float],
    labels: Iterable[str] | None = None,
) -> None:
    """Values (T, R) against falling loss (T, R), one color and width a bundle; with labels, the first line has one."""
    names = list(labels) if labels is not None else [None] * len(widths)
    for (loss, values), color, width, name in zip(runs, colors, widths, names):
        lines = ax.plot(loss, values, color=color, linewidth=width)
        lines[0].set_label(name)


def _nested(count: int) -> np.ndarray:
    """Widths of lines that may lie on each other: each narrower than the one before it, so that all are seen."""
    return np.linspace(3.0, 1.2, count)


def _with_power(label: str) -> str:
    """A label whose last word is a power of ten, "start 1e-05", with that word as a formula."""
    name, value = label.rsplit(" ", 1)
    return f"{name} $10^{{{round(np.log10(float(value)))}}}$"
