"""Figures of the chapter on meta-overfitting: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from offconvex import figures

BLUE, ORANGE, GREEN, PINK, YELLOW, SKY = figures.KIND_COLORS
BOARDS = {"naive": ORANGE, "fixed": BLUE, "free": GREEN}
ARMS = {"standard": ORANGE, "thresholdout": BLUE}
RINGS = {"standard": 8, "thresholdout": 4}  # fresh accuracies of both are close: one ring lies inside the other
BOUNDS = {"hoeffding": PINK, "okamoto": ORANGE, "kl": BLUE, "binomial": GREEN}
BOUND_NAMES = {"hoeffding": "Hoeffding", "okamoto": "Okamoto", "kl": "relative entropy", "binomial": "exact binomial"}
FAMILY_MARKERS = "osD^"


def note(ax: Axes, text: str, at: tuple[float, float], color, **options) -> None:
    """A label in the color of its curve, at data coordinates."""
    ax.annotate(text, at, color=color, fontsize=10, **options)


def climbing(
    ax: Axes, runs: Mapping[int, tuple[np.ndarray, np.ndarray, np.ndarray]], exact: Mapping[int, np.ndarray]
) -> None:
    """Mean losses of the vote for each size n, n -> (queries, test loss, fresh loss), and the exact expectation."""
    # Fresh losses are all one half: squares of three sizes lie inside each other.
    for (size, (queries, loss, fresh)), color, wide in zip(runs.items(), figures.ordered_colors(len(runs)), (10, 7, 4)):
        ax.plot(queries, loss, "o", color=color, markersize=4.5, label=f"$n$ = {size:,}", zorder=6)
        ax.plot(queries, fresh, "s", color=color, markersize=wide, markerfacecolor="none", zorder=6)
        ax.plot(queries, exact[size], **figures.THEORY)
    note(ax, "fresh labels", (runs[min(runs)][0][0], 0.5), "0.3", xytext=(0, 9), textcoords="offset points")
    ax.set(xscale="log", xlabel="queries $k$", ylabel="loss of the vote", ylim=(0.25, 0.55))
    ax.legend(loc="lower left")


def gaps(ax: Axes, curves: Mapping[str, tuple], theory: Mapping[str, tuple]) -> None:
    """Gaps against the number of queries on logarithmic axes: name -> (x, y), and what theory says (dashed)."""
    for (name, (x, y)), color, marker in zip(curves.items(), figures.KIND_COLORS, "os"):
        ax.plot(x, y, marker, color=color, markersize=4.5, zorder=6)
        note(ax, name, (x[-1], y[-1]), color, xytext=(0, 8), ha="center" if x[-1] < 1e4 else "right",
            textcoords="offset points")  # fmt: skip
    for x, y in theory.values():
        ax.plot(x, y, **figures.THEORY)
    ax.set(
        xscale="log", yscale="log", xlabel="queries, or models", ylabel="true loss minus test loss", ylim=(0.009, 0.2)
    )
    ax.set_yticks([0.01, 0.02, 0.05, 0.1, 0.2], ["0.01", "0.02", "0.05", "0.1", "0.2"])
    ax.minorticks_off()


def published(
    ax: Axes, points: Mapping[str, np.ndarray], queries: np.ndarray, means: Mapping[str, np.ndarray], exact: np.ndarray
) -> None:
    """Published losses (m, 2) as open circles, our means (queries,) per leaderboard, and the exact expectation."""
    for name, table in points.items():
        ax.plot(*table.T, "o", color=BOARDS[name], markersize=3.4, markerfacecolor="none", markeredgewidth=0.8)
    for name, mean in means.items():
        ax.plot(queries, mean, color=BOARDS[name], linewidth=3.5, alpha=0.5)  # wide, so that theory does not hide it
    ax.plot(queries, exact, **figures.THEORY)
    third = len(queries) // 3
    note(ax, "naive", (queries[third], means["naive"][third]), BOARDS["naive"], xytext=(-8, -14), ha="right",
        textcoords="offset points")  # fmt: skip
    note(ax, "Ladder", (queries[-1], means["free"][-1]), BOARDS["free"], xytext=(-4, 19), ha="right",
        textcoords="offset points")  # fmt: skip
    ax.set(xlabel="queries", ylabel="loss of the vote", ylim=(0.415, 0.515), xlim=(0, queries[-1] + 8))


def board_errors(ax: Axes, errors: Mapping[str, np.ndarray], guarantees: Mapping[str, np.ndarray]) -> None:
    """Error of each leaderboard's last report, one dot a repetition, and its guarantee (dashed)."""
    labels = {"naive": "naive", "fixed": "fixed\nstep", "free": "no para-\nmeter"}
    for place, (name, values) in enumerate(errors.items()):
        spread = np.linspace(-0.25, 0.25, len(values))
        ax.plot(place + spread, values, "o", color=BOARDS[name], markersize=3, alpha=0.7)
        if name in guarantees:
            ax.plot([place - 0.38, place + 0.38], [np.min(guarantees[name])] * 2, **figures.THEORY)
    ax.set_xticks(range(len(errors)), [labels[name] for name in errors])
    ax.set(ylabel="error of the last report", ylim=(0, None), xlim=(-0.5, len(errors) - 0.5))


