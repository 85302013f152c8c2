"""The search through all seeds of 32 bits, block by block, with its controls; it needs Numba."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8, UInt32

from offconvex import rng, runtime
from offconvex.files import Arrays
from offconvex.instahide import prng
from offconvex.instahide.attack import Data, data_of
from offconvex.instahide.keys import BreakableReleasedKeys, Keys
from offconvex.instahide.scheme import Published, Scheme, cross, draw_coefficients, draw_key, release
from offconvex.instahide.seeds import twister

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


def parts(config: SeedSpace) -> dict[str, tuple[str, int]]:
    """Every block of the space, and the controls: what is searched, and the number of the block."""
    blocks = {f"seeds-{number:02d}": ("seeds", number) for number in range(config.space // config.block)}
    system = {f"system-{number}": ("system", number) for number in range(config.system // config.block)}
    return blocks | system | {"shifted": ("shifted", true_seed(config) // config.block), "useless": ("useless", -1)}


def run_block(config: SeedSpace, kind: str, number: int) -> Arrays:
    """One block.

    Args:
        config: settings.
        kind: "seeds", the search; "system", a release with fresh keys of the operating system; "shifted", normals by a
            wrong convention; "useless", a release whose seed has six useless first rows, searched for twice.
        number: of the block; of "useless" it is found here.

    Returns:
        "near" (slices,) how often rows are near labels in their sum; "hits" (m,) seeds that hit; "agreement" (m,) as
        `agreement`; "seconds" () of processor time for the search. For "useless" also "again" (), whether a second
        search with ten other rows finds that seed alone, and "share" (), of the seeds whose first six rows are useless.

    Raises:
        ValueError: if Numba is not installed.
    """
    twister.require_numba()
    data, seed, more = owner(config), true_seed(config), {}
    if kind == "useless":
        tried = range(config.space // 2, config.space // 2 + config.drawn)
        useless = [each for each in tried if is_useless(config, data, each)]
        seed, number = useless[0], useless[0] // config.block
    published = released(config, data, None if kind == "system" else BreakableReleasedKeys(seed))
    labels, block = twister.read(published), range(number * config.block, (number + 1) * config.block)
    rows = SHIFTED if kind == "shifted" else twister.FIRST
    twister.search(labels, range(twister.SLICE), rows)  # compiles
    begin = time.process_time()
    met = twister.search(labels, block, rows)
    seconds = time.process_time() - begin
    if kind == "useless":
        second = twister.search(labels, block, twister.SECOND).hits
        found = second[agreement(published, second) == config.size].tolist()
        more = {"again": np.array(found == [seed]), "share": np.array(len(useless) / config.drawn)}
    judged = {"hits": met.hits, "agreement": agreement(published, met.hits)}
    return {"near": met.near, "seconds": np.array(seconds)} | judged | more


def assemble(config: SeedSpace, results: Mapping[tuple, Arrays]) -> Arrays:
    """The whole space, and how the controls ended.

    If the first search met no seed that agrees in all rows, as happens once in seventy releases, the hits of the second
    one are put in the place of its hits.

    Returns:
        "near" (slices,), "hits" (m,), "agreement" (m,) and "seconds" (blocks,) of the search; of each control the hits
        and those that agree in all rows, "system" (2,), "shifted" (2,), "useless" (2,); "again" () and "share" ().
    """
    kinds = {kind: [part for (name, _), part in results.items() if name == kind] for kind, _ in results}
    whole = {name: np.concatenate([part[name] for part in kinds["seeds"]]) for name in ("near", "hits", "agreement")}
    if config.size not in whole["agreement"]:
        published = released(config, owner(config), BreakableReleasedKeys(true_seed(config)))
        hits = twister.search(twister.read(published), range(config.space), twister.SECOND).hits
        whole |= {"hits": hits, "agreement": agreement(published, hits)}
    controls = {
        kind: np.array([sum(map(len, judged)), sum((each == config.size).sum() for each in judged)])
        for kind in ("system", "shifted", "useless")
        for judged in [[part["agreement"] for part in kinds[kind]]]
    }
    (useless,) = kinds["useless"]
    seconds = np.stack([part["seconds"] for part in kinds["seeds"]])
    return whole | {"seconds": seconds} | controls | {name: useless[name] for name in ("again", "share")}
