"""Figures of the chapter on predicting generalization: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from offconvex import figures

BLUE, ORANGE, GREEN, PINK, YELLOW, SKY = figures.KIND_COLORS
MARKERS = {"mlp": "o", "deep": "s", "cnn": "^", "residual": "D"}
FAMILY_NAMES = {"mlp": "one layer", "deep": "three layers", "cnn": "convolutions", "residual": "residual"}


def scatter(ax: Axes, predicted: np.ndarray, columns: Mapping[str, np.ndarray], limits: tuple) -> None:
    """Test error against error on samples, color by poison, marker by family, and the line y = x (dashed).

    Markers of the first study are filled, of others open. Columns are "study", "test", "poison" and "family".
    """
    ax.plot(limits, limits, **figures.THEORY)
    study, test, poison, family = (columns[name] for name in ("study", "test", "poison", "family"))
    levels = np.unique(poison)
    for level, color in zip(levels, figures.ordered_colors(len(levels))):
        for name, marker in MARKERS.items():
            for first, face in ((True, color), (False, "none")):
                own = (poison == level) & (family == name) & ((study == study[0]) == first)
                ax.plot(1 - predicted[own], 1 - test[own], marker, color=color, markersize=4, alpha=0.85,
                    markerfacecolor=face, markeredgewidth=0.9)  # fmt: skip
    ax.set(xlim=limits, ylim=limits, xlabel="error on samples", ylabel="test error", aspect="equal")


def scatter_legend(ax: Axes, levels: Sequence[int], families: Sequence[str]) -> None:
    """Colors of the poison and markers of the families, once, above the panels, in a row each."""
    lines = []
    for level, color, family in zip(levels, figures.ordered_colors(len(levels)), families):
        lines.append(Line2D([], [], marker="o", linestyle="", color=color, label=f"{level:,} poisoned"))
        lines.append(Line2D([], [], marker=MARKERS[family], linestyle="", color="0.4", label=FAMILY_NAMES[family]))
    ax.figure.legend(handles=lines, loc="outside upper center", ncols=len(levels))


def pictures(ax: Axes, rows: Mapping[str, np.ndarray]) -> None:
    """Rows of images (k, 28, 28), gray levels 0..255, one row for each name."""
    sheet = np.concatenate([np.concatenate(list(images), axis=1) for images in rows.values()])
    ax.imshow(255 - sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    ax.set_yticks(np.arange(len(rows)) * 28 + 14, list(rows))
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.grid(False)


def ranking(ax: Axes, table: Mapping[str, np.ndarray]) -> None:
    """Conditional tau of each predictor with its interval; below it tau over finer pairs, above it over all."""
    places = np.arange(len(table["predictor"]))[::-1]
    for row, (place, name) in enumerate(zip(places, table["predictor"])):
        color, value = kind(name), table["inside"][row]
        ax.plot([table["low"][row], table["high"][row]], [place, place], color=color, linewidth=1.6)
        ax.plot(value, place, "o", color=color, markersize=5)
        ax.plot(table["equal recipe"][row], place - 0.28, "d", color=color, markersize=4.5, markerfacecolor="none")
        ax.plot(table["all pairs"][row], place + 0.28, "o", color="0.55", markersize=4.5, markerfacecolor="none")
        number = f"{value:.2f}".replace("-", "\N{MINUS SIGN}")
        ax.annotate(number, (1.02, place), xycoords=("axes fraction", "data"), fontsize=10, va="center")
    ax.axvline(0, color="0.7", linewidth=0.8, zorder=0)
    ax.set_yticks(places, table["predictor"])
    ax.set(xlabel="Kendall's $\\tau$ with test accuracy", xlim=(-0.3, 1), ylim=(-0.7, len(places) - 0.3))
    ax.grid(axis="y", visible=False)
    ax.plot([], [], "o-", color="0.2", markersize=5, label="equal poison")
    ax.plot([], [], "d", color="0.2", markersize=4.5, markerfacecolor="none", label="equal recipe, too")
    ax.plot([], [], "o", color="0.55", markersize=4.5, markerfacecolor="none", label="all pairs")
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)


def contest(ax: Axes, table: Mapping[str, np.ndarray]) -> None:
    """Competition scores in percent with intervals, in the order of `ranking`."""
    places = np.arange(len(table["predictor"]))[::-1]
    for row, (place, name) in enumerate(zip(places, table["predictor"])):
        color, value = kind(name), table["score"][row]
        ax.plot([table["score low"][row], table["score high"][row]], [place, place], color=color, linewidth=1.6)
        ax.plot(value, place, "o", color=color, markersize=5)
        ax.annotate(f"{value:.0f}", (1.03, place), xycoords=("axes fraction", "data"), fontsize=10, va="center")
    ax.set_yticks(places, [])
    ax.set(xlabel="competition's score, percent", xlim=(0, None), ylim=(-0.7, len(places) - 0.3))
    ax.grid(axis="y", visible=False)


def lengths(
    ax: Axes, steps: Sequence[int], values: np.ndarray, rival: float, label: str, text: str, place: int
) -> None:
    """A quantity at each length for each network (gans, lengths), their mean, and the simpler generator's (dotted).

    The dotted line's text stands over the length number `place`.
    """
    for line in values:
        ax.plot(steps, line, "-", color=SKY, linewidth=1.0)
    ax.plot(steps, values.mean(0), "o-", color=BLUE, markersize=5, linewidth=2.2)
    ax.axhline(rival, color=ORANGE, linestyle=":", linewidth=1.6)
    ax.annotate(
        text, (steps[place], rival), xytext=(0, 4), textcoords="offset points", color=ORANGE, fontsize=10, ha="center"
    )
    ax.set(xscale="log", xlabel="steps of training", ylabel=label)
    ax.set_xticks(steps, [f"{s:,}" for s in steps])
    ax.minorticks_off()


def birthdays(ax: Axes, sizes: Sequence[int], shares: Mapping[str, np.ndarray], laws: Mapping[str, np.ndarray]) -> None:
    """Share of draws with a duplicate for each set, and the formula for uniform support (dashed)."""
    for (name, values), color in zip(shares.items(), (GREEN, BLUE, ORANGE)):
        ax.plot(sizes, values, "o", color=color, markersize=4.5, label=name, zorder=3)
        ax.plot(sizes, laws[name], **figures.THEORY)
    ax.set(xscale="log", xlabel="images drawn", ylabel="chance of a duplicate", ylim=(-0.03, 1.03))
    ax.set_xticks(sizes[::3], [str(size) for size in sizes[::3]])
    ax.minorticks_off()
    ax.legend(loc="upper left")


def support_curves(ax: Axes, limits: np.ndarray, curves: Mapping[str, np.ndarray], chosen: float) -> None:
    """Effective support against the threshold, in units of the chosen one."""
    colors = {"real": GREEN, "mixture": ORANGE}
    for name, values in curves.items():
        style = "--" if name == "mixture" else "-"
        ax.plot(limits / chosen, values, style, color=colors.get(name, BLUE), linewidth=1.5,
                label="GANs" if name == "GAN 1" else None if name.startswith("GAN") else name)  # fmt: skip
    ax.axvline(1, color="0.6", linewidth=0.8, zorder=0)
    ax.set(yscale="log", xlabel="threshold over that of a one-pixel move", ylabel="effective support")
    ax.legend(loc="upper right")


def alone(ax: Axes, families: Sequence[str], accuracy: np.ndarray) -> None:
    """Test accuracy (studies, sets, families) after training on real, other real images, and networks' samples.

    Studies lie side by side, and in each its sets.
    """
    for study, shift in zip(accuracy, (-0.23, 0.23)):
        places = np.arange(len(families)) + shift
        ax.plot(places - 0.04, study[0], "o", color=GREEN, markersize=5)
        ax.plot(places + 0.04, study[1], "o", color=GREEN, markersize=5, markerfacecolor="none")
        for row, side in zip(study[2:], (-0.1, 0, 0.1)):
            ax.plot(places + side, row, "s", color=BLUE, markersize=4)
    ax.plot([], [], "o", color=GREEN, markersize=5, label="the same real images")
    ax.plot([], [], "o", color=GREEN, markersize=5, markerfacecolor="none", label="other real images")
    ax.plot([], [], "s", color=BLUE, markersize=4, label="samples")
    family_ticks(ax, families)
    ax.set(ylabel="test accuracy")
    ax.legend(loc="center", bbox_to_anchor=(0.5, 0.6))


def sizes(ax: Axes, counts: Sequence[int], real: np.ndarray, samples: np.ndarray) -> None:
    """Test accuracy, mean over families, against the number of training images.

    Args:
        ax: where.
        counts: (k,) images.
        real: (k, families) accuracy after training on real ones.
        samples: (gans, k, families) on samples.
    """
    ax.plot(counts, real.mean(1), "o-", color=GREEN, markersize=5)
    for row in samples:
        ax.plot(counts, row.mean(1), "s-", color=BLUE, markersize=4)
    ax.set_xscale("log")
    ax.set_xticks(counts, [f"{count:,}" for count in counts])
    ax.minorticks_off()
    ax.set(xlabel="training images", xlim=(counts[0] / 1.3, counts[-1] * 1.3))
    ax.text(counts[1], real[1].mean() - 0.012, "real images", color=GREEN, fontsize=10, va="top")
    ax.text(counts[1], samples[:, 1].mean(1).max() + 0.012, "samples", color=BLUE, fontsize=10)


def known(
    ax: Axes, supports: Sequence[int], errors: np.ndarray, law: np.ndarray, gans: float, label: str, scale: str = "log"
) -> None:
    """What a perfect generator of m images reaches, its law if any (dashed), and the networks' value (dotted)."""
    ax.plot(supports, errors, "o", color=GREEN, markersize=5, zorder=3)
    if len(law):
        ax.plot(supports, law, **figures.THEORY)
    ax.axhline(gans, color=BLUE, linestyle=":", linewidth=1.6)
    ax.set(xscale="log", yscale=scale, xlabel="real images known, $m$", ylabel=label)
    ax.set_xticks(supports, [f"{support:,}" for support in supports])
    if scale == "log":
        ax.set_yticks([0.01, 0.02, 0.03, 0.06], ["0.01", "0.02", "0.03", "0.06"])
    ax.minorticks_off()


