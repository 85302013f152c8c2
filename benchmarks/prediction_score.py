"""The competition's score of one predictor: one count of all cells against the enumeration of cells.

A bootstrap interval asks for hundreds of scores of each predictor. The enumeration masks every cell of every two
hyper-parameters in turn; the count sorts all pairs of classifiers into all cells at once.

    OMP_NUM_THREADS=1 python benchmarks/prediction_score.py
"""

from itertools import product
from types import SimpleNamespace

import numpy as np
import timing

from offconvex import rng
from offconvex.book.publication.performance import Comparison
from offconvex.prediction import measure, theory

REPEATS = 20


def rows() -> list[Comparison]:
    grid = np.array(list(product(range(4), range(3), range(2), range(3))))
    settings = dict(zip(("poison", "family", "wide", "recipe"), grid.T))
    test, predictor = rng.numpy_generator(0, "benchmark").normal(size=(2, len(grid)))
    pool = SimpleNamespace(fit=np.ones(len(grid)), test=test, settings=settings, studies=np.zeros(len(grid)))

    def counted() -> float:
        return measure.competition(pool, predictor)

    def enumerated() -> float:
        return theory.conditional_score(1 - test, -predictor, settings)

    assert abs(counted() - enumerated()) < 1e-9
    contestants = [
        timing.Contestant("one count of all cells", lambda: [counted() for _ in range(REPEATS)], REPEATS),
        timing.Contestant("enumeration of cells", enumerated),
    ]
    return [timing.compare("prediction score", f"{len(grid)} classifiers, 4 settings", "score", contestants)]


if __name__ == "__main__":
    timing.show(rows())
