"""How many outer products a tensor needs, up to a tolerance: an estimate by alternating least squares."""

from functools import reduce

import numpy as np
from jaxtyping import Float

SWEEPS = 1000
"""Sweeps after which a fit counts as failed; the source's."""


def khatri_rao(factors: list[Float[np.ndarray, "_ r"]]) -> Float[np.ndarray, "rows r"]:
    """Column-wise Kronecker product of matrices, the last factor's index running fastest."""
    return reduce(lambda a, b: (a[:, None, :] * b[None, :, :]).reshape(-1, a.shape[1]), factors)


def unfoldings(tensor: Float[np.ndarray, "..."]) -> list[Float[np.ndarray, "_ _"]]:
    """Matrices (d_n, prod of the other d) of a tensor, one per axis, the last remaining axis running fastest."""
    return [np.ascontiguousarray(np.moveaxis(tensor, n, 0).reshape(tensor.shape[n], -1)) for n in range(tensor.ndim)]


def fit_error(
    tensor: Float[np.ndarray, "..."],
    rank: int,
    generator: np.random.Generator,
    *,
    tolerance: float = 0.0,
    sweeps: int = SWEEPS,
) -> float:
    """Mean squared error of the best sum of `rank` outer products that alternating least squares finds.

    Each axis' factor matrix in turn solves its normal equations, with a pseudoinverse because a rank above the number
    of entries of the other axes makes them singular; starts are N(0, 1) (razin2020implicit, code).

    Args:
        tensor: at least two axes.
        rank: number of outer products, at least 1.
        generator: of the starting factors.
        tolerance: the sweeps end once the error is below it.
        sweeps: largest number of sweeps over the axes.

    Raises:
        ValueError: for a vector or number, or a rank below 1.
    """
    if tensor.ndim < 2 or rank < 1:
        raise ValueError(f"Need a tensor of at least two axes and rank >= 1; got {tensor.ndim} axes, rank {rank}.")
    factors = [generator.standard_normal((size, rank)) for size in tensor.shape]
    matrices = unfoldings(tensor)
    grams = [factor.T @ factor for factor in factors]
    error = np.inf
    for _ in range(sweeps):
        for n, matrix in enumerate(matrices):
            others = khatri_rao(factors[:n] + factors[n + 1 :])
            gram = reduce(np.multiply, grams[:n] + grams[n + 1 :])
            factors[n] = _solve(gram, others, matrix)
            grams[n] = factors[n].T @ factors[n]
        error = float(((matrices[-1] - factors[-1] @ others.T) ** 2).mean())
        if error < tolerance:
            break
    return error


def tensor_rank(
    tensor: Float[np.ndarray, "..."],
    generators: list[np.random.Generator],
    *,
    tolerance: float = 1e-6,
    sweeps: int = SWEEPS,
) -> int:
    """Smallest number of outer products that fit a tensor up to a mean squared error of `tolerance`; 0 for none.

    Found by bisection between 1 and the product of all sizes but the largest, which always suffices; each number is
    tried from one random start per generator. This is an upper bound for the number at the given tolerance, because
    alternating least squares may miss a fit, and no more than an estimate of the rank: the tolerance is absolute, so a
    tensor of norm one and M entries is fitted up to a relative error of (tolerance M)^(1/2).

    Args:
        tensor: at least two axes.
        generators: one per start; one start is the source's choice.
        tolerance: on the mean squared error; the source's by default.
        sweeps: per fit.

    Raises:
        ValueError: without a positive tolerance, or without a start.
    """
    if not tolerance > 0 or not generators:
        raise ValueError(
            f"Need a positive tolerance and at least one generator; got {tolerance}, {len(generators)} generators."
        )
    if (tensor**2).mean() < tolerance:
        return 0
    low, high = 1, tensor.size // max(tensor.shape)
    while low < high:
        middle = (low + high) // 2
        fits = (fit_error(tensor, middle, g, tolerance=tolerance, sweeps=sweeps) < tolerance for g in generators)
        low, high = (low, middle) if any(fits) else (middle + 1, high)
    return low


def _solve(gram: np.ndarray, others: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Least-squares factor: matrix others gram^+, by Cholesky where the normal equations are well posed."""
    right = matrix @ others
    try:
        lower = np.linalg.cholesky(gram)
        diagonal = np.diagonal(lower)
        if diagonal.min() > 1e-6 * diagonal.max():
            return np.linalg.solve(gram, right.T).T
    except np.linalg.LinAlgError:
        pass
    return right @ np.linalg.pinv(gram, hermitian=True)
