"""What a spectral penalty does near a low-rank target: certificate of a local minimum, first-order error, bounds.

Only dense linear algebra on the tangent space, independent of every run that it judges.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float


def slopes(
    values: Float[np.ndarray, " r"], power: float, *, normalized: bool, scale: float
) -> tuple[Float[np.ndarray, " r"], float]:
    """Derivatives of a penalty in the positive singular values (r,), and in one more singular value that is zero.

    With sum sigma^p of W / scale: p sigma^(p-1) / scale^p; normalized, minus p sigma_i sum sigma^p / F^(p+2), F the
    Frobenius norm. The effective rank (power 0) has exp(H) (-log q_i - H) / sum sigma. The derivative at zero is
    1 / scale or 1 / F for p = 1, and infinite otherwise. Elementary.
    """
    total, frobenius = values.sum(), np.sqrt((values**2).sum())
    if power == 0:
        shares = values / total
        entropy = -(shares * np.log(shares)).sum()
        return np.exp(entropy) * (-np.log(shares) - entropy) / total, np.inf
    unit = frobenius if normalized else scale
    out = power * values ** (power - 1) / unit**power
    if normalized:
        out = out - power * values * (values**power).sum() / frobenius ** (power + 2)
    return out, 1 / unit if power == 1 else np.inf


@dataclass(frozen=True)
class Local:
    """A penalty at a target of rank r seen on m entries, to first order.

    Attributes:
        certificate: operator norm of the part of Y outside the tangent space, over the penalty's slope at zero: below
            one, the target is a strict local minimizer of the penalty among all matrices that fit.
        train: mean squared error over observed entries of the penalized minimizer near the target, over lambda^2.
        test: the same over unobserved entries.
    """

    certificate: float
    train: float
    test: float


def local_theory(
    target: Float[np.ndarray, "n m"],
    mask: Float[np.ndarray, "n m"],
    rank: int,
    power: float,
    *,
    normalized: bool = False,
    scale: float = 1.0,
) -> Local:
    """Certificate and first-order error of a penalty at a target (n, n') of given rank, mask (n, n') of ones and zeros.

    With G = U diag(slopes) V^T, h the tangent matrix with P_T P h = G and Y = P h: the minimizer of mean squared error
    + lambda penalty near the target is T - (m lambda / 2) h + O(lambda^2). Own derivation: the dual certificate of
    candes2009exact, with the penalty's slopes in place of ones.
    """
    left, values, right = np.linalg.svd(target)
    u, v = left[:, :rank], right[:rank].T
    slope, at_zero = slopes(values[:rank], power, normalized=normalized, scale=scale)
    gradient = (u * slope) @ v.T
    solution = _solve_tangent(gradient, u, v, mask)
    dual = mask * solution
    outside = dual - u @ (u.T @ dual)
    outside = outside - (outside @ v) @ v.T
    count = mask.sum()
    square = (count / 2 * solution) ** 2
    return Local(
        certificate=float(np.linalg.norm(outside, 2) / at_zero),
        train=float((mask * square).sum() / count),
        test=float(((1 - mask) * square).sum() / (1 - mask).sum()),
    )


def _solve_tangent(gradient: np.ndarray, u: np.ndarray, v: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Tangent h with P_T P h = gradient.

    Tangent matrices are U A^T + B V^T; the r^2 directions A = V K^T, B = - U K in which the two cancel are null, and
    get a unit eigenvalue, so that a Cholesky factor solves the rest. Where observations do not determine the tangent
    matrix the factor does not exist or is rounding, and so is the result.
    """
    (rows, rank), columns = u.shape, v.shape[0]
    split = columns * rank
    normal = np.zeros((split + rows * rank, split + rows * rank))
    for j in range(columns):
        block = slice(j * rank, (j + 1) * rank)
        normal[block, block] = (u * mask[:, [j]]).T @ u
    for i in range(rows):
        block = slice(split + i * rank, split + (i + 1) * rank)
        normal[block, block] = (v * mask[i][:, None]).T @ v
    normal[:split, split:] = np.einsum("ij,ia,jb->jaib", mask, u, v).reshape(split, -1)
    normal[split:, :split] = normal[:split, split:].T
    null = _null_directions(u, v)
    pulled = np.concatenate([(gradient.T @ u).ravel(), (gradient @ v).ravel()])
    found = scipy.linalg.solve(normal + null @ null.T, pulled, assume_a="pos")
    return u @ found[:split].reshape(columns, rank).T + found[split:].reshape(rows, rank) @ v.T


def _null_directions(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Orthonormal coordinates (A, B) with U A^T + B V^T = 0, as columns: A = V K^T, B = - U K for each unit K."""
    rank, columns = u.shape[1], []
    for unit in np.eye(rank**2).reshape(-1, rank, rank) / np.sqrt(2):
        columns.append(np.concatenate([(v @ unit.T).ravel(), -(u @ unit).ravel()]))
    return np.array(columns).T
