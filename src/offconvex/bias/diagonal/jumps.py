"""When the flow from a small start jumps: runs in logarithms, and offsets of the times from orbits between saddles."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from offconvex.bias import rosenbrock
from offconvex.bias.diagonal.saddles import Itinerary, moments, relaxation

DEPTH = 30.0
"""An orbit begins where the entering weight is exp(-DEPTH), 1e-13: what it has moved by then is no larger."""
ARRIVED = 1e-8
"""An orbit ends this near to its saddle, as a share of the largest weight."""
LARGEST = 50.0
"""A step that asks for the exponential of more is refused by its error in any case; cut off, it does not overflow."""


@dataclass(frozen=True)
class SmallStart:
    """A run of gradient flow on |Xw - y|^2 / (2n), w = u^2 - v^2, from u = v = alpha.

    Attributes:
        log_inverse: ln(1/alpha).
        path: s = -4 times the integral of the gradient over t, (T, d).
    """

    log_inverse: float
    path: rosenbrock.Path

    @property
    def tau(self) -> Float[np.ndarray, " T"]:
        """Times 2t / ln(1/alpha) of the states."""
        return 2 * self.path.times / self.log_inverse

    @property
    def weights(self) -> Float[np.ndarray, "T d"]:
        """The states' w = 2 alpha^2 sinh s."""
        return np.subtract(*sides(self.path.states, self.log_inverse))

    def curves(
        self, X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], last: float, count: int = 1201
    ) -> tuple[Float[np.ndarray, " T"], Float[np.ndarray, " T"], Float[np.ndarray, "T d"]]:
        """Even tau up to `last`, loss |Xw - y|^2 / (2n) and weights, for a figure; s is joined by straight lines."""
        tau = np.linspace(0, last, count)
        states = np.stack([np.interp(tau, self.tau, column) for column in self.path.states.T], axis=1)
        weights = np.subtract(*sides(states, self.log_inverse))
        return tau, losses(X, y, weights), weights

    def nearest(self, points: Float[np.ndarray, "K d"]) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
        """Least distance of the run's weights from each point, and the tau at which it is attained."""
        distance = np.linalg.norm(self.weights[:, None] - points, axis=2)
        return distance.min(0), self.tau[distance.argmin(0)]


@dataclass(frozen=True)
class Orbit:
    """A run of the limiting equation from one saddle to the next.

    Attributes:
        begin: time of its first state; at time zero the entering weight, left to its first rate, would be one.
        half: time at which its loss is halfway.
        end: time of its last state.
        gained: (d,) what s gained from `begin` to `end`.
    """

    begin: float
    half: float
    end: float
    gained: Float[np.ndarray, " d"]


def losses(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], w: Float[np.ndarray, "*any d"]
) -> Float[np.ndarray, "*any"] | float:
    """|Xw - y|^2 / (2n) of each w."""
    return ((w @ X.T - y) ** 2).sum(-1) / (2 * len(y))


def sides(
    s: Float[np.ndarray, "*any d"], log_inverse: Float[np.ndarray, "runs 1"] | float
) -> tuple[Float[np.ndarray, "*any d"], Float[np.ndarray, "*any d"]]:
    """u^2 and v^2 = alpha^2 exp(+-s), computed as one exponential, so that no alpha is too small."""
    return np.exp(np.minimum(s - 2 * log_inverse, LARGEST)), np.exp(np.minimum(-s - 2 * log_inverse, LARGEST))


def small_starts(
    X: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, " n"],
    log_inverses: Sequence[float],
    until: Sequence[float],
    tolerance: float = 1e-5,
) -> list[SmallStart]:
    """The flow from several alpha = exp(-log_inverse), side by side, in s: ln(1/alpha) = 1000 costs no digit.

    Args:
        X: examples as rows.
        y: labels.
        log_inverses: ln(1/alpha) of each run, positive.
        until: last tau of each.
        tolerance: absolute error of s in each step, that is a relative one of w.

    Raises:
        ValueError: if there is not one last tau for each ln(1/alpha), or one is not positive.
    """
    sizes, last = np.asarray(log_inverses, dtype=float), np.asarray(until, dtype=float)
    if sizes.ndim != 1 or sizes.shape != last.shape or not (len(sizes) and (sizes > 0).all() and (last > 0).all()):
        raise ValueError(f"Every run needs ln(1/alpha) and a last tau, both positive; got {log_inverses} and {until}.")
    gram, correlation = moments(X, y)

    def rate(s: np.ndarray) -> np.ndarray:
        return -4 * (np.subtract(*sides(s, sizes[:, None])) @ gram - correlation)

    def jacobian(s: np.ndarray) -> np.ndarray:
        return -4 * gram * np.add(*sides(s, sizes[:, None]))[:, None, :]

    start = np.zeros((len(sizes), X.shape[1]))
    together = rosenbrock.integrate(rate, jacobian, start, last * sizes / 2, atol=tolerance)
    return [SmallStart(float(size), _alone(together, run)) for run, size in enumerate(sizes)]


def _alone(together: rosenbrock.Path, run: int) -> rosenbrock.Path:
    """One run of several, without the steps at which only others moved."""
    times = together.times[:, run]
    begins = np.flatnonzero(np.diff(times) > 0)
    states = np.append(begins, len(times) - 1)
    slopes = np.append(together.slopes[begins, run], np.zeros_like(together.slopes[:1, run]), axis=0)
    return rosenbrock.Path(times[states], together.states[states, run], slopes)