def pairs(ax: Axes, queries: np.ndarray, free: np.ndarray, fixed: np.ndarray, law: np.ndarray) -> None:
    """Reports (R, queries) to the analyst who changes two labels at a time, and the closed form."""
    ax.plot(queries, free.T, color=BOARDS["free"], linewidth=0.6, alpha=0.5)
    ax.plot(queries, fixed.mean(0), color=BOARDS["fixed"], linewidth=1.6)
    ax.plot(queries, law, **figures.THEORY)
    note(ax, "fixed step", (queries[-1], fixed.mean()), BOARDS["fixed"], xytext=(-2, 5), ha="right",
        textcoords="offset points")  # fmt: skip
    note(ax, "no parameter", (queries[0], 0.25), BOARDS["free"])
    ax.set(xscale="log", xlabel="queries", ylabel="report", ylim=(0, 0.55))


def demonstration(ax: Axes, chosen: Sequence[int], means: Mapping[str, np.ndarray], gate: float) -> None:
    """Mean accuracies (chosen,): held out as reported (solid), fresh (dots), with the gate as a band about fresh."""
    for arm, color in ARMS.items():
        ax.plot(chosen, means[f"{arm} held out"], "-", color=color, linewidth=1.8)
        ax.plot(chosen, means[f"{arm} fresh"], "o", color=color, markersize=RINGS[arm], markerfacecolor="none")
    fresh = means["thresholdout fresh"]
    ax.fill_between(chosen, fresh - gate, fresh + gate, color="0.9", linewidth=0, zorder=0)
    ax.set(xlabel="features in the classifier", ylabel="accuracy")


def arms_legend(ax: Axes) -> None:
    """Names of arms and kinds of line, once."""
    for arm, color in ARMS.items():
        name = {"standard": "naive", "thresholdout": "Thresholdout"}[arm]
        ax.plot([], [], "-", color=color, label=f"{name}, as reported")
        ax.plot([], [], "o", color=color, markerfacecolor="none", markersize=RINGS[arm], label=f"{name}, fresh")
    ax.set_ylim(top=0.77)
    ax.set_yticks([0.45, 0.5, 0.55, 0.6, 0.65])
    ax.legend(loc="upper left")


def private(
    ax: Axes, queries: np.ndarray, gaps_by_noise: Mapping[float, np.ndarray], exact: Mapping, guarantee: Mapping
) -> None:
    """Mean gap of the vote for each noise, its exact expectation (dashed) and the guarantee (gray, dotted)."""
    for (noise, gap), color in zip(gaps_by_noise.items(), (ORANGE, BLUE, GREEN)):
        ax.plot(queries, gap, "o", color=color, markersize=5, zorder=6)
        ax.plot(queries, exact[noise], **figures.THEORY)
        text = "exact answers" if noise == 0 else f"noise {noise:g}"
        note(ax, text, (queries[-1], gap[-1]), color, xytext=(7, -3), textcoords="offset points")
        if noise in guarantee:
            ax.plot(queries, guarantee[noise], ":", color=color, linewidth=1.8)
            note(ax, "guarantee", (queries[0], guarantee[noise][0]), color, xytext=(-3, -3), ha="right",
                textcoords="offset points")  # fmt: skip
    ax.set(
        xscale="log", yscale="log", xlabel="queries", ylabel="gap of the vote", xlim=(queries[0] / 8, queries[-1] * 10)
    )