def by_family(
    ax: Axes, families: Sequence[str], values: np.ndarray, label: str, legend: str | tuple = (0.02, 0.12)
) -> None:
    """A quantity in each family (studies, predictors, families), studies side by side: networks, last the mixture."""
    places = np.arange(len(families))
    for study, side in zip(values, (-0.22, 0.22)):
        for row, shift in zip(study[:-1], (-0.15, -0.05, 0.05)):
            ax.plot(places + side + shift, row, "s", color=BLUE, markersize=4)
        ax.plot(places + side + 0.15, study[-1], "D", color=ORANGE, markersize=5, markerfacecolor="none")
    ax.plot([], [], "s", color=BLUE, markersize=4, label="GANs")
    ax.plot([], [], "D", color=ORANGE, markersize=5, markerfacecolor="none", label="mixture")
    ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    family_ticks(ax, families)
    ax.set(ylabel=label)
    ax.legend(loc=legend)


def family_ticks(ax: Axes, families: Sequence[str]) -> None:
    """Names of the families at 0, 1, ..., of two words in two lines."""
    ax.set_xticks(np.arange(len(families)), [FAMILY_NAMES[family].replace(" ", "\n") for family in families])
    ax.set_xlim(-0.5, len(families) - 0.5)


def kind(name: str) -> str:
    """Color of a predictor: networks, simpler generators, the knob, everything else."""
    if name.startswith("GAN"):
        return BLUE
    return {"mixture": ORANGE, "one Gaussian": ORANGE, "poison": "0.4"}.get(name, GREEN)
