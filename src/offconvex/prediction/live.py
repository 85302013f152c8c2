"""The slice that the chapter computes anew: some classifiers, scored again, and some trained on samples alone."""

from dataclasses import dataclass

import numpy as np
import torch

from offconvex import datasets, rng
from offconvex.prediction.baselines import share
from offconvex.prediction.classifiers import Member, standardize
from offconvex.prediction.classifiers import train as train_one
from offconvex.prediction.measure import Pool
from offconvex.prediction.study import real_images, trained, unpacked
from offconvex.runtime import Runtime
from offconvex.stored import Stored

TEST = 2000  # test images inside the package


@dataclass(frozen=True)
class Slice:
    """Members trained again, one of each stratum, and what a second start changes.

    Attributes:
        rows: (k,) their places in the pool.
        stored: (2, n) stored accuracy of all members on the first 2000 test images and on the stored samples.
        again: (2, k) the same of these members after training from their stored start.
        starts: (2, 2, m) the same of the members that have a twin, and of the twins: (starts, sets, members).
        sizes: (2,) images in both sets.
    """

    rows: np.ndarray
    stored: np.ndarray
    again: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray

    def distance(self) -> float:
        """Median over the members of the larger of their two differences from the stored accuracies, in `errors`."""
        return float(np.median(self.errors(self.again, self.stored[:, self.rows]).max(0)))

    def distance_of_starts(self) -> float:
        """Root mean square difference of two starts of the same settings, on the set where it is larger."""
        return float(np.sqrt((self.errors(*self.starts) ** 2).mean(1)).max())

    def distance_to_another(self) -> float:
        """`distance` on the samples to the member farthest from each: what a wrong pairing gives."""
        gaps = self.errors(self.again[:, :, None], self.stored[:, None, :])
        return float(np.median(gaps[1].max(1)))

    def errors(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """|one - other| in standard errors of a difference of two binomial shares, (2, ...)."""
        sizes = self.sizes.reshape(-1, *[1] * (other.ndim - 1))
        return np.abs(one - other) / np.sqrt(2 * other * (1 - other) / sizes)


def retrain(pool: Pool, found: Stored, rt: Runtime, seed: int, strata: int | None = None) -> Slice:
    """One member of each of the first `strata` strata, by default all, chosen by `seed` and trained once more."""
    single = Runtime(rt.device, torch.float32)
    images, labels = real_images(pool.config, single)
    test = datasets.fashion_mnist("test", runtime=single)
    samples = found["samples"]
    sets = [
        (standardize(test.pixels), test.labels),
        (standardize(single.tensor(samples) / 255), torch.arange(len(samples), device=rt.device) % 10),
    ]
    draws = rng.numpy_generator(seed, "slice")
    poison = pool.values("poison")
    rows = np.array([draws.choice(np.flatnonzero(poison == value)) for value in pool.config.poison[:strata]])
    classifiers = [trained(pool.config, pool.members[row], images, labels, single) for row in rows]
    again = np.array([[share(c.predict(x) == y) for c in classifiers] for x, y in sets])
    right, predictions = stored_right(found)
    kept = predictions[:, : len(samples)] == np.arange(len(samples)) % 10
    everyone = np.array([right[:, :TEST].mean(1), kept.mean(1)])
    starts = np.stack([everyone[:, half] for half in pool.twins])
    return Slice(rows, everyone[:, : len(pool.members)], again, starts, np.array([TEST, len(samples)]))


def stored_right(found: Stored) -> tuple[np.ndarray, np.ndarray]:
    """Whether each classifier is right on each test image, and its classes on the first network's samples."""
    return np.unpackbits(found["test right"], axis=1), unpacked(found["predictions"][0])


def trained_alone(found: Stored, pool: Pool, rt: Runtime, seed: int, family: str = "cnn") -> dict[str, float]:
    """Accuracy on the 2000 test images of plain classifiers trained on as many images of three sets.

    "real" are the images that the generators were trained on, "other real" as many others, "samples" the first
    network's.
    """
    single = Runtime(rt.device, torch.float32)
    images, labels = real_images(pool.config, single)
    test = datasets.fashion_mnist("test", runtime=single)
    count = min(pool.config.training, len(found["samples"]))
    sampled = single.tensor(found["samples"][:count]) / 255
    sets = {
        "real": (images[:count], labels[:count]),
        "other real": (images[count : 2 * count], labels[count : 2 * count]),
        "samples": (sampled, torch.arange(count, device=rt.device) % 10),
    }
    result = {}
    for name, (pixels, truth) in sets.items():
        classifier = train_one(Member(family), standardize(pixels), truth, single, seed, "alone", name)
        result[name] = share(classifier.predict(standardize(test.pixels)) == test.labels)
    return result


def real_samples() -> np.ndarray:
    """The first two training images of each class, classes in turn, (20, 28, 28) gray levels 0..255."""
    pixels, labels = datasets.subset_arrays("train")
    first = [np.flatnonzero(labels == label)[:2] for label in range(10)]
    return pixels[np.array(first).T.ravel()]
