"""The saddles that the flow of w = u^2 - v^2 visits from a vanishing start, in order, and how clearly each."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

ROUNDING = 1e-9
"""A gradient below this share of the first one is zero: the loss cannot fall any more."""


@dataclass(frozen=True)
class Itinerary:
    """What the algorithm of the vanishing start returns, for K jumps of d weights.

    Attributes:
        times: tau_1 < ... < tau_K, in units of ln(1/alpha) / 2.
        points: (K + 1, d) the start, zero, and where the flow stays after each jump.
        duals: (K, d) s at each jump; +-1 for a weight that has its sign's permission.
        entering: (K,) the weight that gets it at each jump.
    """

    times: Float[np.ndarray, " K"]
    points: Float[np.ndarray, "points d"]
    duals: Float[np.ndarray, "K d"]
    entering: Int[np.ndarray, " K"]

    def first(self, count: int) -> "Itinerary":
        """The itinerary up to its jump number `count`."""
        return Itinerary(self.times[:count], self.points[: count + 1], self.duals[:count], self.entering[:count])


def moments(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "d d"], Float[np.ndarray, " d"]]:
    """X^T X / n and X^T y / n: the gradient of |Xw - y|^2 / (2n) is the first times w minus the second."""
    return X.T @ X / len(y), X.T @ y / len(y)


def signed_least_squares(
    gram: Float[np.ndarray, "d d"], correlation: Float[np.ndarray, " d"], signs: Float[np.ndarray, " d"]
) -> Float[np.ndarray, " d"]:
    """Minimizer of w.gram.w / 2 - correlation.w with w_i >= 0 where signs_i = 1, <= 0 where -1, and 0 where 0.

    The active-set method of Lawson and Hanson on the normal equations: the weight with the
    steepest permitted descent is freed; where the solution on the free ones leaves its orthant, one goes as far as
    the wall and fixes what stands there.

    Raises:
        ValueError: if it does not end, because the columns of the free weights are linearly dependent.
    """
    G, c = gram * np.outer(signs, signs), correlation * signs
    w, free = np.zeros(len(c)), np.zeros(len(c), dtype=bool)
    tolerance = 1e-12 * np.abs(correlation).max()
    for _ in range(3 * len(c) + 3):
        descent = np.where((signs != 0) & ~free, c - G @ w, -np.inf)
        if not descent.max() > tolerance:
            return signs * w
        free[descent.argmax()] = True
        while True:
            z = np.zeros(len(c))
            z[free] = np.linalg.solve(G[np.ix_(free, free)], c[free])
            low = free & (z <= 0)
            if not low.any():
                break
            w += (w[low] / (w[low] - z[low])).min() * (z - w)
            free &= w > 1e-14 * np.abs(w).max()
            w[~free] = 0
        w = z
    raise ValueError("Least squares with signs does not end; give columns in general position, as random ones are.")


def successive_saddles(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], until: float = np.inf, most: int = 200
) -> Itinerary:
    """Saddles and jump times of the flow on |Xw - y|^2 / (2n), w = u^2 - v^2, as its start alpha goes to zero.

    With tau = 2t / ln(1/alpha): s falls along the gradient at the present point until some |s_i| = 1; the point
    becomes the least-squares solution with w_i >= 0 where s_i = 1, <= 0 where s_i = -1, and 0 elsewhere; and so on
    until no gradient is left (pesme2023saddle, Algorithm 1). A weight that arrives at zero loses its permission with
    the next motion of its s.

    Args:
        X: examples as rows.
        y: labels.
        until: jumps after this tau are not sought.
        most: jumps at most.

    Raises:
        ValueError: if X and y do not belong together, or y is orthogonal to every column, so that nothing moves.
    """
    if X.ndim != 2 or y.shape != (len(X),):
        raise ValueError(f"Expected X (n, d) and y (n,); got {X.shape} and {y.shape}.")
    gram, correlation = moments(X, y)
    if not np.abs(correlation).max() > 0:
        raise ValueError("The labels are orthogonal to every column, so that the flow never moves; give others.")
    w, s, tau = np.zeros(X.shape[1]), np.zeros(X.shape[1]), 0.0
    times, points, duals, entering = [], [w], [], []
    while len(times) < most:
        gradient = np.where(w == 0, gram @ w - correlation, 0.0)
        moving = np.abs(gradient) > ROUNDING * np.abs(correlation).max()
        if not moving.any():
            break
        waits = np.full(len(w), np.inf)
        waits[moving] = (1 + s[moving] * np.sign(gradient[moving])) / np.abs(gradient[moving])
        i = int(waits.argmin())
        tau += waits[i]
        if tau > until:
            break
        s = s - waits[i] * gradient
        s[i] = -np.sign(gradient[i])
        permitted = w != 0
        permitted[i] = True
        w = signed_least_squares(gram, correlation, np.where(permitted, s, 0.0).round())
        times.append(tau)
        points.append(w)
        duals.append(s)
        entering.append(i)
    shape = (len(times), X.shape[1])
    return Itinerary(np.array(times), np.array(points), np.reshape(duals, shape), np.array(entering, dtype=int))


def relaxation(gram: Float[np.ndarray, "d d"], w: Float[np.ndarray, " d"]) -> float:
    """Slowest rate at which the weights in use approach the saddle w, per unit of tau and of 2 ln(1/alpha).

    Near it dw_i/dt = -4 |w_i| (gradient)_i: the rates are 4 times the eigenvalues of gram scaled by sqrt|w| from both
    sides, and t = tau ln(1/alpha) / 2 (elementary). Infinite at w = 0, where nothing is in use.
    """
    used = np.sqrt(np.abs(w[w != 0]))
    if len(used) == 0:
        return np.inf
    return float(np.linalg.eigvalsh(gram[np.ix_(w != 0, w != 0)] * np.outer(used, used))[0])


def separation(X: Float[np.ndarray, "n d"], itinerary: Itinerary) -> Float[np.ndarray, " K"]:
    """Exponents e of each jump: what the limit neglects there is of size exp(-2 ln(1/alpha) e).

    The smaller of two numbers. A bystander, neither in use nor entering, has size alpha^2 exp(|s|) with |s| =
    2 ln(1/alpha) |s_j|, so 1 - |s_j|. The approach to the saddle before the jump has lasted since the jump before,
    so `relaxation` times that stay (own derivation).
    """
    gram, values = X.T @ X / len(X), []
    stays = np.diff(itinerary.times, prepend=0.0)
    for w, s, i, stay in zip(itinerary.points, itinerary.duals, itinerary.entering, stays):
        bystanders = w == 0
        bystanders[i] = False
        values.append(min((1 - np.abs(s[bystanders])).min(initial=1.0), relaxation(gram, w) * stay))
    return np.array(values)


def approaches(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], itinerary: Itinerary
) -> Float[np.ndarray, " K"]:
    """Exponents e of the points after each jump: the flow comes as near as exp(-2 ln(1/alpha) e).

    At a time x after the jump the weights in use are off by the exponent `relaxation` times x and the others by
    1 - |s_j| at that time; e is the largest minimum of all these over the stay (own derivation). The last point has
    no next jump, and the exponent zero.
    """
    gram, correlation = moments(X, y)
    values = np.zeros(len(itinerary.times))
    for k, stay in enumerate(np.diff(itinerary.times)):
        w, s = itinerary.points[k + 1], itinerary.duals[k]
        x = np.linspace(0, stay, 2001)[:, None]
        idle = w == 0
        others = 1 - np.abs(s[idle] - x * (gram @ w - correlation)[idle])
        values[k] = np.minimum(others.min(1, initial=1.0), relaxation(gram, w) * x[:, 0]).max()
    return values
