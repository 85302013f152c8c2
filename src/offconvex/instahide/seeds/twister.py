"""The legacy normals of NumPy for many seeds at once, held against the labels of a release.

Neighboring seeds lie in the lanes of a processor's vector, and every step of the generator is taken for all of them. Of
the 624 words of state only those are made that the first rows of coefficients need: output j takes the words j, j + 1
and j + 397, and 152 outputs, 38 tries at a pair of normals, nearly always hold the 18 pairs of six rows of six.

Compiled by Numba, which is optional: the module can be imported without it.
"""

import importlib.util
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt32

from offconvex.instahide.prng import TOLERANCE
from offconvex.instahide.scheme import Published

if importlib.util.find_spec("numba") is None:

    def _compiled(function):
        """The function as it is: nobody will call it."""
        return function
else:
    from numba import njit as _compiled

LANES = 256  # seeds side by side; their words of state fill half a megabyte of cache
PAD = 8  # numbers between rows, without which a column would be a few lines of the cache that push each other out
SLICE = 2**16  # seeds whose near rows are counted together
CELLS = 2**20  # of the bit map of sums
MOST = 4096  # hits in a slice that are kept; by accident there is one in ten slices

WORD = np.uint32
STATE, MIDDLE = 624, 397
FACTOR, UPPER, LOWER, MATRIX = WORD(1812433253), WORD(0x80000000), WORD(0x7FFFFFFF), WORD(0x9908B0DF)
FIRST_MASK, SECOND_MASK = WORD(0x9D2C5680), WORD(0xEFC60000)


@dataclass(frozen=True)
class Rows:
    """Which rows of coefficients are tried.

    Attributes:
        skip: normals before the first row, an even number.
        count: rows.
        tries: at pairs of normals; a seed that needs more keeps the rows that it has.
    """

    skip: int
    count: int
    tries: int


FIRST = Rows(0, 6, 38)  # fewer than 18 of 38 tries succeed for five seeds in a million
SECOND = Rows(36, 10, 80)  # the rows seven to sixteen, for a seed whose first six are useless


@dataclass(frozen=True)
class Labels:
    """The mixed labels of a release that show two coefficients, sorted by their sum.

    Attributes:
        sums: (N,) sums of both coefficients.
        largest: (N,) the larger of both.
        map: (CELLS / 32,) one bit for each cell of [0, 1) that is within the tolerance of a sum.
        images: coefficients k in a row, an even number.
    """

    sums: Float[np.ndarray, " N"]
    largest: Float[np.ndarray, " N"]
    map: UInt32[np.ndarray, " cells"]
    images: int


@dataclass(frozen=True)
class Found:
    """What a search met.

    Attributes:
        near: for each slice of seeds, how many times a row and a label have nearly the same sum.
        hits: seeds of which a row has nearly the same sum and largest coefficient as a label, sorted.
    """

    near: UInt32[np.ndarray, " slices"]
    hits: UInt32[np.ndarray, " hits"]


def read(published: Published) -> Labels:
    """The labels of a release, ready to be searched in.

    Raises:
        ValueError: if a mixture has an odd number of images, so that rows share a pair of normals.
    """
    if published.scheme.images % 2:
        raise ValueError(f"Expected an even number of images in a mixture; got {published.scheme.images}.")
    top = published.labels.double().topk(2, dim=1)[0].cpu().numpy()
    top = top[top[:, 1] > 0]  # a label of one class shows a sum only
    top = top[np.argsort(top.sum(1), kind="stable")]
    sums = top.sum(1)
    # Steps of half the tolerance, half a cell, pass over no cell.
    cells = ((sums[:, None] + TOLERANCE * np.linspace(-1, 1, 5)) * CELLS).astype(np.int64)
    bits = np.zeros(CELLS, dtype=np.uint8)
    bits[cells[(cells >= 0) & (cells < CELLS)]] = 1
    packed = np.packbits(bits, bitorder="little").view(np.dtype("<u4")).astype(WORD)
    return Labels(sums, top[:, 0].copy(), packed, published.scheme.images)


