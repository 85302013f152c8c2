"""Many vectors of 0 and 1 as machine words: drawn, compared and summed 64 coordinates at a time.

NumPy on the CPU, since torch counts no bits.
"""

import numpy as np
from jaxtyping import Int, Int32, Shaped, UInt8, UInt64

WORD = np.dtype("<u8")  # little-endian everywhere, so that unpacking has one order


def words(size: int) -> int:
    """Words that hold `size` bits."""
    return -(-size // 64)


def random(draws: np.random.Generator, *shape: int, size: int) -> UInt64[np.ndarray, "... {-(-size//64)}"]:
    """Fair coin flips; bits beyond `size` are zero."""
    drawn = draws.integers(0, 2**64, size=(*shape, words(size)), dtype=np.uint64).astype(WORD, copy=False)
    if size % 64:
        drawn[..., -1] &= WORD.type((1 << size % 64) - 1)
    return drawn


def pack(flags: Shaped[np.ndarray, "*lead size"]) -> UInt64[np.ndarray, "*lead -(-size//64)"]:
    """Bools as words."""
    flags = np.asarray(flags, dtype=bool)
    padded = np.zeros((*flags.shape[:-1], 64 * words(flags.shape[-1])), dtype=bool)
    padded[..., : flags.shape[-1]] = flags
    return np.packbits(padded, axis=-1, bitorder="little").view(WORD)


def unpack(packed: UInt64[np.ndarray, "*lead words"], size: int) -> UInt8[np.ndarray, "*lead {size}"]:
    """Inverse of `pack`: 0 or 1."""
    return np.unpackbits(np.ascontiguousarray(packed).view(np.uint8), axis=-1, bitorder="little", count=size)


def ones(packed: UInt64[np.ndarray, "*lead words"]) -> Int[np.ndarray, "*lead"] | np.integer:
    """Number of ones."""
    return np.bitwise_count(packed).sum(-1, dtype=np.int64)


def column_sums(packed: UInt64[np.ndarray, "*lead k words"], size: int) -> Int32[np.ndarray, "*lead {size}"]:
    """Sums over the next-to-last axis, coordinate by coordinate.

    Full adders on whole words: three vectors of one weight become a sum of that weight and a carry of twice the weight,
    until at most two of each weight are left. That is about K adders of five operations on 64 coordinates each.
    """
    total = np.zeros((*packed.shape[:-2], size), dtype=np.int32)
    level, weight = packed, 1
    while level.shape[-2]:
        carries = []
        while level.shape[-2] > 2:
            third = level.shape[-2] // 3
            a, b, c = (level[..., i * third : (i + 1) * third, :] for i in range(3))
            odd = a ^ b
            carries.append((a & b) | (c & odd))
            level = np.concatenate([odd ^ c, level[..., 3 * third :, :]], axis=-2)
        for row in range(level.shape[-2]):
            total += weight * unpack(level[..., row, :], size).astype(np.int32)
        level = np.concatenate(carries, axis=-2) if carries else level[..., :0, :]
        weight *= 2
    return total
