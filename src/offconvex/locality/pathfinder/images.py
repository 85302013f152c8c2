"""Pathfinder-style images: two markers, on one dashed path or on two, among distracting paths."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from torch import Tensor

from offconvex import rng
from offconvex.locality.pathfinder import drawing
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

    def __post_init__(self):
        if self.length < 2 or self.distractors < 0 or self.distractor_length < 1:
            raise ValueError(f"Paths need two dashes at least, distractors one, and none may be negative; got {self}.")
        if self.used < 1 or self.drawn % self.used:
            raise ValueError(f"`used` must divide `drawn` = {self.drawn}; got {self.used}.")
        if min(self.dash, self.thickness, self.spacing, self.continuity, self.marker) <= 0:
            raise ValueError(f"Lengths and continuity must be positive; got {self}.")
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

    def of_length(self, length: int) -> "Pathfinder":
        """The task with paths of so many dashes, and a third of them in each distracting path."""
        return replace(self, length=length, distractor_length=max(length // 3, 1))


def paper(length: int) -> Pathfinder:
    """The source's sizes (razin2022implicit, appendix; linsley2018learning): 300 pixels drawn, 150 used.

    Distractors have a third of a path's dashes, and there are as many as make 30 dashes; the source's generator draws
    one dash less in each than a third.
    """
    sides = Pathfinder(drawn=300, used=150, border=22.0, start_distance=27.0, marker=3.0)
    dashes = replace(sides, dash=5.0, thickness=2.0, spacing=3.0, distractors=round(90 / length))
    return dashes.of_length(length)


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


def images(
    task: Pathfinder, count: int, rt: Runtime, seed: int, *stream: str | int
) -> tuple[Float[Tensor, "{count} 1 {task.used} {task.used}"], Float[Tensor, " {count}"]]:
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

    The first marker is at the start of one path. The second is at the far end of the same path or of the other; the
    other path is turned about its own start until both places are equally far from the first marker. So neither the
    paths nor the first marker nor the markers' distance depend on the label: what decides is the connection.

    Raises:
        ValueError: if paths of these sizes hardly ever fit.
    """
    kept, drawn = np.empty((0, 2, task.length, 3)), 0
    while len(kept) < count:
        kept = np.concatenate([kept, _pairs_of_paths(task, 2 * count, draws)])[:count]
        drawn += 2 * count
        if drawn > 200 * (len(kept) + 1) + 20 * count:
            raise ValueError(f"Paths of these sizes hardly ever fit; make them shorter or the canvas larger: {task}.")
    taken = drawing.Taken(count, task.drawn, task.dash, task.thickness, task.spacing)
    for dash in kept.reshape(count, -1, 3).swapaxes(0, 1):
        taken.add(dash)
    distractors = _distractors(task, taken, draws)
    labels = draws.random(count) < 0.5
    second = np.where(labels[:, None], kept[:, 0, -1, :2], kept[:, 1, -1, :2])
    return Scenes(kept, distractors, np.stack([kept[:, 0, 0, :2], second], 1), labels)


def draw(task: Pathfinder, made: Scenes) -> Float[np.ndarray, "n {task.used} {task.used}"]:
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


def _tips(task: Pathfinder, dashes: np.ndarray, side: int) -> np.ndarray:
    """Ends (..., 2) of dashes (..., 3), in their direction or against it."""
    angle = dashes[..., 2]
    return dashes[..., :2] + side * task.dash / 2 * np.stack([np.sin(angle), np.cos(angle)], -1)


