"""A million adaptive queries against ten thousand labels: bits in machine words against one NumPy byte a bit.

The boosting analyst draws a million vectors of 10,000 coin flips, has them scored, and adds those that did no worse
than chance to her vote, which is looked at after every power of ten. The plain version does the same with uint8 arrays,
on a slice of the queries that is multiplied up.

    OMP_NUM_THREADS=1 python benchmarks/adaptive_queries.py
"""

import time

import numpy as np

from offconvex import rng
from offconvex.holdout import theory
from offconvex.holdout.analyst import Boosting, boost

SIZE, QUERIES, SLICE = 10_000, 1_000_000, 4000
CHECKPOINTS = (10, 100, 1000, 10_000, 100_000, QUERIES)


def plain(queries: int) -> float:
    """Seconds of processor time for `queries` queries, one byte a bit."""
    draws, start = rng.numpy_generator(0, "plain"), time.process_time()
    labels, sums, votes = draws.integers(0, 2, SIZE, dtype=np.uint8), np.zeros(SIZE, dtype=np.int64), 0
    for _ in range(queries // 500):
        submitted = draws.integers(0, 2, (500, SIZE), dtype=np.uint8)
        good = (submitted != labels).mean(1) <= 0.5
        sums, votes = sums + submitted[good].sum(0), votes + good.sum()
    assert ((2 * sums >= votes) != labels).mean() < 0.5
    return time.process_time() - start


if __name__ == "__main__":
    start, wall = time.process_time(), time.perf_counter()
    loss = boost(Boosting(SIZE, CHECKPOINTS, 1), 0, "benchmark")["loss"][0]
    seconds, wall = time.process_time() - start, time.perf_counter() - wall
    for queries, value in zip(CHECKPOINTS, loss):
        print(f"{queries:>9,} queries: loss of the vote {value:.4f}, expected {theory.vote_loss(queries, SIZE):.4f}")
    slow = plain(SLICE) / SLICE * QUERIES
    print(f"words: {seconds:.1f} s of processor time ({wall:.1f} s by the clock)")
    print(f"bytes: {slow:.0f} s of processor time, {slow / seconds:.0f} times as long")
