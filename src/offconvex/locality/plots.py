"""Figures of the chapter on locality: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from offconvex import figures, fits


def pictures(axes: Sequence[Axes], images: np.ndarray, titles: Sequence[str]) -> None:
    """Gray images (n, H, W), one an axes."""
    for ax, image, title in zip(axes, images, titles):
        ax.imshow(image, cmap="gray", interpolation="nearest")
        ax.set_title(title, fontsize=10)
        ax.set(xticks=[], yticks=[])


def by_rank(ax: Axes, ranks: np.ndarray, similarity: np.ndarray, label: str, color: str) -> None:
    """Surrogate of each function (M,) against its rank."""
    # Spread a little sideways, so that functions of one rank do not hide one another.
    count = np.count_nonzero(ranks == ranks[0])
    spread = np.exp(0.16 * (np.arange(count) - (count - 1) / 2) / count)
    places = ranks * np.resize(spread, len(ranks))
    ax.semilogx(places, similarity, "o", color=color, markersize=3.5 if count > 1 else 6, alpha=0.7, markeredgewidth=0)
    values = np.unique(ranks)
    ax.set_xticks(values, [f"{v:g}" for v in values])
    ax.minorticks_off()
    ax.set_title(label, fontsize=10)
    ax.set(xlabel="separation rank", ylim=(0, 1.05))


def over_gaps(
    ax: Axes,
    gaps: np.ndarray,
    accuracy: np.ndarray,
    labels: Sequence[str],
    colors: Sequence,
    chance: float | None = 0.5,
    top: float = 1.02,
) -> None:
    """Accuracies or surrogates (lines, gaps, seeds): medians, quartiles as bands, chance, if any, dashed."""
    for values, label, color in zip(accuracy, labels, colors):
        figures.band(ax, gaps, values, color=color, label=label, marker="o", markersize=4)
    if chance is not None:
        ax.axhline(chance, **figures.THEORY)
    ax.set_xticks(gaps)
    ax.set(xlabel="gap between the images, pixels", ylim=(0 if chance is None else 0.4, top))


def apart(ax: Axes, gap: float, values: np.ndarray, colors: Sequence) -> None:
    """Accuracies or surrogates (lines, seeds) of another study at one more gap: medians, hollow, and quartiles."""
    low, middle, high = fits.quartiles(values)
    # A little beside one another, where equal medians would hide all but one.
    places = gap + 0.25 * (np.arange(len(middle)) - (len(middle) - 1) / 2)
    around = np.stack([middle - low, high - middle])
    for line, color in enumerate(colors[: len(middle)]):
        spread = around[:, line : line + 1]
        ax.errorbar(places[line], middle[line], spread, fmt="o", color=color, markerfacecolor="white", markersize=4.5)
    ax.set_xticks([*ax.get_xticks(), gap])


def end_of_reach(ax: Axes, gaps: Sequence[float], colors: Sequence) -> None:
    """Lines at the largest gap that networks of each reach can see across, below the place of a legend."""
    for gap, color in zip(gaps, colors):
        ax.axvline(gap, 0, 0.64, color=color, linewidth=1.2, linestyle=":", zorder=0)


def departures(ax: Axes, gaps: np.ndarray, similarity: np.ndarray, colors: Sequence) -> None:
    """One minus the surrogate (lines, gaps, seeds) on a logarithmic axis: medians, cut off where rounding is left."""
    for values, color in zip(1 - similarity, colors):
        ax.semilogy(gaps, np.maximum(np.median(values, -1), 1e-14), "o-", color=color, markersize=4)
    ax.set_xticks(gaps)
    ax.set(xlabel="gap between the images, pixels", title="1 − surrogate at the start")


def trials(ax: Axes, labels: Sequence[str], train: np.ndarray, test: np.ndarray, samples: str = "pairs") -> None:
    """Accuracies (trials, networks) at the end, one line of dots for each trial, the first at the top."""
    rows = np.arange(len(labels))
    for values, marker, color, name in (
        (train, "|", figures.KIND_COLORS[1], f"training {samples}"),
        (test, "o", figures.KIND_COLORS[0], f"test {samples}"),
    ):
        places = np.broadcast_to(rows[:, None], values.shape)
        ax.plot(values.ravel(), places.ravel(), marker, color=color, markersize=4.5, alpha=0.8, label=name)
    ax.axvline(0.5, **figures.THEORY)
    ax.set_yticks(rows, labels)
    ax.grid(axis="y", linewidth=0.4, alpha=0.5)
    ax.set(xlabel="accuracy at the end", xlim=(0.4, 1.02), ylim=(len(labels) - 0.4, -0.6))


def study_and_trials(
    axes: Sequence[Axes],
    study: Mapping[str, np.ndarray],
    labels: Sequence[str],
    tried: Mapping[str, np.ndarray],
    tried_labels: Sequence[str],
) -> dict[str, np.ndarray]:
    """Two panels of `trials` on images, a study's networks above and single ones below; return what they show.

    Args:
        axes: the two panels.
        study: arrays "train" and "test" (groups, networks, T).
        labels: of its groups.
        tried: arrays "train" and "test" (settings,), at the end.
        tried_labels: of the settings.
    """
    shown = {f"study {name}": study[name][..., -1] for name in ("train", "test")}
    shown |= {f"tried {name}": tried[name][:, None] for name in ("train", "test")}
    for ax, kind, lines in zip(axes, ("study", "tried"), (labels, tried_labels)):
        trials(ax, lines, shown[f"{kind} train"], shown[f"{kind} test"], "images")
    axes[0].set(xlabel="", title=f"the study, {study['test'].shape[1]} networks a line")
    axes[1].set_title("tried, one network a line")
    axes[0].legend(loc="lower right", bbox_to_anchor=(0.94, 0.0))
    return shown


def courses(ax: Axes, epochs: np.ndarray, accuracy: np.ndarray, labels: Sequence[str], colors: Sequence) -> None:
    """Accuracies (lines, T, seeds) in the course of training: medians, and quartiles as bands."""
    for values, label, color in zip(accuracy, labels, colors):
        figures.band(ax, epochs, values, color=color, label=label)
    ax.axhline(0.5, **figures.THEORY)
    ax.set(xlabel="epoch", ylabel="test accuracy")


def spread(ax: Axes, labels: Sequence[str], values: Sequence[np.ndarray], colors: Sequence) -> None:
    """Test accuracies of networks, one line of dots for each arm, the first at the top, with a bar at each mean."""
    for row, (own, color) in enumerate(zip(values, colors, strict=True)):
        ax.plot(own, np.full(len(own), row), "o", color=color, markersize=4.5, alpha=0.7, markeredgewidth=0)
        ax.plot([np.nanmean(own)], [row], "|", color=color, markersize=16, markeredgewidth=2)
    ax.axvline(0.5, **figures.THEORY)
    ax.set_yticks(range(len(labels)), [label.replace("cosine", "|cos|") for label in labels])
    ax.set(xlabel="test accuracy", xlim=(0.4, 0.95), ylim=(len(labels) - 0.4, -0.6))


def tree_with_pairs(axes: Sequence[Axes], near: str, far: str) -> None:
    """The tree 01|23 twice, its leaves joined by arcs below: those of one pair each, neighbors and not."""
    for ax, pairs, color, title in (
        (axes[0], ((0, 1), (2, 3)), figures.KIND_COLORS[0], near),
        (axes[1], ((0, 2), (1, 3)), figures.KIND_COLORS[1], far),
    ):
        for lower, upper in (((0, 0), (0.5, 1)), ((1, 0), (0.5, 1)), ((2, 0), (2.5, 1)), ((3, 0), (2.5, 1))):
            ax.plot(*zip(lower, upper), color="0.5", linewidth=1.2, zorder=1)
        for lower in ((0.5, 1), (2.5, 1)):
            ax.plot(*zip(lower, (1.5, 2)), color="0.5", linewidth=1.2, zorder=1)
        ax.plot([0, 1, 2, 3, 0.5, 2.5, 1.5], [0, 0, 0, 0, 1, 1, 2], "o", color="0.25", markersize=5)
        for first, second in pairs:
            turn = np.linspace(0, np.pi, 40)
            half = (second - first) / 2
            ax.plot(first + half - half * np.cos(turn), -0.25 - 0.55 * half * np.sin(turn), color=color, linewidth=2.4)
        ax.set_title(title, fontsize=10, color=color)
        ax.set(xlim=(-0.4, 3.4), ylim=(-1.0, 2.2))
        ax.set_axis_off()


def near_and_far(
    ax: Axes, fractions: Sequence[float], errors: np.ndarray, labels: Sequence[str], floor: float = 5e-4
) -> None:
    """Relative errors (kinds, fractions, replicas): every replica a dot, medians joined, one dashed, the answer zero's.

    At fraction one nothing is unseen: errors there are of the fit, and hollow. Errors below `floor` are drawn there.
    """
    fractions, errors = np.asarray(fractions), np.maximum(errors, floor)
    whole = fractions >= 1
    for values, label, color, shift in zip(errors, labels, figures.KIND_COLORS, (-0.008, 0.008)):
        ax.semilogy(fractions[~whole], np.median(values[~whole], -1), "-", color=color, linewidth=1.6, label=label)
        for part, face in ((~whole, color), (whole, "white")):
            places = np.broadcast_to(fractions[part, None] + shift, values[part].shape)
            style = {"markersize": 4.5, "alpha": 0.8, "markerfacecolor": face}
            ax.semilogy(places.ravel(), values[part].ravel(), "o", color=color, **style)
    ax.axhline(1, **figures.THEORY)
    ax.set(xlabel="share of the entries seen", ylabel="relative error, unseen entries")
    ax.set(xlim=(0.03, 1.06), ylim=(4e-4, 15))


def root_values(ax: Axes, spectra: Sequence[np.ndarray], labels: Sequence[str], shown: int = 24) -> None:
    """Singular values (replicas, D) across the root as shares of the largest: a line for each replica."""
    for values, label, color in zip(spectra, labels, (figures.KIND_COLORS[0], figures.KIND_COLORS[2])):
        shares = np.maximum(values / values[:, :1], 1e-5)[:, :shown]
        lines = ax.semilogy(np.arange(1, shares.shape[1] + 1), shares.T, "-", color=color, linewidth=1.0, alpha=0.8)
        lines[0].set_label(label)
    ax.set(xlabel="singular value across the root", ylabel="share of the largest", ylim=(8e-6, 1.5))
    ax.legend(loc="upper right")


def shuffled_columns(
    ax: Axes, gaps: np.ndarray, accuracy: np.ndarray, mixed_gaps: Sequence[float], mixed: np.ndarray
) -> None:
    """Test accuracies (gaps, networks) with columns in their order, and (mixed gaps, networks) in a random one."""
    for places, values, color, label in (
        (gaps, accuracy, figures.KIND_COLORS[0], "columns in their order"),
        (mixed_gaps, mixed, figures.KIND_COLORS[1], "in one random order"),
    ):
        beside = np.linspace(-0.35, 0.35, values.shape[1])
        ax.plot(np.add.outer(places, beside).ravel(), values.ravel(), ".", color=color, markersize=3.5, alpha=0.6)
        ax.plot(places, values.mean(-1), "o-", color=color, label=label, markersize=5)
    ax.axhline(0.5, **figures.THEORY)
    ax.set_xticks(gaps)
    ax.set(xlabel="gap between the images, pixels", ylabel="test accuracy", ylim=(0.4, 1.02))
    ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.6))


PENALTY_COLORS = {"cosine": figures.KIND_COLORS[1], "logarithm": figures.KIND_COLORS[2]}
PENALTY_LABELS = {"cosine": "|cos|", "logarithm": "−ln(1 − |cos|)"}


def penalty_slopes(ax: Axes, gaps: np.ndarray, slopes: Mapping[str, np.ndarray], law: np.ndarray) -> None:
    """Lengths of gradients (gaps, networks) of both penalties and the loss; dashed, the law (gaps,) for |cos|."""
    for name, values in slopes.items():
        color, label = PENALTY_COLORS.get(name, "0.45"), PENALTY_LABELS.get(name, "the labels")
        figures.band(ax, gaps, values, color=color, label=label, marker="o", markersize=4)
    ax.plot(gaps, law, **figures.THEORY)
    ax.set_yscale("log")
    ax.set_xticks(gaps)
    ax.set(xlabel="gap between the images, pixels", title="length of the gradient at the start")
    ax.legend(loc="lower left")


def penalties_alone(ax: Axes, courses: Mapping[str, tuple], laws: Mapping[str, np.ndarray], passed: float) -> None:
    """Changes (T, networks) over times (T,) by penalty, laws (T,) dashed, and the change that counts as left."""
    for name, (times, change) in courses.items():
        ax.loglog(times[1:], change[1:], color=PENALTY_COLORS[name], linewidth=1)
        ax.loglog(times[1:], laws[name][1:], **figures.THEORY)
    ax.axhline(passed, color="0.6", linewidth=0.8, zorder=0)
    ax.set(xlabel="time, steps times their size", title="1 − surrogate, a penalty alone", ylim=(None, 1))
