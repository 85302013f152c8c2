"""The attack from end to end, judged by the truth, as a stored experiment. Float32: networks and their pictures."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from offconvex import datasets, rng, runtime
from offconvex.files import Arrays
from offconvex.instahide import measure
from offconvex.instahide.assign import assign, names
from offconvex.instahide.decode import DecoderDescent, Likelihood, Mixtures, Prior, descend, maximize, prior_of
from offconvex.instahide.keys import SeededKeysForExperiments
from offconvex.instahide.photographs import pool
from offconvex.instahide.scheme import Published, Truth, cross, release
from offconvex.instahide.similarity import Similarity, SimilarityTraining, learn, share
from offconvex.runtime import Runtime
from offconvex.stored import StoredExperiment

HALF = 5000  # of the training images inside the package: the first half is private, the second public
DECODERS = ("published", "likelihood")
ASSIGNMENTS = ("true", "learned")
SHOWN = 6  # private images whose pictures are kept
LIVE = SimilarityTraining(steps=600, images=32, views=6, rate=8e-3, channels=(64, 64))
"""The larger similarity that the chapter trains; the sweep keeps to the smaller one, which it trains three times."""


@dataclass(frozen=True)
class Attack:
    """Settings of the sweep.

    Attributes:
        seeds: of private images, keys and learning.
        size: private images n.
        epochs: numbers T of epochs released.
        images: numbers k of images in a mixture.
        steps: of the similarity's training.
    """

    seeds: tuple[int, ...] = (0, 1, 2)
    size: int = 100
    epochs: tuple[int, ...] = (1, 3, 10, 20, 50)
    images: tuple[int, ...] = (4, 6)
    steps: int = 250


@dataclass(frozen=True)
class Data:
    """Who has what.

    Attributes:
        private: (n, 28, 28) images in [-1, 1] of the owner.
        labels: (n,) their classes.
        public: (5000, 28, 28) images that everybody has, and that are mixed in.
        kin: (5000, 28, 28) images of the private ones' kind that the adversary learns from.
        kin_labels: (5000,) their classes.
    """

    private: torch.Tensor
    labels: torch.Tensor
    public: torch.Tensor
    kin: torch.Tensor
    kin_labels: torch.Tensor


def data_of(size: int, rt: Runtime, seed: int, photographs: str = "") -> Data:
    """`size` private images at random from the private half; the public half, or patches of photographs to mix in.

    Args:
        size: private images.
        rt: device and precision.
        seed: of their choice.
        photographs: a photograph, a folder of them or an .npy file; "" for the public half.

    Raises:
        ValueError: if the private half has fewer images, or the photographs cannot be used.
        FileNotFoundError: if there are no such photographs.
    """
    if not 1 < size <= HALF:
        raise ValueError(f"The private half has {HALF} images and an attack needs two; got {size}.")
    images = datasets.fashion_mnist("train", rt=rt)
    pixels = 2 * images.pixels - 1
    chosen = rt.permutation(rng.generator(seed, "instahide", "private"), HALF)[:size]
    kin = pixels[HALF:]
    public = pool(photographs, HALF, rt) if photographs else kin
    return Data(pixels[chosen], images.labels[chosen], public, kin, images.labels[HALF:])


def publish(data: Data, k: int, epochs: int, seed: int) -> tuple[Published, Truth]:
    """A release of the cross-dataset scheme with seeded keys."""
    keys = SeededKeysForExperiments(seed, "release", k, epochs)
    order = rng.generator(seed, "release", k, epochs)
    return release(data.private, data.labels, cross(k), data.public, epochs, order, keys=keys)


def learned(data: Data, images: Sequence[int], settings: SimilarityTraining, rt: Runtime, seed: int) -> Similarity:
    """Similarity learned from the adversary's own images for all k at once."""
    schemes = [cross(k) for k in images]
    return learn(data.kin, data.kin_labels, schemes, settings, rt, seed, public=data.public)


def true_mixtures(truth: Truth, published: Published) -> Mixtures:
    """What only the owner knows: the oracle that bounds a decoder."""
    return Mixtures(published.size, truth.owners, truth.coefficients[:, :2], published.scheme.public)


