"""Closed forms for posteriors on matrix manifolds: curvatures, distances, rates along the fiber, Ricci curvature."""

from itertools import combinations

import numpy as np
from jaxtyping import Float


def normal_curvatures(
    minimizer: Float[np.ndarray, "d k"], operator: Float[np.ndarray, "m d d"] | None = None
) -> Float[np.ndarray, " d*k-k*(k-1)//2"]:
    """Positive eigenvalues of the Hessian of |A(X X^T) - b|^2 at an exact fit X0, ascending.

    There the Hessian is 2 J^T J with J V = A(V X0^T + X0 V^T). Equal singular values s and A the identity give 8 s^2 on
    the k (k + 1) / 2 symmetric directions, 4 s^2 on the (d - k) k others, and zero on the k (k - 1) / 2 of the fiber
    (own derivation).

    Args:
        minimizer: (d, k) X0.
        operator: (m, d, d) symmetric slices of A, or None for the identity.
    """
    d, k = minimizer.shape
    units = np.eye(d * k).reshape(d * k, d, k)
    products = units @ minimizer.T
    images = products + products.transpose(0, 2, 1)
    seen = images if operator is None else np.einsum("mij,nij->nm", operator, images)
    values = np.linalg.eigvalsh(2 * seen.reshape(d * k, -1) @ seen.reshape(d * k, -1).T)
    return values[k * (k - 1) // 2 :]


def squared_distance(curvatures: Float[np.ndarray, " n"], beta: float, step: float = 0.0) -> float:
    """Mean squared distance from the fiber for large beta: the sum of 1 / (beta h) over the curvatures h.

    Unadjusted steps inflate each term by 1 / (1 - step beta h / 2), with step zero for adjusted ones.
    Own derivation.
    """
    return float((1 / (beta * curvatures * (1 - step * beta * curvatures / 2))).sum())


def poorest_distance(
    minimizer: Float[np.ndarray, "d k"], operator: Float[np.ndarray, "m d d"], beta: float, parts: int = 3
) -> float:
    """Largest mean squared distance from the fiber if one of `parts` shares of the observations is left out.

    At least parts / (parts - 1) times that of all observations, whatever they are: the Hessians without one share
    sum to parts - 1 times the whole one, and the trace of the inverse is convex (own derivation). Infinite if the rest
    leaves a direction free.

    Args:
        minimizer: (d, k) X0.
        operator: (m, d, d) symmetric slices of A; every `parts`-th one belongs to the same share.
        beta: inverse temperature.
        parts: number of shares.
    """
    distances = []
    for share in range(parts):
        curvatures = normal_curvatures(minimizer, operator[np.arange(len(operator)) % parts != share])
        free = curvatures[0] <= 1e-9 * curvatures[-1]
        distances.append(np.inf if free else squared_distance(curvatures, beta))
    return float(max(distances))


def fiber_rate(values: Float[np.ndarray, " k"] | tuple[float, ...]) -> float:
    """Rate at which E tr(R_t) falls along the fiber X0 SO(k) at first, dX = -beta grad f dt + sqrt(2) dW, beta large.

    The fiber has length^2 s_i^2 + s_j^2 in the plane (i, j), so R turns there with variance 2 t / (s_i^2 + s_j^2),
    and the trace loses 2 / k times the sum of 1 / (s_i^2 + s_j^2). For equal values this is (k - 1) / (2 s^2), the
    first eigenvalue of the Laplacian, and the decay is exponential at all times.
    Own derivation.
    """
    s = np.asarray(values)
    return float(2 / len(s) * sum(1 / (s[i] ** 2 + s[j] ** 2) for i, j in combinations(range(len(s)), 2)))


def fiber_ricci(
    values: Float[np.ndarray, " k"] | tuple[float, ...],
) -> Float[np.ndarray, " {len(values)*(len(values)-1)//2}"]:
    """Ricci curvatures of the fiber X0 SO(k) in its principal directions, (k (k - 1) / 2,), ascending.

    The metric is invariant, with length^2 s_i^2 + s_j^2 of the rotation in the plane (i, j).
    Source: milnor1976curvatures.
    """
    s = np.asarray(values)
    return invariant_ricci({(i, j): s[i] ** 2 + s[j] ** 2 for i, j in combinations(range(len(s)), 2)}, len(s))


def invariant_ricci(lengths: dict[tuple[int, int], float], size: int) -> Float[np.ndarray, " {size*(size-1)//2}"]:
    """Ricci curvatures of a left-invariant metric on SO(size), from its structure constants (milnor1976curvatures).

    Args:
        lengths: squared length of the rotation E_ij - E_ji in each plane (i, j), i < j; these are orthogonal.
        size: k.

    Returns:
        Eigenvalues of the Ricci form in an orthonormal basis, ascending.
    """
    planes = list(combinations(range(size), 2))
    basis = []
    for i, j in planes:
        one = np.zeros((size, size))
        one[i, j], one[j, i] = 1.0, -1.0
        basis.append(one / np.sqrt(lengths[i, j]))
    count = len(planes)
    alpha = np.zeros((count, count, count))  # [e_a, e_b] = sum_c alpha_abc e_c
    for a in range(count):
        for b in range(count):
            bracket = basis[a] @ basis[b] - basis[b] @ basis[a]
            for c, (i, j) in enumerate(planes):
                alpha[a, b, c] = bracket[i, j] * np.sqrt(lengths[i, j])
    # Koszul: <nabla_a e_b, e_c> = (alpha_abc - alpha_bca + alpha_cab) / 2.
    connection = (alpha - np.einsum("bca->abc", alpha) + np.einsum("cab->abc", alpha)) / 2
    ricci = np.zeros((count, count))
    for a in range(count):
        for b in range(count):
            # Ric(b, b') = sum_a <R(e_a, e_b) e_b', e_a>, R(a, b) = [nabla_a, nabla_b] - nabla_[a, b]
            for c in range(count):
                first = connection[b, c] @ connection[a][:, a]
                second = connection[a, c] @ connection[b][:, a]
                third = alpha[a, b] @ connection[:, c, a]
                ricci[b, c] += first - second - third
    return np.linalg.eigvalsh((ricci + ricci.T) / 2)


def log_escape_time(beta: float, value: float) -> float:
    """Logarithm of the mean time between x = value and x = -value for f = (x^2 - value^2)^2: Eyring and Kramers.

    2 pi / (beta sqrt(8 s^2 4 s^2)) exp(beta s^4), with curvatures 8 s^2 at the bottom and -4 s^2 at the top.
    Source: bovier2004metastability.
    """
    return float(np.log(2 * np.pi / beta) - 0.5 * np.log(32 * value**4) + beta * value**4)


def angle_law(angles: Float[np.ndarray, "*any"] | float, size: int) -> Float[np.ndarray, "*any"] | float:
    """Distribution function of the rotation angle in [0, pi] of a uniform rotation in SO(2) or SO(3) (classical).

    Uniform for SO(2); density (1 - cos) / pi for SO(3).

    Raises:
        ValueError: for other sizes, where a rotation has several angles.
    """
    if size == 2:
        return angles / np.pi
    if size == 3:
        return (angles - np.sin(angles)) / np.pi
    raise ValueError(f"The law of one rotation angle is that of SO(2) or SO(3); got size {size}.")
