"""Strokes on a canvas."""

import numpy as np
import pytest

from offconvex.locality.pathfinder import drawing


def test_a_stroke_has_its_area_and_its_level():
    canvas = np.zeros((1, 40, 40), np.float32)
    drawing.stroke(canvas, np.array([[20.3, 19.1, 0.4]]), 9.0, 4.0)
    assert canvas.sum() == pytest.approx(9 * 4 + np.pi * 4, rel=0.01) and canvas.max() == 1
    drawing.stroke(canvas, np.array([[0.0, 39.0, 0.0]]), 0.0, 6.0)
    assert canvas[0, 0, 39] == 1 and canvas[0, 39, 0] == 0
