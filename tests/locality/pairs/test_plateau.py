"""When networks leave the plateau, on arrays written down by hand."""

import numpy as np
import pytest

from offconvex.locality.pairs import plateau
from offconvex.locality.pairs.ranges import RangeStudy
from offconvex.stored import Stored


def stored(courses):
    """A study whose points keep the surrogate 1, but those given by arm and gap, courses (T, R) of 1 - surrogate."""
    config = RangeStudy()
    similar = np.ones((len(config.points), 4, 8))
    for (arm, gap), course in courses.items():
        row = np.full((4, 8), np.nan)
        row[:, : np.shape(course)[1]] = 1 - np.array(course)
        similar[config.row(arm, gap)] = row
    return Stored({"epochs": np.array([40.0, 80.0, 120.0, 160.0]), "similarity": similar}, config, {})


def test_the_first_record_away_from_the_plateau_counts():
    # Leaves at once; leaves and comes back; comes near; never.
    course = np.array([[0.2, 0.2, 0.2, 0.2], [0, 0, 0.2, 0.005], [0, 0, 0, 0.1], [0, 0, 0, 0]]).T
    found = plateau.left(stored({("scaled cosine", 8): course}), "scaled cosine", 8)
    assert found.first.tolist() == [40, 120, 160, 160] and found.never.tolist() == [False, False, True, True]
    assert found.stuck == 0.5 and found.median == 140
    with pytest.raises(ValueError, match="no 'scaled cosine' at gap 0"):
        plateau.left(stored({}), "scaled cosine", 0)


def test_the_rise_is_the_correlation_of_ranks():
    def leaving(record):
        return np.where(np.arange(4)[:, None] >= record, 0.3, 0.0) * np.ones(8)

    rising = stored({("cosine", gap): leaving(record) for gap, record in ((0, 0), (4, 1), (8, 2))})
    assert plateau.rise(rising, "cosine", (0, 4, 8)) == pytest.approx(1)
    assert plateau.rise(rising, "cosine", (0, 4, 8, 12, 16)) == pytest.approx(9 / np.sqrt(10 * 9))
    falling = stored({("cosine", gap): leaving(record) for gap, record in ((0, 2), (4, 1), (8, 0))})
    assert plateau.rise(falling, "cosine", (0, 4, 8)) == pytest.approx(-1)
