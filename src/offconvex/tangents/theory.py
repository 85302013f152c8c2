"""Closed forms: infinite-width tangent kernels, kernel descent, dimensions of polynomials, nuclear-norm thresholds."""

from math import comb

import numpy as np
from jaxtyping import Float, Shaped
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import roots_gegenbauer


def tangent_kernel(
    left: Float[np.ndarray, "n d"], right: Float[np.ndarray, "m d"], activation: str
) -> Float[np.ndarray, "n m"]:
    """Tangent kernel of infinitely many units of which only the bottom layer moves, (n, n'), for inputs of norm one.

    <x, x'> E[s'(u) s'(u')] with (u, u') normal, variances one and correlation c = <x, x'> (jacot2018neural). For ReLU
    the mean is (pi - arccos c) / 2 pi (cho2009kernel); for erf it is (4 / pi) / sqrt(9 - 4 c^2) (williams1997computing,
    differentiated).

    Args:
        left: (n, d).
        right: (n', d).
        activation: "relu" or "erf".

    Raises:
        ValueError: if an input is not of norm one, or the activation is another.
    """
    if max(np.abs(np.linalg.norm(x, axis=1) - 1).max() for x in (left, right)) > 1e-6:
        raise ValueError("Inputs of the tangent kernel must have norm one; divide each by its norm.")
    c = np.clip(left @ right.T, -1, 1)
    if activation == "relu":
        return c * (np.pi - np.arccos(c)) / (2 * np.pi)
    if activation == "erf":
        return c * (4 / np.pi) / np.sqrt(9 - 4 * c**2)
    raise ValueError(f"`activation` must be 'relu' or 'erf'; got {activation!r}.")


def kernel_descent(
    kernel: Float[np.ndarray, "n n"],
    across: Float[np.ndarray, "t n"],
    labels: Float[np.ndarray, " n"],
    step: float,
    times: Shaped[np.ndarray, " T"],
) -> Float[np.ndarray, "T t"]:
    """Predictions (T, t) of a linear model after gradient descent from zero on half the sum of squares.

    K_* Q (1 - (1 - step lambda)^T) / lambda Q^T y, with K = Q lambda Q^T.
    Elementary: a geometric series.

    Args:
        kernel: (n, n) between samples.
        across: (t, n) between test points and samples.
        labels: (n,).
        step: below 2 / lambda_max.
        times: (T,) numbers of steps.

    Raises:
        ValueError: if the step is too large to converge.
    """
    values, vectors = np.linalg.eigh(kernel)
    if step * values[-1] >= 2:
        raise ValueError(f"`step` must be below 2 / lambda_max = {2 / values[-1]:.3g}; got {step:g}.")
    learned = 1 - (1 - step * values) ** np.asarray(times)[:, None]
    return (learned / values * (vectors.T @ labels)) @ vectors.T @ across.T


def kernel_losses(
    kernel: Float[np.ndarray, "n n"], labels: Float[np.ndarray, " n"], step: float, times: Shaped[np.ndarray, " T"]
) -> Float[np.ndarray, " T"]:
    """Half the sum of squares on the samples along that descent, (T,): sum of (1 - step lambda)^(2T) (q^T y)^2 / 2.

    Elementary: a geometric series.
    """
    values, vectors = np.linalg.eigh(kernel)
    left = (1 - step * values) ** np.asarray(times)[:, None] * (vectors.T @ labels)
    return 0.5 * (left**2).sum(1)


def even_dimension(d: int, degree: int, *, sphere: bool) -> int:
    """Dimension of even polynomials in d variables up to an even degree, on all space or on the sphere.

    On the sphere lower even degrees are contained in the highest, since the squared norm is constant.
    Elementary: counting.
    """
    homogeneous = [comb(d + j - 1, j) for j in range(0, degree + 1, 2)]
    return homogeneous[-1] if sphere else sum(homogeneous)


def sphere_dimension(d: int, degree: int) -> int:
    """Dimension of all polynomials up to a degree on the sphere of R^d (elementary: counting)."""
    return comb(d + degree - 1, degree) + comb(d + degree - 2, degree - 1)


def nuclear_threshold(d: int) -> float:
    """Samples at which the least nuclear norm finds a symmetric d x d matrix of rank one from isotropic measurements.

    The statistical dimension of its descent cone (amelunxen2014living, Proposition 4.1), for symmetric matrices:
    min over tau of 1 + tau^2 + (d - 1) + (d - 1) E (|lambda| - tau)_+^2, with lambda from the semicircle of radius
    sqrt(2 (d - 1)); it tends to a multiple of d from below.
    """
    radius = np.sqrt(2 * (d - 1))

    def beyond(tau):
        if tau >= radius:
            return 0.0
        density = 2 / (np.pi * radius**2)
        return 2 * quad(lambda s: density * np.sqrt(radius**2 - s**2) * (s - tau) ** 2, tau, radius)[0]

    found = minimize_scalar(lambda t: d + t**2 + (d - 1) * beyond(t), bounds=(0, radius), method="bounded")
    return float(found.fun)


def top_degree_share(d: int, p: int) -> float:
    """Share of the mean square of (b^T x)^p on the sphere that no polynomial of degree p - 1 can reach.

    The component of t^p orthogonal to lower powers under the weight (1 - t^2)^((d - 3) / 2) of one coordinate.
    Elementary: orthogonal polynomials.
    """
    nodes, weights = roots_gegenbauer(p + 2, (d - 2) / 2)
    lower = np.polynomial.legendre.legvander(nodes, p - 1) * np.sqrt(weights)[:, None]
    power = nodes**p * np.sqrt(weights)
    rest = power - lower @ np.linalg.lstsq(lower, power, rcond=None)[0]
    return float(rest @ rest / (power @ power))
