"""The hour of grokking: runs with weight decay, and the curve that tells beforehand when their test error falls.

The test error is |w - w*|^2, the expected one for isotropic examples. A run groks when it falls to half that of the
least-squares solution of least norm, which is where training ends that stays in the kernel's regime.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from offconvex.bias import rosenbrock
from offconvex.bias.diagonal.grokking_theory import corrected_labels, grokking_time
from offconvex.bias.diagonal.model import SparseLaw, SparseProblem
from offconvex.bias.mirror import curvature, dual, primal

LAWS = (
    SparseLaw(30, 60, 4, "gaussian"),
    SparseLaw(24, 48, 3, "gaussian"),
    SparseLaw(20, 40, 3, "uniform"),
    SparseLaw(30, 60, 3, "student"),
)
"""Sizes and laws of the four problems of the chapter."""

SPARSE, SOLVED = -4.0, 0.1
"""A problem is solved by its sparse interpolator if this ln alpha leaves at most this share of the kernel's error."""

MEMORIZED = 0.01
"""Train error |Xw - y|^2 / |y|^2 below which a run has memorized its labels."""

LONGEST = 0.1
"""Steps in units of 1 / lambda at most: alpha falls by a tenth, and with it the Jacobian."""


def kernel_error(problem: SparseProblem) -> float:
    """Test error of the least-squares solution of least norm, where alpha tends to infinity (woodworth2020kernel)."""
    return float(((np.linalg.pinv(problem.X) @ problem.y - problem.target) ** 2).sum())


def static_error(
    problem: SparseProblem,
    log_alpha: Float[np.ndarray, "*runs"] | float,
    decay: Float[np.ndarray, "*#runs"] | float = 0.0,
) -> Float[np.ndarray, "*runs"] | np.floating:
    """Test error of the interpolator that belongs to alpha: the static curve, computed without any training.

    Args:
        problem: one.
        log_alpha: ln alpha.
        decay: with another one than zero, the interpolator of `corrected_labels`.
    """
    log_alpha = np.asarray(log_alpha, dtype=float)
    shape = log_alpha.shape
    logs = np.broadcast_to(2 * log_alpha[..., None], (*shape, len(problem.target)))
    X = np.broadcast_to(problem.X, (*shape, *problem.X.shape))
    y = np.broadcast_to(problem.y, (*shape, *problem.y.shape))
    w, nu = dual(X, y, logs)
    if np.any(decay):
        labels = corrected_labels(X, y, curvature(nu @ problem.X, logs, logs), decay)
        w, _ = dual(X, labels, logs, start=nu)
    return ((w - problem.target) ** 2).sum(axis=-1)


def draw(law: SparseLaw, seed: int, tried: int = 20) -> SparseProblem:
    """The first problem of its stream that the sparse interpolator solves: else there is nothing to grok.

    The rule looks at the static curve alone, before any run; about one problem in fifty of `LAWS` fails it.

    Raises:
        ArithmeticError: if none of those tried is solved.
    """
    problems = law.draw(seed, f"grokking {law.examples} {law.weights}", tried)
    for place in range(tried):
        problem = problems[place]
        if static_error(problem, SPARSE) <= SOLVED * kernel_error(problem):
            return problem
    raise ArithmeticError(
        f"None of {tried} problems of {law} is solved by its sparse interpolator; give more examples or fewer nonzero "
        "weights."
    )


def critical(
    problem: SparseProblem,
    decay: Float[np.ndarray, "*runs"] | float = 0.0,
    highest: float = 3.0,
    lowest: float = SPARSE,
) -> Float[np.ndarray, "*runs"] | np.floating:
    """The value ln alpha_c at which the static curve first falls to half the kernel's error, as alpha falls.

    A bracket of the curve is divided in sixteen, and the first part in which the curve passes is the next bracket.

    Args:
        problem: one.
        decay: lambda, for the curve with corrected labels; 0 for that of the labels.
        highest: ln alpha from which the curve is followed.
        lowest: ln alpha to which it is followed.

    Raises:
        ArithmeticError: if the error does not fall to a half in between.
    """
    decay, level = np.asarray(decay, dtype=float), kernel_error(problem) / 2
    if decay.any():
        # With labels changed by an order of lambda the place is near that of the labels themselves.
        center = float(critical(problem, 0.0, highest, lowest))
        high, low = np.full(decay.shape, center + 0.5), np.full(decay.shape, center - 0.5)
    else:
        high, low = np.full(decay.shape, highest), np.full(decay.shape, lowest)
    while (high - low > 1e-11).any():
        grid = high + np.linspace(0, 1, 17).reshape(-1, *(1,) * decay.ndim) * (low - high)
        passed = np.asarray(static_error(problem, grid, decay) <= level)
        if not passed.any(axis=0).all() or passed[0].any():
            raise ArithmeticError(
                f"The test error does not fall to half the kernel's between ln alpha = {np.max(high):.3g} and "
                f"{np.min(low):.3g}: give more examples, fewer nonzero weights, or a smaller decay."
            )
        place = passed.argmax(axis=0)[None]
        low = np.take_along_axis(grid, place, axis=0)[0]
        high = np.take_along_axis(grid, place - 1, axis=0)[0]
    return (high + low) / 2


