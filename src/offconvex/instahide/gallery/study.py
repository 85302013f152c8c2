"""One encryption against galleries of up to 50,000 candidates, as a stored experiment: who is ranked first?"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from offconvex import datasets, rng, runtime
from offconvex.files import Arrays
from offconvex.instahide import photographs
from offconvex.instahide.gallery import scan
from offconvex.instahide.keys import SeededKeysForExperiments
from offconvex.instahide.scheme import Scheme, cross, encrypt
from offconvex.runtime import Runtime
from offconvex.stored import Stored, StoredExperiment

SIZES = (500, 1500, 5000, 15_000, 50_000)
"""Candidates in the galleries that are timed."""
WIDEST = 16  # images in a mixture, at most
CHANGING = 0.05  # variance of a pixel, gray levels in [-1, 1], above which it is no constant background


@dataclass(frozen=True)
class Way:
    """One way to encrypt, and what is done with it.

    Attributes:
        scheme: of the encryption.
        photographed: public images are patches of a photograph; else they are candidates like the private ones.
        changing: only pixels count that are no constant background.
        pooled: squares of this many pixels are averaged first, so that images are smaller.
        noise: the images that are mixed are noise, and candidates are not in them.
    """

    scheme: Scheme
    photographed: bool = False
    changing: bool = False
    pooled: int = 1
    noise: bool = False


ARMS = {
    "k4": Way(cross(4)),
    "k6": Way(cross(6)),
    "photo4": Way(cross(4), photographed=True),
    "photo6": Way(cross(6), photographed=True),
    "changing6": Way(cross(6), changing=True),
    "photo-changing6": Way(cross(6), photographed=True, changing=True),
    "half6": Way(cross(6), pooled=2),
    "quarter6": Way(cross(6), pooled=4),
    "k8": Way(cross(8)),
    "k12": Way(cross(12)),
    "even8": Way(Scheme(2, 6, upper=0.2)),
    "even16": Way(Scheme(2, 14, upper=0.2)),
    "noise6": Way(cross(6), noise=True),
}
"""Every arm: the source's two; another kind of public images; fewer and smaller pixels; stronger encryption; noise."""


@dataclass(frozen=True)
class Galleries:
    """Settings of the study on Fashion-MNIST.

    Attributes:
        arms: names in `ARMS`.
        seed: of images and keys.
        encryptions: of each arm.
        candidates: the first training images, all of them candidates.
        known: the last training images, from which the adversary knows what images are like.
        size: of the gallery whose winner is compared with the second.
        public: images that may be mixed in.
    """

    arms: tuple[str, ...] = tuple(ARMS)[:4]
    seed: int = 600
    encryptions: int = 400
    candidates: int = 50_000
    known: int = 2000
    size: int = 5000
    public: int = 5000

    def __post_init__(self):
        unknown = set(self.arms) - set(ARMS)
        if unknown:
            raise ValueError(f"Arms are {', '.join(ARMS)}; got {', '.join(sorted(unknown))}.")
        if not self.encryptions <= self.public < self.candidates - self.encryptions or self.size >= self.candidates:
            raise ValueError("A study needs more candidates than it mixes, and than its gallery holds.")


@dataclass(frozen=True)
class Scanned:
    """What scans of all encryptions of an arm found.

    Attributes:
        coefficients: (E, k) of the mixed images.
        above: (E, k) how many of the candidates that are not mixed score at least as high as each mixed image.
        lead: (E, k) score of each mixed image minus the mean of the others, nats.
        margin: (E,) score of the winner minus that of the second, in a gallery with the mixed images.
        decoys: (E, galleries) the same in galleries without them, no two of which have an image in common.
        right: (E,) whether the winner of the gallery with the mixed images is one of them.
        others: how many candidates are not mixed.
    """

    coefficients: np.ndarray
    above: np.ndarray
    lead: np.ndarray
    margin: np.ndarray
    decoys: np.ndarray
    right: np.ndarray
    others: int


def view_of(arm: Way, known: Float[Tensor, "m height width"]) -> Callable[[torch.Tensor], torch.Tensor]:
    """What an arm leaves of images (n, height, width): (n, h, w), smaller, or (n, 1, w), some pixels."""
    changing = known.var(0).flatten() > CHANGING

    def view(images: torch.Tensor) -> torch.Tensor:
        if arm.changing:
            return images.flatten(1)[:, None, changing]
        return functional.avg_pool2d(images[:, None], arm.pooled)[:, 0] if arm.pooled > 1 else images

    return view


