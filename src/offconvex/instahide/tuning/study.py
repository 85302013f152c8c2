"""Public training, few private epochs, and the attack on exactly these encryptions: a stored experiment. Float32."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import rng, runtime
from offconvex.files import Arrays
from offconvex.instahide import attack, measure
from offconvex.instahide.classifier import ClassifierTraining, ConvolutionalClassifier, start
from offconvex.instahide.decode import Likelihood, Mixtures, Prior, maximize, prior_of
from offconvex.instahide.keys import SeededKeysForExperiments
from offconvex.instahide.scheme import Published, Truth, cross, release
from offconvex.instahide.similarity import Similarity, SimilarityTraining, learn
from offconvex.instahide.tuning.groups import group
from offconvex.instahide.tuning.learner import VIEWS, ClassSplit, accuracy, pretrained, split_of, tune
from offconvex.runtime import Runtime
from offconvex.stored import StoredExperiment

ARMS = ("tuned", "scratch", "open")
"""Tuned on encryptions after public training, trained on them alone, and tuned on the plain private images."""


@dataclass(frozen=True)
class FineTuning:
    """Settings of the study.

    Attributes:
        seeds: of private images, keys, fine-tuning and clusters.
        once: seed of the public training and of the similarity, which serve all owners.
        size: private images n, of classes 0 to 4.
        public: public images, of classes 5 to 9.
        epochs: numbers T of private epochs.
        judged: the T of the post, at which owners are also exchanged, and named by labels alone.
        images: k, images in a mixture.
        pretraining: epochs of public training.
        batch: images a step of fine-tuning.
        rate: largest learning rate of fine-tuning.
        steps: of the similarity's training.
        views: encryptions of a test image whose predictions are averaged.
    """

    seeds: tuple[int, ...] = (600, 601, 602)
    once: int = 600
    size: int = 1000
    public: int = 20_000
    epochs: tuple[int, ...] = (10, 1, 3, 20, 50)
    judged: int = 10
    images: int = 6
    pretraining: int = 3
    batch: int = 50
    rate: float = 0.1
    steps: int = 1000
    views: int = 4


def parts(config: FineTuning) -> dict[str, tuple]:
    """The attack and the learner for every T and seed, those of one T together."""
    return {
        f"{kind}-{epochs}-seed-{seed}": (kind, epochs, seed)
        for epochs in config.epochs
        for seed in config.seeds
        for kind in ("attack", "learner")
    }


def run(config: FineTuning, kind: str, epochs: int, seed: int) -> Arrays:
    """The attack's arrays, or the learner's: see `attacked` and `learned`."""
    rt = runtime.resolve("cpu", torch.float32)
    return (attacked if kind == "attack" else learned)(config, epochs, rt, seed)


def released(config: FineTuning, split: ClassSplit, epochs: int, seed: int) -> tuple[Published, Truth]:
    """The encryptions of the first epochs: those of fewer are the head of those of more."""
    keys, order = SeededKeysForExperiments(seed, "tuning", "release"), rng.generator(seed, "tuning", "release", epochs)
    return release(split.private, split.labels, cross(config.images), split.public, epochs, order, keys=keys)


@functools.lru_cache(maxsize=1)
def similarity_of(config: FineTuning, rt: Runtime) -> Similarity:
    """What the adversary has learned from encryptions of public images, which are of other classes than the private."""
    split = split_of(config.size, config.public, rt, config.once)
    settings = SimilarityTraining(steps=config.steps, images=32, views=6, rate=8e-3, channels=(64, 64))
    scheme = cross(config.images)
    return learn(split.public, split.public_labels, [scheme], settings, rt, config.once, public=split.public)


def attacked(config: FineTuning, epochs: int, rt: Runtime, seed: int) -> Arrays:
    """The attack on what one learner is given.

    Returns:
        "quality" (6, 2): PSNR and SSIM of the mean public and the mean private image, and of images by the true, the
        learned and the exchanged assignment, and by labels alone; "found" (2,): share of owners found by similarity and
        labels, and by labels alone; "pictures" (3, 6, 28, 28): truth, by the true and by the learned assignment. What
        is run at `judged` alone is nan elsewhere.
    """
    split = split_of(config.size, config.public, rt, seed)
    published, truth = released(config, split, epochs, seed)
    prior = prior_of(split.public)
    true = attack.true_mixtures(truth, published)
    codes = similarity_of(config, rt).all_codes(published.images)
    known = maximize(published.images, true, prior, Likelihood())
    own, found = by_codes(published, truth, codes, prior, seed)
    flat = prior.mean.to(rt.dtype).view(1, 28, 28)
    table = [flat.expand_as(known), split.private.mean(0, keepdim=True).expand_as(known), known, own]
    qualities, luck = [attack.quality(images, split.private) for images in table], np.nan
    if epochs == config.judged:
        apart = exchanged(true, rng.generator(seed, "tuning", "exchanged"))
        qualities.append(attack.quality(maximize(published.images, apart, prior, Likelihood()), split.private))
        noise = rt.normal(rng.generator(seed, "tuning", "noise"), len(codes), 64)
        blind, luck = by_codes(published, truth, noise, prior, seed)
        qualities.append(attack.quality(blind, split.private))
    else:
        qualities += [(np.nan, np.nan)] * 2
    pictures = torch.stack([part[: attack.SHOWN] for part in (split.private, known, own)])
    return {
        "quality": np.array(qualities),
        "found": np.array([found, luck]),
        "pictures": pictures.numpy().astype(np.float16),
    }


def by_codes(
    published: Published, truth: Truth, codes: Float[Tensor, "N features"], prior: Prior, seed: int
) -> tuple[Float[Tensor, "n height width"], float]:
    """Images by groups of codes, in the order of the true ones, and the share of owners found."""
    mixtures = group(published, codes, rng.numpy_generator(seed, "tuning", "clusters"))
    images, called = attack.named(maximize(published.images, mixtures, prior, Likelihood()), truth)
    return images, measure.owners_found(called[mixtures.owners], truth.owners)


def exchanged(mixtures: Mixtures, draws: torch.Generator) -> Mixtures:
    """The same with owners exchanged among encryptions: every image still owns as many, of other images."""
    slots = [column[torch.randperm(len(column), generator=draws, device="cpu").to(column.device)]
             for column in mixtures.owners.T]  # fmt: skip
    return Mixtures(mixtures.size, torch.stack(slots, dim=1), mixtures.coefficients, mixtures.public)


@functools.lru_cache(maxsize=2)
def public_classifier(config: FineTuning, view: str, rt: Runtime) -> ConvolutionalClassifier:
    """The classifier of public classes from which all fine-tuning begins."""
    split = split_of(config.size, config.public, rt, config.once)
    return pretrained(split, view, ClassifierTraining(epochs=config.pretraining), rt, config.once)


def learned(config: FineTuning, epochs: int, rt: Runtime, seed: int) -> Arrays:
    """What one learner gets.

    Returns:
        "accuracy" (views, 3): on test images of the private classes, by each of `ARMS`; the better of plain test images
        and of the mean prediction on several encryptions, after training on the plain images of plain ones alone.
    """
    split = split_of(config.size, config.public, rt, seed)
    published, truth = released(config, split, epochs, seed)
    order = truth.first.argsort()
    given = published.images[order].split(config.size), published.labels[order].split(config.size)
    one_hot = torch.eye(published.labels.shape[1], dtype=rt.dtype, device=rt.device)[split.labels]
    settings, table = ClassifierTraining(batch=config.batch, rate=config.rate), []
    for name, view in VIEWS.items():
        mixed, plain = [(view(x), y) for x, y in zip(*given)], [(view(split.private), one_hot)] * epochs
        public, fresh = public_classifier(config, name, rt), start(rt, seed, "tuning", "scratch", name)
        arms = zip(ARMS, (public, fresh, public), (mixed, mixed, plain), (config.views, config.views, 0), strict=True)
        row = []
        for arm, begin, seen, views in arms:
            trained = tune(begin, seen, settings, rt, seed, name, arm, epochs)
            row.append(max(accuracy(trained, split, name, views, seed)))
        table.append(row)
    return {"accuracy": np.array(table)}


def assemble(config: FineTuning, results: Mapping[tuple, Arrays]) -> Arrays:
    """Arrays of all parts: T in rising order first, then seeds."""
    found = {}
    for kind in ("attack", "learner"):
        rows = [[results[kind, epochs, seed] for seed in config.seeds] for epochs in sorted(config.epochs)]
        for name in rows[0][0]:
            found[name] = np.stack([np.stack([part[name] for part in row]) for row in rows])
    return found


TUNING = StoredExperiment("instahide-fine-tuned", "instahide", FineTuning(), parts, run, assemble)
