"""The competition's score of one predictor: one count of all cells against the enumeration of cells.

A bootstrap interval asks for hundreds of scores of each predictor. The enumeration masks every cell of every two
hyper-parameters in turn; the count sorts all pairs of classifiers into all cells at once.

    OMP_NUM_THREADS=1 python benchmarks/prediction_score.py
"""

import time
from itertools import product
from types import SimpleNamespace

import numpy as np

from offconvex import rng
from offconvex.prediction import measure, theory

REPEATS = 20


def seconds(function, repeats: int) -> float:
    """Processor time of one call."""
    start = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - start) / repeats


if __name__ == "__main__":
    grid = np.array(list(product(range(4), range(3), range(2), range(3))))
    settings = dict(zip(("poison", "family", "wide", "recipe"), grid.T))
    test, predictor = rng.numpy_generator(0, "benchmark").normal(size=(2, len(grid)))
    pool = SimpleNamespace(fit=np.ones(len(grid)), test=test, settings=settings)
    counted, enumerated = (
        measure.competition(pool, predictor),
        theory.conditional_score(1 - test, -predictor, settings),
    )
    assert abs(counted - enumerated) < 1e-9
    fast = seconds(lambda: measure.competition(pool, predictor), REPEATS)
    slow = seconds(lambda: theory.conditional_score(1 - test, -predictor, settings), 3)
    print(f"{len(grid)} classifiers: {fast * 1e3:.1f} ms by one count, {slow / fast:.0f} times as long by enumeration")