@dataclass(frozen=True)
class Encrypted:
    """Encryptions, what each mixes, and what the adversary holds.

    Attributes:
        images: (E, h, w) encryptions.
        mixed: (E, c) numbers among the candidates of those that each mixes.
        coefficients: (E, c) of these.
        candidates: (M, h, w).
        rest: what the adversary believes of the rest of a mixture.
    """

    images: torch.Tensor
    mixed: torch.Tensor
    coefficients: np.ndarray
    candidates: torch.Tensor
    rest: scan.Rest


def encrypted(
    arm: Way, images: Float[Tensor, "M height width"], known: Float[Tensor, "m height width"], count: int, pool: int,
    rt: Runtime, seed: int, *stream: str,
) -> Encrypted:  # fmt: skip
    """Encrypt `count` of the candidates; public images are candidates too, unless they are photographs.

    Args:
        arm: how.
        images: all candidates.
        known: images that the adversary has otherwise, none of them a candidate.
        count: encryptions E.
        pool: number of public images.
        rt: device and precision.
        seed: of images and keys.
        stream: name of the use.
    """
    view = view_of(arm, known)
    images, known = view(images), view(known)
    chosen = rt.permutation(rng.generator(seed, "gallery", *stream), len(images))
    private, numbers = chosen[:count], chosen[count : count + pool]
    owned, public, other = images[private], images[numbers], None
    if arm.photographed:
        public, other = (view(patches(number, rt, place)) for place, number in enumerate((pool, len(known))))
    if arm.noise:
        draws = rng.generator(seed, "gallery noise", *stream)
        owned, public = (2 * rt.uniform(draws, *x.shape) - 1 for x in (owned, public))
    keys = SeededKeysForExperiments(seed, "gallery", *stream)
    labels = torch.zeros(count, dtype=torch.int64, device=rt.device)
    hidden, _, key = encrypt(owned, labels, arm.scheme, public, keys=keys)
    mixed = _numbers(key.partners, private, numbers, arm)
    return Encrypted(hidden, mixed, key.coefficients[:, : mixed.shape[1]], images, scan.rest_of(known, other))


def scanned(
    arm: Way, images: Float[Tensor, "M height width"], known: Float[Tensor, "m height width"], count: int, size: int,
    pool: int, rt: Runtime, seed: int, *stream: str,
) -> Scanned:  # fmt: skip
    """Scan a gallery for each of the encryptions of `encrypted`.

    All of a mixture's images that are candidates lie in its gallery of `size`; the others are drawn at random.
    """
    setting = encrypted(arm, images, known, count, pool, rt, seed, *stream)
    places, found = scan.places(scan.gray_levels(setting.candidates)), []
    for number, (encryption, inside) in enumerate(zip(setting.images, setting.mixed)):
        order = rt.permutation(rng.generator(seed, "gallery", *stream, number), len(images))
        found.append(_judged(scan.scores(encryption, places, setting.rest), inside, order, size))
    columns = [np.array(column) for column in zip(*found)]
    return Scanned(setting.coefficients, *columns, len(images) - setting.mixed.shape[1])


def inside_package(rt: Runtime) -> tuple[Float[Tensor, "8000 28 28"], Float[Tensor, "2000 28 28"]]:
    """Candidates and images that the adversary has otherwise, of those inside the package."""
    pixels = 2 * datasets.fashion_mnist("train", rt=rt).pixels - 1
    return pixels[:-2000], pixels[-2000:]


def named(
    arm: Way, count: int, best: int, rt: Runtime, seed: int
) -> tuple[Float[Tensor, "{count} columns 28 28"], Bool[Tensor, "{count} {best}"]]:
    """Of some encryptions: each, its absolute value and the candidates that rank first; and which of these are mixed.

    Encryptions are scaled to their largest pixel. Candidates are 8000 images, all that the package has but 2000.
    """
    setting = encrypted(arm, *inside_package(rt), count, 5000, rt, seed, "live")
    places, rows, hits = scan.places(scan.gray_levels(setting.candidates)), [], []
    for encryption, inside in zip(setting.images, setting.mixed):
        first = scan.scores(encryption, places, setting.rest).topk(best)[1]
        shown = encryption / encryption.abs().max()
        rows.append(torch.cat([shown[None], 2 * shown.abs()[None] - 1, setting.candidates[first]]))
        hits.append(torch.isin(first, inside))
    return torch.stack(rows), torch.stack(hits)


