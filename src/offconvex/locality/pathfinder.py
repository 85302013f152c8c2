"""Pathfinder-style images: two markers, on one dashed path or on two, among distracting paths."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from offconvex import rng
from offconvex.locality import drawing
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class Pathfinder:
    """The task; lengths in pixels of the drawn canvas.

    Attributes:
        length: dashes of each of the two paths, what sets the range of the dependence.
        drawn: side of the canvas that is drawn.
        used: side of the images, after averaging square blocks of the canvas; divides `drawn`.
        dash: length of a dash.
        thickness: of a dash.
        spacing: between consecutive dashes, and least distance between dashes of different paths.
        continuity: how straight paths are: a turn by t has weight cos(min(continuity |t|, pi / 2))^2.
        border: kept free at the canvas's edge.
        start_distance: between the starts of the two paths.
        marker: radius of a marker's disc.
        distractors: number of distracting paths; those for which no place is found are left out.
        distractor_length: dashes of each.
        tolerance: the two possible places of the second marker are equally far from the first up to this.
    """

    length: int = 5
    drawn: int = 64
    used: int = 64
    dash: float = 3.0
    thickness: float = 1.2
    spacing: float = 2.0
    continuity: float = 1.8
    border: float = 4.0
    start_distance: float = 9.0
    marker: float = 2.0
    distractors: int = 8
    distractor_length: int = 2
    tolerance: float = 1.5

    def __post_init__(self):
        if self.length < 2 or self.distractors < 0 or self.distractor_length < 1:
            raise ValueError(f"Paths need two dashes at least, distractors one, and none may be negative; got {self}.")
        if self.used < 1 or self.drawn % self.used:
            raise ValueError(f"`used` must divide `drawn` = {self.drawn}; got {self.used}.")
        if min(self.dash, self.thickness, self.spacing, self.continuity, self.tolerance, self.marker) <= 0:
            raise ValueError(f"Lengths, continuity and tolerance must be positive; got {self}.")
        if 2 * self.border + self.start_distance + self.dash > self.drawn:
            raise ValueError(f"Two paths cannot start {self.start_distance} apart inside the border of {self}.")

    @property
    def step(self) -> float:
        """Distance between the centers of consecutive dashes of a straight path."""
        return self.dash + self.spacing

    @property
    def span(self) -> float:
        """Length of a straight path in pixels of the used image: the longest dependence."""
        return ((self.length - 1) * self.step + self.dash) * self.used / self.drawn


def paper(length: int) -> Pathfinder:
    """The source's sizes (razin2022implicit, appendix; linsley2018learning): 300 pixels drawn, 150 used.

    Distractors have a third of a path's dashes, and there are as many as make 30 dashes; the source's generator draws
    one dash less in each than a third.
    """
    return Pathfinder(
        length=length, drawn=300, used=150, dash=5.0, thickness=2.0, spacing=3.0, border=22.0, start_distance=27.0,
        marker=3.0, distractors=round(90 / length), distractor_length=max(length // 3, 1), tolerance=4.0,
    )  # fmt: skip


@dataclass(frozen=True)
class Scenes:
    """Where everything lies, before it is drawn.

    Attributes:
        paths: (n, 2, length, 3), the dashes of both paths: row and column of the center, and direction.
        distractors: (n, distractors, distractor_length, 3), NaN where no place was found.
        markers: (n, 2, 2), rows and columns of the two markers.
        labels: (n,), whether both markers are on one path.
    """

    paths: np.ndarray
    distractors: np.ndarray
    markers: np.ndarray
    labels: np.ndarray


CHUNK = 256  # images made together: their maps of taken pixels stay in the cache of one core


def images(task: Pathfinder, count: int, rt: Runtime, seed: int, *stream: str | int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (count, 1, used, used) in [0, 1] and labels (count,).

    Args:
        task: sizes.
        count: number of images.
        rt: device and precision.
        seed: of the draws.
        stream: name of the use, such as "train".
    """
    whole, labels = [], []
    for part in range(0, count, CHUNK):
        made = scenes(task, min(CHUNK, count - part), rng.numpy_generator(seed, "pathfinder", *stream, part))
        whole.append(draw(task, made))
        labels.append(made.labels)
    pixels = rt.tensor(np.concatenate(whole))[:, None]
    return pixels, rt.tensor(np.concatenate(labels).astype(np.float64))


def scenes(task: Pathfinder, count: int, draws: np.random.Generator) -> Scenes:
    """Scenes whose label is a fair coin thrown when everything but the second marker is in place.

    The first marker is at the start of one path. The second would be at the far end of the same path or of the other;
    only pairs of paths are kept on which the two places are equally far from the first marker, up to the tolerance.
    So neither the paths nor the first marker depend on the label, nor does the distance of the markers, beyond the
    tolerance: what decides is the connection alone.

    Raises:
        ValueError: if paths of these sizes hardly ever fit.
    """
    kept, tries = np.empty((0, 2, task.length, 3)), 0
    while len(kept) < count:
        fresh = _pairs_of_paths(task, 4 * count, draws)
        near, far = (_gap(fresh, end) for end in (0, 1))
        kept = np.concatenate([kept, fresh[np.abs(near - far) <= task.tolerance]])[:count]
        tries += 1
        if tries > 60:
            raise ValueError(f"Paths of these sizes hardly ever fit; make them shorter or the canvas larger: {task}.")
    taken = _map(task, count)
    for path in range(2):
        for dash in range(task.length):
            taken.add(kept[:, path, dash])
    # The coin and the distractors come last, and from the same state whatever the label is.
    distractors = _distractors(task, taken, draws)
    labels = draws.random(count) < 0.5
    ends = _tips(task, kept[:, :, -1], 1)
    second = np.where(labels[:, None], ends[:, 0], ends[:, 1])
    return Scenes(kept, distractors, np.stack([_tips(task, kept[:, 0, 0], -1), second], 1), labels)