def bound_curves(ax: Axes, bits: np.ndarray, curves: Mapping[str, np.ndarray], marks: Mapping[str, tuple]) -> None:
    """Bound on the gap in points (bits,) per inequality, and published points name -> (bits, points)."""
    for name, curve in curves.items():
        # Relative entropy and the exact bound lie on each other: a thin line on a wide one.
        ax.plot(bits, curve, color=BOUNDS[name], linewidth=5 if name == "kl" else 1.6, alpha=0.5 if name == "kl" else 1)
        shift = {"kl": 2, "binomial": -9}.get(name, -3)
        note(ax, BOUND_NAMES[name], (bits[-1], curve[-1]), BOUNDS[name], xytext=(4, shift), textcoords="offset points")
    for (name, (length, points)), (dx, dy, align) in zip(marks.items(), ((4, -34, "left"), (-6, 9, "center"))):
        ax.plot(length, points, "o", color="black", markersize=5, zorder=6)
        note(ax, name, (length, points), "black", xytext=(dx, dy), ha=align, textcoords="offset points", zorder=6)
    ax.set(
        xlabel="bits of the description", ylabel="bound on the gap, points", xlim=(0, bits[-1] * 1.5), ylim=(0, None)
    )


def delta_curves(ax: Axes, deltas: np.ndarray, curves: Mapping[str, np.ndarray], printed: tuple[float, float]) -> None:
    """Bound in points (deltas,) for each model and test error, and the rounding of one printed number as a band."""
    for (name, curve), color in zip(curves.items(), (BLUE, ORANGE, YELLOW)):
        ax.plot(deltas, curve, color=color, linewidth=1.8)
        note(ax, name, (deltas[0], curve[0]), color, xytext=(6, -13), textcoords="offset points")
    ax.axhspan(*printed, color="0.75", linewidth=0, zorder=0)
    note(ax, "printed: 5.06", (deltas[0], printed[1]), "0.3", xytext=(6, 4), textcoords="offset points")
    ax.set(xscale="log", xlabel=r"chance of failure $\delta$", ylabel="bound on the gap, points", ylim=(4.9, 5.35))
    ax.invert_xaxis()
    ax.minorticks_off()


def coverage(ax: Axes, bits: Sequence[int], rates: Mapping[str, np.ndarray], delta: float) -> None:
    """How often the best of 2^bits models breaks its bound, per inequality, and what is allowed (dashed)."""
    for name, rate in rates.items():
        shown = np.maximum(rate, 2e-5)
        ax.plot(bits, shown, "o-", color=BOUNDS[name], markersize=4, label=BOUND_NAMES[name], zorder=6)
    ax.axhline(delta, **figures.THEORY)
    ax.set(yscale="log", xlabel="bits of a description", ylabel="bounds that fail", ylim=(1.5e-5, 0.2))


def tightness(ax: Axes, bits: Sequence[int], ratios: Mapping[str, np.ndarray]) -> None:
    """Mean bound on the gap over the mean gap of the luckiest of 2^bits models."""
    for name, ratio in ratios.items():
        ax.plot(bits, ratio, "o-", color=BOUNDS[name], markersize=4, label=BOUND_NAMES[name])
    ax.axhline(1.0, **figures.THEORY)
    ax.set(xlabel="bits of a description", ylabel="bound over actual gap", ylim=(0.9, None))


def portraits(
    ax: Axes, names: Sequence[str], bits: np.ndarray, reused: np.ndarray, other: np.ndarray, bound: np.ndarray
) -> None:
    """Each network: error on the reused half, on the other half, and the bound, in percent."""
    rows = np.arange(len(names))[::-1]
    ax.hlines(rows, 100 * reused, 100 * bound, color="0.75", linewidth=2)
    ax.plot(100 * reused, rows, "o", color=ORANGE, markersize=5, label="reused half")
    ax.plot(100 * other, rows, "D", color=BLUE, markersize=4, markerfacecolor="none", label="other half")
    ax.plot(100 * bound, rows, "|", color="black", markersize=11, markeredgewidth=2, label="bound")
    ax.set_yticks(rows, [f"{name}, {b} bits" for name, b in zip(names, bits)])
    ax.set(xlabel="error, percent", xlim=(10, None))
    ax.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=3, handletextpad=0.2, columnspacing=1.0)