def live(arm: Way, count: int, rt: Runtime, seed: int) -> Scanned:
    """Encryptions of images inside the package, scanned, the gallery of 5000 being drawn from the 8000."""
    return scanned(arm, *inside_package(rt), count, 5000, min(5000, 8000 - count), rt, seed, "live")


def patches(count: int, rt: Runtime, draw: int) -> Float[Tensor, "{count} 28 28"]:
    """Patches (count, 28, 28) of the photograph that is supplied, gray levels in [-1, 1]."""
    return 2 * (rt.tensor(photographs.patches(photographs.supplied(), count, draw)) / 255) - 1


def _numbers(partners: np.ndarray, private, public, arm: Way) -> Int[Tensor, "E candidates"]:
    """Numbers of a mixture's images among the candidates; photographs are none."""
    slots = torch.as_tensor(partners, device=private.device)
    own = private[slots[:, : arm.scheme.private]]
    return own if arm.photographed else torch.cat([own, public[slots[:, arm.scheme.private :]]], dim=1)


def _judged(values: torch.Tensor, inside: torch.Tensor, order: torch.Tensor, size: int):
    """Candidates above each mixed image, leads, the margin with and those without them, and who wins."""
    own, outside = values[inside], torch.ones(len(values), dtype=torch.bool, device=values.device)
    outside[inside] = False
    others = values[order[outside[order]]]
    beside = others[: size - len(own)]
    top, tops = torch.cat([own.unique(), beside]).topk(2)[0], _galleries(others, size).topk(2, dim=1)[0]
    above, lead = (others[:, None] >= own).sum(0), own - others.mean()
    margins = float(top[0] - top[1]), (tops[:, 0] - tops[:, 1]).tolist()
    return above.tolist(), lead.tolist(), *margins, bool(own.max() > beside.max())


