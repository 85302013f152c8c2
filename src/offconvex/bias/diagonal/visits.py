"""Experiments on the saddles: random problems, the algorithm's forecast, and runs from small starts held against it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from offconvex import rng
from offconvex.bias.diagonal.jumps import SmallStart, jump_times, offsets, small_starts
from offconvex.bias.diagonal.saddles import Itinerary, approaches, separation, successive_saddles

SIZES = ((12, 10), (16, 14), (16, 24), (20, 20))
"""(n, d), taken in turn: more examples than weights, fewer, and as many."""
CLEAR = 15.0
"""What is left out has to be below exp(-CLEAR), 3e-7 of what is kept: this is asked of the forecast, before any run."""
FEWEST = 3
"""Clear jumps that a problem needs; a draw with fewer is followed by the next of its stream."""
LAST = 6.0
"""Jumps after this tau are not looked at."""
FINE = 1e-6
"""Tolerance where the rest is measured, which is small itself."""


@dataclass(frozen=True)
class Trip:
    """A problem with what the algorithm says about it.

    Attributes:
        X: (n, d) examples as rows.
        y: (n,) labels.
        itinerary: saddles and jumps until `LAST`.
        draws: how many problems of its stream were drawn, this one included.
    """

    X: Float[np.ndarray, "n d"]
    y: Float[np.ndarray, " n"]
    itinerary: Itinerary
    draws: int


def draw(seed: int, number: int, log_inverse: float, least: int = FEWEST) -> Trip:
    """Problem `number` of a seed: standard Gaussian X, y = X w* + noise of size 0.3, four weights of size 0.5 to 2.

    The first of its stream that has `least` clear jumps at ln(1/alpha) = `log_inverse` (`clear`): a rule on the
    algorithm's own times, which knows of no run.

    Raises:
        ValueError: if none of 1000 is so.
    """
    n, d = SIZES[number % len(SIZES)]
    stream = rng.numpy_generator(seed, "saddles", number)
    for draws in range(1, 1001):
        X = stream.standard_normal((n, d))
        w = np.zeros(d)
        w[:4] = stream.choice([-1.0, 1.0], 4) * stream.uniform(0.5, 2.0, 4)
        y = X @ w + 0.3 * stream.standard_normal(n)
        trip = Trip(X, y, successive_saddles(X, y, until=LAST), draws)
        if clear(trip, log_inverse) >= least:
            return trip
    raise ValueError(f"No problem with {least} clear jumps at ln(1/alpha) = {log_inverse}; ask for fewer.")


def clear(trip: Trip, log_inverse: float) -> int:
    """How many jumps from the first on are clear: 2 ln(1/alpha) e >= `CLEAR`, with e of `separation`.

    Not only the jump itself, because two that merge change the offsets of all that follow.
    """
    exponents = 2 * log_inverse * separation(trip.X, trip.itinerary)
    return int(np.logical_and.accumulate(exponents >= CLEAR).sum())


def forecast(trip: Trip, log_inverse: float) -> tuple[Itinerary, Float[np.ndarray, " K"]]:
    """The clear jumps at ln(1/alpha) = `log_inverse`, and their offsets."""
    itinerary = trip.itinerary.first(clear(trip, log_inverse))
    return itinerary, offsets(trip.X, trip.y, itinerary)


def follow(trip: Trip, log_inverses: Sequence[float]) -> list[SmallStart]:
    """The flow from each ln(1/alpha) until `LAST`, and ten units of 1 / ln(1/alpha) more for the last jump."""
    return small_starts(trip.X, trip.y, log_inverses, [LAST + 10 / size for size in log_inverses])


def delays(trip: Trip, run: SmallStart, itinerary: Itinerary) -> Float[np.ndarray, " K"]:
    """(tau measured - tau_k) ln(1/alpha) of a run, for the jumps of an itinerary: what `offsets` predicts."""
    return (jump_times(trip.X, trip.y, run, itinerary) - itinerary.times) * run.log_inverse


def visited(trip: Trip, log_inverse: float) -> Float[np.ndarray, "K d"]:
    """Saddles that the flow comes near by the forecast: 2 ln(1/alpha) e >= `CLEAR`, e of `approaches`.

    The start and the last point of the itinerary are none of them.
    """
    exponents = 2 * log_inverse * approaches(trip.X, trip.y, trip.itinerary)
    return trip.itinerary.points[1:][exponents >= CLEAR]


def rest_rate(trip: Trip, log_inverse: float, exponents: tuple[float, float] = (6.0, 9.0)) -> float:
    """Measured over predicted rate at which what `offsets` leaves out falls with ln(1/alpha), at one jump.

    Of the clear jumps that with the least separation e; at the two alphas where 2 ln(1/alpha) e is one of `exponents`
    the logarithm of the rest should differ by the difference of these.
    """
    separations = separation(trip.X, trip.itinerary.first(clear(trip, log_inverse)))
    least = int(separations.argmin())
    itinerary = trip.itinerary.first(least + 1)
    offset = offsets(trip.X, trip.y, itinerary, FINE)[-1]
    sizes = [exponent / (2 * separations[least]) for exponent in exponents]
    last = [itinerary.times[-1] + (10 + max(offset, 0.0)) / size for size in sizes]
    runs = small_starts(trip.X, trip.y, sizes, last, FINE)
    rests = [abs(delays(trip, run, itinerary)[-1] - offset) for run in runs]
    return float(np.log(rests[0] / rests[1]) / (exponents[1] - exponents[0]))
