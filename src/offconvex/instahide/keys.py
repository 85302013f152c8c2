"""Where the one-time keys of an encryption come from: the operating system, a seeded stream, or the released calls."""

import secrets
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from offconvex import rng


class Keys(Protocol):
    """A source of one-time keys."""

    def normal(self, rows: int, columns: int) -> Float[np.ndarray, "{rows} {columns}"]:
        """Standard normal draws (rows, columns), float64."""

    def permutation(self, size: int) -> Int[np.ndarray, " {size}"]:
        """Random permutation of 0..size-1, int64."""

    def bits(self, count: int) -> UInt8[np.ndarray, " {count}"]:
        """Fair coins (count,), uint8."""


class SystemKeys:
    """Keys from the operating system's generator: the default, and the only source made for hiding anything.

    There is no seed to search. Bytes come from `secrets.token_bytes`; normals by Box and Muller's transform of 53-bit
    uniforms, permutations by sorting 64-bit words.
    """

    def normal(self, rows: int, columns: int) -> Float[np.ndarray, "{rows} {columns}"]:
        """Standard normal draws (rows, columns), float64."""
        count = rows * columns
        # Both halves of each pair are used; 1 - u lies in (0, 1], where the logarithm is finite.
        uniform = (self._words(2 * ((count + 1) // 2)) >> np.uint64(11)) * 2.0**-53
        radius, angle = np.sqrt(-2 * np.log1p(-uniform[0::2])), 2 * np.pi * uniform[1::2]
        return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count].reshape(rows, columns)

    def permutation(self, size: int) -> Int[np.ndarray, " {size}"]:
        """Random permutation of 0..size-1, int64."""
        return self._words(size).argsort(kind="stable")

    def bits(self, count: int) -> UInt8[np.ndarray, " {count}"]:
        """Fair coins (count,), uint8."""
        return np.unpackbits(np.frombuffer(secrets.token_bytes((count + 7) // 8), dtype=np.uint8), count=count)

    @staticmethod
    def _words(count: int) -> np.ndarray:
        return np.frombuffer(secrets.token_bytes(8 * count), dtype=np.uint64)


class SeededKeysForExperiments:
    """Keys from a named stream of the book, so that an experiment can be run again: they hide nothing.

    Args:
        seed: of the experiment.
        stream: name of the use.
    """

    def __init__(self, seed: int, *stream: str | int):
        self._draws = rng.numpy_generator(seed, "instahide keys", *stream)

    def normal(self, rows: int, columns: int) -> Float[np.ndarray, "{rows} {columns}"]:
        """Standard normal draws (rows, columns), float64."""
        return self._draws.standard_normal((rows, columns))

    def permutation(self, size: int) -> Int[np.ndarray, " {size}"]:
        """Random permutation of 0..size-1, int64."""
        return self._draws.permutation(size)

    def bits(self, count: int) -> UInt8[np.ndarray, " {count}"]:
        """Fair coins (count,), uint8."""
        packed = np.frombuffer(self._draws.bytes((count + 7) // 8), dtype=np.uint8)
        return np.unpackbits(packed, count=count)


class BreakableReleasedKeys:
    """Keys by the generator calls of the scheme's released code, both generators with one 32-bit seed: they are broken.

    Coefficients come from NumPy's legacy `normal`, permutations and masks from torch's `randperm` and `randint`
    (huang2020instahide, released training script). That one seed starts both generators is our assumption; each alone
    has no more than 2^32 seeds either.

    Args:
        seed: 32-bit seed.

    Raises:
        ValueError: for another seed, since the legacy generator takes no other.
    """

    def __init__(self, seed: int):
        if not 0 <= seed < 2**32:
            raise ValueError(f"The seed of the released generators must be in 0..2^32-1; got {seed}.")
        self._numpy = np.random.RandomState(seed)
        self._torch = torch.Generator(device="cpu").manual_seed(seed)

    def normal(self, rows: int, columns: int) -> Float[np.ndarray, "{rows} {columns}"]:
        """Standard normal draws (rows, columns), float64."""
        return self._numpy.normal(0.0, 1.0, (rows, columns))

    def permutation(self, size: int) -> Int[np.ndarray, " {size}"]:
        """Random permutation of 0..size-1, int64."""
        return torch.randperm(size, generator=self._torch, device="cpu").numpy()

    def bits(self, count: int) -> UInt8[np.ndarray, " {count}"]:
        """Fair coins (count,), uint8."""
        return torch.randint(2, (count,), generator=self._torch, device="cpu").numpy().astype(np.uint8)
