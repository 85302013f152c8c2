"""The slice that the chapter computes anew: some classifiers, scored again, and some trained on samples alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from offconvex import datasets, rng
from offconvex.prediction.baselines import share
from offconvex.prediction.classifiers import Member, standardize
from offconvex.prediction.classifiers import train as train_one
from offconvex.prediction.experiments import Study, members, real_images, trained, twins, unpacked
from offconvex.prediction.measure import Pool
from offconvex.runtime import Runtime
from offconvex.stored import Stored

TEST = 2000  # test images inside the package


@dataclass(frozen=True)
class Slice:
    """Members trained again, and what a second start changes; accuracies are on two sets, test images and samples.

    Attributes:
        again: (2, k) accuracy of k members after training from their stored start.
        stored: (2, k) the stored one.
        rivals: (2, k, n) stored accuracies of all n members of each one's study.
        starts: (2, 2, m) stored accuracies of the members that have a twin, and of the twins: (starts, sets, members).
        sizes: (2,) images in both sets.
    """

    again: np.ndarray
    stored: np.ndarray
    rivals: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray

    def distance(self) -> float:
        """Median over the members of the larger of their differences from the stored, over `distance_of_starts`."""
        return float(np.median(self.errors(self.again, self.stored).max(0))) / self.distance_of_starts()

    def distance_of_starts(self) -> float:
        """Root mean square difference of two starts of the same settings in `errors`, on the set where it is larger."""
        return float(np.sqrt((self.errors(*self.starts) ** 2).mean(1)).max())

    def distance_to_another(self) -> float:
        """`distance` on the samples to the member of its study farthest from each: what a wrong pairing gives."""
        gaps = self.errors(self.again[:, :, None], self.rivals)
        return float(np.median(gaps[1].max(1))) / self.distance_of_starts()

    def errors(
        self, one: Float[np.ndarray, "2 *#any"], other: Float[np.ndarray, "2 *any"]
    ) -> Float[np.ndarray, "2 *any"]:
        """|one - other| in standard errors of a difference of two binomial shares, (2, ...)."""
        sizes = self.sizes.reshape(-1, *[1] * (other.ndim - 1))
        return np.abs(one - other) / np.sqrt(2 * other * (1 - other) / sizes)


def retrain(pools: Sequence[Pool], found: Sequence[Stored], rt: Runtime, seed: int, strata: int | None = None) -> Slice:
    """One member of each of the first `strata` amounts of poison, by default all, trained once more.

    Study and member are chosen by `seed`.
    """
    single = Runtime(rt.device, torch.float32)
    images, labels = real_images(pools[0].config, single)
    test = datasets.fashion_mnist("test", rt=single)
    everyone = [stored_accuracies(each) for each in found]
    draws = rng.numpy_generator(seed, "slice")
    again, stored, rivals = [], [], []
    for poison in pools[0].config.poison[:strata]:
        study = int(draws.integers(len(pools)))
        pool, samples = pools[study], found[study]["samples"]
        row = draws.choice(np.flatnonzero(pool.values("poison") == poison))
        classifier = trained(pool.config, pool.members[row], images, labels, single)
        classes = torch.arange(len(samples), device=rt.device) % 10
        again.append(
            [
                share(classifier.predict(standardize(test.pixels)) == test.labels),
                share(classifier.predict(standardize(single.tensor(samples) / 255)) == classes),
            ]
        )
        stored.append(everyone[study][:, row])
        rivals.append(everyone[study][:, : len(pool.members)])
    starts = np.concatenate([each[:, twin_rows(pool.config)] for pool, each in zip(pools, everyone)], axis=-1)
    sizes = np.array([TEST, len(found[0]["samples"])])
    return Slice(np.array(again).T, np.array(stored).T, np.stack(rivals, 1), starts.swapaxes(0, 1), sizes)


def stored_accuracies(found: Stored) -> Float[np.ndarray, "2 members"]:
    """Of all members and twins on the first 2000 test images and on the stored samples, (2, n)."""
    right, predictions = stored_right(found)
    count = len(found["samples"])
    kept = predictions[:, :count] == np.arange(count) % 10
    return np.array([right[:, :TEST].mean(1), kept.mean(1)])


def twin_rows(config: Study) -> Int[np.ndarray, "2 m"]:
    """Rows in the stored arrays of the members that have a second start, and of those, (2, m)."""
    own, other = members(config), twins(config)
    first = [own.index(Member(twin.family, poison=twin.poison)) for twin in other]
    return np.array([first, np.arange(len(other)) + len(own)])


def stored_right(found: Stored) -> tuple[UInt8[np.ndarray, "members test"], UInt8[np.ndarray, "members n"]]:
    """Whether each classifier is right on each test image, and its classes on the first network's samples."""
    return np.unpackbits(found["test right"], axis=1), unpacked(found["predictions"][0])


@dataclass(frozen=True)
class TrainedAlone:
    """Accuracy on the 2000 test images of plain classifiers trained on as many images of three sets.

    Attributes:
        real: the images that the generators were trained on.
        other_real: as many others.
        samples: the first network's.
    """

    real: float
    other_real: float
    samples: float


def trained_alone(found: Stored, pool: Pool, rt: Runtime, seed: int, family: str = "cnn") -> TrainedAlone:
    """Train a plain classifier on each of three sets."""
    single = Runtime(rt.device, torch.float32)
    images, labels = real_images(pool.config, single)
    test = datasets.fashion_mnist("test", rt=single)
    count = min(pool.config.training, len(found["samples"]))
    sampled = single.tensor(found["samples"][:count]) / 255
    sets = {
        "real": (images[:count], labels[:count]),
        "other real": (images[count : 2 * count], labels[count : 2 * count]),
        "samples": (sampled, torch.arange(count, device=rt.device) % 10),
    }
    accuracies = []
    for name, (pixels, truth) in sets.items():
        classifier = train_one(Member(family), standardize(pixels), truth, single, seed, "alone", name)
        accuracies.append(share(classifier.predict(standardize(test.pixels)) == test.labels))
    return TrainedAlone(*accuracies)


def real_samples() -> UInt8[np.ndarray, "20 28 28"]:
    """The first two training images of each class, classes in turn, (20, 28, 28) gray levels 0..255."""
    pixels, labels = datasets.subset_arrays("train")
    first = [np.flatnonzero(labels == label)[:2] for label in range(10)]
    return pixels[np.array(first).T.ravel()]
