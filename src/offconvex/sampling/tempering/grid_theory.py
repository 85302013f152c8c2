"""Exact oracles on one-dimensional grids: generators, spectral gaps, hitting times, and Madras and Randall's bound.

A potential f is given by its values on an equally spaced grid; its law is proportional to exp(-f).
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import eigvalsh
from scipy.sparse import block_diag, csc_array, diags_array
from scipy.sparse.linalg import eigsh
from scipy.special import logsumexp

Sparse = csc_array


def grid(spread: float, spacing: float) -> Float[np.ndarray, " n"]:
    """Points -spread ... spread, symmetric about zero and without it (elementary)."""
    half = np.arange(spacing / 2, spread, spacing)
    return np.concatenate([-half[::-1], half])


def two_modes(
    x: Float[np.ndarray, "*any"] | float, *, r: float, right: float = 0.5, shape: float = 1.0
) -> Float[np.ndarray, "*any"] | float:
    """Minus the log of the density (1 - right) N(-r, 1) + right N(r, shape^2) at x, up to log(2 pi) / 2.

    Elementary.
    """
    to_left = np.log1p(-right) - 0.5 * (x + r) ** 2
    to_right = np.log(right) - np.log(shape) - 0.5 * ((x - r) / shape) ** 2
    return -np.logaddexp(to_left, to_right)


def two_shells(
    radius: Float[np.ndarray, " n"], *, dimension: int, shape: float
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Minus the log of half N(0, I) plus half N(0, shape^2 I) at a radius, and the volume term -(d - 1) log radius.

    Elementary.
    """
    wide = -0.5 * radius**2
    narrow = -dimension * np.log(shape) - 0.5 * (radius / shape) ** 2
    return -(np.logaddexp(wide, narrow) - np.log(2)), -(dimension - 1) * np.log(radius)


def langevin_generator(potential: Float[np.ndarray, " n"], spacing: float) -> Sparse:
    """Minus the generator of dX = -f'(X) dt + sqrt(2) dW, symmetrized by the square root of its law, (n, n).

    Rates between neighbors are those of Scharfetter and Gummel, B(f_j - f_i) / h^2 with B(z) = z / (e^z - 1): exact
    detailed balance with exp(-f) on the grid, error of order h^2. Only differences of f enter, so nothing underflows.
    Elementary: detailed balance.
    """
    step = np.diff(potential)
    forward, backward = _bernoulli(step) / spacing**2, _bernoulli(-step) / spacing**2
    diagonal = np.concatenate([forward, [0.0]]) + np.concatenate([[0.0], backward])
    off = -np.sqrt(forward * backward)
    return csc_array(diags_array([off, diagonal, off], offsets=[-1, 0, 1]))


def log_constants(
    potential: Float[np.ndarray, " n"],
    spacing: float,
    betas: Float[np.ndarray, " L"],
    base: Float[np.ndarray, " n"] | float = 0.0,
) -> Float[np.ndarray, " L"]:
    """(L,) logarithms of the integrals of exp(-beta f - base) (elementary)."""
    return np.array([logsumexp(-beta * potential - base) + np.log(spacing) for beta in betas])


def tempering_generator(
    potential: Float[np.ndarray, " n"],
    spacing: float,
    betas: Float[np.ndarray, " L"],
    swap_rate: float,
    *,
    tilt: Float[np.ndarray, " L"] | None = None,
    base: Float[np.ndarray, " n"] | float = 0.0,
) -> Sparse:
    """Minus the generator of the simulated tempering chain on levels x grid, symmetrized, (L n, L n).

    Args:
        potential: (n,) f.
        spacing: of the grid.
        betas: (L,) inverse temperatures.
        swap_rate: proposals per unit of time; half go to each neighboring level (lee2021post2, transitions).
        tilt: (L,) errors of the log constants; exact constants by default.
        base: (n,) a term that is not tempered, such as the volume term of a radius.
    """
    count, rungs = len(potential), len(betas)
    constants = log_constants(potential, spacing, betas, base) + (0.0 if tilt is None else tilt)
    logs = -np.outer(betas, potential) - base - constants[:, None]
    within = block_diag([langevin_generator(beta * potential + base, spacing) for beta in betas], format="csc")
    if rungs == 1:
        return csc_array(within)
    gain = np.diff(logs, axis=0)  # log p_{i+1}(x) - log p_i(x)
    up, down = np.exp(np.minimum(gain, 0)), np.exp(np.minimum(-gain, 0))
    leaving = np.zeros((rungs, count))
    leaving[:-1] += up
    leaving[1:] += down
    off = -(swap_rate / 2) * np.exp(-np.abs(gain) / 2).ravel()  # sqrt(up down)
    between = diags_array([off, (swap_rate / 2) * leaving.ravel(), off], offsets=[-count, 0, count])
    return csc_array(within + between)


