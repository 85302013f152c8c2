"""Descent on u and v of w = u^2 - v^2, with minibatches, label noise and decay, and what it does to u v on its way."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from offconvex.bias.diagonal.model import SparseProblem

CHUNK = 1000
"""Steps whose random draws are made at once."""


@dataclass(frozen=True)
class StepRule:
    """How descent steps on |Xw - y|^2 / (2n).

    Attributes:
        rate: gamma, the step size on u and v; one number, or one for each problem.
        batch: examples of a minibatch, drawn anew and without repetition in every step; all of them if None.
        noise: deviation sigma of a fresh Gaussian error on every label in every step.
        decay: lambda of the penalty lambda (|u|^2 + |v|^2) / 2.
    """

    rate: float | Float[np.ndarray, " B"]
    batch: int | None = None
    noise: float = 0.0
    decay: float = 0.0

    def __post_init__(self):
        if not (np.all(np.asarray(self.rate) > 0) and self.noise >= 0 and self.decay >= 0):
            raise ValueError(f"Steps need rate > 0, noise >= 0 and decay >= 0; got {self}.")
        if self.batch is not None and self.batch < 1:
            raise ValueError(f"A minibatch needs at least one example; got {self.batch}.")


@dataclass(frozen=True)
class RunPlace:
    """Where B runs are, and the sum of what moved them.

    A step with the gradient g in w multiplies u by 1 - a - rate * decay and v by 1 + a - rate * decay, a = 2 rate g.
    Hence, exactly and always, w = exp(log_plus + s) - exp(log_minus - s) with the three sums below, and s is in the row
    space of X whatever the steps are (even2023sgd; with decay: own computation).

    Attributes:
        u: (B, d).
        v: (B, d).
        s: (B, d), -2 sum a.
        log_plus: (B, d), ln alpha_+^2 = ln alpha^2 + sum(ln (1 - a - rate decay)^2 + 2a).
        log_minus: (B, d), ln alpha_-^2 = ln alpha^2 + sum(ln (1 + a - rate decay)^2 - 2a).
        count: steps done; of the longest run where runs stop by themselves.
    """

    u: Float[np.ndarray, "B d"]
    v: Float[np.ndarray, "B d"]
    s: Float[np.ndarray, "B d"]
    log_plus: Float[np.ndarray, "B d"]
    log_minus: Float[np.ndarray, "B d"]
    count: int = 0

    @property
    def weights(self) -> Float[np.ndarray, "B d"]:
        """The model, u^2 - v^2."""
        return (self.u - self.v) * (self.u + self.v)

    @property
    def log_product(self) -> Float[np.ndarray, "B d"]:
        """Logarithm of |u v|, the mean of both: ln alpha^2 at the start, and gradient flow keeps it."""
        return (self.log_plus + self.log_minus) / 2

    def __getitem__(self, runs: np.ndarray) -> "RunPlace":
        """Some of the runs."""
        return RunPlace(*(part[runs] for part in self.parts), self.count)

    @property
    def parts(self) -> tuple[Float[np.ndarray, "B d"], ...]:
        """What there is of each run: u, v, s, log_plus, log_minus."""
        return self.u, self.v, self.s, self.log_plus, self.log_minus


def start(problem: SparseProblem, alpha: float) -> RunPlace:
    """Start u = v = alpha of every problem of a batch, so that w = 0.

    Raises:
        ValueError: if alpha is not positive: at zero nothing ever moves.
    """
    if not alpha > 0:
        raise ValueError(f"A start needs alpha > 0, because at zero nothing moves; got {alpha}.")
    ones = np.ones_like(problem.target)
    logs = 2 * np.log(alpha) * ones
    return RunPlace(alpha * ones, alpha * ones, 0 * ones, logs, logs)


def residual(problem: SparseProblem, place: RunPlace) -> Float[np.ndarray, " B"]:
    """|Xw - y| / |y| of each run."""
    gap = (problem.X @ place.weights[..., None])[..., 0] - problem.y
    return np.linalg.norm(gap, axis=-1) / np.linalg.norm(problem.y, axis=-1)


def descend(
    problem: SparseProblem,
    steps: StepRule,
    place: RunPlace,
    count: int,
    generator: np.random.Generator | None = None,
    *,
    keep_lost: bool = False,
) -> RunPlace:
    """`count` steps for every problem of a batch.

    Args:
        problem: (B, ...) problems.
        steps: of which kind.
        place: where to begin, e.g. `start(problem, alpha)`.
        count: how many.
        generator: of minibatches and label noise; not needed without them.
        keep_lost: whether a run that diverges may stay, with entries that are not finite.

    Raises:
        ValueError: if steps are random and there is no generator, or a minibatch is larger than the data.
        ArithmeticError: if a run diverges, unless such runs are kept.
    """
    B, n, _ = problem.X.shape
    if (steps.batch or steps.noise) and generator is None:
        raise ValueError("Minibatches and label noise are drawn; give a generator.")
    if steps.batch and steps.batch > n:
        raise ValueError(f"A minibatch of {steps.batch} cannot be drawn from {n} examples.")
    rate = np.broadcast_to(np.asarray(steps.rate, dtype=float), (B,))[:, None]
    kept = 1 - rate * steps.decay
    u, v, s, log_plus, log_minus = (part.copy() for part in place.parts)
    with np.errstate(over="ignore", invalid="ignore"):
        for X, y in _examples(problem, steps, count, generator):
            gap = (X @ ((u - v) * (u + v))[..., None])[..., 0] - y
            a = (2 / X.shape[1] * rate) * (gap[:, None, :] @ X)[:, 0]
            down, up = kept - a, kept + a
            u *= down
            v *= up
            s -= 2 * a
            log_plus += 2 * (np.log(np.abs(down)) + a)
            log_minus += 2 * (np.log(np.abs(up)) - a)
    if not (keep_lost or (np.isfinite(u).all() and np.isfinite(v).all())):
        raise ArithmeticError(f"Descent diverges at steps of {np.max(steps.rate):.3g}; make them smaller.")
    return RunPlace(u, v, s, log_plus, log_minus, place.count + count)


def settle(
    problem: SparseProblem,
    steps: StepRule,
    place: RunPlace,
    *,
    within: float,
    most: int,
    generator: np.random.Generator | None = None,
    keep_lost: bool = False,
) -> RunPlace:
    """Steps, in blocks of `CHUNK`, until each run has |Xw - y| <= `within` |y|; a run that has stays where it is.

    Raises:
        ArithmeticError: if that takes more than `most` steps, or a run diverges.
        ValueError: as `descend`.
    """
    parts, count = [part.copy() for part in place.parts], place.count
    rate = np.broadcast_to(np.asarray(steps.rate, dtype=float), (len(place.u),))
    going = np.flatnonzero(residual(problem, place) > within)
    while len(going):
        if count >= most:
            raise ArithmeticError(
                f"{len(going)} of {len(rate)} runs do not fit to {within:.1e} in {most} steps; allow more of them."
            )
        here, block = RunPlace(*parts, count)[going], min(CHUNK, most - count)
        moved = descend(problem[going], replace(steps, rate=rate[going]), here, block, generator, keep_lost=keep_lost)
        for part, new in zip(parts, moved.parts, strict=True):
            part[going] = new
        # Neither goes on what has diverged, which is not a number.
        count, going = moved.count, going[residual(problem[going], moved) > within]
    return RunPlace(*parts, count)


def _examples(
    problem: SparseProblem, steps: StepRule, count: int, generator: np.random.Generator | None
) -> Iterator[tuple[Float[np.ndarray, "B m d"], Float[np.ndarray, "B m"]]]:
    """What each step sees: all examples or m of them, with their labels or noisy ones."""
    B, n, _ = problem.X.shape
    m, every = steps.batch or n, np.arange(B)[:, None]
    for done in range(0, count, CHUNK):
        block = min(CHUNK, count - done)
        if m < n:
            drawn = generator.random((block, B, n)).argpartition(m - 1, axis=-1)[..., :m] if m > 1 else None
            drawn = generator.integers(n, size=(block, B, 1)) if drawn is None else drawn
        errors = steps.noise * generator.standard_normal((block, B, m)) if steps.noise else np.zeros((block, 1, 1))
        for step in range(block):
            X, y = (problem.X, problem.y) if m == n else (problem.X[every, drawn[step]], problem.y[every, drawn[step]])
            yield X, y + errors[step]