@dataclass(frozen=True)
class Slide:
    """Runs of the flow with decay on one problem, over an axis or more of starts and decays.

    Attributes:
        problem: one.
        path: states are (1 + alpha^2) nu, then ln alpha^2.
    """

    problem: SparseProblem
    path: rosenbrock.Path

    def weights(self, states: Float[np.ndarray, "*any m"]) -> Float[np.ndarray, "*any d"]:
        """Those of states, 2 alpha^2 sinh(X^T nu)."""
        return _weights(self.problem.X, states)

    def train_error(self, states: Float[np.ndarray, "*any m"]) -> Float[np.ndarray, "*any"]:
        """|Xw - y|^2 / |y|^2 of states."""
        return ((self.weights(states) @ self.problem.X.T - self.problem.y) ** 2).sum(-1) / (self.problem.y**2).sum()

    def test_error(self, states: Float[np.ndarray, "*any m"]) -> Float[np.ndarray, "*any"]:
        """|w - w*|^2 of states."""
        return ((self.weights(states) - self.problem.target) ** 2).sum(axis=-1)

    def memorized(self) -> Float[np.ndarray, "*runs"]:
        """Time at which the train error has fallen to `MEMORIZED`."""
        return self.path.first_time(self.train_error, MEMORIZED)

    def grokked(self) -> Float[np.ndarray, "*runs"]:
        """Time from which the test error, once the labels are memorized, is half the kernel's; infinite if never."""
        return self.path.first_time(self.test_error, kernel_error(self.problem) / 2)


def slide(
    problem: SparseProblem,
    log_alpha: Float[np.ndarray, "*runs"],
    decay: Float[np.ndarray, "*runs"],
    end: Float[np.ndarray, "*runs"],
    tolerance: float = 1e-6,
) -> Slide:
    """Follows the flow of |Xw - y|^2 / (2n) + lambda (|u|^2 + |v|^2) / 2 from u = v = alpha.

    The 2d weights are not needed: u v = alpha^2 exp(-2 lambda t) and w = 2 u v sinh(X^T nu), nu' = -(4 / n)(Xw - y),
    are the same flow in n numbers (woodworth2020kernel; with decay: jacobs2025mirror). They are followed as
    psi = (1 + alpha^2) nu, which stays of order one from the kernel's regime to the sparse one.

    Args:
        problem: one.
        log_alpha: ln alpha at the start, one for each run.
        decay: lambda of each run, zero or more.
        end: last time of each run.
        tolerance: of a step of the integrator, absolute and relative.

    Raises:
        ValueError: if a decay is negative, and as `rosenbrock.integrate`.
    """
    X, y, n = problem.X, problem.y, len(problem.y)
    log_alpha, decay = (part[..., None] for part in np.broadcast_arrays(log_alpha, np.asarray(decay, dtype=float)))
    if (decay < 0).any():
        raise ValueError(f"A decay is zero or more; got {decay.min()}.")

    def field(states: np.ndarray) -> np.ndarray:
        squared = np.exp(states[..., -1:])
        residual = _weights(X, states) @ X.T - y
        motion = -4 / n * (1 + squared) * residual - 2 * decay * _share(states) * states[..., :-1]
        return np.concatenate([motion, -2 * decay * np.ones_like(squared)], axis=-1)

    def jacobian(states: np.ndarray) -> np.ndarray:
        psi, logs, share = states[..., :-1], states[..., -1:], _share(states)
        squared, s, w = np.exp(logs), _dual_weights(X, states), _weights(X, states)
        slopes = curvature(s, np.broadcast_to(logs, s.shape), np.broadcast_to(logs, s.shape))
        found = np.zeros((*states.shape, n + 1))
        found[..., :-1, :-1] = -4 / n * (X * slopes[..., None, :]) @ X.T
        found[..., range(n), range(n)] -= 2 * decay * share
        # s falls by its share of what ln alpha^2 rises.
        by_log = squared * (w @ X.T - y) + (1 + squared) * ((w - slopes * s * share) @ X.T)
        found[..., :-1, -1] = -4 / n * by_log - 2 * decay * psi * share * (1 - share)
        return found

    start = np.concatenate([np.zeros((*log_alpha.shape[:-1], n)), 2 * log_alpha], axis=-1)
    longest = np.divide(LONGEST, decay[..., 0], out=np.full(decay.shape[:-1], np.inf), where=decay[..., 0] > 0)
    path = rosenbrock.integrate(field, jacobian, start, end, rtol=tolerance, atol=tolerance, longest=longest)
    return Slide(problem, path)


