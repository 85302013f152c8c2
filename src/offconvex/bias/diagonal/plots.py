"""Figures of the chapter on diagonal networks: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from offconvex import figures


def staircase(
    axes: Sequence[Axes],
    runs: Mapping[float, tuple[np.ndarray, np.ndarray, np.ndarray]],
    times: np.ndarray,
    losses: np.ndarray,
    points: np.ndarray,
    last: float,
) -> None:
    """Loss of runs, and weights of the last of them, against tau, with the algorithm's steps.

    Args:
        axes: two, for losses and weights.
        runs: for each ln(1/alpha), from large starts to small ones: tau (T,), losses (T,), weights (T, d).
        times: (K,) the algorithm's jumps.
        losses: (K + 1,) its losses, from the start on.
        points: (K + 1, d) its weights.
        last: tau where the picture ends.
    """
    times = times[times < last]
    edges = np.concatenate([[0.0], times, [last]])
    losses, points = losses[: len(edges) - 1], points[: len(edges) - 1]
    for (start, (tau, loss, _)), color in zip(runs.items(), figures.ordered_colors(len(runs))[::-1]):
        axes[0].plot(tau, loss, color=color, linewidth=1.6, label=rf"$\ln(1/\alpha) = {start}$")
    axes[0].stairs(losses, edges, baseline=None, label="algorithm", **figures.THEORY)
    axes[0].set(ylabel="loss", ylim=(0, 1.08 * losses[0]))
    axes[0].legend(loc="upper right")
    tau, _, weights = runs[start]
    for k, j in enumerate(np.flatnonzero((points != 0).any(0))):
        axes[1].plot(tau, weights[:, j], color=figures.KIND_COLORS[k % 6], linewidth=1.6)
        axes[1].stairs(points[:, j], edges, baseline=None, **{**figures.THEORY, "linewidth": 1.1})
    axes[1].set(ylabel=rf"weights, $\ln(1/\alpha) = {start}$")
    for ax in axes:
        ax.set(xlabel=r"$\tau = 2t\,/\ln(1/\alpha)$", xlim=(0, last))


def offset_lines(ax: Axes, sizes: np.ndarray, measured: np.ndarray, times: np.ndarray, offsets: np.ndarray) -> None:
    """Jump times (S, K) against 1 / ln(1/alpha), (S,) of these, with lines from the limits (K,) of slopes (K,)."""
    line = np.array([0.0, 1.06 / sizes.min()])
    for k, (time, offset) in enumerate(zip(times, offsets)):
        ax.plot(line, time + offset * line, **figures.THEORY)
        ax.plot(1 / sizes, measured[:, k], "o", color=figures.KIND_COLORS[k % 6], zorder=6)
    ax.set(xlabel=r"$1/\ln(1/\alpha)$", ylabel=r"jump time $\tau$", xlim=(0, line[-1]), ylim=(0, None))


def rests(ax: Axes, exponents: Mapping[float, np.ndarray], rests: Mapping[float, np.ndarray]) -> None:
    """What the lines leave out, times ln(1/alpha), against its predicted exponent, a color for each ln(1/alpha)."""
    for (start, exponent), color in zip(exponents.items(), figures.ordered_colors(len(exponents))[::-1]):
        ax.plot(exponent, rests[start], ".", color=color, label=rf"$\ln(1/\alpha) = {start}$")
    line = np.array([0.0, 18.0])
    ax.plot(line, np.exp(-line), label=r"$e^{-x}$", **figures.THEORY)
    ax.set(yscale="log", xlim=(0, 30), ylim=(1e-8, 30), xlabel=r"$x = 2 \ln(1/\alpha)\, e_k$")
    ax.set_ylabel(r"$|\tau - \tau_k - c_k / \ln(1/\alpha)|\, \ln(1/\alpha)$")
    ax.legend(loc="upper right")


WAYS = ("start", "a third of it", "large steps", "single examples", "label noise", "decay")
"""Keys of `experiments.five_ways`, in the order of their colors; the first is black."""


def curve_of_solutions(
    ax: Axes,
    alphas: np.ndarray,
    errors: np.ndarray,
    ends: Mapping[str, tuple[float, float]],
    limits: tuple[float, float],
) -> None:
    """Test error of the potential's minimizer against alpha, and ends (alpha, error) of runs at their effective alpha.

    Args:
        ax: one.
        alphas: (A,).
        errors: (A,).
        ends: by way, `WAYS`; the first is the others' start.
        limits: errors of the least l1 and the least l2 norm.
    """
    ax.plot(alphas, errors, label=r"minimizer of $Q_\alpha$", **figures.THEORY)
    markers = ("o", "v", "^", "s", "D", "P")
    for name, marker, color in zip(WAYS, markers, ("black", *figures.KIND_COLORS)):
        ax.plot(*ends[name], marker, color=color, markersize=8, label=name, zorder=7)
    for limit, text, place in zip(limits, (r"least $\ell_1$ norm", r"least $\ell_2$ norm"), (alphas[0], alphas[-1])):
        ax.annotate(text, (place, limit), (0, 6), textcoords="offset points", ha="left" if place < 1 else "right")
    ax.set(xscale="log", xlabel=r"$\alpha$, of the start or what is left of it", ylabel="test error")
    ax.set_ylim(0, 1.15 * max(errors))
    ax.legend(loc="upper left", fontsize=8)


def against_steps(ax: Axes, shares: np.ndarray, excess: np.ndarray, name: str, color: str) -> None:
    """Error over that of the flow's end against shares (S,) of the step, from logarithms (S, B), and their mean."""
    ax.plot(shares, np.exp(excess), color=color, alpha=0.25, linewidth=0.8)
    ax.plot(shares, np.exp(np.nanmean(excess, axis=1)), "o-", color=color, label=name, zorder=6)
    ax.axhline(1, **figures.THEORY)
    ax.set(
        xlabel="step, as a share of the largest stable one", ylabel="error, over that of the flow's end", yscale="log"
    )
    ax.set_yticks([0.2, 0.5, 1.0], ["0.2", "0.5", "1"])
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.legend(loc="lower left")


