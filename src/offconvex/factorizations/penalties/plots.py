"""Figures of the chapter on explicit penalties: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from offconvex import figures

TEST = "error on unobserved entries"
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def paths(axes: Sequence[Axes], steps: np.ndarray, runs: Mapping[str, Mapping[str, np.ndarray]], rank: float) -> None:
    """Test error and effective rank (T, R) of runs over their steps (T,), and the target's effective rank."""
    for (name, run), color in zip(runs.items(), figures.KIND_COLORS):
        figures.band(axes[0], steps, run["test"], color=color, label=name.replace(", ", ",\n"))
        figures.band(axes[1], steps, run["rank"], color=color, label=name)
    axes[1].axhline(rank, **figures.THEORY)
    axes[1].annotate("target", (0, rank), xytext=(2, -12), textcoords="offset points")
    axes[0].set(yscale="log", xlabel="step of Adam", ylabel=TEST)
    axes[1].set(yscale="log", xlabel="step of Adam", ylabel="effective rank", yticks=(3, 5, 10, 20, 50))
    axes[1].set_yticklabels(["3", "5", "10", "20", "50"])
    axes[1].minorticks_off()


def weights(
    ax: Axes, convex: tuple[np.ndarray, np.ndarray], ratio: tuple[np.ndarray, np.ndarray], law: np.ndarray
) -> None:
    """Test error (K, R) over weights (K,) of nuclear norm and ratio, and the ratio's first-order law (K,)."""
    figures.band(
        ax, *convex, color=figures.KIND_COLORS[1], label="nuclear norm, exact minimizer", marker="o", markersize=4
    )
    figures.band(ax, *ratio, color=figures.KIND_COLORS[0], label="ratio, proximal descent", marker="o", markersize=4)
    ax.plot(ratio[0], law, label=r"first order, $\propto \lambda^2$", **figures.THEORY)
    ax.set(xscale="log", yscale="log", xlabel=r"weight $\lambda$", ylabel=TEST, ylim=(5e-7, 3))
    ax.legend(loc="lower right")


def table(ax: Axes, medians: np.ndarray, names: Sequence[str], observed: np.ndarray) -> None:
    """Median test errors (rows, columns) as colored cells with their numbers."""
    ax.imshow(medians.clip(1e-7, 1), norm=LogNorm(1e-6, 1), cmap="viridis_r", aspect="auto")
    for (i, j), value in np.ndenumerate(medians):
        color = "white" if value > 1e-3 else "black"
        ax.text(j, i, _short(value), ha="center", va="center", fontsize=10, color=color)
    ax.set(xticks=range(len(observed)), yticks=range(len(names)), xlabel="observed entries of 10,000")
    ax.set_xticklabels([f"{count:,}" for count in observed])
    ax.set_yticklabels(names)
    ax.tick_params(length=0)
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)


def spectrum(ax: Axes, ratios: np.ndarray, errors: Mapping[str, np.ndarray]) -> None:
    """Test errors (K, R), not below 1e-16, over the quotient q of neighboring singular values (K,), flat to steep."""
    for (name, error), color in zip(errors.items(), (figures.KIND_COLORS[1], figures.KIND_COLORS[0])):
        figures.band(ax, ratios, error.clip(1e-16), color=color, label=name, marker="o", markersize=4)
    ax.set(yscale="log", xlabel=r"spectrum $q$, flat to steep", ylabel=TEST, ylim=(2e-17, 1))
    ax.invert_xaxis()
    ax.legend(loc="best")


def certificates(ax: Axes, ratios: np.ndarray, values: Mapping[str, np.ndarray]) -> None:
    """Certificates (K, R) over q (K,), and the level one below which a target is a local minimizer for sure."""
    for (name, value), color in zip(values.items(), (figures.KIND_COLORS[1], figures.KIND_COLORS[0])):
        figures.band(ax, ratios, value, color=color, label=name, marker="o", markersize=4)
    ax.axhline(1, **figures.THEORY)
    ax.set(xlabel=r"spectrum $q$, flat to steep", ylabel="norm of the certificate", ylim=(-0.05, None))
    ax.invert_xaxis()


def steps(ax: Axes, rates: np.ndarray, errors: Mapping[str, np.ndarray], label: str) -> None:
    """Test errors (K, R) over first step sizes (K,), one color per start."""
    for (name, error), color in zip(errors.items(), figures.KIND_COLORS):
        figures.band(ax, rates, np.minimum(error, 1e3), color=color, label=name, marker="o", markersize=4)
    ax.set(xscale="log", yscale="log", xlabel=label, ylim=(1e-4, 1e2))


def ratings(
    ax: Axes, looked: np.ndarray, runs: np.ndarray, weights: Sequence[float], rivals: Mapping[str, float]
) -> None:
    """Test errors (weights, T) of the ratio along a run, and rivals' errors as lines."""
    # Where the two runs agree, the narrower one lies on the wider one.
    for run, weight, color, width in zip(runs, weights, figures.ordered_colors(len(weights)), (4.0, 1.6)):
        ax.plot(looked, run, color=color, linewidth=width, label=rf"ratio, $\lambda = {weight:g}$")
    for (name, value), style in zip(rivals.items(), ("-", "-.")):
        ax.axhline(value, color="0.35", linestyle=style, linewidth=1.2)
        ax.annotate(name, (looked[-1], value), xytext=(0, -4), textcoords="offset points", ha="right", va="top")
    ax.set(xlabel="step of Adam", ylabel="root mean square error, stars", ylim=(min(rivals.values()) - 0.004, None))
    ax.legend(loc="center left", bbox_to_anchor=(0.0, 0.3))


def _short(value: float) -> str:
    if value >= 0.01:
        return f"{value:.2f}"
    digit, exponent = f"{value:.0e}".split("e")
    return f"{digit}·10{str(int(exponent)).translate(SUPERSCRIPTS)}"