def exchanged(mixtures: Mixtures, draws: torch.Generator) -> Mixtures:
    """Owners of encryptions exchanged among them, so that what an image is decoded from belongs to as many others.

    For a control: coefficients stay with their encryptions, and every image keeps its number of encryptions.
    """
    order = torch.randperm(len(mixtures.owners), generator=draws, device="cpu").to(mixtures.owners.device)
    return dataclasses.replace(mixtures, owners=mixtures.owners[order])


def decoded(
    published: Published, mixtures: Mixtures, prior: Prior
) -> dict[str, Float[Tensor, "{mixtures.size} height width"]]:
    """Images (n, 28, 28) by each of `DECODERS`."""
    likely = maximize(published.images, mixtures, prior, Likelihood())
    return dict(zip(DECODERS, (descend(published.images, mixtures, DecoderDescent()), likely), strict=True))


def quality(images: Float[Tensor, "n height width"], truth: Float[Tensor, "n height width"]) -> tuple[float, float]:
    """Mean PSNR in dB and mean SSIM."""
    return measure.psnr(images, truth).mean().item(), measure.ssim(images, truth).mean().item()


def gain(images: Float[Tensor, "n height width"], truth: Float[Tensor, "n height width"], prior: Prior) -> float:
    """PSNR in dB of images in the order of the true ones, minus that of the mean image, which everybody has."""
    mean = prior.mean.to(truth.dtype).view(1, *truth.shape[1:]).expand_as(truth)
    return quality(images, truth)[0] - quality(mean, truth)[0]


def pair_scores(published: Published, similarity: Similarity) -> dict[str, Float[Tensor, "N N"]]:
    """Three scores (N, N) of all pairs of a release: do they share a private image?

    Plain correlation of absolute values; inner products of the codes, of which the release's mean is taken away, since
    what all encryptions have in common tells nothing; and the same with labels, where a pair without a common class
    comes after all others, as it shares no private image.
    """
    codes = similarity.all_codes(published.images)
    codes = codes - codes.mean(0)
    score = codes @ codes.T
    named = (published.labels > 0).to(score.dtype)
    apart = named @ named.T == 0
    plain = torch.corrcoef(published.images.abs().flatten(1))
    return {"correlation": plain, "learned": score, "learned, with labels": score - 8 * apart}


def similarity_scores(published: Published, truth: Truth, similarity: Similarity) -> tuple[float, float, float]:
    """Areas under the curve over all pairs of the three scores of `pair_scores`."""
    scores = pair_scores(published, similarity).values()
    shared = share(truth.owners, published.size)
    pairs = torch.ones_like(shared).triu(1)
    shared = shared[pairs]
    return tuple(measure.auc(score[pairs], shared) for score in scores)


def attack(
    published: Published, similarity: Similarity, prior: Prior, seed: int
) -> tuple[Mixtures, dict[str, Float[Tensor, "n height width"]]]:
    """Assignment and decoded images from what is published alone."""
    mixtures = assign(published, similarity, rng.numpy_generator(seed, "instahide", "clusters"))
    return mixtures, decoded(published, mixtures, prior)


def named(
    images: Float[Tensor, "n height width"], truth: Truth
) -> tuple[Float[Tensor, "n height width"], Int[Tensor, " n"]]:
    """Decoded images in the order of the true ones, and the true name (n,) of each; for judging only."""
    called = names(images, truth.images)
    return images[called.argsort()], called


@dataclass(frozen=True)
class Trials:
    """How the attack did on several owners, each with other images and keys, the similarity being learned once.

    Attributes:
        areas: (owners, k, 3) as `similarity_scores`.
        found: (owners, k) share of the images in all mixtures that were named.
        gain: (owners, k) in dB over the mean image, likelihood decoder, the adversary's own assignment.
    """

    areas: np.ndarray
    found: np.ndarray
    gain: np.ndarray


def trials(
    owners: Sequence[Data], images: Sequence[int], epochs: int, similarity: Similarity, prior: Prior, seed: int
) -> Trials:
    """Attack a release of every owner and k; the first owner's keys are those of `publish(data, k, epochs, seed)`."""
    shape, found = (len(owners), len(images)), []
    for number, data in enumerate(owners):
        for k in images:
            found.append(trial(*publish(data, k, epochs, seed_of(seed, number)), similarity, prior, seed))
    areas, shares, gains = (np.array(column) for column in zip(*found))
    return Trials(areas.reshape(*shape, 3), shares.reshape(shape), gains.reshape(shape))