def _galleries(others: torch.Tensor, size: int) -> torch.Tensor:
    return others[: len(others) // size * size].view(-1, size)


@dataclass(frozen=True)
class Alarm:
    """What a winner's margin tells the adversary.

    Attributes:
        threshold: the margin that a share of the decoys exceeds, nats.
        false: share of the decoys of other encryptions that exceed it.
        raised: share of the scans with the mixed images that exceed it.
        right: share of these whose winner is mixed.
    """

    threshold: float
    false: float
    raised: float
    right: float


def alarm(found: Scanned, share: float = 0.05) -> Alarm:
    """Thresholds from the decoys of one half of the encryptions, judged on the other, and the other way round."""
    halves = np.arange(len(found.margin)) % 2 == 0
    thresholds = [float(np.quantile(found.decoys[half], 1 - share)) for half in (halves, ~halves)]
    limit = np.where(halves, thresholds[1], thresholds[0])
    raised = found.margin > limit
    right = float(found.right[raised].mean()) if raised.any() else float("nan")
    return Alarm(float(np.mean(thresholds)), float((found.decoys > limit[:, None]).mean()), float(raised.mean()), right)


def first(found: Scanned, size: int) -> Float[np.ndarray, "E k"]:
    """Chance (E, k) that a mixed image is ranked first in a gallery of `size`, the others in it drawn at random.

    It can be first only if it scores highest of those that are mixed. With r of the n others above it, none of these is
    among the d = size - k drawn with chance C(n - r, d) / C(n, d), the product of 1 - d / (n - i) over i < r.

    Raises:
        ValueError: if the gallery cannot hold the mixed images, or needs more others than there are.
    """
    mixed, drawn, best = found.above.shape[1], size - found.above.shape[1], found.lead.argmax(1)
    if not 0 <= drawn <= found.others:
        raise ValueError(f"A gallery holds {mixed} mixed images and up to {found.others} others; got {size}.")
    rows = np.arange(len(best))
    ranks = np.minimum(found.above[rows, best], found.others - drawn + 1)
    factors = 1 - drawn / (found.others - np.arange(ranks.max()))
    products = np.cumprod(np.concatenate([[1.0], np.clip(factors, 0, 1)]))
    chances = np.zeros(found.above.shape)
    chances[rows, best] = products[ranks]
    return chances


def shares_first(found: Scanned, sizes: Sequence[int], slots: int | None = None) -> Float[np.ndarray, " sizes"]:
    """Share of encryptions (sizes,) whose first candidate is among the first `slots` mixed images, by default any."""
    return np.array([first(found, size)[:, :slots].sum(1).mean() for size in sizes])


def first_by_coefficient(found: Scanned, size: int, edges: Float[np.ndarray, " edges"]) -> Float[np.ndarray, " bins"]:
    """Share (bins,) of mixed images that rank first among `size`, by their coefficients; nan where there are none."""
    chances, bins = first(found, size), np.digitize(found.coefficients, edges) - 1
    here = [chances[bins == number] for number in range(len(edges) - 1)]
    return np.array([values.mean() if len(values) else np.nan for values in here])


def seconds(
    images: Float[Tensor, "M height width"], known: Float[Tensor, "m height width"], sizes: Sequence[int],
    rt: Runtime, seed: int,
) -> tuple[Float[np.ndarray, " sizes"], float]:  # fmt: skip
    """Processor time of looking up one encryption in galleries of several sizes, and of its table; best of five."""
    rest, places = scan.rest_of(known), scan.places(scan.gray_levels(images))
    encryption = rt.uniform(rng.generator(seed, "gallery time"), *images.shape[1:])
    made = [_timed(lambda: scan.table(encryption, rest)) for _ in range(5)]
    values = scan.table(encryption, rest)
    took = [[_timed(lambda part=places[:size]: scan.looked_up(part, values)) for _ in range(5)] for size in sizes]
    return np.array(took).min(1), min(made)


def _timed(action: Callable[[], object]) -> float:
    begin = time.process_time()
    action()
    return time.process_time() - begin


def parts(config: Galleries) -> dict[str, tuple[str]]:
    """One part for each arm."""
    return {name: (name,) for name in config.arms}


def run_arm(config: Galleries, name: str) -> Arrays:
    """All scans of one arm.

    Returns:
        "coefficients", "lead" (E, 16) float32, "above" (E, 16) int32, "margin", "decoys", "right" as in `Scanned`,
        filled up by nan and -1 where a mixture has fewer candidates; "others" (); "seconds" (sizes + 1,) of
        galleries of `SIZES`, or of all candidates if they are fewer, and of a table.
    """
    rt = runtime.resolve("cpu", torch.float32)
    pixels = 2 * datasets.fashion_mnist("train", full=True, rt=rt).pixels - 1
    images, known = pixels[: config.candidates], pixels[-config.known :]
    counts = config.encryptions, config.size, config.public
    found = scanned(ARMS[name], images, known, *counts, rt, config.seed, name)
    took, made = seconds(images, known, SIZES, rt, config.seed)
    return {
        "coefficients": _filled(found.coefficients.astype(np.float32), np.nan),
        "lead": _filled(found.lead.astype(np.float32), np.nan),
        "above": _filled(found.above.astype(np.int32), -1),
        "margin": found.margin.astype(np.float32),
        "decoys": found.decoys.astype(np.float32),
        "right": found.right,
        "others": np.array(found.others),
        "seconds": np.append(took, made),
    }


def _filled(values: np.ndarray, empty: float) -> np.ndarray:
    wide = np.full((len(values), WIDEST), empty, dtype=values.dtype)
    wide[:, : values.shape[1]] = values
    return wide


def of_arm(found: Stored[Galleries], name: str) -> Scanned:
    """What was stored of one arm."""
    place = found.config.arms.index(name)
    count = int((found["above"][place, 0] >= 0).sum())
    wide = [found[entry][place][:, :count] for entry in ("coefficients", "above", "lead")]
    rest = [found[entry][place] for entry in ("margin", "decoys", "right")]
    return Scanned(*wide, *rest, int(found["others"][place]))


GALLERY = StoredExperiment("instahide-gallery", "instahide", Galleries(), parts, run_arm)
HARDER = StoredExperiment(
    name="instahide-gallery-harder",
    chapter="instahide",
    config=Galleries(arms=tuple(ARMS)[4:], encryptions=120, candidates=10_000),
    parts=parts,
    run=run_arm,
)
"""Attempts to protect the encryption: fewer pixels, smaller images, more images in a mixture, no large coefficient."""
