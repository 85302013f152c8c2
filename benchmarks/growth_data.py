"""How sampling, encryption, adaptive queries, scores and drawn scenes grow with their sizes.

Operations are what each has to do for every number that it makes: multiplications, sums, comparisons, pixels.

    OMP_NUM_THREADS=1 python benchmarks/growth_data.py
"""

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import numpy as np
import timing
import torch
from timing import Knob

from offconvex import datasets, rng, runtime
from offconvex.book.publication.performance import CostGrowth
from offconvex.holdout.analyst import Boosting, boost
from offconvex.instahide.scheme import encrypt, inside
from offconvex.instahide.utility import centered
from offconvex.locality.pathfinder.images import Pathfinder
from offconvex.locality.pathfinder.images import images as scenes
from offconvex.prediction import measure
from offconvex.sampling.langevin import start, ula
from offconvex.sampling.manifolds.experiments import begin_at
from offconvex.sampling.manifolds.posterior import Posterior
from offconvex.sampling.model import double_well

CPU, SINGLE = runtime.resolve("cpu", threads=1), runtime.resolve("cpu", torch.float32, threads=1)


def updates(target, state, step: float) -> Callable[[int], object]:
    generator = rng.numpy_generator(0, "growth")
    return lambda count: ula(target, state, CPU, generator, step=step, steps=count)


def chains(count: int) -> Callable[[int], object]:
    well = double_well(CPU)
    return updates(well, start(well, CPU.normal(rng.generator(0, "growth"), count)), 1e-3)


def matrices(rows: int) -> Callable[[int], object]:
    posterior = Posterior(rows, (1.0, 1.0, 1.0), 100.0)
    return updates(posterior.target(CPU), begin_at(posterior, CPU, 500), posterior.step(0.1))


def encryption(count: int, k: int) -> Callable[[int], None]:
    found = datasets.fashion_mnist("train", rt=SINGLE)
    images, labels, scheme = centered(found.pixels)[:count], found.labels[:count], inside(k)
    return timing.repeated(lambda: encrypt(images, labels, scheme))


def queries(count: int, labels: int, repetitions: int = 1) -> Callable[[int], None]:
    config = Boosting(labels, (count,), repetitions)
    return timing.repeated(lambda: boost(config, 0, "growth"))


def score(classifiers: int, settings: int = 4) -> Callable[[int], None]:
    draws = rng.numpy_generator(0, "growth")
    codes = draws.integers(0, 3, (settings, classifiers))
    test, predictor = draws.normal(size=(2, classifiers))
    pool = SimpleNamespace(
        fit=np.ones(classifiers), test=test, settings=dict(enumerate(codes)), studies=np.zeros(classifiers)
    )
    return timing.repeated(lambda: measure.competition(pool, predictor))


def pictures(count: int = 64, side: int = 64) -> Callable[[int], None]:
    # The scene grows with the canvas; at a fixed one, a larger canvas would only be emptier.
    scale = side / 64
    task = Pathfinder(
        drawn=side, used=side, dash=3 * scale, thickness=1.2 * scale, spacing=2 * scale, border=4 * scale,
        start_distance=9 * scale, marker=2 * scale,
    )  # fmt: skip
    return timing.repeated(lambda: scenes(task, count, SINGLE, 0, "growth"))


LANGEVIN, INSTAHIDE, HOLDOUT, SCORE = "Langevin dynamics", "encryption", "adaptive queries", "prediction score"
SCENES = "Pathfinder scenes"
KNOBS = (
    Knob(LANGEVIN, "chains", "double well on the line", "step of all chains", (1000, 10_000, 100_000, 1_000_000),
         chains, float, "linear"),
    Knob(LANGEVIN, "rows d", "d x 3 matrices, 500 chains", "step of all chains", (20, 40, 80, 160),
         matrices, lambda d: 500 * (3 * d**2 + 18 * d), "3 d² + 18 d a chain, besides its noise"),
    Knob(INSTAHIDE, "images n", "28 x 28 pixels, k = 4", "epoch", (1250, 2500, 5000, 10_000),
         lambda n: encryption(n, 4), lambda n: n * 784 * 5, "784 n (k + 1)"),
    Knob(INSTAHIDE, "mixed images k", "2500 images of 28 x 28", "epoch", (4, 8, 16, 32),
         lambda k: encryption(2500, k), lambda k: 2500 * 784 * (k + 1), "784 n (k + 1)"),
    Knob(HOLDOUT, "queries", "10,000 labels", "analyst", (2500, 5000, 10_000, 20_000),
         lambda count: queries(count, 10_000), lambda count: count * 10_000, "queries times labels"),
    Knob(HOLDOUT, "labels n", "4000 queries", "analyst", (2000, 8000, 32_000, 128_000),
         partial(queries, 4000), lambda labels: 4000 * labels, "queries times labels"),
    Knob(HOLDOUT, "replicas", "1000 queries on 2000 labels", "analyst", (4, 16, 64),
         partial(queries, 1000, 2000), lambda r: r * 1000 * 2000, "linear"),
    Knob(SCORE, "classifiers N", "4 settings of 3 values", "score", (108, 216, 432, 864),
         score, lambda n: 6 * n**2, "N² pairs for every two settings"),
    Knob(SCORE, "settings h", "162 classifiers", "score", (2, 3, 4, 6),
         partial(score, 162), lambda h: h * (h - 1) / 2 * 162**2, "N² h (h − 1) / 2"),
    Knob(SCENES, "images", "64 x 64, paths of 5 dashes", "set of images", (64, 128, 256, 512),
         pictures, float, "linear"),
    Knob(SCENES, "side s", "64 images, the scene to scale", "set of images", (64, 128, 192, 256),
         partial(pictures, 64), lambda side: 64 * side**2, "s² pixels"),
)  # fmt: skip


def rows() -> list[CostGrowth]:
    return [timing.grow(knob) for knob in KNOBS]


if __name__ == "__main__":
    timing.show(rows())
