"""Who was in the training set? Tests by the loss on trained models, with and without privacy: a stored experiment."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from offconvex import rng, runtime
from offconvex.files import Arrays
from offconvex.instahide.privacy import learner, theory
from offconvex.instahide.privacy.learner import PrivateDescent
from offconvex.instahide.privacy.study import fixed_sets
from offconvex.stored import StoredExperiment

FIT = PrivateDescent(steps=1000, rate=40.0, momentum=0.98, clip=float("inf"))
"""Training that goes on until the images are learned nearly by heart."""


@dataclass(frozen=True)
class PrivateMembership:
    """Settings of the tests for membership.

    Attributes:
        budgets: epsilons at `delta` of the models that are tested, beside two without privacy.
        delta: of the guarantee.
        seeds: of noise, and of which half of the images is trained on.
        images: the first of the training set.
        descent: private training.
    """

    budgets: tuple[float, ...] = (0.1, 1.0, 8.0, 30.0)
    delta: float = 1e-5
    seeds: tuple[int, ...] = tuple(range(620, 630))
    images: int = 10_000
    descent: PrivateDescent = PrivateDescent()


def membership_advantage(inside: Float[np.ndarray, " n"], outside: Float[np.ndarray, " n"]) -> float:
    """True minus false positive rate of "the loss is small, so it was trained on" (after yeom2018privacy).

    The threshold is chosen on every second image of both kinds and counted on the others, and the other way round, so
    that a test which knows nothing has mean zero.
    """
    found = []
    for first in (0, 1):
        seen, told = inside[first::2], outside[first::2]
        places = np.sort(np.concatenate([seen, told]))
        share = np.searchsorted(np.sort(seen), places, "right") / len(seen)
        share -= np.searchsorted(np.sort(told), places, "right") / len(told)
        threshold = places[share.argmax()]
        found.append((inside[1 - first :: 2] <= threshold).mean() - (outside[1 - first :: 2] <= threshold).mean())
    return float(np.mean(found))


def membership_parts(config: PrivateMembership) -> dict[str, tuple[int]]:
    """One part for each seed."""
    return {f"seed-{seed}": (seed,) for seed in config.seeds}


def run_membership(config: PrivateMembership, seed: int) -> Arrays:
    """One seed: models trained on half of the images.

    Returns:
        "advantage" (budgets + 2,) and "accuracy" (budgets + 2,) on the full test set, for each budget, then without
        noise, then after training until the images are learned by heart.
    """
    rt = runtime.resolve("cpu", torch.float32)
    sets = fixed_sets(rt, config.images)
    order = rt.permutation(rng.generator(seed, "private", "membership"), config.images)
    inside, outside = order.chunk(2)
    noise = [theory.noise_multiplier(epsilon, config.delta, config.descent.steps) for epsilon in config.budgets]
    data = sets.private[inside], sets.labels[inside]
    models = torch.cat(
        [
            learner.train(*data, rt.tensor([*noise, 0.0]), config.descent, rt, seed, "private", "membership"),
            learner.train(*data, rt.tensor([0.0]), FIT, rt, seed, "private", "membership", "fit"),
        ]
    )
    scores = learner.losses(models, sets.private, sets.labels).double().cpu().numpy()
    halves = inside.cpu().numpy(), outside.cpu().numpy()
    return {
        "advantage": np.array([membership_advantage(*(score[half] for half in halves)) for score in scores]),
        "accuracy": learner.accuracy(models, sets.test, sets.truth).double().cpu().numpy(),
    }


MEMBERSHIP = StoredExperiment(
    "private-membership", "private-learning", PrivateMembership(), membership_parts, run_membership
)
