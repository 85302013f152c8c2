"""Figures that move: the frames of one drawing as a single sheet of images, which the page's player shows in turn."""

import io
import re
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from offconvex import files
from offconvex.run import active_run

DPI = 100
"""Resolution of the frames: a figure of "single" width is 520 pixels wide."""

LARGEST = 16_000_000
"""Pixels on a sheet; telephones refuse to decode more."""


def save(figure: Figure, id: str, draw: Callable[[int], object], moments: Sequence[str], *, rate: float = 8.0) -> None:
    """Write the frames of a figure to the open chapter's results, byte-stable: `<id>.webp` and `<id>.frames.json`.

    The layout is fixed before the first frame, so that axes stand still. Afterwards draw the frame that shall be the
    still, and save it with `figures.save`: that one is printed, and described in words.

    Args:
        figure: the figure that `draw` changes.
        id: its id, as for `figures.save`.
        draw: called with the number of a frame, 0, 1, ...; changes what moves and nothing else.
        moments: one short text per frame, read aloud by the player: "time 12, right mode".
        rate: frames per second.

    Raises:
        ValueError: if the id is malformed, there are fewer than two frames, or the sheet would be too large.
    """
    if not re.fullmatch(r"fig-[a-z0-9]+(-[a-z0-9]+)*", id) or len(moments) < 2 or not rate > 0:
        raise ValueError(
            "A motion needs an id like 'fig-name', two frames or more and a positive rate; "
            f"got {id!r}, {len(moments)}, {rate}."
        )
    canvas, resolution = FigureCanvasAgg(figure), figure.dpi
    figure.set_dpi(DPI)
    draw(0)
    canvas.draw()
    # From here on the layout is where the first frame put it.
    figure.set_layout_engine("none")
    frames = []
    for number in range(len(moments)):
        draw(number)
        canvas.draw()
        frames.append(np.asarray(canvas.buffer_rgba())[..., :3].copy())
    figure.set_dpi(resolution)
    height, width, _ = frames[0].shape
    if height * width * len(frames) > LARGEST:
        raise ValueError(
            f"{id}: {len(frames)} frames of {width} x {height} pixels are more than {LARGEST:,}; draw fewer or smaller."
        )
    columns = int(np.ceil(np.sqrt(len(frames) * height / width)))
    rows = -(-len(frames) // columns)
    sheet = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for number, frame in enumerate(frames):
        top, left = number // columns * height, number % columns * width
        sheet[top : top + height, left : left + width] = frame
    content = io.BytesIO()
    # A palette of 128 colors: flat drawings lose nothing that can be seen, and half of the bytes.
    flat = Image.fromarray(sheet).quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    flat.convert("RGB").save(content, "WEBP", lossless=True, quality=100, method=4)
    about = {"count": len(frames), "columns": columns, "width": width, "height": height, "rate": rate}
    output = active_run().output
    files.replace(output / f"{id}.webp", content.getvalue())
    files.write_json(output / f"{id}.frames.json", about | {"moments": list(moments)})