def search(labels: Labels, seeds: range, rows: Rows = FIRST) -> Found:
    """Hits among neighboring seeds, by the compiled engine.

    Args:
        labels: of the release.
        seeds: whole slices, below 2^32.
        rows: of coefficients that are tried.

    Raises:
        ValueError: if Numba is not installed, or the seeds are no whole slices below 2^32.
    """
    require_numba()
    if seeds.step != 1 or len(seeds) % SLICE or not 0 <= seeds.start <= seeds.stop <= 2**32:
        raise ValueError(f"Expected seeds below 2^32, a whole number of slices of {SLICE}; got {seeds}.")
    shape = rows.skip // 2, rows.count, labels.images // 2, rows.tries
    near, hits = [], []
    for begin in range(seeds.start, seeds.stop, SLICE):
        kept = np.empty(MOST, dtype=WORD)
        close, found = _scan(begin, SLICE, *shape, labels.sums, labels.largest, labels.map, TOLERANCE, kept)
        near.append(close)
        hits.append(np.unique(kept[:found]))  # the true seed hits with several rows
    return Found(np.array(near, dtype=WORD), np.concatenate([*hits, np.empty(0, dtype=WORD)]))


def search_by_numpy(labels: Labels, seeds: Iterable[int], rows: Rows = FIRST) -> Found:
    """The same for any seeds, as one slice, by the generator itself: slow, and without Numba."""
    tried = np.array(list(seeds), dtype=WORD)
    first, k = rows.skip, labels.images
    generator, drawn = np.random.RandomState(0), np.empty((len(tried), first + rows.count * k))
    for place, seed in enumerate(tried):
        generator.seed(seed)
        drawn[place] = generator.normal(0.0, 1.0, drawn.shape[1])
    size = np.abs(drawn[:, first:]).reshape(-1, k)
    pair = size[:, :2] / size.sum(1, keepdims=True)
    total, owner = pair.sum(1), np.repeat(np.arange(len(tried)), rows.count)
    begin, end = (np.searchsorted(labels.sums, total + sign * TOLERANCE) for sign in (-1, 1))
    # One entry for every row and label that are near in their sum.
    row = np.repeat(np.arange(len(total)), end - begin)
    label = np.arange(len(row)) - np.repeat(np.cumsum(end - begin) - (end - begin), end - begin) + begin[row]
    hit = np.abs(labels.largest[label] - pair.max(1)[row]) <= TOLERANCE
    return Found(np.array([len(row)], dtype=WORD), np.unique(tried[owner[row[hit]]]))


def first_normals(first: int, rows: Rows = FIRST) -> Float[np.ndarray, "lanes normals"]:
    """Absolute normals of LANES neighboring seeds from `first`, by the engine: what a test compares with NumPy's.

    Raises:
        ValueError: if Numba is not installed.
    """
    require_numba()
    return _first_normals(first, rows.tries)


def require_numba() -> None:
    """Say how to get Numba if it is absent.

    Raises:
        ValueError: if it is.
    """
    if importlib.util.find_spec("numba") is None:
        raise ValueError("The search through all seeds needs Numba, which is not installed: pip install numba==0.68.1.")


# --- compiled: loops over lanes become vector instructions -----------------------------------------------------------
# Numba computes with 64 bits unless every result is cut to a word; wider words would halve the lanes.


@_compiled
def _seed_step(row, before, number):
    for lane in range(row.shape[0]):
        word = before[lane]
        row[lane] = WORD(WORD(FACTOR * WORD(word ^ WORD(word >> WORD(30)))) + number)


@_compiled
def _twist_step(row, after, far, output):
    for lane in range(row.shape[0]):
        joined = WORD(WORD(row[lane] & UPPER) | WORD(after[lane] & LOWER))
        odd = WORD(WORD(0) - WORD(joined & WORD(1)))  # all bits or none
        word = WORD(WORD(far[lane] ^ WORD(joined >> WORD(1))) ^ WORD(odd & MATRIX))
        row[lane] = word
        word = WORD(word ^ WORD(word >> WORD(11)))
        word = WORD(word ^ WORD(WORD(word << WORD(7)) & FIRST_MASK))
        word = WORD(word ^ WORD(WORD(word << WORD(15)) & SECOND_MASK))
        output[lane] = WORD(word ^ WORD(word >> WORD(18)))


