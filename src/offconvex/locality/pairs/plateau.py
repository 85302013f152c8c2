"""When networks of the stored study leave the plateau on which the surrogate is one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from offconvex.locality.pairs.ranges import RangeStudy
from offconvex.stored import Stored

LEFT = 0.1
"""A network has left the plateau once 1 - surrogate is above this."""
STUCK = 0.01
"""A network is on the plateau while 1 - surrogate is at most this."""


@dataclass(frozen=True)
class Departure:
    """Networks of one arm at one gap.

    Attributes:
        first: (R,) first recorded epoch at which each has left the plateau; the last epoch if it never does.
        never: (R,) whether it never does.
        stuck: share that is on the plateau at the end.
    """

    first: np.ndarray
    never: np.ndarray
    stuck: float

    @property
    def median(self) -> float:
        """Median of the first epochs."""
        return float(np.median(self.first))


def left(study: Stored[RangeStudy], arm: str, gap: int, *, long: bool = False) -> Departure:
    """When the networks of an arm leave the plateau at a gap.

    Raises:
        ValueError: if the study has no such point.
    """
    change = 1 - study["similarity"][study.config.row(arm, gap, long=long)]
    change = change[:, ~np.isnan(change[-1])]  # points with fewer networks are filled up
    away = change > LEFT
    first = np.where(away.any(0), study["epochs"][away.argmax(0)], study["epochs"][-1])
    return Departure(first, ~away.any(0), float(np.mean(change[-1] <= STUCK)))


def rise(study: Stored[RangeStudy], arm: str, gaps: Sequence[int]) -> float:
    """Kendall's tau_b of the gaps and the median epochs at which an arm leaves the plateau."""
    return float(stats.kendalltau(gaps, [left(study, arm, gap).median for gap in gaps]).statistic)
