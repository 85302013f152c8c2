"""Hyper-parameter search on a reused half of a test set, as a stored experiment, and what it cost in honesty."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Shaped

from offconvex import datasets, rng, runtime
from offconvex.files import Arrays
from offconvex.holdout.networks import CHOICES, FAMILIES, Trial, shrink, train
from offconvex.stored import StoredExperiment

SHAPE_FIELDS = ("width", "activation", "norm", "batch", "epochs", "cosine", "shift")
FREE_FIELDS = ("rate", "momentum", "decay")  # may differ inside a group that trains together


@dataclass(frozen=True)
class Search:
    """Independent searches, each with its own halves of the 10,000 test images.

    A search draws groups of networks at random; then, generation by generation, it changes one or two settings of the
    networks that do best on the reused half. The other half, and 50,000 training images that no network is trained on,
    are looked at only afterwards.

    Attributes:
        searches: independent searches.
        generations: rounds of a search, the first at random.
        groups: groups a round; a group shares its shape and trains on one replica axis.
        replicas: networks a group.
        parents: networks that the next round changes.
        training: training images, the first of the set.
        seed: of halves, settings, starts and batches.
    """

    searches: int = 6
    generations: int = 3
    groups: int = 8
    replicas: int = 4
    parents: int = 4
    training: int = 10_000
    seed: int = 0

    def __post_init__(self):
        if min(self.searches, self.generations, self.groups, self.replicas, self.parents) < 1:
            raise ValueError("Searches, generations, groups, replicas and parents must be positive.")
        if self.groups * self.replicas < self.parents:
            raise ValueError(f"A round has {self.groups * self.replicas} networks, fewer than {self.parents} parents.")

    @property
    def trials(self) -> int:
        """Networks a search trains."""
        return self.generations * self.groups * self.replicas


def reused_half(config: Search, index: int, size: int) -> Bool[np.ndarray, " {size}"]:
    """Which of `size` test images search `index` reuses, bool (size,): a random half."""
    chosen = np.zeros(size, dtype=bool)
    chosen[rng.numpy_generator(config.seed, "search", index, "half").permutation(size)[: size // 2]] = True
    return chosen


def parts(config: Search) -> dict[str, tuple[int]]:
    """One part per search."""
    return {f"search-{index}": (index,) for index in range(config.searches)}


def run_search(config: Search, index: int) -> Arrays:
    """One search.

    Returns:
        "settings" (T, fields) as places in `CHOICES`, the family first; "right" (T, 1250) packed bits, whether each
        test image is classified rightly; "fresh" (T,), wrong ones among the training images beyond `training`.
    """
    rt = runtime.resolve("cpu", torch.float32)
    full, test = (datasets.fashion_mnist(split, full=True, rt=rt) for split in ("train", "test"))
    seen, unseen = shrink(full.pixels).split([config.training, len(full.labels) - config.training])
    seen_labels, unseen_labels = full.labels.split([config.training, len(full.labels) - config.training])
    test_images, half = shrink(test.pixels), reused_half(config, index, len(test.labels))
    draws = rng.numpy_generator(config.seed, "search", index, "settings")
    trials, right, fresh = [], [], []
    for generation in range(config.generations):
        errors = np.array([1 - r[half].mean() for r in right])
        parents = [trials[i] for i in errors.argsort(kind="stable")[: config.parents]]
        for group in range(config.groups):
            members = propose(draws, group, config.replicas, parents)
            networks = train(members, seen, seen_labels, rt, config.seed, "search", index, generation, group)
            right += list((networks.predict(test_images) == test.labels).numpy())
            fresh += (networks.predict(unseen) != unseen_labels).sum(1).tolist()
            trials += members
    return {
        "settings": np.array([places(trial) for trial in trials], dtype=np.int8),
        "right": np.packbits(np.array(right), axis=1),
        "fresh": np.array(fresh),
    }


def propose(draws: np.random.Generator, group: int, count: int, parents: Sequence[Trial]) -> list[Trial]:
    """Settings of a group: at random without parents, else a parent with one or two changes, the first least."""
    if not parents:
        fields = {name: _one_of(draws, CHOICES[name]) for name in SHAPE_FIELDS}
        base = Trial(family=FAMILIES[group % len(FAMILIES)], **fields)
        return [_redrawn(draws, base, FREE_FIELDS) for _ in range(count)]
    parent = parents[int(draws.integers(len(parents)))]
    base = _redrawn(draws, parent, draws.choice(SHAPE_FIELDS, size=draws.integers(1, 3), replace=False))
    return [base, *(_redrawn(draws, base, [_one_of(draws, FREE_FIELDS)]) for _ in range(count - 1))]


def places(trial: Trial) -> list[int]:
    """A trial as places in FAMILIES and in each of CHOICES."""
    return [FAMILIES.index(trial.family), *(options.index(getattr(trial, n)) for n, options in CHOICES.items())]


def trial_at(row: Shaped[np.ndarray, " fields"]) -> Trial:
    """Inverse of `places`."""
    fields = {name: options[int(place)] for (name, options), place in zip(CHOICES.items(), row[1:])}
    return Trial(family=FAMILIES[int(row[0])], **fields)


def _one_of(draws: np.random.Generator, options: Sequence):
    return options[int(draws.integers(len(options)))]


def _redrawn(draws: np.random.Generator, trial: Trial, names: Sequence[str]) -> Trial:
    return replace(trial, **{str(name): _one_of(draws, CHOICES[str(name)]) for name in names})


SEARCH = StoredExperiment("holdout-search", "meta-overfitting", Search(), parts, run_search)
