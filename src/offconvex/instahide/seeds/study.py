"""The search through all seeds of 32 bits: a stored experiment that needs Numba, and what is searched again without."""

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8, UInt32

from offconvex import rng, runtime
from offconvex.files import Arrays
from offconvex.instahide import measure, prng
from offconvex.instahide.attack import Data, data_of
from offconvex.instahide.keys import BreakableReleasedKeys, Keys
from offconvex.instahide.scheme import Published, Scheme, cross, draw_coefficients, draw_key, release
from offconvex.instahide.seeds import theory, twister
from offconvex.instahide.theory import accepted_share
from offconvex.stored import Stored, StoredExperiment

RUNS = (twister.FIRST, twister.SECOND)
SHIFTED = twister.Rows(2, 6, 42)  # as if the generator had been asked for two normals before


@dataclass(frozen=True)
class SeedSpace:
    """Settings of the search.

    Attributes:
        seed: of the private images and of the true seeds.
        space: seeds there are.
        block: seeds of a part; a multiple of the engine's slice.
        system: seeds tried on keys of the operating system.
        size: private images n.
        epochs: released, T.
        images: in a mixture, k.
        drawn: seeds of which is counted how many have six useless first rows.
    """

    seed: int = 600
    space: int = 2**32
    block: int = 2**26
    system: int = 2**28
    size: int = 100
    epochs: int = 50
    images: int = 6
    drawn: int = 2**14

    @property
    def scheme(self) -> Scheme:
        """The scheme of the release."""
        return cross(self.images)


