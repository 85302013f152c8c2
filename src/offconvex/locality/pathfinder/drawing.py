"""Dashes on many canvases at once: where there is room, and how they look."""

import numpy as np
from jaxtyping import Bool, Float


class Taken:
    """Which pixels of each canvas a new dash must not touch.

    Attributes:
        count: number of canvases.
    """

    def __init__(self, count: int, side: int, dash: float, thickness: float, spacing: float):
        """Empty canvases of `side` pixels for dashes of one length and thickness, kept `spacing` apart."""
        self.count, self.side, self.dash = count, side, dash
        self._pixels = np.zeros((count, side * side), bool)
        self._along = np.linspace(-0.5, 0.5, int(np.ceil(dash)) + 1) * dash
        # A dash's line of pixels is compared with lines of others widened by spacing and thickness.
        reach = spacing + thickness
        span = np.arange(-int(reach) - 1, int(reach) + 2)
        around = np.stack(np.meshgrid(span, span, indexing="ij"), -1).reshape(-1, 2)
        self._around = around[(around**2).sum(1) <= reach**2]

    def free(self, dashes: Float[np.ndarray, "n K 3"], asked: Bool[np.ndarray, "n K"]) -> Bool[np.ndarray, "n K"]:
        """Whether each dash of (n, K, 3) touches nothing taken; only those `asked` about (n, K), the others are not."""
        free = np.zeros(dashes.shape[:2], bool)
        canvas, which = np.nonzero(asked)
        pixels = np.rint(self._line(dashes[canvas, which])).astype(np.int64)
        free[canvas, which] = ~self._pixels[canvas[:, None], pixels[..., 0] * self.side + pixels[..., 1]].any(1)
        return free

    def add(self, dashes: Float[np.ndarray, "n 3"]) -> None:
        """Enter one dash a canvas, (n, 3); NaN for none."""
        canvas = np.flatnonzero(~np.isnan(dashes[:, 0]))
        pixels = np.rint(self._line(dashes[canvas])).astype(np.int64)
        near = (pixels[:, :, None] + self._around).clip(0, self.side - 1)
        self._pixels[canvas[:, None, None], near[..., 0] * self.side + near[..., 1]] = True

    def _line(self, dashes: np.ndarray) -> np.ndarray:
        """Points (m, P, 2) along dashes (m, 3), a pixel or less apart."""
        angle = dashes[:, 2]
        direction = np.stack([np.sin(angle), np.cos(angle)], -1)
        return dashes[:, None, :2] + self._along[:, None] * direction[:, None]


def stroke(
    canvas: Float[np.ndarray, "n S S"], dashes: Float[np.ndarray, "n 3"], length: float, thickness: float
) -> None:
    """Draw one dash on each canvas (n, S, S) in place, with round ends and soft edges.

    A pixel's level is its distance from the edge of the dash, clipped to [0, 1]: 1/2 on the edge itself.

    Args:
        canvas: gray levels.
        dashes: (n, 3), row and column of the center, and direction; NaN for none.
        length: of its axis; 0 draws a disc.
        thickness: across.
    """
    which = np.flatnonzero(~np.isnan(dashes[:, 0]))
    chosen = dashes[which].astype(np.float32)
    reach = int(np.ceil((length + thickness) / 2 + 1))
    span = np.arange(-reach, reach + 1)
    corner = np.rint(chosen[:, :2]).astype(np.int64)
    rows, columns = (corner[:, i, None] + span for i in range(2))
    down = (rows - chosen[:, :1])[:, :, None]
    right = (columns - chosen[:, 1:2])[:, None]
    sine, cosine = (f(chosen[:, 2])[:, None, None] for f in (np.sin, np.cos))
    along = np.maximum(np.abs(down * sine + right * cosine) - np.float32(length / 2), 0)
    across = down * cosine - right * sine
    level = np.clip(np.float32(thickness / 2 + 0.5) - np.sqrt(along**2 + across**2), 0, 1)
    # Pixels outside the canvas are moved to its edge, with level 0.
    inside = [(x >= 0) & (x < canvas.shape[1]) for x in (rows, columns)]
    level *= inside[0][:, :, None] & inside[1][:, None]
    place = (
        which[:, None, None],
        rows.clip(0, canvas.shape[1] - 1)[:, :, None],
        columns.clip(0, canvas.shape[2] - 1)[:, None],
    )
    np.maximum.at(canvas, place, level)
