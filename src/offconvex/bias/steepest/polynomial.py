"""Muon's polynomial on numbers and on matrices: an odd quintic that moves singular values and leaves their vectors."""

import numpy as np
from jaxtyping import Float

OddQuintic = tuple[float, float, float]
"""Of x, x^3 and x^5."""

TUNED = (3.4445, -4.7750, 2.0315)
"""Those of Muon, as the public code of its author has them (jordan2024muon)."""

CLASSICAL = (15 / 8, -10 / 8, 3 / 8)
"""Those for which one is a fixed point of third order: the relative of this degree of Newton and Schulz's cubic."""


def iterates(
    values: Float[np.ndarray, "*any"], steps: int, coefficients: OddQuintic = TUNED
) -> Float[np.ndarray, " K *any"]:
    """The values after one step of the polynomial, after two, and so on up to K.

    Raises:
        ValueError: if there is no step.
    """
    if steps < 1:
        raise ValueError(f"The polynomial is applied once or more often; got {steps} steps.")
    a, b, c = coefficients
    found = np.empty((steps, *np.shape(values)))
    for number in range(steps):
        square = np.square(values)
        found[number] = values = values * (a + square * (b + c * square))
    return found


def orthogonalized(
    matrices: Float[np.ndarray, "*any n m"], steps: int = 5, coefficients: OddQuintic = TUNED
) -> Float[np.ndarray, "*any n m"]:
    """Each matrix with its singular values, relative to its Frobenius norm, moved by the polynomial.

    S <- a S + (b S S' + c (S S')^2) S from S = G / ||G||_F. Zero stays zero.

    Raises:
        ValueError: as `iterates`.
    """
    if steps < 1:
        raise ValueError(f"The polynomial is applied once or more often; got {steps} steps.")
    a, b, c = coefficients
    wide = matrices.shape[-2] <= matrices.shape[-1]
    size = np.sqrt(np.sum(matrices**2, axis=(-2, -1), keepdims=True))
    moved = (matrices if wide else np.swapaxes(matrices, -2, -1)) / np.where(size == 0, 1, size)
    for _ in range(steps):
        square = moved @ np.swapaxes(moved, -2, -1)
        moved = a * moved + (b * square + c * square @ square) @ moved
    return moved if wide else np.swapaxes(moved, -2, -1)
