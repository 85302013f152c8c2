"""One encryption against galleries: arrays and axes in, ink out."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from offconvex import figures

BLUE, ORANGE, GREEN = figures.KIND_COLORS[:3]


def named(axes: np.ndarray, pictures: np.ndarray, mixed: np.ndarray) -> None:
    """Encryptions and what ranks first, pictures (rows, columns, h, w); candidates that are mixed have a frame."""
    titles = ["encryption", "absolute\nvalue", *(f"no. {place}" for place in range(1, mixed.shape[1] + 1))]
    for line, row, hits in zip(axes, pictures, mixed):
        for ax, image, hit in zip(line, row, [False, False, *hits]):
            ax.imshow(image, cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
            for spine in ax.spines.values():
                spine.set(visible=hit, color=ORANGE, linewidth=3)
    for ax, title in zip(axes[0], titles):
        ax.set_title(title, fontsize=10)


def falling(ax: Axes, sizes: Sequence[int], curves: Mapping[str, np.ndarray]) -> None:
    """Share of encryptions (sizes,) whose first candidate is mixed, solid, or private, thin, for each kind of mixture.

    Curves come in pairs of the same color: some mixed image, a private one.
    """
    styles = [(color, style) for color in (BLUE, ORANGE, GREEN) for style in ("-", "--")]
    for (name, values), (color, style) in zip(curves.items(), styles):
        ax.plot(sizes, values, style, color=color, marker="o", markersize=3, label=name)
    ax.set_xscale("log")
    ax.set(xlabel="candidates, $N$", ylabel="share of encryptions", ylim=(0, 1.02))


def by_coefficient(ax: Axes, edges: np.ndarray, curves: Mapping[str, np.ndarray]) -> None:
    """Share of mixed images that rank first, (bins,) between edges of their coefficients, for each size of gallery."""
    middles = (edges[1:] + edges[:-1]) / 2
    for (name, values), color, marker in zip(curves.items(), figures.ordered_colors(len(curves)), "osD^"):
        ax.plot(middles, values, marker + "-", color=color, markersize=5, label=name)
    ax.set(xlabel="coefficient of the image", ylabel="share of images ranked first", ylim=(-0.02, 1.02))
    ax.legend(loc="upper left")
