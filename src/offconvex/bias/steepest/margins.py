"""Margins of the five rules, each judged by the certificate of its own run, and of gradient descent."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from offconvex.bias.certificate import NORMS, Certificate, bound, certify, dual_norm, margins, norm
from offconvex.bias.steepest import theory
from offconvex.bias.steepest.rules import MarginCourse, directions, follow


@dataclass(frozen=True)
class MarginRace:
    """The five rules on the same data, with steps first / (mean dual norm of an example) / sqrt(t).

    Attributes:
        steps: of each rule; the last half of them makes the mean p of the certificate.
        first: length of the first step in units of one over the mean dual norm, by which a step changes margins by
            about one; the mean, since a single large example, easily separated, would else shorten all steps.
        looks: numbers of steps, evenly spaced in the logarithm, at which the course is kept.
    """

    steps: int = 24_000
    first: float = 3.0
    looks: int = 40

    def __post_init__(self):
        if self.steps < 20 or not self.first > 0 or self.looks < 2:
            raise ValueError(
                f"A race needs 20 steps or more, a positive first step and two looks or more; got {self.steps}, "
                f"{self.first}, {self.looks}."
            )


@dataclass(frozen=True)
class MarginTable:
    """What the race found; rules and norms in the order of `NORMS`, R data sets.

    Attributes:
        bounds: on the best margin in each norm, from the run of its own rule, (5, R).
        shares: at least this share of the best margin in norm j is reached by rule i, (5, 5, R).
        descent: the same of gradient descent with steps 1 / loss, (5, R).
    """

    bounds: np.ndarray
    shares: np.ndarray
    descent: np.ndarray

    @property
    def own(self) -> Float[np.ndarray, "5 R"]:
        """Share of each rule in its own norm."""
        return np.einsum("iir->ir", self.shares)

    @property
    def others(self) -> float:
        """Largest share, mean over the data sets, that a rule reaches in a norm that is not its own."""
        return self.shares.mean(axis=-1)[~np.eye(len(NORMS), dtype=bool)].max()


@dataclass(frozen=True)
class Bracket:
    """Margin and certificate along the course, rules in the order of `NORMS`, for K numbers of steps and R data sets.

    Attributes:
        steps: (K,).
        margin: smallest margin over the norm, of its own rule, (K, 5, R).
        bound: least certificate so far, (K, 5, R).
        guarantee: what the certificate of the mean p may exceed the margin by, (K, 5, R).
        mean_bound: that certificate, (K, 5, R).
    """

    steps: np.ndarray
    margin: np.ndarray
    bound: np.ndarray
    guarantee: np.ndarray
    mean_bound: np.ndarray

    @property
    def used(self) -> Float[np.ndarray, " some"]:
        """Gap of margin and certificate of the mean p over its guarantee, wherever the examples are separated."""
        return ((self.mean_bound - self.margin) / self.guarantee)[self.margin > 0]


def largest_dual(data: Float[np.ndarray, "R N n m"]) -> Float[np.ndarray, "5 R"]:
    """Largest dual norm of an example for each of the five norms: how fast a step of norm one changes a margin."""
    return np.stack([dual_norm(name, data).max(axis=-1) for name in NORMS])


def step_scale(data: Float[np.ndarray, "R N n m"]) -> Float[np.ndarray, "5 R"]:
    """One over the mean dual norm of the examples, for each of the five norms: the unit of the steps of a race."""
    return 1 / np.stack([dual_norm(name, data).mean(axis=-1) for name in NORMS])


def race(config: MarginRace, data: Float[np.ndarray, "R N n m"]) -> MarginCourse:
    """The courses of all five rules, on axes (5, R) in the order of `NORMS`."""
    every = np.broadcast_to(data, (len(NORMS), *data.shape))
    looks = np.unique(np.geomspace(10, config.steps, config.looks).astype(int))
    keep = [*looks, config.steps // 2]
    lengths = config.first / np.sqrt(np.arange(1, config.steps + 1))
    return follow(every, directions, lengths, scale=step_scale(data), keep=keep)


def gradient_descent(data: Float[np.ndarray, "R N n m"], steps: int) -> Float[np.ndarray, "R n m"]:
    """Weights of gradient descent on sum exp(-z_i), each step one over the largest ||X_i||^2 times the loss."""
    scale = 1 / largest_dual(data)[NORMS.index("frobenius")] ** 2
    return follow(data, lambda gradient: gradient, np.ones(steps), scale=scale).weights[-1]


def certificate_of(
    name: str, data: Float[np.ndarray, "R N n m"], course: MarginCourse, place: tuple[int, ...] = ()
) -> Certificate:
    """What a course proves about its last weights in a norm, with the better of two p: the last, and the later half's.

    Args:
        name: one of `NORMS`.
        data: examples times labels.
        course: kept at half of its steps, among others.
        place: index of the course among leading axes, such as that of its rule.

    Raises:
        ValueError: if only the end was kept, and as `certify`, if the examples are not separated.
    """
    half = int(np.searchsorted(course.steps, course.steps[-1] // 2))
    if half == len(course.steps) - 1:
        raise ValueError(
            f"A certificate from the later half of a course needs it kept there; got {course.steps[-1]} steps of which "
            f"only the last was: give `follow` keep=[{course.steps[-1] // 2}]."
        )
    late = certify(name, data, course.weights[-1][place], course.mean_p(half)[place])
    last = certify(name, data, course.weights[-1][place], course.p[-1][place])
    return Certificate(late.margin, np.minimum(late.bound, last.bound))


def table(config: MarginRace, data: Float[np.ndarray, "R N n m"], course: MarginCourse) -> MarginTable:
    """Shares of the best margins from the course of a race, and those of gradient descent.

    Raises:
        ValueError: if a rule does not separate the examples.
    """
    found = [certificate_of(name, data, course, (place,)) for place, name in enumerate(NORMS)]
    bounds = np.stack([one.bound for one in found])
    ends = [*course.weights[-1], gradient_descent(data, config.steps)]
    least = [margins(data, end).min(axis=-1) for end in ends]
    shares = np.array([[m / norm(name, end) for name in NORMS] for m, end in zip(least, ends)]) / bounds
    return MarginTable(bounds, shares[:-1], shares[-1])


def bracket(config: MarginRace, data: Float[np.ndarray, "R N n m"], course: MarginCourse) -> Bracket:
    """Margin from below and certificate from above, along the course of a race."""
    every = np.broadcast_to(data, (len(course.steps), *data.shape))
    last = [bound(name, every, course.p[:, place]) for place, name in enumerate(NORMS)]
    means = np.stack([course.mean_p(last=k) for k in range(len(course.steps))])
    mean_bounds = np.stack([bound(name, every, means[:, place]) for place, name in enumerate(NORMS)], axis=1)
    reached = [
        margins(every, course.weights[:, place]).min(axis=-1) / norm(name, course.weights[:, place])
        for place, name in enumerate(NORMS)
    ]
    scale = step_scale(data)
    lengths = config.first / np.sqrt(np.arange(1, config.steps + 1))
    # Steps l / u and examples of dual norm L have u times the bound of steps l and examples of dual norm L / u.
    ratios = (largest_dual(data) * scale).ravel()
    guarantees = [theory.guaranteed_gap(lengths, ratio, data.shape[1])[course.steps - 1] for ratio in ratios]
    guarantee = np.stack(guarantees, axis=-1).reshape(-1, *scale.shape) / scale
    least = np.minimum.accumulate(np.minimum(np.stack(last, axis=1), mean_bounds), axis=0)
    return Bracket(course.steps, np.stack(reached, axis=1), least, guarantee, mean_bounds)
