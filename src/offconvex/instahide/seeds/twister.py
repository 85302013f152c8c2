"""The legacy normals of NumPy for many seeds at once, held against the labels of a release.

Neighboring seeds lie in the lanes of a processor's vector, and every step of the generator is taken for all of them. Of
the 624 words of state only those are made that the first rows of coefficients need: output j takes the words j, j + 1
and j + 397, and 152 outputs, 38 tries at a pair of normals, nearly always hold the 18 pairs of six rows of six.

Compiled by Numba, which is optional: the module can be imported without it. A step goes over a row of lanes, which
becomes vector instructions, logarithms included; only the look into the map of sums is taken lane by lane.
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
        return function  # nobody will call it

    _inlined = _compiled
else:
    import numba

    # A division that asks for zero would not become a vector instruction.
    _compiled = numba.njit(error_model="numpy")
    # Inside the function that makes the arrays it is known that they do not overlap.
    _inlined = numba.njit(error_model="numpy", inline="always")

LANES = 256  # seeds side by side; their words of state fill half a megabyte of cache
SLICE = 2**16  # seeds whose near rows are counted together
CELLS = 2**20  # of the bit map of sums
MOST = 4096  # hits in a slice that are kept; by accident there is one in ten slices

WORD = np.uint32
STATE, MIDDLE = 624, 397
FACTOR, UPPER, LOWER, MATRIX = WORD(1812433253), WORD(0x80000000), WORD(0x7FFFFFFF), WORD(0x9908B0DF)
FIRST_MASK, SECOND_MASK = WORD(0x9D2C5680), WORD(0xEFC60000)
LOG_TWO = math.log(2)
ROOT_HALF = int(np.float64(math.sqrt(0.5)).view(np.int64))  # its bits


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
    for lane in range(row.shape[0]):
        row[lane] = (np.int32(high[lane] >> WORD(5)) * 67108864.0 + np.int32(low[lane] >> WORD(6))) * 2.0**-52 - 1.0


@_compiled
def _keep_step(x, y, pairs, square, one, two):
    # Points in the circle stay, one behind the other; without a jump, which the processor could not foresee.
    for lane in range(x.shape[0]):
        radius, place = x[lane] * x[lane] + y[lane] * y[lane], pairs[lane]
        square[place, lane], one[place, lane], two[place, lane] = radius, abs(y[lane]), abs(x[lane])
        pairs[lane] = place + ((radius < 1.0) & (radius > 0.0))


@_compiled
def _logarithm_step(row, scaled, logarithm):
    # log x = e log 2 + log m with m in [sqrt(1/2), sqrt(2)), and log m = 2 artanh z with z = (m - 1)/(m + 1). As z is
    # below 0.172, eleven terms are double precision. The library's logarithm is none for vectors.
    bits, rest = row.view(np.int64), scaled.view(np.int64)
    for lane in range(row.shape[0]):
        exponent = (bits[lane] - ROOT_HALF) >> 52
        rest[lane], logarithm[lane] = bits[lane] - (exponent << 52), exponent
    for lane in range(row.shape[0]):
        z = (scaled[lane] - 1.0) / (scaled[lane] + 1.0)
        w = z * z
        tail = (1 / 21) * w + 1 / 19
        tail = (((tail * w + 1 / 17) * w + 1 / 15) * w + 1 / 13) * w + 1 / 11
        tail = (((tail * w + 1 / 9) * w + 1 / 7) * w + 1 / 5) * w + 1 / 3
        logarithm[lane] = logarithm[lane] * LOG_TWO + 2 * (z + z * w * tail)


@_compiled
def _stretch_step(one, two, square, logarithm, whole):
    # Marsaglia's polar method; `whole` becomes the sum of a row.
    for lane in range(one.shape[0]):
        stretch = math.sqrt(-2.0 * logarithm[lane] / square[lane])
        one[lane] *= stretch
        two[lane] *= stretch
        whole[lane] += one[lane] + two[lane]


@_compiled
def _cell_step(one, two, whole, total, cell):
    for lane in range(one.shape[0]):
        total[lane] = (one[lane] + two[lane]) / whole[lane]
        cell[lane] = np.int32(total[lane] * CELLS)


@_inlined
def _draw(first, state, output, uniform, pairs, square, one, two):
    """Points in the circle for the seeds from `first`, and how many: what pairs of normals are made of."""
    for lane in range(LANES):
        state[0, lane] = WORD(first + lane)
    for i in range(1, state.shape[0]):
        _seed_step(state[i], state[i - 1], WORD(i))
    for j in range(output.shape[0]):
        _twist_step(state[j], state[(j + 1) % STATE], state[(j + MIDDLE) % STATE], output[j])
    pairs[:] = 0
    for t in range(output.shape[0] // 4):
        for i in range(2):
            _uniform_step(uniform[i], output[4 * t + 2 * i], output[4 * t + 2 * i + 1])
        _keep_step(uniform[0], uniform[1], pairs, square, one, two)


@_compiled
def _scan(first, count, skip, rows, half, tries, sums, largest, bits, tolerance, hits):
    """Near rows and hits of `count` seeds from `first`; `skip`, and `half` of a row, are pairs of normals."""
    state = np.empty((min(STATE, 4 * tries + MIDDLE), LANES), np.uint32)
    output = np.empty((4 * tries, LANES), np.uint32)
    uniform, pairs = np.empty((2, LANES)), np.empty(LANES, np.int64)
    square, one, two = np.ones((tries + 1, LANES)), np.ones((tries + 1, LANES)), np.ones((tries + 1, LANES))
    scaled, logarithm, whole, total = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    cell = np.empty(LANES, np.int32)
    near = found = 0
    for begin in range(first, first + count, LANES):
        _draw(begin, state, output, uniform, pairs, square, one, two)
        for start in range(skip, skip + rows * half, half):
            whole[:] = 0.0
            for pair in range(start, start + half):
                _logarithm_step(square[pair], scaled, logarithm)
                _stretch_step(one[pair], two[pair], square[pair], logarithm, whole)
            _cell_step(one[start], two[start], whole, total, cell)
            for lane in range(LANES):
                if pairs[lane] < start + half or not (bits[cell[lane] >> 5] >> WORD(cell[lane] & 31)) & WORD(1):
                    continue
                label = np.searchsorted(sums, total[lane] - tolerance)
                while label < len(sums) and sums[label] < total[lane] + tolerance:
                    near += 1
                    larger = max(one[start, lane], two[start, lane]) / whole[lane]
                    if abs(largest[label] - larger) <= tolerance and found < len(hits):
                        hits[found] = begin + lane
                        found += 1
                    label += 1
    return near, found


@_compiled
def _first_normals(first, tries):
    state = np.empty((min(STATE, 4 * tries + MIDDLE), LANES), np.uint32)
    output = np.empty((4 * tries, LANES), np.uint32)
    uniform, pairs = np.empty((2, LANES)), np.empty(LANES, np.int64)
    square, one, two = np.ones((tries + 1, LANES)), np.ones((tries + 1, LANES)), np.ones((tries + 1, LANES))
    scaled, logarithm, whole = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    _draw(first, state, output, uniform, pairs, square, one, two)
    found = np.full((LANES, 2 * tries), np.nan)
    for pair in range(tries):
        _logarithm_step(square[pair], scaled, logarithm)
        _stretch_step(one[pair], two[pair], square[pair], logarithm, whole)
        for lane in range(LANES):
            if pair < pairs[lane]:
                found[lane, 2 * pair], found[lane, 2 * pair + 1] = one[pair, lane], two[pair, lane]
    return found
