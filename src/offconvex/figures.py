"""One look for every figure, and one way to save it with the arrays behind it."""

import csv
import io
import logging
import os
import re
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from offconvex import files, fits, paths
from offconvex.run import active_run

WIDTHS = {"single": 5.2, "double": 8.0}
"""Figure widths in inches: half and full text column of the page."""

THEORY = {"color": "black", "linestyle": (0, (5, 2.5)), "linewidth": 1.6, "zorder": 5}
"""Line style of everything that theory predicts."""

KIND_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe-Ito colors, for things that differ in kind; told apart by all common forms of color blindness."""


def ordered_colors(count: int) -> list[tuple]:
    """Colors for `count` steps of an ordered quantity (depth, time, size), dark to light, never too pale to see."""
    return [plt.colormaps["viridis"](x) for x in np.linspace(0.0, 0.82, max(count, 1))]


def new(
    width: str = "single", *, rows: int = 1, columns: int = 1, height: float | None = None, **subplots
) -> tuple[Figure, object]:
    """A figure of one of the two widths, with its axes.

    Args:
        width: "single" or "double".
        rows: rows of axes.
        columns: columns of axes.
        height: inches; by default each row of axes gets two thirds of an axes' width.
        subplots: further arguments of `matplotlib.pyplot.subplots`.

    Raises:
        ValueError: for another width, so that the book keeps two.
    """
    if width not in WIDTHS:
        raise ValueError(f"`width` must be 'single' or 'double'; got {width!r}.")
    if height is None:
        height = WIDTHS[width] / columns * 0.68 * rows
    return plt.subplots(rows, columns, figsize=(WIDTHS[width], height), layout="constrained", **subplots)


def band(
    ax: Axes,
    x: Shaped[np.ndarray, " n"],
    values: Float[np.ndarray, "rows columns"],
    *,
    axis: int = -1,
    color,
    shade: float = 0.2,
    **line,
) -> None:
    """Median of values over one of their two axes as a line over x, with the quartiles as a band of its color."""
    low, middle, high = fits.quartiles(values, axis)
    ax.fill_between(x, low, high, color=color, alpha=shade, linewidth=0)
    ax.plot(x, middle, color=color, **line)


def save(figure: Figure, id: str, data: Mapping[str, object]) -> None:
    """Write a figure's vector PDF and the arrays behind it to the open chapter's results, byte-stable.

    Equal-length columns become `<id>.csv`; anything else `<id>.npz`. For a reader who runs a cell again, the new figure
    takes the place of the old one; to the executor, which runs no cell twice, a second figure of one id is a mistake.

    Args:
        figure: the drawn figure.
        id: "fig-" and a stable name, unique in the book: it is cited.
        data: arrays by name: all that is drawn, so that the figure can be judged and redrawn without the code.

    Raises:
        ValueError: if the id is malformed, already used in an execution by the executor, or there is no data.
    """
    if not re.fullmatch(r"fig-[a-z0-9]+(-[a-z0-9]+)*", id):
        raise ValueError(f"A figure id is 'fig-' and lower-case words joined by hyphens; got {id!r}.")
    if not data:
        raise ValueError(f"{id}: no data; a figure is saved together with the arrays it draws.")
    output = active_run().output
    if os.environ.get("OFFCONVEX_OUTPUT") and (output / f"{id}.pdf").exists():
        raise ValueError(f"{id}: saved twice in one run; figure ids are unique: give the second figure one of its own.")
    arrays = {name: _array(id, name, value) for name, value in data.items()}
    shapes = {array.shape for array in arrays.values()}
    columns = len(shapes) == 1 and len(next(iter(shapes))) == 1
    suffix, content, other = ("csv", _csv, "npz") if columns else ("npz", _npz, "csv")
    files.replace(output / f"{id}.{suffix}", content(arrays))
    (output / f"{id}.{other}").unlink(missing_ok=True)  # of the same figure, when a changed cell is run again
    buffer = io.BytesIO()
    # No creation date: the same figure gives the same bytes.
    figure.savefig(buffer, format="pdf", metadata={"CreationDate": None})
    files.replace(output / f"{id}.pdf", buffer.getvalue())


def read_data(path: Path) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Arrays behind a saved figure, by name.

    Raises:
        ValueError: if the file is missing, truncated or not one that `save` wrote.
    """
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        with open(path, encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file, strict=True))
        if any(len(row) != len(header) for row in rows):
            raise ValueError("rows of different lengths")
        return {name: _column([row[i] for row in rows]) for i, name in enumerate(header)}
    except _UNREADABLE as error:
        raise ValueError(f"{path.name}: unreadable figure data ({error}); execute the chapter again.") from error


# All that NumPy, zipfile, zlib and csv raise on damaged bytes.
_UNREADABLE = (OSError, ValueError, LookupError, EOFError, RuntimeError, csv.Error, zipfile.BadZipFile, zlib.error)


def reset(output: Path) -> None:
    """Apply the style, close open figures and forget the figures of an earlier run in the same folder."""
    plt.rcdefaults()  # a reader's matplotlibrc changes no figure
    plt.style.use(paths.PACKAGE / "offconvex.mplstyle")
    # A figure whose layout is impossible must fail a chapter, not print to stderr.
    warnings.filterwarnings("error", message=".*constrained_layout.*")
    # The bundled formula fonts carry dates that the PDF writer remarks on, on stderr, in every figure with a formula.
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    plt.close("all")
    for file in output.glob("fig-*"):
        file.unlink()


def array(value: object) -> Shaped[np.ndarray, "..."]:
    """What is drawn or written: a tensor, from whatever device, as an array, and all else as NumPy takes it.

    Raises:
        ValueError: if it has rows of different lengths.
    """
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def _array(id: str, name: str, value: object) -> np.ndarray:
    try:
        found = array(value)
    except ValueError:
        raise ValueError(f"{id}: `{name}` must be numbers or text, got rows of different lengths.") from None
    if found.dtype.kind not in "biufU":
        raise ValueError(f"{id}: `{name}` must be numbers or text, got type {found.dtype}.")
    return found


def _csv(arrays: Mapping[str, np.ndarray]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(arrays)
    # Booleans as 0 and 1, so that they are read back as numbers.
    writer.writerows(
        zip(*((array.astype(int) if array.dtype.kind == "b" else array).tolist() for array in arrays.values()))
    )
    return text.getvalue().encode()


def _npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    # Not `files.pack`: NumPy would take an array named "file" for the archive.
    return files.archive(((f"{name}.npy", _npy(array)) for name, array in arrays.items()), mode=0o600)


def _npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=False)
    return content.getvalue()


def _column(cells: list[str]) -> np.ndarray:
    try:
        return np.array([float(cell) for cell in cells])
    except ValueError:
        return np.array(cells)
