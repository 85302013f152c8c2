"""The fresh execution that nbval made, against the committed results, with the stated tolerances."""

import pytest

from offconvex import paths
from offconvex.book.execution import chapters, compare


@pytest.mark.fresh
@pytest.mark.parametrize("chapter", chapters.names())
def test_fresh_results_agree_with_the_committed_ones(chapter):
    fresh = paths.live_results(chapter)
    assert fresh.is_dir(), f"no fresh results of {chapter}: run `make notebooks` first"
    assert compare.differences(fresh, paths.committed_results(chapter), compare.load_tolerances()) == []