def codings(ax: Axes, bits: Mapping[str, np.ndarray], bounds: Mapping[str, np.ndarray]) -> None:
    """Bits of all networks under each assumption, with the bound on the gap they give, in points."""
    for place, (name, lengths) in enumerate(bits.items()):
        spread = np.linspace(-0.25, 0.25, len(lengths))
        row = len(bits) - 1 - place + spread
        ax.plot(lengths, row, "o", color=BLUE if place == 0 else "0.45", markersize=3.5)
        text = f"{100 * bounds[name].min():.0f} to {100 * bounds[name].max():.0f} points"
        ax.annotate(text, (lengths.max(), row.mean()), xytext=(8, -3), textcoords="offset points", fontsize=10)
    ax.set_yticks(range(len(bits))[::-1], list(bits))
    ax.set(xscale="log", xlabel="bits", xlim=(None, 3.6 * max(max(b) for b in bits.values())))
    ax.set_xticks([100, 200, 500, 1000, 2000], ["100", "200", "500", "1000", "2000"])
    ax.minorticks_off()


def two_halves(ax: Axes, reused: np.ndarray, other: np.ndarray, winners: np.ndarray, high: float) -> None:
    """Error on the other half against the reused one: all networks (searches, T), and each search's winner."""
    ax.plot([0, 1], [0, 1], **figures.THEORY)
    ax.plot(reused.ravel(), other.ravel(), "o", color=SKY, markersize=2.5, alpha=0.6, label="all networks")
    rows = np.arange(len(winners))
    ax.plot(reused[rows, winners], other[rows, winners], "o", color=ORANGE, markersize=6, label="winners", zorder=6)
    low = min(reused.min(), other.min()) - 0.005
    ax.set(xlim=(low, high), ylim=(low, high), xlabel="error on the reused half", ylabel="error on the other half")
    ax.set_aspect("equal")
    ax.legend(loc="upper left")


def resplit(ax: Axes, counts: Sequence[int], gap: np.ndarray, independent: np.ndarray, bound: np.ndarray) -> None:
    """Mean gap of the best of t networks (splits, counts) in points, with independent models' and the bound."""
    mean = 100 * gap.mean(0)
    ax.plot(counts, mean, "o-", color=BLUE, markersize=4, label="networks")
    ax.plot(counts, 100 * independent, color="black", linewidth=1.2, linestyle=":", label="independent models")
    ax.plot(counts, 100 * bound, label=r"$\sqrt{\log t / 2n}$", **figures.THEORY)
    ax.set(xscale="log", xlabel="networks to choose from", ylabel="mean gap, points", ylim=(-0.1, None))
    ax.legend(loc="upper left")


def old_and_new(
    ax: Axes, old: np.ndarray, new: np.ndarray, slope: float, intercept: float, *, low: float, fitted_from: float
) -> None:
    """New against old accuracy in percent, the fitted line (orange) and equal accuracies (gray)."""
    ax.plot([low, 100], [low, 100], color="0.6", linewidth=1.0)
    ax.plot(100 * old, 100 * new, "o", color=BLUE, markersize=3.5, alpha=0.7)
    ends = np.array([fitted_from, 100 * old.max()])
    ax.plot(ends, slope * ends + 100 * intercept, color=ORANGE, linewidth=1.5)
    ax.set(xlabel="accuracy on the old set, %", ylabel="accuracy on the new set, %", xlim=(low, 101), ylim=(low, 101))


def contest(ax: Axes, public: np.ndarray, private_score: np.ndarray) -> None:
    """Private against public score of a contest."""
    ends = [min(public.min(), private_score.min()), max(public.max(), private_score.max())]
    ax.plot(ends, ends, color="0.6", linewidth=1.0)
    ax.plot(public, private_score, "o", color=BLUE, markersize=3.5, alpha=0.7)
    ax.set(xlabel="public error", ylabel="private error")
    ax.set_xticks([0.185, 0.19, 0.195, 0.2])