@_compiled
def _uniform_step(row, high, low):
    # 53 bits, twice the uniform number minus one: exact, as in NumPy.
    for lane in range(high.shape[0]):
        row[lane] = (np.int32(high[lane] >> WORD(5)) * 67108864.0 + np.int32(low[lane] >> WORD(6))) * 2.0**-52 - 1.0


@_compiled
def _draw(first, state, output, uniform):
    """Uniform numbers in [-1, 1) of the seeds from `first`, one row of `uniform` for each."""
    for lane in range(state.shape[1]):
        state[0, lane] = WORD(first + lane)
    for i in range(1, state.shape[0]):
        _seed_step(state[i], state[i - 1], WORD(i))
    for j in range(output.shape[0]):
        _twist_step(state[j], state[(j + 1) % STATE], state[(j + MIDDLE) % STATE], output[j])
    for t in range(uniform.shape[0]):
        _uniform_step(uniform[t], output[2 * t], output[2 * t + 1])


@_compiled
def _polar(lane, uniform, begin, end, place, square, size):
    """Absolute normals number 2 begin to 2 end of one lane into `size`; return how many pairs there are at most.

    Of the points in the square those in the circle are kept, and each gives two normals, the second coordinate's first.
    """
    pairs = 0
    for t in range(uniform.shape[0] // 2):
        x, y = uniform[2 * t, lane], uniform[2 * t + 1, lane]
        place[pairs], square[pairs] = t, x * x + y * y
        pairs += (square[pairs] < 1.0) & (square[pairs] > 0.0)  # without a jump, which could not be foreseen
    for pair in range(begin, min(end, pairs)):
        stretch = math.sqrt(-2.0 * math.log(square[pair]) / square[pair])
        size[2 * (pair - begin)] = stretch * abs(uniform[2 * place[pair] + 1, lane])
        size[2 * (pair - begin) + 1] = stretch * abs(uniform[2 * place[pair], lane])
    return min(end, pairs)


@_compiled
def _buffers(tries):
    return (
        np.empty((min(STATE, 4 * tries + MIDDLE), LANES), np.uint32),
        np.empty((4 * tries, LANES), np.uint32),
        np.empty((2 * tries, LANES + PAD)),
        np.empty(tries + 1, np.int64),
        np.empty(tries + 1),
        np.empty(2 * tries),
    )


@_compiled
def _scan(first, count, skip, rows, half, tries, sums, largest, bits, tolerance, hits):
    """Near rows and hits of `count` seeds from `first`; `skip`, and `half` of a row, are pairs of normals."""
    state, output, uniform, place, square, size = _buffers(tries)
    near = found = 0
    for begin in range(first, first + count, LANES):
        _draw(begin, state, output, uniform)
        for lane in range(LANES):
            pairs = _polar(lane, uniform, skip, skip + rows * half, place, square, size)
            for row in range((pairs - skip) // half):
                start, whole = 2 * half * row, 0.0
                for i in range(start, start + 2 * half):
                    whole += size[i]
                one, two = size[start] / whole, size[start + 1] / whole
                total = one + two
                cell = min(np.int64(total * CELLS), CELLS - 1)
                if (bits[cell >> 5] >> np.uint32(cell & 31)) & 1 == 0:
                    continue
                label = np.searchsorted(sums, total - tolerance)
                while label < len(sums) and sums[label] < total + tolerance:
                    near += 1
                    if abs(largest[label] - max(one, two)) <= tolerance and found < len(hits):
                        hits[found] = begin + lane
                        found += 1
                    label += 1
    return near, found


@_compiled
def _first_normals(first, tries):
    state, output, uniform, place, square, size = _buffers(tries)
    _draw(first, state, output, uniform)
    found = np.full((LANES, 2 * tries), np.nan)
    for lane in range(LANES):
        pairs = _polar(lane, uniform, 0, tries, place, square, size)
        found[lane, : 2 * pairs] = size[: 2 * pairs]
    return found
