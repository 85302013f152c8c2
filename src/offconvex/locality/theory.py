"""Receptive fields, and what the surrogate must be where it can be written down."""

from collections.abc import Sequence

import numpy as np


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
    """Largest gap between two patches, in pixels, at which one unit sees a pixel of both: field - 2."""
    return field - 2


def effective_field(depth: int, kernel: int = 3) -> float:
    """Standard deviation, in pixels, of the influence on one unit of a plain stack with all-equal kernels.

    The influence is the depth-fold convolution of the kernel with itself (luo2016understanding, section 2): a sum of
    `depth` independent uniform steps on kernel places, of variance (kernel^2 - 1) / 12 each.
    """
    return float(np.sqrt(depth * (kernel**2 - 1) / 12))