def spectral_gap(generator: Sparse) -> float:
    """Second smallest eigenvalue of a symmetrized generator, by shifted inverse iteration (elementary).

    Reliable down to a few 1e-12 of its largest rate; for smaller gaps of two equal modes use `log_symmetric_gap`.
    """
    # Just below zero, where the matrix is positive definite; a fixed start makes the iteration repeatable.
    shift = -1e-9 * abs(generator).max()
    values = eigsh(generator, k=2, sigma=shift, which="LM", v0=np.ones(generator.shape[0]), return_eigenvectors=False)
    return float(np.sort(values)[1])


def hitting_time(potential: Float[np.ndarray, " n"], x: Float[np.ndarray, " n"], start: float, end: float) -> float:
    """Mean time of dX = -f' dt + sqrt(2) dW from `start` up to `end`: int exp(f(y)) int_{-inf}^y exp(-f) dz dy.

    Trapezoids on the grid, in logarithms; all terms are positive, so nothing cancels.
    Elementary: its equation integrated twice.
    """
    spacing = x[1] - x[0]
    below = np.logaddexp.accumulate(-potential) + np.log(spacing)
    below = below + np.log1p(-0.5 * np.exp(-potential + np.log(spacing) - below))
    inside = (x >= start - 1e-12) & (x <= end + 1e-12)
    terms = (potential + below)[inside]
    ends = np.logaddexp(terms[0], terms[-1]) - np.log(2)
    return float(np.exp(np.logaddexp(logsumexp(terms[1:-1]), ends)) * spacing)


def log_symmetric_gap(potential: Float[np.ndarray, " n"], x: Float[np.ndarray, " n"], *, sweeps: int = 60) -> float:
    """Logarithm of the smallest relaxation rate of an even potential, to full relative precision however small.

    The slowest mode is odd, so its rate is the smallest of the half line absorbed at zero. Powers of the Green operator
    u -> int_0^x exp(f(y)) int_y^inf exp(-f(z)) u(z) dz dy find it; all its terms are positive. Trapezoids, error h^2.
    Own derivation.

    Args:
        potential: (n,) values on the half line.
        x: (n,) points, from zero on.
        sweeps: iterations; each gains a factor of the second rate over the first.
    """
    spacing = x[1] - x[0]
    log_u = np.log(np.maximum(x, 1e-300))
    for _ in range(sweeps):
        inner = np.logaddexp.accumulate((log_u - potential)[::-1])[::-1]
        inner = inner + np.log1p(-0.5 * np.exp(log_u - potential - inner))
        terms = potential + inner + np.log(spacing)
        # Midpoints of neighbors, summed from zero on: the integral vanishes at the first point.
        pieces = np.logaddexp(terms[:-1], terms[1:]) - np.log(2)
        new = np.concatenate([[-np.inf], np.logaddexp.accumulate(pieces) + np.log(spacing)])
        rate = log_u[-1] - new[-1]
        log_u = new - new[-1]
    return float(rate)


def metropolis_kernel(
    potential: Float[np.ndarray, " n"], x: Float[np.ndarray, " n"], step: float
) -> Float[np.ndarray, "n n"]:
    """Transition matrix of MALA with proposals confined to the grid, (n, n): reversible for exp(-f).

    Source: roberts1996exponential.
    """
    drift = x - step * np.gradient(potential, x)
    log_q = -((x[None, :] - drift[:, None]) ** 2) / (4 * step)
    log_q -= logsumexp(log_q, axis=1, keepdims=True)
    ratio = (-potential[None, :] + log_q.T) - (-potential[:, None] + log_q)
    kernel = np.exp(log_q + np.minimum(ratio, 0.0))
    np.fill_diagonal(kernel, 0.0)
    np.fill_diagonal(kernel, 1.0 - kernel.sum(1))
    return kernel


