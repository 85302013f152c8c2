"""A made-up pool, of the shape of the stored one."""

import numpy as np
import pytest

from offconvex import rng, stored
from offconvex.prediction import experiments
from offconvex.prediction.baselines import BASELINES


def made_up(config: experiments.Study, seed: int = 0) -> stored.Stored:
    """A result in which networks see each classifier's ability, baselines nothing, and poison costs accuracy."""
    draws = rng.numpy_generator(seed, "made up")
    own, every = experiments.members(config), experiments.members(config) + experiments.twins(config)
    ability = {m: 0.85 - 0.1 * m.poison / max(1, max(config.poison)) - 0.08 * draws.random() for m in own}
    chance = np.array([ability.get(m, ability[experiments.Member(m.family, poison=m.poison)]) for m in every])
    right = draws.random((len(every), 10_000)) < chance[:, None]
    labels = np.arange(config.samples) % 10
    predictions = np.stack(
        [
            np.where(draws.random((len(every), config.samples)) < chance[:, None], labels, (labels + 1) % 10)
            for _ in range(config.gans)
        ]
    ).astype(np.uint8)
    scores = np.repeat((predictions == labels).mean(2)[:, None], len(config.lengths), axis=1)
    scores[:, :-1] += 0.1 * draws.random(scores[:, :-1].shape)
    measures = draws.random((len(every), 1 + len(BASELINES)))
    measures[:, 1] = 0.98
    points = draws.normal(size=(config.compared, experiments.FEATURES)) * (np.arange(experiments.FEATURES) < 2)
    near = np.concatenate([points[: config.compared // 2]] * 2) + 0.005 * draws.normal(size=points.shape)
    arrays = {
        "measures": measures,
        "test right": np.packbits(right, axis=1),
        "predictions": experiments.packed(predictions),
        "scores": scores,
        "simple scores": np.stack([chance + 0.1, chance + 0.12]),
        "test accuracy": right.mean(1),
        "samples": draws.integers(0, 256, (config.kept, 28, 28), dtype=np.uint8),
        "shown": draws.integers(0, 256, (config.gans + 2, experiments.SHOWN, 28, 28), dtype=np.uint8),
        "features real": points.astype(np.float16),
        "features moved": (points[:200] + 0.01 * draws.normal(size=points[:200].shape)).astype(np.float16),
        "features": np.stack([near] * config.gans + [points[::-1]]).astype(np.float16),
        "alone": np.concatenate(
            [np.full((2, len(config.families)), 0.85), np.full((config.gans, len(config.families)), 0.6)]
        ),
    }
    return stored.Stored(arrays, config, {})


@pytest.fixture(scope="session")
def found():
    """The made-up result at the book's sizes, with fewer samples and features."""
    return made_up(experiments.Study(samples=2000, kept=1000, compared=600))


@pytest.fixture(scope="session")
def again(found):
    """The same of another seed."""
    return made_up(experiments.Study(samples=2000, kept=1000, compared=600, seed=1), seed=1)