def trial(published: Published, truth: Truth, similarity: Similarity, prior: Prior, seed: int):
    """Areas, share of owners found and gain in dB of one release, as in `Trials`."""
    mixtures = assign(published, similarity, rng.numpy_generator(seed, "instahide", "clusters"))
    images, called = named(maximize(published.images, mixtures, prior, Likelihood()), truth)
    found = measure.owners_found(called[mixtures.owners], truth.owners)
    return similarity_scores(published, truth, similarity), found, gain(images, truth.images, prior)


def seed_of(seed: int, number: int) -> int:
    """Seed of one of several trials, far apart, so that no two seeds of a chapter share a release.

    A sum, as a release has no name for its number. The stored attack has drawn its releases so, hence it stays until
    it is run again; new code names its streams.
    """
    return seed + 1_000_003 * number


def seeds(config: Attack) -> dict[str, tuple[int]]:
    """One part per seed."""
    return {f"seed-{seed}": (seed,) for seed in config.seeds}


def run_seed(config: Attack, seed: int) -> Arrays:
    """The whole sweep for one seed.

    Returns:
        "quality" (k, T, assignment, decoder, 2): PSNR and SSIM; "found" (k, T): share of owners found;
        "mean" (2,): quality of the mean image; "pictures" (T + 2, 6, 28, 28) at the largest k,
        likelihood decoder, learned assignment: truth, one encryption, and decoded images.
    """
    rt = runtime.resolve("cpu", torch.float32)
    data = data_of(config.size, rt, seed)
    similarity = learned(data, config.images, SimilarityTraining(steps=config.steps), rt, seed)
    prior = prior_of(data.kin, data.public)
    table, found, pictures = [], [], []
    for k in config.images:
        for epochs in config.epochs:
            published, truth = publish(data, k, epochs, seed)
            oracle = decoded(published, true_mixtures(truth, published), prior)
            mixtures, mine = attack(published, similarity, prior, seed)
            mine = {name: named(images, truth) for name, images in mine.items()}
            called = mine["likelihood"][1]
            rows = [[quality(oracle[d], data.private) for d in DECODERS]]
            rows += [[quality(mine[d][0], data.private) for d in DECODERS]]
            table.append(rows)
            found.append(measure.owners_found(called[mixtures.owners], truth.owners))
            if k == config.images[-1]:
                pictures.append(mine["likelihood"][0][:SHOWN])
    own = torch.stack([published.images[(truth.owners[:, 0] == i).nonzero()[0, 0]] for i in range(SHOWN)])
    mean = prior.mean.to(rt.dtype).view(1, 28, 28).expand_as(data.private)
    shape = (len(config.images), len(config.epochs))
    return {
        "quality": np.array(table).reshape(*shape, 2, 2, 2),
        "found": np.array(found).reshape(shape),
        "mean": np.array(quality(mean, data.private)),
        "pictures": torch.stack([data.private[:SHOWN], own, *pictures]).numpy().astype(np.float16),
    }


def single_views(data: Data, k: int, seed: int, prior: Prior, *, rounds: int = 8) -> dict[str, float]:
    """Gain in dB over the mean image, by decoder, where every private image is released in one encryption only.

    From one epoch, encryptions are kept whose two private images occur in no other that is kept; the decoders are told
    what each mixes. The gain is the mean over `rounds` such releases, each attacked by itself.
    """
    gains = [_single_view(data, k, seed_of(seed, number), prior) for number in range(rounds)]
    return {name: sum(gain[name] for gain in gains) / rounds for name in gains[0]}


def _single_view(data: Data, k: int, seed: int, prior: Prior) -> dict[str, float]:
    published, truth = publish(data, k, 1, seed)
    used, kept = set(), []
    for row, pair in enumerate(truth.owners.tolist()):
        if pair[0] != pair[1] and used.isdisjoint(pair):
            used.update(pair)
            kept.append(row)
    alone = Published(published.images[kept], published.labels[kept], published.scheme, published.size)
    mixtures = Mixtures(published.size, truth.owners[kept], truth.coefficients[kept, :2], published.scheme.public)
    covered = torch.tensor(sorted(used), device=published.images.device)
    private = data.private[covered]
    return {name: gain(x[covered], private, prior) for name, x in decoded(alone, mixtures, prior).items()}


ATTACK = StoredExperiment("instahide-attack", "instahide", Attack(), seeds, run_seed)
