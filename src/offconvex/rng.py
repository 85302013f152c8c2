"""One random stream per use, derived from a seed and a name."""

import hashlib

import numpy as np
import torch

from offconvex import configs


def stream_seed(seed: int, *stream: str | int) -> int:
    """64-bit seed of the stream `stream` under `seed`.

    The seed is the head of a SHA-256 hash over both, so that streams are independent and a new
    stream moves none of the old ones.

    Raises:
        ValueError: if `seed` is not a non-negative integer, or the stream has no name, because two
            unnamed uses would silently share their draws.
    """
    seed = configs.whole(seed, "seed")
    if not stream:
        raise ValueError("A random stream needs a name, e.g. generator(seed, 'target'); got none.")
    text = "\x1f".join(str(part) for part in (seed, *stream))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def generator(seed: int, *stream: str | int) -> torch.Generator:
    """CPU torch generator of one named stream.

    It lives on the CPU whatever the device of the run, so that a seed means the same data everywhere;
    draw with `Runtime.normal` and its like, which move the draws to the run's device.
    """
    return torch.Generator(device="cpu").manual_seed(stream_seed(seed, *stream) & (2**63 - 1))


def numpy_generator(seed: int, *stream: str | int) -> np.random.Generator:
    """NumPy twin of `generator`: an independent stream with the same naming."""
    return np.random.default_rng(stream_seed(seed, *stream))
