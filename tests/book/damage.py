"""Damaged copies of a file's bytes: cut short, or with single bits flipped at places drawn from a seed."""

from collections.abc import Callable, Iterator

import numpy as np


def copies(content: bytes, *, flips: int, cuts: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """What was done, and the damaged bytes; every copy differs from the content."""
    draws = np.random.default_rng(seed)
    for length in draws.integers(0, len(content), cuts):
        yield f"cut to {length} of {len(content)} bytes (seed {seed})", content[:length]
    for bit in draws.integers(0, 8 * len(content), flips):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << (bit % 8)
        yield f"bit {bit % 8} of byte {bit // 8} flipped (seed {seed})", bytes(damaged)


def harm(read: Callable[[bytes], object], content: bytes, same: Callable[[object], bool], **options) -> list[str]:
    """Copies that were read as something else without a word, or stopped with more than one clear sentence."""
    found = []
    for what, damaged in copies(content, **options):
        try:
            if not same(read(damaged)):
                found.append(f"{what}: read as something else")
        except ValueError as error:
            # One sentence that says what to do, and no chain of errors below it to puzzle over.
            clear = type(error) is ValueError and "\n" not in str(error) and ("; " in str(error) or ":" in str(error))
            if not clear:
                found.append(f"{what}: {type(error).__name__}: {error}")
        except Exception as error:
            found.append(f"{what}: {type(error).__name__}: {error}")
    return found