def true_seed(config: SeedSpace) -> int:
    """The seed of the release that is searched, in the upper half of the space."""
    draws = rng.numpy_generator(config.seed, "instahide", "true seed")
    return int(draws.integers(config.space // 2, config.space))


def owner(config: SeedSpace) -> Data:
    """The owner's images and the public ones, in single precision."""
    return data_of(config.size, runtime.resolve("cpu", torch.float32), config.seed)


def released(config: SeedSpace, data: Data, keys: Keys | None) -> Published:
    """A release of the owner's images, its keys by default from the operating system."""
    order = rng.generator(config.seed, "instahide", "search order")
    return release(data.private, data.labels, config.scheme, data.public, config.epochs, order, keys=keys)[0]


def is_useless(config: SeedSpace, data: Data, seed: int, rows: int = twister.FIRST.count) -> bool:
    """Whether no label shows any of the first rows: each is rejected, or mixes two images of a class."""
    key = draw_key(config.scheme, config.size, len(data.public), 1, BreakableReleasedKeys(seed))
    drawn = np.abs(BreakableReleasedKeys(seed).normal(rows, config.images))
    kept = (key.coefficients[:rows] == drawn / drawn.sum(1, keepdims=True)).all(1)
    classes = data.labels.cpu().numpy()[key.partners[:rows, :2]]
    return not (kept & (classes[:, 0] != classes[:, 1])).any()


def agreement(published: Published, hits: UInt32[np.ndarray, " hits"]) -> UInt8[np.ndarray, " hits"]:
    """How many of the first epoch's rows, by NumPy's own generator, have the sum of a label: all for the true seed."""
    totals = np.sort(published.labels.double().sum(1).cpu().numpy())

    def rows_met(seed: int) -> int:
        rows, _ = draw_coefficients(published.scheme, published.size, BreakableReleasedKeys(seed))
        total = rows[:, : published.scheme.private].sum(1)
        begin, end = (np.searchsorted(totals, total + sign * prng.TOLERANCE) for sign in (-1, 1))
        return int((begin < end).sum())

    return np.array([rows_met(seed) for seed in hits.tolist()], dtype=np.uint8)


@functools.cache
def needs_second(config: SeedSpace) -> bool:
    """Whether the first search will miss the true seed, which its owner can tell beforehand."""
    return is_useless(config, owner(config), true_seed(config))


def parts(config: SeedSpace) -> dict[str, tuple[str, int]]:
    """Every block of the space, once or twice, and the controls: what is searched, and the number of the block.

    If the first search meets no seed that agrees in all rows, the space is searched again, with ten other rows.
    """
    blocks = range(config.space // config.block)
    searches = ("first", "second") if needs_second(config) else ("first",)
    found = {f"{search}-{number:02d}": (search, number) for search in searches for number in blocks}
    system = {f"system-{number}": ("system", number) for number in range(config.system // config.block)}
    controls = {"shifted": true_seed(config), "useful": config.space // 2, "useless": config.space // 2}
    return found | system | {kind: (kind, where // config.block) for kind, where in controls.items()}


def run_block(config: SeedSpace, kind: str, number: int) -> Arrays:
    """One block.

    Args:
        config: settings.
        kind: "first" or "second" search for the true seed; "system", a release with fresh keys of the operating system;
            "shifted", normals by a wrong convention; "useful" and "useless", releases under the first seed of the upper
            half with a useful row among the first six, and without.
        number: of the block.

    Returns:
        "near" (slices,) how often rows are near labels in their sum; "hits" (m,) seeds that hit; "agreement" (m,) as
        `agreement`; "seconds" () of processor time for the search. For "useless" also "again" (), whether a second
        search finds that seed alone, and "share" (), of the seeds whose first six rows are useless.

    Raises:
        ValueError: if Numba is not installed.
    """
    twister.require_numba()
    data, seed, more = owner(config), true_seed(config), {}
    upper = range(config.space // 2, config.space)
    if kind == "useful":
        seed = next(each for each in upper if not is_useless(config, data, each))
    if kind == "useless":
        useless = [each for each in upper[: config.drawn] if is_useless(config, data, each)]
        seed, more = useless[0], {"share": np.array(len(useless) / config.drawn)}
    published = released(config, data, None if kind == "system" else BreakableReleasedKeys(seed))
    labels, block = twister.read(published), range(number * config.block, (number + 1) * config.block)
    rows = {"second": twister.SECOND, "shifted": SHIFTED}.get(kind, twister.FIRST)
    twister.search(labels, range(twister.SLICE), rows)  # compiles
    begin = time.process_time()
    met = twister.search(labels, block, rows)
    seconds = time.process_time() - begin
    if kind == "useless":
        second = twister.search(labels, block, twister.SECOND).hits
        more["again"] = np.array(second[agreement(published, second) == config.size].tolist() == [seed])
    judged = {"hits": met.hits, "agreement": agreement(published, met.hits)}
    return {"near": met.near, "seconds": np.array(seconds)} | judged | more


def assemble(config: SeedSpace, results: Mapping[tuple, Arrays]) -> Arrays:
    """The whole space, and how the controls ended.

    Returns:
        "near" (slices,) of the first search; of both, "hits" (m,), "agreement" (m,) and, of every block, "seconds", the
        first search's first; "counts" (2,) of their hits; of each control the hits and those that agree in all rows,
        "system" (2,), "shifted" (2,), "useful" (2,), "useless" (2,); "again" () and "share" () of "useless".
    """
    kinds = {kind: [part for (name, _), part in results.items() if name == kind] for kind, _ in results}
    searches = [kinds["first"], kinds.get("second", [])]
    blocks = sum(searches, [])
    controls = {
        kind: np.array([sum(map(len, judged)), sum((each == config.size).sum() for each in judged)])
        for kind in ("system", "shifted", "useful", "useless")
        for judged in [[part["agreement"] for part in kinds[kind]]]
    }
    return {
        "near": np.concatenate([part["near"] for part in kinds["first"]]),
        "hits": np.concatenate([part["hits"] for part in blocks]),
        "agreement": np.concatenate([part["agreement"] for part in blocks]),
        "seconds": np.stack([part["seconds"] for part in blocks]),
        "counts": np.array([sum(len(part["hits"]) for part in search) for search in searches]),
        **controls,
        **{name: kinds["useless"][0][name] for name in ("again", "share")},
    }


@dataclass(frozen=True)
class Again:
    """A stored search, looked at again by NumPy's own generator.

    Attributes:
        near: rows near a label in their sum, of the 2^16 seeds around the true one, minus the stored number.
        shifted: the same with a wrong convention of the normals.
        strange: stored hits that are none.
        known: least PSNR in dB of a picture opened with the one seed that is left; not a number unless one is.
        accidents: hits by accident that are expected of each search through the whole space, the second last.
        useless: share of seeds expected to have six useless first rows.
    """

    near: int
    shifted: int
    strange: int
    known: float
    accidents: tuple[float, ...]
    useless: float


def look_again(found: Stored[SeedSpace]) -> Again:
    """Search a slice of a stored search again, and its hits; open the pictures, and say what theory expects."""
    config, data = found.config, owner(found.config)
    published = released(config, data, BreakableReleasedKeys(true_seed(config)))
    labels, slice_number = twister.read(published), true_seed(config) // twister.SLICE
    seeds = range(slice_number * twister.SLICE, (slice_number + 1) * twister.SLICE)
    stored, searches = int(found["near"][slice_number]), list(zip(RUNS, np.split(found["hits"], found["counts"][:1])))
    near, shifted = (
        int(twister.search_by_numpy(labels, seeds, rows).near[0]) - stored for rows in (twister.FIRST, SHIFTED)
    )
    strange = sum(len(hits) - len(twister.search_by_numpy(labels, hits.tolist(), rows).hits) for rows, hits in searches)
    left, known = found["hits"][found["agreement"] == config.size].tolist(), np.nan
    if len(left) == 1:
        opened = prng.undo(published, prng.regenerate(published, left[0], len(data.public)))
        pictures = prng.solve(opened, data.public).view(data.private.shape)
        known = measure.psnr(pictures, data.private.double()).min().item()
    sides = labels.sums, labels.largest, config.images
    by_chance = tuple(
        config.space * theory.accidents(*sides, rows.count, prng.TOLERANCE) for rows, hits in searches if len(hits)
    )
    classes = data.labels.cpu().numpy()
    same = np.bincount(classes)[classes[: twister.FIRST.count]] / config.size
    accepted = accepted_share(config.images, config.scheme.upper, config.scheme.dominant)
    return Again(near, shifted, strange, known, by_chance, theory.useless_share(accepted, same))


SEEDS = StoredExperiment("instahide-seeds", "instahide", SeedSpace(), parts, run_block, assemble)
