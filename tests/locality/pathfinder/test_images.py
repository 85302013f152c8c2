"""Pathfinder scenes: balance, and that nothing but the dependence tells the label."""

import numpy as np
import pytest
import torch

from offconvex import rng, runtime
from offconvex.locality.pathfinder import images as pathfinder
from offconvex.locality.pathfinder.images import Pathfinder

COUNT = 1500


@pytest.fixture(scope="module")
def scenes():
    task = Pathfinder(length=5)
    return task, pathfinder.scenes(task, COUNT, rng.numpy_generator(0, "scenes"))


def z(one, other):
    """Difference of means in standard errors."""
    return (one.mean() - other.mean()) / np.sqrt(one.var() / len(one) + other.var() / len(other))


def test_labels_are_fair_and_markers_sit_where_the_label_says(scenes):
    task, made = scenes
    assert abs(made.labels.mean() - 0.5) <= 4.5 * 0.5 / np.sqrt(COUNT)
    path = np.where(made.labels, 0, 1)
    for place, (which, dash) in enumerate(((np.zeros(COUNT, int), 0), (path, task.length - 1))):
        assert np.array_equal(made.markers[:, place], made.paths[np.arange(COUNT), which, dash, :2])


def test_neither_markers_nor_distractors_tell_the_label(scenes):
    task, made = scenes
    apart = np.linalg.norm(made.markers[:, 0] - made.markers[:, 1], axis=1)
    statistics = {
        "distance of the markers": apart,
        "its square": apart**2,
        "row of the first": made.markers[:, 0, 0],
        "column of the second": made.markers[:, 1, 1],
        "second from the middle": np.abs(made.markers[:, 1] - task.drawn / 2).max(1),
        "distractors": (~np.isnan(made.distractors[..., 0, 0])).sum(1).astype(float),
        "place of a distractor": np.nanmean(made.distractors[..., 0, 0], 1),
    }
    for name, values in statistics.items():
        assert abs(z(values[made.labels], values[~made.labels])) <= 4.5, name


def test_a_marker_is_equally_far_from_both_possible_partners(scenes):
    _, made = scenes
    same, other = (np.linalg.norm(made.paths[:, 0, 0, :2] - made.paths[:, p, -1, :2], axis=1) for p in (0, 1))
    assert other == pytest.approx(same, abs=1e-9)


def test_dashes_keep_their_distance_and_the_border(scenes):
    task, made = scenes
    for scene in range(40):
        groups = [*made.paths[scene], *(d for d in made.distractors[scene] if not np.isnan(d).any())]
        lines = [np.concatenate([_points(task, dash) for dash in group]) for group in groups]
        for i, one in enumerate(lines):
            assert one.min() >= task.border - 1e-6 and one.max() <= task.drawn - task.border + 1e-6
            for other in lines[:i]:
                gaps = np.linalg.norm(one[:, None] - other[None], axis=-1)
                # Centers of pixels are compared, each up to 0.7 from the line it stands for.
                assert gaps.min() >= task.spacing + task.thickness - 2 * 0.71


def _points(task, dash):
    angle = dash[2]
    along = np.linspace(-0.5, 0.5, 13)[:, None] * task.dash
    return dash[:2] + along * np.array([np.sin(angle), np.cos(angle)])


def test_paths_are_connected_and_turn_gently(scenes):
    task, made = scenes
    steps = np.linalg.norm(np.diff(made.paths[..., :2], axis=2), axis=-1)
    turns = np.abs(np.diff(made.paths[..., 2], axis=2))
    assert turns.max() <= np.pi / 2 / task.continuity
    assert steps == pytest.approx(task.step * np.cos(turns / 2), rel=1e-9)


def test_a_distractor_without_room_is_left_out():
    crowded = Pathfinder(length=9, distractors=40)
    made = pathfinder.scenes(crowded, 3, rng.numpy_generator(0, "crowded"))
    placed = ~np.isnan(made.distractors).any((2, 3))
    assert 0 < placed.sum() < placed.size
    assert np.isnan(made.distractors[~placed]).all() and pathfinder.draw(crowded, made).max() <= 1


def test_turns_have_their_density():
    continuity = 1.8
    draws = pathfinder._turns(continuity, (200_000,), rng.numpy_generator(0, "turns"))
    # cos^2 on +-pi/(2c) has variance (pi^2/3 - 2) / (4 c^2).
    variance = (np.pi**2 / 3 - 2) / (4 * continuity**2)
    assert draws.mean() == pytest.approx(0, abs=4.5 * np.sqrt(variance / len(draws)))
    assert (draws**2).mean() == pytest.approx(variance, abs=4.5 * (draws**2).std() / np.sqrt(len(draws)))


def test_longer_paths_mean_longer_range():
    spans = []
    for length in (3, 5, 7):
        task = Pathfinder(length=length)
        made = pathfinder.scenes(task, 200, rng.numpy_generator(length, "span"))
        apart = np.linalg.norm(made.markers[:, 0] - made.markers[:, 1], axis=1)
        assert apart.max() <= task.span
        spans.append(apart.mean())
    assert np.all(np.diff(spans) > 3)


def test_the_source_s_sizes_are_reached():
    rt = runtime.resolve("cpu", torch.float32)
    task = pathfinder.paper(9)
    pixels, labels = pathfinder.images(task, 12, rt, 0, "test")
    assert pixels.shape == (12, 1, 150, 150) and labels.shape == (12,)
    assert task.drawn == 300 and 0 <= pixels.min() and pixels.max() <= 1 and pixels.max() > 0.9
    again, _ = pathfinder.images(task, 12, rt, 0, "test")
    assert torch.equal(pixels, again)


def test_wrong_pathfinder_sizes_are_told():
    with pytest.raises(ValueError, match="divide"):
        Pathfinder(used=50)
    with pytest.raises(ValueError, match="two dashes"):
        Pathfinder(length=1)
    with pytest.raises(ValueError, match="cannot start"):
        Pathfinder(border=30)
    with pytest.raises(ValueError, match="hardly ever fit"):
        pathfinder.scenes(Pathfinder(length=30), 4, rng.numpy_generator(0, "crowded"))
