"""Figures of the chapter on the optimizer's norm: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from offconvex import figures

RULES = ("normalized\ngradient", "sign", "polar\nfactor", "single\nentry", "rank one")
"""What the rules of five norms are called, in the order of `certificate.NORMS`."""
NORM_NAMES = ("Frobenius", "largest\nentry", "spectral", "sum of\nentries", "nuclear")
COLORS = dict(zip(RULES, figures.KIND_COLORS))
MUON = figures.KIND_COLORS[5]


def share_table(ax: Axes, shares: np.ndarray, descent: np.ndarray) -> None:
    """Shares (5, 5) of the best margin, rule by norm, as a heat map with numbers; gradient descent (5,) below."""
    rows = np.r_[shares, [descent]]
    places = np.r_[np.arange(len(shares)), len(shares) + 0.15]
    for place, row in zip(places, rows):
        for column, value in enumerate(row):
            light = (value - rows.min()) / (1 - rows.min())
            color = (1 - 0.75 * light**2, 1 - 0.45 * light**2, 1 - 0.28 * light**2)
            own = column == place or (place > len(shares) and column == 0)
            ax.fill_between([column - 0.5, column + 0.5], place - 0.5, place + 0.5, color=color, linewidth=0)
            weight = "bold" if own else "normal"
            ax.text(column, place, f"{value:.3f}", ha="center", va="center", fontweight=weight, fontsize=9)
    names = [*(name.replace("\n", " ") for name in RULES), "gradient descent"]
    ax.set(xlim=(-0.5, len(descent) - 0.5), ylim=(places[-1] + 0.5, -0.5))
    ax.set_xticks(range(len(descent)), NORM_NAMES)
    ax.set_yticks(places, names)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(False)
    for side in ax.spines.values():
        side.set_visible(False)


def brackets(
    axes: Sequence[Axes], steps: np.ndarray, margin: np.ndarray, bound: np.ndarray, guarantee: np.ndarray
) -> None:
    """Margin and certificate (K, 5) over steps, in units of the last certificate; their gap, and what it is at most.

    Args:
        axes: two.
        steps: (K,).
        margin: by rule.
        bound: least certificate so far.
        guarantee: what theory lets the gap be at most, in the same units as `margin`.
    """
    left, right = axes
    for number, (name, color) in enumerate(COLORS.items()):
        best, label = bound[-1, number], name.replace("\n", " ")
        left.plot(steps, margin[:, number] / best, color=color, label=label, zorder=6)
        left.plot(steps, bound[:, number] / best, color=color, linewidth=1.0, zorder=6)
        right.plot(steps, 1 - margin[:, number] / bound[:, number], color=color, zorder=6)
        right.plot(steps, guarantee[:, number] / best, **(figures.THEORY | {"linewidth": 1.0}))
    top = 1.05 * (bound / bound[-1]).max()
    left.set(xscale="log", xlabel="steps", ylabel="over the last certificate", ylim=(0, top))
    left.legend(loc="lower right", fontsize=8)
    right.set(xscale="log", yscale="log", xlabel="steps", ylabel="gap over the certificate")


def picked(ax: Axes, steps: np.ndarray, margin: np.ndarray, bound: np.ndarray, names: Sequence[str]) -> None:
    """Margin (thick) and least certificate (thin) of several runs (runs, K) over steps, over the least of all.

    Runs have colors of kinds, in order.
    """
    best = bound.min()
    for reached, above, name, color in zip(margin, bound, names, figures.KIND_COLORS):
        ax.plot(steps, reached / best, color=color, label=name, zorder=6)
        ax.plot(steps, above / best, color=color, linewidth=1.0, zorder=6)
        ax.fill_between(steps, reached / best, above / best, color=color, alpha=0.12, linewidth=0)
    # Below zero only if a run ends there: a decay so large that its ball has no point that separates the examples.
    low = min(0.0, 1.2 * margin[:, -1].min() / best)
    ax.set(xscale="log", xlabel="steps", ylabel="over the last certificate", ylim=(low, 1.4))
    ax.legend(loc="lower right")


def radii(
    ax: Axes,
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    dashes: Sequence[float] = (1.0,),
    colors: Mapping[str, str] | None = None,
) -> None:
    """Norm of the weights times decay over steps, one line a rule, and the radii of theory.

    Args:
        ax: where to draw.
        curves: by name, numbers of steps and radii, both (K,).
        dashes: radii of theory, such as 1 and the largest singular value that Muon's polynomial makes.
        colors: by name; else those of kinds, in order.
    """
    colors = colors or dict(zip(curves, figures.KIND_COLORS))
    # Lines that lie on each other are drawn ever thinner.
    for width, (name, (steps, radius)) in zip(np.linspace(4.5, 1.2, len(curves)), curves.items()):
        ax.plot(steps, radius, color=colors[name], label=name, linewidth=width, zorder=6)
    for height in dashes:
        ax.axhline(height, **figures.THEORY)
    ax.set(xscale="log", xlabel="steps", ylabel=r"norm of the weights $\times\ \lambda$", ylim=(0, 1.25))
    ax.legend(loc="center right", bbox_to_anchor=(1.03, 0.53), fontsize=8)


def adam_rates(
    ax: Axes,
    x: np.ndarray,
    beta2: np.ndarray,
    measured: np.ndarray,
    curve_x: np.ndarray,
    curves: Mapping[float, np.ndarray],
    limits: Mapping[float, float],
    sign: tuple[np.ndarray, np.ndarray],
) -> None:
    """Fall of the log of the loss a step over 1 - beta2, against x, for Adam and sign descent, on the laws of theory.

    Args:
        ax: where to draw.
        x: of the settings, (S,).
        beta2: of the settings, (S,).
        measured: of Adam, (R, S).
        curve_x: where the laws are given.
        curves: the law by beta2.
        limits: the speed limit by beta2.
        sign: x (T,) and measured rates (R, T) of sign descent; its law is the diagonal.
    """
    for color, marker, (value, curve) in zip(figures.KIND_COLORS, "os^", curves.items()):
        chosen = beta2 == value
        places = np.broadcast_to(x[chosen], measured[:, chosen].shape)
        ax.plot(places.ravel(), measured[:, chosen].ravel(), marker, color=color, label=rf"Adam, $\beta_2$ = {value:g}")
        ax.plot(curve_x, curve, **figures.THEORY)
        ax.axhline(limits[value], **(figures.THEORY | {"linewidth": 0.7}))
    places = np.broadcast_to(sign[0], sign[1].shape)
    ax.plot(places.ravel(), sign[1].ravel(), "D", color=figures.KIND_COLORS[3], markersize=4, label="sign descent")
    ax.plot(curve_x, curve_x, **(figures.THEORY | {"linewidth": 1.0}))
    ax.set(xscale="log", yscale="log", ylim=(0.15, 15))
    ax.set(xlabel=r"$x = \gamma \eta / (1 - \beta_2)$", ylabel=r"fall of $L$ a step over $1 - \beta_2$")
    ax.legend(loc="upper left")


def adam_clock(
    axes: Sequence[Axes], steps: np.ndarray, clock: np.ndarray, x: np.ndarray, beta2: np.ndarray, lean: np.ndarray
) -> None:
    """How far Adam leans to the Frobenius margin, over steps (left) and over steps in units of the memory (right).

    Args:
        axes: two.
        steps: (K, S).
        clock: the same over the memory, (K, S).
        x: of the settings, (S,); one color each, dark to light.
        beta2: of the settings, (S,); one line style each.
        lean: share of the Frobenius margin minus that of the largest entry, (K, S); not drawn where it is not finite.
    """
    levels = np.unique(x)
    colors = dict(zip(levels, figures.ordered_colors(len(levels))))
    styles = dict(zip(np.unique(beta2), ("-", (0, (4, 1)), (0, (1, 1)))))
    for ax, times in zip(axes, (steps, clock)):
        for place in range(len(x)):
            style = {"color": colors[x[place]], "linestyle": styles[beta2[place]]}
            ax.plot(times[:, place], lean[:, place], zorder=6, **style)
        ax.axhline(0, **(figures.THEORY | {"linewidth": 1.0}))
    axes[0].set(xscale="log", xlabel="steps", ylabel="share of Frobenius minus largest entry")
    axes[1].axvline(1, **figures.THEORY)
    axes[1].set(xscale="log", xlim=(1e-3, 300), xlabel="steps over the memory $M$")
    for level, color in colors.items():
        axes[0].plot([], [], color=color, label=f"$x$ = {level:g}")
    for value, style in styles.items():
        axes[1].plot([], [], color="0.4", linestyle=style, label=rf"$\beta_2$ = {value:g}")
    for ax in axes:  # above the curves, which fill the panels
        ax.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1.0), ncol=5, fontsize=8, handlelength=1.4, columnspacing=1.0
        )


def adam_epsilon(ax: Axes, steps: np.ndarray, courses: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Shares (K,) of the largest entry's margin, solid, and of the Frobenius margin, thin, over steps, by epsilon."""
    for color, (name, (share, round_share)) in zip(figures.KIND_COLORS, courses.items()):
        ax.plot(steps, share, color=color, label=f"{name}: largest entry", zorder=6)
        ax.plot(steps, round_share, color=color, linewidth=0.9, linestyle="-.", label=f"{name}: Frobenius", zorder=6)
    ax.set(xscale="log", xlabel="steps", ylabel="share of the best margin", xlim=(20, None), ylim=(0.4, 1.02))
    ax.legend(loc="lower right")