def _pairs_of_paths(task: Pathfinder, count: int, draws: np.random.Generator) -> np.ndarray:
    """Two paths (m, 2, length, 3) that do not touch, m <= count: attempts that do are left out."""
    one, two = (_walk(task, draws.uniform(0, 2 * np.pi, count), draws) for _ in range(2))
    angle = draws.uniform(0, 2 * np.pi, count)
    start = task.start_distance * np.stack([np.sin(angle), np.cos(angle)], 1)
    # |start + Q tip| = |tip of the first| for a rotation Q: the angle between start and Q tip is given by its cosine.
    reach, own = (np.linalg.norm(path[:, -1, :2], axis=-1) for path in (one, two))
    with np.errstate(invalid="ignore", divide="ignore"):
        between = np.arccos((reach**2 - task.start_distance**2 - own**2) / (2 * task.start_distance * own))
    between *= np.where(draws.random(count) < 0.5, 1, -1)
    turn = angle + between - np.arctan2(two[:, -1, 0], two[:, -1, 1])
    two = _turned(two, turn)
    two[..., :2] += start[:, None]
    pair = np.stack([one, two], 1)
    pair = pair[~np.isnan(turn)]
    tips = np.concatenate([_tips(task, pair, side).reshape(len(pair), 2 * task.length, 2) for side in (-1, 1)], 1)
    low, high = tips.min(1), tips.max(1)
    room = task.drawn - 2 * task.border - (high - low)
    fits = (room >= 0).all(1) & ~_touching(task, pair)
    pair, low, room = pair[fits], low[fits], room[fits]
    pair[..., :2] += (task.border - low + room * draws.random(room.shape))[:, None, None]
    return pair


def _walk(task: Pathfinder, angle: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Paths (n, length, 3) from the origin, their first dash in direction `angle`."""
    turns = _turns(task.continuity, (len(angle), task.length - 1), draws)
    angles = np.cumsum(np.concatenate([angle[:, None], turns], 1), 1)
    heading = np.stack([np.sin(angles), np.cos(angles)], -1)
    # Half a step along the old direction and half along the new: the corner lies in the middle of the spacing.
    moves = task.step / 2 * (heading[:, 1:] + heading[:, :-1])
    centers = np.concatenate([np.zeros_like(heading[:, :1]), np.cumsum(moves, 1)], 1)
    return np.concatenate([centers, angles[..., None]], -1)


def _turned(paths: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """Paths (n, length, 3) turned about the origin, toward larger directions."""
    sine, cosine = np.sin(turn)[:, None], np.cos(turn)[:, None]
    row, column, angle = np.moveaxis(paths, -1, 0)
    return np.stack([cosine * row + sine * column, cosine * column - sine * row, angle + turn[:, None]], -1)


def _touching(task: Pathfinder, pair: np.ndarray) -> np.ndarray:
    """Whether dashes (n, 2, length, 3) that do not follow one another come closer than the spacing."""
    angle = pair[..., 2].reshape(len(pair), 2 * task.length)
    points = np.linspace(-0.5, 0.5, int(np.ceil(task.dash)) + 1) * task.dash
    heading = np.stack([np.sin(angle), np.cos(angle)], -1)
    line = pair[..., :2].reshape(len(pair), 2 * task.length, 1, 2) + points[:, None] * heading[:, :, None]
    touching = np.zeros(len(pair), bool)
    for i in range(2 * task.length):
        first = i + 1 if i % task.length == task.length - 1 else i + 2
        if first < 2 * task.length:
            apart = line[:, i, None, :, None] - line[:, first:, None]
            near = (apart**2).sum(-1) < (task.spacing + task.thickness) ** 2
            touching |= near.any((1, 2, 3))
    return touching


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
    path = [begin]
    for _ in range(length - 1):
        last = path[-1]
        angles = last[:, None, 2] + _turns(task.continuity, (len(begin), TURNS), draws)
        old, new = (np.stack([np.sin(a), np.cos(a)], -1) for a in (last[:, None, 2], angles))
        centers = last[:, None, :2] + task.step / 2 * (old + new)
        path.append(_first_free(task, np.concatenate([centers, angles[..., None]], -1), taken))
    whole = np.stack(path, 1)
    whole[np.isnan(whole).any((1, 2))] = np.nan
    for dash in whole.swapaxes(0, 1):
        taken.add(dash)
    return whole


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
