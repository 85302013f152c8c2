"""Training on samples alone, with more images than the pool has: test accuracy against their number."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from offconvex import datasets, rng, runtime
from offconvex.files import Arrays
from offconvex.prediction import gan
from offconvex.prediction.baselines import share
from offconvex.prediction.classifiers import FAMILIES, Member, standardize, train
from offconvex.runtime import Runtime
from offconvex.stored import StoredExperiment


@dataclass(frozen=True)
class Larger:
    """Sizes of the experiment.

    Attributes:
        training: real images that the networks are trained on, the first of the set.
        sizes: images that classifiers are trained on, real ones or samples; the largest is `training`.
        families: of classifiers, plain and narrow.
        gans: networks of their own random stream.
        steps: of a network's training; those of the studies by default.
        longest: epochs after which a classifier stops though it does not fit its images.
        seed: of everything.
    """

    training: int = 20_000
    sizes: tuple[int, ...] = (1250, 5000, 20_000)
    families: tuple[str, ...] = FAMILIES
    gans: int = 2
    steps: int = 6000
    longest: int = 150
    seed: int = 2

    def __post_init__(self):
        if not self.sizes or max(self.sizes) != self.training:
            raise ValueError(f"The largest of `sizes` must be `training`, {self.training}; got {self.sizes}.")
        if self.training % 1000:
            raise ValueError(f"`training` must be a multiple of 1000, as samples come in batches; got {self.training}.")


def parts(config: Larger) -> dict[str, tuple[int | None]]:
    """What classifiers are trained on: samples of each network, and real images."""
    return {f"gan-{i}": (i,) for i in range(config.gans)} | {"real": (None,)}


def run(config: Larger, index: int | None) -> Arrays:
    """Test accuracy (sizes, families) of classifiers trained on samples of network `index`, or on the real images."""
    rt = runtime.resolve("cpu", torch.float32)
    full = datasets.fashion_mnist("train", full=True, rt=rt)
    images, labels = full.pixels[: config.training], full.labels[: config.training]
    if index is not None:
        images, labels = sampled(config, index, images, labels, rt)
    test = datasets.fashion_mnist("test", full=True, rt=rt)
    accuracy = np.empty((len(config.sizes), len(config.families)))
    for row, count in enumerate(config.sizes):
        for column, family in enumerate(config.families):
            found = train(Member(family), standardize(images[:count]), labels[:count], rt, config.seed, "larger", count,
                longest=config.longest)  # fmt: skip
            accuracy[row, column] = share(found.predict(standardize(test.pixels)) == test.labels)
    return {"accuracy": accuracy}


def sampled(
    config: Larger, index: int, images: Float[Tensor, "n 28 28"], labels: Int[Tensor, " n"], rt: Runtime
) -> tuple[Float[Tensor, "{config.training} 28 28"], Int[Tensor, " {config.training}"]]:
    """As many samples in [0, 1] of network `index`, trained on the images, as there are images, and their labels."""
    last = []
    gan.train(
        gan.Gan(), images, labels, [config.steps], rt, config.seed, "larger", index,
        keep=lambda steps, weights: last.append(weights),
    )  # fmt: skip
    draws = rng.generator(config.seed, "larger", index, "samples")
    pixels, classes = gan.sample(gan.Gan(), last[0], config.training, rt, draws)
    return pixels.to(rt.dtype) / 255, classes


def assemble(config: Larger, results: Mapping[tuple, Arrays]) -> Arrays:
    """Accuracies: "real" (sizes, families) and "samples" (gans, sizes, families)."""
    *samples, real = (each["accuracy"] for each in results.values())
    return {"real": real, "samples": np.stack(samples)}


LARGER = StoredExperiment("pgdl-larger", "predicting-generalization", Larger(), parts, run, assemble)
"""Five times as many real images as in the studies, for the networks and for the classifiers."""
