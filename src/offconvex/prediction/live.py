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
    """Members trained again, one of each stratum.

    Attributes:
        rows: (k,) their places in the pool.
        stored: (2, n) stored accuracy of all members on the first 2000 test images and on the stored samples.
        again: (2, k) the same of these members after training from their stored start.
        units: (2,) what a second start changes: root mean square over the pool's twins.
    """

    rows: np.ndarray
    stored: np.ndarray
    again: np.ndarray
    units: np.ndarray

    def distance(self) -> float:
        """Largest difference of a member's accuracies from its stored ones, in units of a second start's."""
        return float((np.abs(self.again - self.stored[:, self.rows]) / self.units[:, None]).max())

    def distance_to_another(self) -> float:
        """The same to the member that is farthest on the samples: what a wrong pairing may give."""
        gaps = np.abs(self.again[:, :, None] - self.stored[:, None, :]) / self.units[:, None, None]
        return float(gaps[1].max())


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
    count = len(pool.members)
    stored = np.array([right[:count, :TEST].mean(1), kept[:count].mean(1)])
    spread = np.array([pool.twin_test, pool.twin_score])
    return Slice(rows, stored, again, np.sqrt(((spread[:, 1] - spread[:, 0]) ** 2).mean(1)))


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