def draw(task: Pathfinder, made: Scenes) -> np.ndarray:
    """Gray levels (n, used, used) in [0, 1]."""
    canvas = np.zeros((len(made.labels), task.drawn, task.drawn), np.float32)
    dashes = np.concatenate([made.paths.reshape(len(canvas), -1, 3), made.distractors.reshape(len(canvas), -1, 3)], 1)
    for place in range(dashes.shape[1]):
        drawing.stroke(canvas, dashes[:, place], task.dash, task.thickness)
    for place in range(2):
        disc = np.concatenate([made.markers[:, place], np.zeros((len(canvas), 1))], 1)
        drawing.stroke(canvas, disc, 0.0, 2 * task.marker)
    factor = task.drawn // task.used
    return canvas.reshape(len(canvas), task.used, factor, task.used, factor).mean((2, 4))


def without_distractors(task: Pathfinder) -> Pathfinder:
    """The same task with nothing but the two paths."""
    return replace(task, distractors=0)


def _gap(paths: np.ndarray, end: int) -> np.ndarray:
    """Distance (n,) between the first dash of path 0 and the last of path `end`."""
    return np.linalg.norm(paths[:, 0, 0, :2] - paths[:, end, -1, :2], axis=-1)


def _tips(task: Pathfinder, dashes: np.ndarray, side: int) -> np.ndarray:
    """Ends (..., 2) of dashes (..., 3), in their direction or against it."""
    angle = dashes[..., 2]
    return dashes[..., :2] + side * task.dash / 2 * np.stack([np.sin(angle), np.cos(angle)], -1)


def _map(task: Pathfinder, count: int) -> drawing.Taken:
    return drawing.Taken(count, task.drawn, task.dash, task.thickness, task.spacing)


def _pairs_of_paths(task: Pathfinder, count: int, draws: np.random.Generator) -> np.ndarray:
    """Two paths (m, 2, length, 3) that do not touch, m <= count: attempts that got stuck are left out."""
    taken = _map(task, count)
    inner = task.border + task.dash / 2
    first = draws.uniform(inner, task.drawn - inner, (count, 2))
    angle = draws.uniform(0, 2 * np.pi, count)
    second = first + task.start_distance * np.stack([np.sin(angle), np.cos(angle)], 1)
    paths = []
    for start in (first, second):
        begin = np.concatenate([start, draws.uniform(0, 2 * np.pi, (count, 1))], 1)
        paths.append(_grow(task, begin, task.length, taken, draws))
    paths = np.stack(paths, 1)
    return paths[~np.isnan(paths).any((1, 2, 3))]


def _distractors(task: Pathfinder, taken: drawing.Taken, draws: np.random.Generator) -> np.ndarray:
    made = []
    inner = task.border + task.dash / 2
    for _ in range(task.distractors):
        begin = draws.uniform(inner, task.drawn - inner, (taken.count, TURNS, 2))
        begin = np.concatenate([begin, draws.uniform(0, 2 * np.pi, (taken.count, TURNS, 1))], -1)
        made.append(_grow(task, _first_free(task, begin, taken), task.distractor_length, taken, draws))
    shape = (taken.count, task.distractors, task.distractor_length, 3)
    return np.stack(made, 1) if made else np.empty(shape)


TURNS = 8  # places tried for a dash before it is given up


def _grow(task, begin: np.ndarray, length: int, taken: drawing.Taken, draws) -> np.ndarray:
    """Paths (n, length, 3) from first dashes (n, 3), NaN where they got stuck; they are entered as taken."""
    path = [_first_free(task, begin[:, None], taken)]
    for _ in range(length - 1):
        last = path[-1]
        angles = last[:, None, 2] + _turns(task.continuity, (len(begin), TURNS), draws)
        # Half a step along the old direction and half along the new: the corner lies in the middle of the spacing.
        old, new = (np.stack([np.sin(a), np.cos(a)], -1) for a in (last[:, None, 2], angles))
        centers = last[:, None, :2] + task.step / 2 * (old + new)
        path.append(_first_free(task, np.concatenate([centers, angles[..., None]], -1), taken))
        # A dash becomes an obstacle when its successor is in place, which may touch its surroundings.
        taken.add(last)
    taken.add(path[-1])
    whole = np.stack(path, 1)
    return np.where(np.isnan(whole).any((1, 2), keepdims=True), np.nan, whole)


def _first_free(task, candidates: np.ndarray, taken: drawing.Taken) -> np.ndarray:
    """The first of candidate dashes (n, K, 3) that is inside the border and free; NaN if none is."""
    tips = np.stack([_tips(task, candidates, side) for side in (-1, 1)], -1)
    with np.errstate(invalid="ignore"):
        inside = ((tips >= task.border) & (tips <= task.drawn - task.border)).all((-2, -1))
    free = inside & taken.free(candidates, inside)
    chosen = candidates[np.arange(len(candidates)), free.argmax(1)]
    return np.where(free.any(1)[:, None], chosen, np.nan)


def _turns(continuity: float, shape: tuple[int, ...], draws: np.random.Generator) -> np.ndarray:
    """Turns with density proportional to cos(min(continuity |t|, pi / 2))^2, by inversion on a fine grid."""
    limit = min(np.pi / 2 / continuity, np.pi)
    grid = np.linspace(-limit, limit, 513)
    mass = np.cumsum(np.cos(continuity * (grid[1:] + grid[:-1]) / 2) ** 2)
    return np.interp(draws.random(shape), np.concatenate([[0], mass / mass[-1]]), grid)