def _share(states: np.ndarray) -> np.ndarray:
    """alpha^2 / (1 + alpha^2), the derivative of ln(1 + alpha^2) by ln alpha^2."""
    return 1 / (1 + np.exp(-states[..., -1:]))


def _dual_weights(X: np.ndarray, states: np.ndarray) -> np.ndarray:
    return states[..., :-1] @ X / (1 + np.exp(states[..., -1:]))


def _weights(X: np.ndarray, states: np.ndarray) -> np.ndarray:
    s = _dual_weights(X, states)
    logs = np.broadcast_to(states[..., -1:], s.shape)
    return primal(s, logs, logs)


@dataclass(frozen=True)
class Hours:
    """Times of runs with weight decay, measured and told beforehand.

    Attributes:
        log_alpha: ln alpha at the start.
        decay: lambda.
        memorized: time at which the train error has fallen to one percent.
        grokked: time at which the test error has fallen to half the kernel's.
        static: the latter by the static curve, `grokking_time`.
        corrected: by the static curve of `corrected_labels`.
    """

    log_alpha: Float[np.ndarray, "*runs"]
    decay: Float[np.ndarray, "*runs"]
    memorized: Float[np.ndarray, "*runs"]
    grokked: Float[np.ndarray, "*runs"]
    static: Float[np.ndarray, "*runs"]
    corrected: Float[np.ndarray, "*runs"]

    @property
    def excess(self) -> Float[np.ndarray, "*runs"]:
        """How much later than by the static curve, as a share."""
        return self.grokked / self.static - 1

    @property
    def corrected_excess(self) -> Float[np.ndarray, "*runs"]:
        """How much later than by the corrected curve, as a share."""
        return self.grokked / self.corrected - 1

    @property
    def without_curve(self) -> Float[np.ndarray, "*runs"]:
        """Grokking time over ln(alpha) / lambda, which knows the order alone; infinite at alpha = 1."""
        with np.errstate(divide="ignore"):
            return self.grokked * self.decay / self.log_alpha


def hours(
    problem: SparseProblem,
    alphas: Float[np.ndarray, " A"],
    decays: Float[np.ndarray, " D"],
    tolerance: float = 1e-6,
) -> tuple[Hours, Slide]:
    """Runs from all starts with all decays (A, D), to a fifth beyond the time at which they should grok.

    Raises:
        ValueError: if a start is so small that it has grokked before it begins.
    """
    log_alpha, decay = np.meshgrid(np.log(alphas), np.asarray(decays, dtype=float), indexing="ij")
    log_critical = float(critical(problem))
    if not (log_alpha > log_critical).all():
        raise ValueError(
            f"Only a start above alpha_c = {np.exp(log_critical):.3g} of this problem groks later than it memorizes; "
            f"got {np.min(alphas)}."
        )
    static = np.asarray(grokking_time(log_alpha, log_critical, decay))
    corrected = np.asarray(grokking_time(log_alpha, np.asarray(critical(problem, decay[0])), decay))
    runs = slide(problem, log_alpha, decay, 1.2 * corrected, tolerance)
    return Hours(log_alpha, decay, runs.memorized(), runs.grokked(), static, corrected), runs


def descend(
    problem: SparseProblem, alpha: float, decay: float, share: float = 0.25, most: int = 200_000
) -> tuple[float, float]:
    """Plain descent on u and v, by no formula: times, step times step size, of memorizing and of grokking.

    Args:
        problem: one.
        alpha: u = v at the start.
        decay: lambda.
        share: step size in units of n / (4 |X|^2), above which a start u = v = 1 is not stable.
        most: steps at most; what has not happened by then is at infinity.
    """
    X, y, target = problem.X, problem.y, problem.target
    n, level = len(y), kernel_error(problem) / 2
    rate = share * n / (4 * float(np.linalg.norm(X, 2)) ** 2)
    u, v = np.full(len(target), float(alpha)), np.full(len(target), float(alpha))
    memorized, error = np.inf, MEMORIZED * (y @ y)
    for count in range(most):
        w = u * u - v * v
        residual = X @ w - y
        if memorized == np.inf and residual @ residual < error:
            memorized = count * rate
        if memorized < np.inf and (w - target) @ (w - target) < level:
            return memorized, count * rate
        push = 2 / n * (residual @ X)
        u, v = u - rate * (push * u + decay * u), v - rate * (-push * v + decay * v)
    return memorized, np.inf
