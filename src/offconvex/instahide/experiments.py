"""The chapter's shorter experiments: moments of the coefficients, default keys, control trainings, the seed search."""

import time
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from offconvex import datasets, rng
from offconvex.instahide import measure, photographs, prng, utility
from offconvex.instahide.attack import HALF, Data
from offconvex.instahide.keys import BreakableReleasedKeys, Keys, SeededKeysForExperiments
from offconvex.instahide.scheme import Scheme, cross, draw_coefficients, encrypt, release
from offconvex.instahide.similarity import share
from offconvex.instahide.theory import CoefficientMoments
from offconvex.runtime import Runtime
from offconvex.stored import Stored


@dataclass(frozen=True)
class Coefficients:
    """Accepted coefficients of one scheme.

    Attributes:
        kept: (rows, k).
        accepted: share of the drawn rows that were accepted.
    """

    kept: np.ndarray
    accepted: float

    def scores(self, accepted: float, moments: CoefficientMoments) -> dict[str, float]:
        """Largest distance from theory in standard errors: of the accepted share, and of three moments."""
        samples = (
            (self.kept.max(1), moments.largest),
            (self.kept[:, :2].sum(1), moments.private),
            ((self.kept[:, 2:] ** 2).sum(1), moments.public),
        )
        # With two images both sums are constant: nothing to compare.
        varying = ((values, expected) for values, expected in samples if values.std() > 1e-9)
        distances = [abs(v.mean() - expected) / (v.std() / len(v) ** 0.5) for v, expected in varying]
        error = accepted * ((1 - accepted) / len(self.kept)) ** 0.5
        return {"acceptance": abs(self.accepted - accepted) / error, "moments": max(distances)}


def coefficients(scheme: Scheme, rows: int, seed: int) -> Coefficients:
    """`rows` accepted rows of coefficients, drawn as the encryption draws them."""
    keys = SeededKeysForExperiments(seed, "coefficients", scheme.images, str(scheme.dominant))
    kept, drawn = draw_coefficients(scheme, rows, keys)
    return Coefficients(kept, rows / drawn)


def repeated_masks(data: Data, keys: tuple[Keys | None, Keys | None]) -> int:
    """How many images get the same signs in two encryptions, each with its own source of keys (None: the default)."""
    masks = [encrypt(data.private, data.labels, cross(6), data.public, keys=source)[2].mask for source in keys]
    return int((masks[0] == masks[1]).all(1).sum())


def label_defect(data: Data, seed: int) -> float:
    """Largest difference of a mixed label's sum from the private coefficients', which stay below one."""
    keys = SeededKeysForExperiments(seed, "labels")
    _, labels, key = encrypt(data.private, data.labels, cross(6), data.public, keys=keys)
    return float(np.abs(labels.sum(1).cpu().numpy() - key.coefficients[:, :2].sum(1)).max())


def mask_bias(data: Data, seed: int) -> float:
    """Largest distance, in standard errors, of a pixel's share of flipped signs from one half, over 50 encryptions."""
    keys = SeededKeysForExperiments(seed, "mask")
    masks = [encrypt(data.private, data.labels, cross(6), data.public, keys=keys)[2].mask for _ in range(50)]
    flipped = np.concatenate(masks)
    return float(np.abs(flipped.mean(0) - 0.5).max() * 2 * len(flipped) ** 0.5)


def control_accuracy(name: str, epochs: int, rt: Runtime, seed: int) -> float:
    """Accuracy on the test images inside the package after training one arm on the private half with photographs."""
    train, test = (datasets.fashion_mnist(split, rt=rt) for split in ("train", "test"))
    pixels = utility.centered(train.pixels)
    config = utility.Utility(arms=(name,), private=HALF, public=HALF, epochs=epochs)
    public = photographs.pool(photographs.supplied(), HALF, rt)
    trained = utility.train_arm(name, config, rt, seed, pixels[:HALF], train.labels[:HALF], public)
    seen = utility.ARMS[name].view(utility.centered(test.pixels))
    return (trained.classifier.probabilities(seen).argmax(1) == test.labels).double().mean().item()


def first_epoch_difference(found: Stored[utility.Utility], name: str, rt: Runtime) -> float:
    """Accuracy after the first epoch of a stored arm, seed 0, run again, minus the stored one.

    The arm's public images, if any, are photographs: the package does not hold enough of the private ones' kind.
    """
    config = found.config
    train, test = (datasets.fashion_mnist(split, rt=rt) for split in ("train", "test"))
    images, seen = utility.centered(train.pixels), utility.centered(test.pixels)
    public = photographs.pool(photographs.supplied(), config.public, rt)
    data = (name, config, rt, 0, images, train.labels, public, seen, test.labels)
    stored_value = found["first"][config.arms.index(name), 0, 0]
    return utility.first_epoch_accuracy(*data) - float(stored_value)


def receiver(
    codes_score: Float[Tensor, "N N"], owners: Int[Tensor, "N 2"], size: int
) -> tuple[Float[np.ndarray, "200"], Float[np.ndarray, "200"]]:
    """Receiver operating characteristic of pair scores (N, N): false and true positive rates at 200 levels."""
    pairs = torch.triu(torch.ones_like(codes_score, dtype=torch.bool), 1)
    shared = share(owners, size)[pairs].cpu().numpy()
    order = np.argsort(-codes_score[pairs].cpu().numpy(), kind="stable")
    true, false = np.cumsum(shared[order]), np.cumsum(~shared[order])
    places = np.linspace(0, len(order) - 1, 200).astype(int)
    return false[places] / false[-1], true[places] / true[-1]


@dataclass(frozen=True)
class Searched:
    """A seed search and what it opened.

    Attributes:
        found: seeds that match.
        true: the seed that was used, or -1.
        seconds: processor time of the search, per seed tried.
        blind: (n, 28, 28) images from the seed alone, or None.
        known: (n, 28, 28) images from seed and public pool, or None.
    """

    found: list[int]
    true: int
    seconds: float
    blind: torch.Tensor | None = None
    known: torch.Tensor | None = None


def seed_search(data: Data, epochs: int, space: int, seed: int, *, system: bool = False, unlucky: bool = False):
    """Release with the released code's generator calls (or the system's), search `space` seeds, open what is found.

    Args:
        data: who has what.
        epochs: released.
        space: number of seeds tried, from 0; the true one is among them.
        seed: of the experiment.
        system: keys from the operating system instead.
        unlucky: the true seed lies beyond the seeds tried.
    """
    true = int(rng.numpy_generator(seed, "instahide", "true seed").integers(space)) + space * unlucky
    keys = None if system else BreakableReleasedKeys(true)
    order = rng.generator(seed, "instahide", "search order")
    published, _ = release(data.private, data.labels, cross(6), data.public, epochs, order, keys=keys)
    begin = time.process_time()
    found = prng.search(published, range(space))
    seconds = (time.process_time() - begin) / space
    if len(found) != 1:
        return Searched(found, -1 if system else true, seconds)
    opened = prng.undo(published, prng.regenerate(published, found[0], len(data.public)))
    mean = data.public.flatten(1).double().mean(0)
    blind = prng.solve_blind(opened, mean, len(data.public))
    known = prng.solve(opened, data.public)
    return Searched(found, true, seconds, *(x.view(data.private.shape) for x in (blind, known)))


def mean_psnr(images: Float[Tensor, "n height width"], truth: Float[Tensor, "n height width"]) -> float:
    """Mean PSNR in dB over images."""
    return measure.psnr(images.double(), truth.double()).mean().item()
