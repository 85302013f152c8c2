"""A million adaptive queries against ten thousand labels: bits in machine words against one NumPy byte a bit.

The boosting analyst draws a million vectors of 10,000 coin flips, has them scored, and adds those that did no worse
than chance to her vote, which is looked at after every power of ten. The plain version does the same with uint8 arrays,
on a slice of the queries that is multiplied up.

    OMP_NUM_THREADS=1 python benchmarks/adaptive_queries.py
"""

import functools

import numpy as np
import timing

from offconvex import rng
from offconvex.book.publication.performance import Comparison
from offconvex.holdout import theory
from offconvex.holdout.analyst import Boosting, boost

SIZE, QUERIES, SLICE = 10_000, 1_000_000, 4000
CHECKPOINTS = (10, 100, 1000, 10_000, 100_000, QUERIES)


def plain(queries: int) -> None:
    """`queries` queries, one byte a bit."""
    draws = rng.numpy_generator(0, "plain")
    labels, sums, votes = draws.integers(0, 2, SIZE, dtype=np.uint8), np.zeros(SIZE, dtype=np.int64), 0
    for _ in range(queries // 500):
        submitted = draws.integers(0, 2, (500, SIZE), dtype=np.uint8)
        good = (submitted != labels).mean(1) <= 0.5
        sums, votes = sums + submitted[good].sum(0), votes + good.sum()
    assert ((2 * sums >= votes) != labels).mean() < 0.5


def words() -> None:
    """All queries in machine words; the loss of the vote falls to what theory expects."""
    loss = boost(Boosting(SIZE, CHECKPOINTS, 1), 0, "benchmark")["loss"][0]
    expected = np.array([theory.vote_loss(queries, SIZE) for queries in CHECKPOINTS])
    # A vote's loss over n labels has a standard deviation of at most 1 / (2 sqrt n).
    assert np.abs(loss - expected).max() < 5 / (2 * SIZE**0.5)


def rows() -> list[Comparison]:
    contestants = [
        timing.Contestant("words of 64 bits", words),
        timing.Contestant("one NumPy byte a bit", functools.partial(plain, SLICE), SLICE / QUERIES),
    ]
    problem = "a boosting analyst on 10,000 labels"
    return [timing.compare("adaptive queries", problem, "million queries", contestants, rounds=3, warm=False)]


if __name__ == "__main__":
    timing.show(rows())
