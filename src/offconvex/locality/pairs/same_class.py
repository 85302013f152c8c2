"""Are two images of one class? Pairs of Fashion-MNIST images at a controlled gap."""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from offconvex import datasets, rng
from offconvex.locality.regularizer import Patch
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class Pairs:
    """The task.

    Attributes:
        classes: of Fashion-MNIST that images are taken from.
        side: pixels of an image's side, after averaging square blocks: 28, 14, 7 or 4.
        gap: pixels between the two images.
        margin: pixels around the two.
        columns: whether the rows of a canvas are its channels, so that a network reads it column by column.
    """

    classes: tuple[int, ...] = tuple(range(10))
    side: int = 7
    gap: int = 0
    margin: int = 0
    columns: bool = False

    def __post_init__(self):
        if len(set(self.classes)) < 2 or not set(self.classes) <= set(range(10)):
            raise ValueError(f"`classes` needs at least two of 0..9, none twice; got {self.classes}.")
        if self.side not in (28, 14, 7, 4):
            raise ValueError(f"`side` must be 28, 14, 7 or 4, what 28 shrinks to in whole blocks; got {self.side}.")
        if self.gap < 0 or self.margin < 0:
            raise ValueError(f"`gap` and `margin` must not be negative; got {self.gap} and {self.margin}.")
        if self.columns and self.margin:
            raise ValueError(f"Rows that are channels have no margin; got margin {self.margin}.")

    @property
    def canvas(self) -> tuple[int, int, int]:
        """Channels, rows and columns of a canvas."""
        rows, across = self.side + 2 * self.margin, 2 * self.side + self.gap + 2 * self.margin
        return (self.side, 1, across) if self.columns else (1, rows, across)

    @property
    def patches(self) -> tuple[Patch, Patch]:
        """Where the two images lie."""
        height = 1 if self.columns else self.side
        left = Patch(self.margin, self.margin, height, self.side)
        return left, Patch(self.margin, self.margin + self.side + self.gap, height, self.side)

    @property
    def halves(self) -> tuple[tuple[Patch, Patch], tuple[Patch, Patch]]:
        """Left and right half of each of the two images; an odd column belongs to the right."""
        half = self.side // 2
        return tuple(
            (
                Patch(place.top, place.left, place.height, half),
                Patch(place.top, place.left + half, place.height, self.side - half),
            )
            for place in self.patches
        )


def pairs(
    task: Pairs, count: int, rt: Runtime, seed: int, split: str = "train"
) -> tuple[Float[Tensor, "{count} C H W"], Float[Tensor, " {count}"]]:
    """Canvases (count, C, H, W) and labels (count,), 1 where both images have one class, else 0.

    The label is a fair coin and the first image uniform over the chosen classes' images; the second is uniform over
    those of the same class (not the same image) or of the other classes. So neither image alone says anything about
    the label when the classes have equally many images. Pixels have the split's mean 0 and deviation 1, and the
    background of the canvas is 0, as in the source.

    Args:
        task: what a canvas looks like.
        count: number of pairs.
        rt: device and precision.
        seed: of the draws, which do not depend on gap, margin or side: the same pairs at every gap.
        split: "train" or "test" part of the images.
    """
    small, labels = _images(split, task.side, rt)
    draws = rng.numpy_generator(seed, "same class pairs", split, *task.classes)
    members = {c: np.flatnonzero(labels == c) for c in task.classes}
    first = draws.choice(np.concatenate(list(members.values())), count)
    same = draws.random(count) < 0.5
    second = np.empty(count, dtype=np.int64)
    for i in range(count):
        own = labels[first[i]]
        # Classes uniform among the others, then an image of that class.
        drawn = own if same[i] else draws.choice([c for c in task.classes if c != own])
        second[i] = draws.choice(members[drawn][members[drawn] != first[i]])
    left, right = task.patches
    canvas = rt.zeros(count, *task.canvas)
    for place, which in ((left, first), (right, second)):
        chosen = small[torch.as_tensor(which, device=rt.device)]
        place.of(canvas).copy_(chosen[:, :, None] if task.columns else chosen[:, None])
    return canvas, rt.tensor(same.astype(np.float64))


@functools.cache
def _images(split: str, side: int, rt: Runtime) -> tuple[Float[Tensor, "n {side} {side}"], np.ndarray]:
    """Small images and their labels, read once: a map or a study asks for them again and again."""
    images = datasets.fashion_mnist(split, rt=rt)
    return shrink(images.pixels, side), images.labels.cpu().numpy()


def shrink(pixels: Float[Tensor, "n height width"], side: int) -> Float[Tensor, "n {side} {side}"]:
    """Images (n, 28, 28) averaged over blocks to (n, side, side), with mean 0 and deviation 1 over all."""
    small = adaptive_avg_pool2d(pixels[:, None], side)[:, 0]
    return (small - small.mean()) / small.std()