def jump_times(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], run: SmallStart, itinerary: Itinerary
) -> Float[np.ndarray, " K"]:
    """The tau at which the run's loss, which only falls, is halfway from a saddle's to the next; infinite if never."""

    def loss(s: np.ndarray) -> np.ndarray:
        return losses(X, y, np.subtract(*sides(s, run.log_inverse)))

    levels = losses(X, y, itinerary.points)
    times = [run.path.first_time(loss, half) for half in (levels[1:] + levels[:-1]) / 2]
    return 2 * np.array(times) / run.log_inverse


def offsets(
    X: Float[np.ndarray, "n d"], y: Float[np.ndarray, " n"], itinerary: Itinerary, tolerance: float = 1e-5
) -> Float[np.ndarray, " K"]:
    """c_k in tau_k(alpha) = tau_k + c_k / ln(1/alpha) + (exponentially small), at half loss, without any alpha.

    Between jumps s_j = 2 ln(1/alpha) S_j + c_j, S the s of `successive_saddles`, and c_j = ln|w_j| with its sign while
    j is in use. The entering weight is exp(4 |g_i| (t - t_k) + |c_i|), |c_i| with its sign and g the gradient at the
    saddle: its orbit's time zero is t_k + t* with t* = -|c_i| / (4 |g_i|). Over the whole jump s gains
    -4 times the integral of g_j, which the limit takes to switch from g_j to g'_j at t_k, so that

        c_j <- c_j - 4 [(g_j - g'_j) t* + (integral of the orbit's g_j minus its step at the orbit's time zero)].

    Weights that leave need nothing more: their ln|w_j| is c_j before, and s_j is what falls afterwards. At last
    c_k = 2 (t* + the orbit's time at half loss), since t = tau ln(1/alpha) / 2 (own derivation; that the orbits exist:
    pesme2023saddle). The rest is of order exp(-2 ln(1/alpha) e) with e of `separation`, of this and all earlier jumps.
    """
    gram, correlation = moments(X, y)
    c, found = np.zeros(X.shape[1]), []
    for before, after, s, i in zip(itinerary.points, itinerary.points[1:], itinerary.duals, itinerary.entering):
        used, signs = before != 0, np.sign(s)
        c[used] = signs[used] * np.log(np.abs(before[used]))
        gradient, next_gradient = gram @ before - correlation, gram @ after - correlation
        shift = -signs[i] * c[i] / (4 * np.abs(gradient[i]))
        orbit = connect(X, y, before, after, signs * (used | (np.arange(len(c)) == i)), tolerance)
        # A step at t_k instead of the orbit's time zero is `shift` earlier on its clock.
        c = c + orbit.gained + 4 * (gradient * (-shift - orbit.begin) + next_gradient * (orbit.end + shift))
        found.append(2 * (shift + orbit.half))
    return np.array(found)


def connect(
    X: Float[np.ndarray, "n d"],
    y: Float[np.ndarray, " n"],
    before: Float[np.ndarray, " d"],
    after: Float[np.ndarray, " d"],
    signs: Float[np.ndarray, " d"],
    tolerance: float = 1e-5,
) -> Orbit:
    """The orbit of dw_j/dt = -4 |w_j| g_j that leaves the saddle `before` and ends at `after`.

    Args:
        X: examples as rows.
        y: labels.
        before: where it begins, but for the one weight that has a sign and is zero: that one enters.
        after: where it ends.
        signs: those of the weights that move, zero for the others.
        tolerance: absolute error of ln|w| in each step.

    Raises:
        ValueError: if not exactly one weight enters, or the orbit does not arrive.
    """
    entering = np.flatnonzero((signs != 0) & (before == 0))
    if len(entering) != 1:
        raise ValueError(f"One weight enters at a jump; got {len(entering)} that have a sign and are zero.")
    gram, correlation = moments(X, y)
    moves = signs != 0

    def weights(s: np.ndarray) -> np.ndarray:
        return np.where(moves, signs * np.exp(np.minimum(signs * s, LARGEST)), 0.0)

    def rate(s: np.ndarray) -> np.ndarray:
        return -4 * (gram @ weights(s) - correlation)

    def jacobian(s: np.ndarray) -> np.ndarray:
        return -4 * gram * np.abs(weights(s))

    start = np.where(before != 0, signs * np.log(np.abs(np.where(before != 0, before, 1.0))), -DEPTH * signs)
    begin = -DEPTH / (4 * np.abs(gram @ before - correlation)[entering[0]])
    # The slowest of what dies out at the end: the approach of the weights in use, the decay of one that leaves.
    leaving = np.abs(gram @ after - correlation)[moves & (after == 0)]
    slowest = 4 * min(relaxation(gram, after), leaving.min(initial=np.inf))
    halfway = losses(X, y, np.stack([before, after])).mean()
    state, time, half, length = start, begin, np.inf, -2 * begin
    for _ in range(60):
        path = rosenbrock.integrate(rate, jacobian, state, length, atol=tolerance)
        if np.isinf(half):
            half = time + float(path.first_time(lambda s: losses(X, y, weights(s)), halfway))
        state, time, length = path.states[-1], time + length, 10 / slowest
        if np.abs(weights(state) - after).max() < ARRIVED * np.abs(after).max():
            return Orbit(begin, half, time, state - start)
    raise ValueError("The orbit does not arrive at the saddle it was given; take both from one itinerary.")
