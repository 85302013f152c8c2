"""Pairs of images: balance, and that nothing but the dependence tells the label."""

import numpy as np
import pytest
import torch

from offconvex import datasets
from offconvex.locality.pairs import same_class
from offconvex.locality.pairs.same_class import Pairs


def z(one, other):
    """Difference of means in standard errors."""
    return (one.mean() - other.mean()) / np.sqrt(one.var() / len(one) + other.var() / len(other))


@pytest.mark.parametrize("columns", [False, True])
def test_pairs_hold_the_two_images_and_nothing_else(rt, columns):
    task = Pairs(classes=(1, 8, 9), side=7, gap=5, columns=columns)
    canvas, labels = same_class.pairs(task, 200, rt, 0)
    left, right = task.patches
    assert canvas.shape == (200, *task.canvas)
    small = same_class.shrink(datasets.fashion_mnist(rt=rt).pixels, 7)
    classes = datasets.fashion_mnist(rt=rt).labels
    found = []
    for patch in (left, right):
        seen = patch.of(canvas)
        seen = seen[:, :, 0] if columns else seen[:, 0]
        distance = torch.cdist(seen.flatten(1), small.flatten(1))
        assert distance.min(1).values.max() <= 1e-6
        found.append(classes[distance.argmin(1)])
    assert torch.equal((found[0] == found[1]).to(labels), labels)
    outside = canvas.clone()
    for patch in (left, right):
        patch.of(outside).zero_()
    assert outside.abs().max() == 0


def test_neither_image_alone_tells_whether_the_classes_agree(rt):
    task = Pairs(classes=(1, 8, 9), side=4)
    canvas, labels = same_class.pairs(task, 6000, rt, 0)
    assert abs(labels.mean().item() - 0.5) <= 4.5 * 0.5 / np.sqrt(6000)
    # A linear classifier of either image (its brightness and its rows) does no better than chance.
    for patch in task.patches:
        rows = patch.of(canvas)[:, 0].mean(-1).numpy()
        for row in rows.T:
            assert abs(z(row[labels.numpy() > 0.5], row[labels.numpy() < 0.5])) <= 4.5


def test_the_same_pairs_at_every_gap(rt):
    near, labels = same_class.pairs(Pairs(side=4, gap=0), 50, rt, 0)
    far, again = same_class.pairs(Pairs(side=4, gap=9), 50, rt, 0)
    assert torch.equal(labels, again)
    assert torch.equal(near[..., :4], far[..., :4]) and torch.equal(near[..., 4:], far[..., 13:])


def test_wrong_pairs_are_told():
    for settings in ({"classes": (1,)}, {"classes": (1, 1)}, {"side": 5}, {"gap": -1}, {"columns": True, "margin": 1}):
        with pytest.raises(ValueError, match="got"):
            Pairs(**settings)
