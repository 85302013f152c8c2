"""Receptive fields, and what the surrogate must be where it can be written down."""

from collections.abc import Sequence

import numpy as np
from scipy.special import gammaln


def receptive_field(layers: Sequence[tuple[int, int]]) -> int:
    """Pixels along one axis that a unit of the last layer depends on, 1 + sum_l (k_l - 1) prod_{m<l} s_m.

    Args:
        layers: (kernel, stride) of each layer from the input on (luo2016understanding, section 1).

    Raises:
        ValueError: if a kernel or stride is not positive.
    """
    field, jump = 1, 1
    for kernel, stride in layers:
        if kernel < 1 or stride < 1:
            raise ValueError(f"Kernels and strides must be positive; got kernel {kernel} and stride {stride}.")
        field += (kernel - 1) * jump
        jump *= stride
    return field


def largest_gap(field: int) -> int:
    """Largest gap between two patches, in pixels, at which one unit sees a pixel of both: field - 2 (elementary)."""
    return field - 2


def isotropic_similarity(rank: int) -> float:
    """Expected surrogate of f(x, y) = x . U y with Gaussian y and U of `rank` equal singular values (own derivation).

    The gradient by x is U y, in direction uniform on a sphere of that dimension, so that the surrogate is the mean
    absolute cosine of two independent directions, Gamma(r/2) / (pi^(1/2) Gamma((r+1)/2)): 1 for r = 1 and about
    (2 / (pi r))^(1/2) for large r.

    Raises:
        ValueError: if the rank is not positive.
    """
    if rank < 1:
        raise ValueError(f"`rank` must be a positive number; got {rank}.")
    return float(np.exp(gammaln(rank / 2) - gammaln((rank + 1) / 2)) / np.sqrt(np.pi))


ADDITIVE_CEILING = 0.75
"""Largest accuracy that the sign of a(x) + b(x') can have on "are x and x' of one class?".

With a fair label and equally frequent classes, whatever their number. For two classes i, j the outputs at (i, i) and
(j, j) add up to those at (i, j) and (j, i); so if the first two are positive, one of the others is, and at least one of
four is wrong. Equality: number the classes and let a = class + 1/2, b = -class, which calls every same pair "same" and
half of the others. The logistic loss of additive functions, however, is least at a + b = 0, since neither image alone
tells the label; so a network that sees no two images at once has no reason to find the ceiling.
"""