def spent(ax: Axes, spent: np.ndarray, support: np.ndarray, title: str) -> None:
    """What is spent of every weight (d,), ln(alpha / alpha_eff), the target's first and in another color."""
    order = np.argsort(~support, kind="stable")
    colors = np.where(support[order], figures.KIND_COLORS[1], figures.KIND_COLORS[0])
    ax.bar(np.arange(len(order)), spent[order], color=colors, width=0.8)
    ax.set(xlabel="weight, those of the target first", ylabel=r"$\ln(\alpha / \alpha_i)$", title=title)


def noisy_walks(ax: Axes, steps: np.ndarray, walked: np.ndarray, predicted: np.ndarray, quiet: np.ndarray) -> None:
    """Logarithms of |u v| (T, d) against steps (T,), some predictions (T, d), and (T, d) without label noise."""
    for weight, color in enumerate(figures.ordered_colors(walked.shape[1])):
        ax.plot(steps / 1000, walked[:, weight], color=color, linewidth=0.9)
    chosen = np.unique(np.argsort(walked[-1])[:: max(1, walked.shape[1] // 6)])
    for weight in chosen:
        first = len(steps) // 4
        ax.plot(steps[first:] / 1000, predicted[first:, weight], **{**figures.THEORY, "zorder": 7})
    ax.plot(steps / 1000, quiet, color="0.6", linewidth=0.6)
    ax.set(xlabel="thousands of steps", ylabel=r"$\ln |u_i v_i|$")


def grokking_runs(
    axes: Sequence[Axes],
    runs: Mapping[float, tuple[np.ndarray, np.ndarray, np.ndarray]],
    told: Mapping[float, float],
    level: float,
) -> None:
    """Train and test errors as shares of those of zero, over the logarithm of time and over time; told times dashed.

    Args:
        axes: two.
        runs: for each alpha: times (T,), train errors (T,), test errors (T,).
        told: for each alpha the predicted time at which the test error passes its level.
        level: half of the kernel's test error.
    """
    for (alpha, (time, train, test)), color in zip(runs.items(), figures.ordered_colors(len(runs))):
        axes[0].plot(time, train, color=color, linewidth=0.9)
        for ax in axes:
            ax.plot(time, test, color=color, linewidth=1.8, label=rf"$\alpha = {alpha:g}$")
            ax.axvline(told[alpha], **(figures.THEORY | {"linewidth": 1.1}))
    for ax in axes:
        ax.axhline(level, color="0.6", linewidth=0.8)
        ax.set(xlabel="time", ylim=(0, 1.05))
    # Before the first train error moves there is nothing to see.
    begin = min(time[np.argmax(train < 0.99)] for time, train, _ in runs.values())
    axes[0].set(xscale="log", ylabel="error", xlim=(begin / 3, None))
    axes[1].set(xlim=(0, 1.1 * max(told.values())))
    axes[1].legend(loc=(0.2, 0.68))


def grokking_orders(
    ax: Axes, decays: np.ndarray, static: np.ndarray, corrected: np.ndarray, names: Sequence[str]
) -> None:
    """Relative errors (P, D) of both predictions against the decay (D,), problem by problem, with slopes 1 and 2.

    Args:
        ax: one.
        decays: lambda.
        static: of the static curve.
        corrected: of the curve of corrected labels.
        names: of the problems.
    """
    for errors, marker, power in ((static, "o", 1), (corrected, "s", 2)):
        for found, color, name in zip(np.abs(errors), figures.KIND_COLORS, names):
            ax.plot(decays, found, marker, color=color, label=name if power == 1 else None, zorder=6)
        # Through the mean of the logarithms at the largest decay; the slope alone is theory.
        height = np.exp(np.log(np.abs(errors[:, np.argmax(decays)])).mean())
        ax.plot(decays, height * (decays / decays.max()) ** power, **figures.THEORY)
    ax.set(xscale="log", yscale="log", xlabel=r"decay $\lambda$", ylabel="relative error of the predicted time")
    ax.legend(loc="lower right", fontsize=8)
