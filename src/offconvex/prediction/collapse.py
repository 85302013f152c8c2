"""The birthday test on samples: which pairs are duplicates in a classifier's features, and the support that implies."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from offconvex import rng
from offconvex.prediction import theory
from offconvex.stored import Stored

NAMES = ("GAN 1", "GAN 2", "GAN 3", "mixture")  # order of the stored feature sets


@dataclass(frozen=True)
class Duplicates:
    """Pairs of a set's items that are closer than a threshold.

    Attributes:
        items: number of items.
        pairs: (p, 2) places of the close pairs, i < j.
    """

    items: int
    pairs: np.ndarray

    @property
    def support(self) -> float:
        """Effective support: pairs of items over close pairs."""
        return float(theory.effective_support(len(self.pairs), self.items))


def feature_sets(found: Stored) -> dict[str, Float[np.ndarray, "_ _"]]:
    """Features (n, d) of fresh real images, of each network's samples and of the mixture's, by name."""
    return {"real": found["features real"]} | dict(zip(NAMES, found["features"]))


def threshold(found: Stored) -> float:
    """Median distance of a fresh real image's features to those of the same image moved by one pixel."""
    moved = found["features moved"].astype(np.float32)
    return float(np.median(np.linalg.norm(found["features real"][: len(moved)] - moved, axis=1)))


def duplicates(features: Float[np.ndarray, "n d"], limit: float, chunk: int = 1000) -> Duplicates:
    """Pairs of rows of `features` (n, d) at a distance below `limit`."""
    points = features.astype(np.float32)
    squares = (points**2).sum(1)
    found = []
    for low in range(0, len(points), chunk):
        part = slice(low, low + chunk)
        distance = squares[part, None] + squares - 2 * points[part] @ points.T
        rows, columns = np.nonzero(distance < limit**2)
        rows += low
        found.append(np.stack([rows, columns], axis=1)[rows < columns])
    return Duplicates(len(points), np.concatenate(found))


def supports(
    features: Float[np.ndarray, "n d"], limits: Float[np.ndarray, " limits"], chunk: int = 1000
) -> Float[np.ndarray, " limits"]:
    """Effective support of rows of `features` (n, d) at each threshold, infinite where no pair is that close."""
    points = features.astype(np.float32)
    squares = (points**2).sum(1)
    counts = np.zeros(len(limits))
    for low in range(0, len(points), chunk):
        part = slice(low, low + chunk)
        distance = squares[part, None] + squares - 2 * points[part] @ points.T
        above = np.arange(len(points)) > np.arange(low, low + len(distance))[:, None]
        counts += [np.count_nonzero(above & (distance < limit**2)) for limit in limits]
    return theory.effective_support(counts, len(points))


def birthday_test(
    features: Float[np.ndarray, "n d"], limit: float, sizes: tuple[int, ...], repetitions: int, seed: int, name: str
) -> Float[np.ndarray, " {len(sizes)}"]:
    """Share of random draws of each size from rows of `features`, without replacement, that hold a duplicate.

    A permutation of all rows is cut into as many draws as it gives. These are disjoint, which spreads them no more than
    independent ones.
    """
    draws, points = rng.numpy_generator(seed, "birthday", name), features.astype(np.float32)
    shares = []
    for size in sizes:
        hits, left = 0, repetitions
        while left > 0:
            taken = min(left, len(points) // size)
            drawn = points[draws.permutation(len(points))[: taken * size]].reshape(taken, size, -1)
            squares = (drawn**2).sum(2)
            distance = squares[:, :, None] + squares[:, None] - 2 * drawn @ drawn.swapaxes(1, 2)
            first, second = np.triu_indices(size, 1)
            hits += int((distance[:, first, second] < limit**2).any(1).sum())
            left -= taken
        shares.append(hits / repetitions)
    return np.array(shares)


def half_size(sizes: tuple[int, ...], shares: Float[np.ndarray, " {len(sizes)}"]) -> float:
    """Number of draws at which a duplicate has chance one half, by interpolation; infinite if that is never reached."""
    if shares.max() < 0.5:
        return float("inf")
    return float(np.interp(0.5, np.maximum.accumulate(shares), sizes))


def half_size_ratios(
    sizes: tuple[int, ...], shares: Mapping[str, Float[np.ndarray, " {len(sizes)}"]]
) -> dict[str, float]:
    """Squared quotient of the real images' `half_size` and that of each network's samples: a ratio of supports."""
    half = {name: half_size(sizes, share) for name, share in shares.items()}
    return {name: (half["real"] / half[name]) ** 2 for name in NAMES[:-1]}


def split_ratio(features: Float[np.ndarray, "n d"], limit: float, seed: int, splits: int = 8) -> float:
    """Effective support of one random half of a set over that of the other, geometric mean over splits: near one.

    One split alone may be off by a fifth, as close pairs are few.
    """
    draws, logs = rng.numpy_generator(seed, "halves"), []
    for _ in range(splits):
        one, other = np.array_split(draws.permutation(len(features)), 2)
        logs.append(np.log(duplicates(features[one], limit).support / duplicates(features[other], limit).support))
    return float(np.exp(np.mean(logs)))


def support_ratios(found: Stored, limit: float) -> dict[str, float]:
    """Effective support of fresh real images over that of each set of samples."""
    real = duplicates(found["features real"], limit).support
    return {name: real / duplicates(set, limit).support for name, set in zip(NAMES, found["features"])}
