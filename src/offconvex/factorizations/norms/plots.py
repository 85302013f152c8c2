"""Figures of the chapter on norms: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from offconvex import figures, fits

LOSS = r"loss $\ell$, falling $\rightarrow$"
NORM_NAMES = {0.5: r"$p=\frac{1}{2}$", 2 / 3: r"$p=\frac{2}{3}$", 1.0: "nuclear", 2.0: "Frobenius", np.inf: "spectral"}


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
    for power, norm, place, color in zip(powers, norms, least, figures.ordered_colors(len(powers))):
        ax.plot(free, norm, color=color)
        ax.plot(place, norm.min(), "o", color=color, markersize=4)
        ax.annotate(
            NORM_NAMES[power],
            (place, norm.min()),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            color=color,
            fontsize=8,
        )
    ax.set(xlabel=r"unobserved entry $W_{11}$", ylabel="norm of the fit", xlim=(free[0], free[-1]), ylim=(0.8, None))


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
    for loss, entry, label, color in zip(losses, entries, labels, figures.KIND_COLORS):
        lines = ax.plot(loss, entry, color=color, linewidth=1.0, alpha=0.7)
        lines[0].set_label(label)
    ax.plot(grid, law, label=r"$1/\sqrt{2\ell}$", **figures.THEORY)
    ax.fill_between(grid, 1e-3, bound, color="0.88", linewidth=0, zorder=0)
    ax.set_yscale("log")
    ax.set_ylim(0.1, 2 * law.max())


def descent_points(ax: Axes, loss: np.ndarray, entry: np.ndarray, label: str) -> None:
    """Gradient descent runs (T, R) as open circles, a few of their records."""
    rows = np.unique(np.linspace(0, len(loss) - 1, 60).astype(int))
    ax.plot(
        loss[rows].ravel(),
        np.abs(entry[rows]).ravel(),
        "o",
        color="black",
        markersize=3.2,
        markerfacecolor="none",
        markeredgewidth=0.6,
        alpha=0.5,
        label=label,
    )


def determinants(ax: Axes, runs: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Determinants (T, R) against falling loss (T, R), one color a kind of start."""
    for (loss, determinant), color in zip(runs.values(), figures.KIND_COLORS):
        ax.plot(loss, determinant, color=color, linewidth=1.1, alpha=0.8)
    ax.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    ax.axhline(-1, **figures.THEORY)
    ax.set_ylabel(r"$\det W$")


def bounded_entries(
    ax: Axes, runs: Mapping[str, tuple[np.ndarray, np.ndarray]], grid: np.ndarray, law: np.ndarray
) -> None:
    """|W11| (T, R) against falling loss (T, R), one color a kind of start, and the law on a grid of losses."""
    for (name, (loss, entry)), color in zip(runs.items(), figures.KIND_COLORS):
        lines = ax.plot(loss, entry, color=color, linewidth=1.1, alpha=0.8)
        lines[0].set_label(name)
    ax.plot(grid, law, **figures.THEORY)
    ax.set(yscale="log", ylabel=r"$|W_{11}|$", ylim=(0.05, 2 * law.max()))


def norm_growth(ax: Axes, loss: np.ndarray, norms: np.ndarray, powers: Sequence[float], bound: np.ndarray) -> None:
    """Schatten (quasi-)norms (powers, T) of one run against falling loss (T,), and the bound below them all."""
    for power, norm, color in zip(powers, norms, figures.ordered_colors(len(powers))):
        ax.loglog(loss, norm, color=color, label=NORM_NAMES[power])
    ax.loglog(loss[bound > 0], bound[bound > 0], **figures.THEORY)
    ax.set(ylabel="norm of $W$", ylim=(0.1, None))


def rank_decay(ax: Axes, loss: np.ndarray, curves: Mapping[str, np.ndarray], bounds: Mapping[str, np.ndarray]) -> None:
    """Measures of rank (T, R) against falling loss (T, R), and their bounds (T,) at the first run's losses."""
    for (name, values), color in zip(curves.items(), figures.KIND_COLORS):
        shown = np.where(values > 1e-9, values, np.nan)
        lines = ax.loglog(loss, shown, color=color, linewidth=1.0, alpha=0.7)
        lines[0].set_label(name)
    for values in bounds.values():
        ax.loglog(loss[:, 0], values, **figures.THEORY)
    ax.set_ylim(1e-7, 3)


def vanishing_value(ax: Axes, entry: np.ndarray, log_value: np.ndarray, law: np.ndarray) -> None:
    """Logarithm of sigma_2 (T, R) against |W11| (T, R) at depth 2, the law (T,), and where double precision ends."""
    ax.plot(entry, log_value / np.log(10), color=figures.KIND_COLORS[0], linewidth=1.2)
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
            fontsize=8,
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
    for loss, entry, label, color in zip(losses, entries, labels, figures.ordered_colors(len(losses))):
        lines = ax.plot(loss, entry, color=color, linewidth=1.0)
        lines[0].set_label(label)
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
        ax.plot(loss[:, keep], entry[:, keep], color=color, linewidth=1.1, alpha=0.7)
        if not keep.all():
            ax.plot(loss[:, ~keep], entry[:, ~keep], color=color, linewidth=1.1, linestyle=":")
        ax.plot(grid, law, **figures.THEORY)
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
    ax.plot(free, norm, color="0.6", linewidth=1.2)
    for (name, (entry, size)), color, marker in zip(chosen.items(), figures.KIND_COLORS, "osD"):
        ax.plot(entry, size, marker, color=color, label=name, markersize=5, alpha=0.8)
    ax.set(xlabel=r"unobserved entry $W_{11}$", ylabel="nuclear norm")
    ax.legend(loc="upper left")


def with_quartiles(ax: Axes, x: np.ndarray, values: np.ndarray, color, label: str, marker: str = "o") -> None:
    """Median over the last axis of values (n, R), with the quartiles as a bar."""
    low, middle, high = fits.quartiles(values)
    ax.errorbar(
        x,
        middle,
        yerr=(middle - low, high - middle),
        color=color,
        marker=marker,
        markersize=4,
        linewidth=1.4,
        capsize=2,
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
    for k, (std, marker) in enumerate(zip(stds, "s^")):
        label = f"factorization, start {std:g}"
        with_quartiles(ax, x, values[:, k], figures.KIND_COLORS[2 * k], label, marker)


def tolerance_sweep(ax: Axes, tolerances: np.ndarray, ranks: Mapping[str, np.ndarray]) -> None:
    """Estimated ranks (tolerances, R) against the tolerance, median and quartiles."""
    for (name, values), color, marker in zip(ranks.items(), figures.KIND_COLORS, "osD^"):
        with_quartiles(ax, tolerances, values, color, name, marker)
    ax.set(xscale="log", xlabel="tolerance on the mean squared error", ylabel="estimated tensor rank")
    ax.invert_xaxis()
    ax.legend()