def tempering_kernel(
    potential: Float[np.ndarray, " n"], x: Float[np.ndarray, " n"], betas: Float[np.ndarray, " L"], step: float
) -> tuple[Float[np.ndarray, "L*n L*n"], Float[np.ndarray, " L*n"]]:
    """A tempering chain in discrete time: with chance 1/2 a MALA move at its level, else a proposed swap.

    Elementary: both moves are reversible.

    Returns:
        The transition matrix (L n, L n) and the stationary law (L n,).
    """
    count, rungs = len(x), len(betas)
    logs = -np.outer(betas, potential)
    logs -= logsumexp(logs, axis=1, keepdims=True)
    kernel = np.zeros((rungs, count, rungs, count))
    points = np.arange(count)
    for i, beta in enumerate(betas):
        kernel[i, :, i, :] += 0.5 * metropolis_kernel(beta * potential, x, step)
        for j in (i - 1, i + 1):
            accept = np.exp(np.minimum(logs[j] - logs[i], 0.0)) if 0 <= j < rungs else np.zeros(count)
            if 0 <= j < rungs:
                kernel[i, points, j, points] += 0.25 * accept
            kernel[i, points, i, points] += 0.25 * (1 - accept)
    return kernel.reshape(rungs * count, -1), (np.exp(logs) / rungs).ravel()


def kernel_gap(kernel: Float[np.ndarray, "n n"], law: Float[np.ndarray, " n"]) -> float:
    """One minus the second largest eigenvalue of a reversible transition matrix with the given law (elementary)."""
    if len(law) == 1:
        return 1.0
    root = np.sqrt(law)
    symmetric = kernel * root[:, None] / root[None, :]
    size = len(law)
    # The law's own eigenvector is known, and taking it out leaves one eigenvalue to find.
    symmetric = (symmetric + symmetric.T) / 2 - np.outer(root, root) / law.sum()
    return float(1 - eigvalsh(symmetric, subset_by_index=[size - 1, size - 1])[0])


def projected_kernel(
    kernel: Float[np.ndarray, "n n"], law: Float[np.ndarray, " n"], sets: Int[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "k k"], Float[np.ndarray, " k"]]:
    """Chain between sets (labels 0, 1, ... of the states), P(a, b) = mean flow (madras2002markov), and its law."""
    member = np.eye(sets.max() + 1)[sets]
    masses = member.T @ law
    return (member.T @ (law[:, None] * kernel) @ member) / masses[:, None], masses


def restricted_gap(
    kernel: Float[np.ndarray, "n n"], law: Float[np.ndarray, " n"], inside: Bool[np.ndarray, " n"]
) -> float:
    """Gap of the chain that stays where it is whenever it would leave a set (madras2002markov)."""
    part = kernel[np.ix_(inside, inside)].copy()
    np.fill_diagonal(part, np.diag(part) + 1 - part.sum(1))
    return kernel_gap(part, law[inside] / law[inside].sum())


def decomposition(
    kernel: Float[np.ndarray, "n n"], law: Float[np.ndarray, " n"], sets: Int[np.ndarray, " n"]
) -> tuple[float, float, float]:
    """Gap of a chain, of its projection on sets, and the least of its restrictions to them.

    Madras and Randall: gap >= projected * least restricted / 2 (madras2002markov; as quoted by ge2018simulated).
    """
    projected, masses = projected_kernel(kernel, law, sets)
    restricted = min(restricted_gap(kernel, law, sets == a) for a in range(sets.max() + 1))
    return kernel_gap(kernel, law), kernel_gap(projected, masses), restricted


def imbalance(kernel: Float[np.ndarray, "n n"], law: Float[np.ndarray, " n"]) -> float:
    """Largest |p(a) P(a, b) - p(b) P(b, a)| over all pairs, relative to the largest flow between two states.

    Elementary.
    """
    flow = law[:, None] * kernel
    between = flow - np.diag(np.diag(flow))
    return float(np.abs(flow - flow.T).max() / between.max())


def _bernoulli(z: np.ndarray) -> np.ndarray:
    small = np.abs(z) < 1e-8
    safe = np.where(small, 1.0, z)
    return np.where(small, 1 - z / 2, safe / np.expm1(safe))