def polynomial_steps(ax: Axes, values: np.ndarray, steps: np.ndarray, levels: Sequence[float]) -> None:
    """Singular values (N,) after each number of steps of a polynomial, (K, N), and the levels that theory keeps."""
    for number, (color, moved) in enumerate(zip(figures.ordered_colors(len(steps)), steps), start=1):
        ax.plot(values, moved, color=color, linewidth=1.2, label=f"{number} step" + "s" * (number > 1))
    for level in levels:
        ax.axhline(level, **(figures.THEORY | {"linewidth": 1.0}))
    ax.set(
        xscale="log", xlabel="singular value over Frobenius norm", ylabel="singular value of the step", ylim=(0, 1.3)
    )
    ax.legend(loc="lower right", fontsize=8)


def polynomial_orbits(ax: Axes, orbits: np.ndarray, cycle: Sequence[float]) -> None:
    """Values (K, S) of several starts after each of K steps, as points, and the cycle that theory lets them end on."""
    numbers = np.arange(1, len(orbits) + 1)
    for color, orbit in zip(figures.ordered_colors(orbits.shape[1]), orbits.T):
        ax.plot(numbers, orbit, ".", color=color, markersize=3, zorder=6)
    for level in cycle:
        ax.axhline(level, **(figures.THEORY | {"linewidth": 1.0}))
    ax.set(xlabel="steps of the polynomial", ylim=(0, 1.3))
