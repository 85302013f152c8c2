"""Where an odd quintic such as Muon's sends singular values, in closed form or by bisection."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


def _value(x: float | np.ndarray, coefficients: tuple[float, float, float]) -> float | np.ndarray:
    a, b, c = coefficients
    return a * x + b * x**3 + c * x**5


def _slope(x: float | np.ndarray, coefficients: tuple[float, float, float]) -> float | np.ndarray:
    a, b, c = coefficients
    return a + 3 * b * x**2 + 5 * c * x**4


@dataclass(frozen=True)
class Band:
    """Extrema of phi for x >= 0, and what they imply if peak < lowest < dip < highest and phi(highest) < phi(lowest).

    Attributes:
        peak: where phi has its local maximum.
        highest: the maximum. phi maps [0, highest] into itself: nothing from [0, 1] is ever above it.
        dip: where phi has its local minimum.
        lowest: the minimum.
        ceiling: phi(lowest). phi maps [lowest, highest] onto [lowest, ceiling]: what is in there stays.
    """

    peak: float
    highest: float
    dip: float
    lowest: float
    ceiling: float


def band(coefficients: tuple[float, float, float]) -> Band:
    """Extrema of phi = a x + b x^3 + c x^5 at x^2 = (-3b -+ sqrt(9 b^2 - 20 a c)) / (10 c); elementary, phi' = 0.

    Raises:
        ValueError: if phi does not move the band into itself as described in `Band`.
    """
    a, b, c = coefficients
    discriminant = 9 * b**2 - 20 * a * c
    if a > 0 > b and c > 0 and discriminant > 0:
        peak, dip = (float(np.sqrt((-3 * b + sign * np.sqrt(discriminant)) / (10 * c))) for sign in (-1, 1))
        highest, lowest = _value(peak, coefficients), _value(dip, coefficients)
        ceiling = _value(lowest, coefficients)
        if max(1.0, peak) < dip < highest and peak < lowest and _value(highest, coefficients) < ceiling < highest:
            return Band(peak, highest, dip, lowest, ceiling)
    raise ValueError(
        f"The band is known for quintics that rise, fall below one and rise again, such as Muon's; got {coefficients}."
    )


def risen(level: float, steps: int, coefficients: tuple[float, float, float]) -> float:
    """The least s that `steps` steps of phi lift to a level in (0, highest], elementary: phi rises from 0 to the peak.

    Own derivation of what it is for: phi^k(s) >= lowest from risen(lowest, k) on, since phi maps what lies above
    risen(lowest, 1) into [lowest, highest]; phi^k(s) > ceiling exactly between risen(ceiling, k) and
    risen(lowest, k - 1), since phi > ceiling only between risen(ceiling, 1) and lowest, on the way up; and the maximum
    is attained at risen(highest, k). For five steps of Muon these are .0015, (.0032, .0052) and .0041.

    Raises:
        ValueError: if phi never reaches the level.
    """
    found = band(coefficients)
    if not 0 < level <= found.highest:
        raise ValueError(f"A level must be in (0, {found.highest:.6g}] to be reached; got {level}.")
    for _ in range(steps):
        low, high = 0.0, found.peak
        while low < (middle := (low + high) / 2) < high:
            low, high = (middle, high) if _value(middle, coefficients) < level else (low, middle)
        level = high
    return level


def rest(coefficients: tuple[float, float, float]) -> tuple[float, float]:
    """The fixed point in the band and phi' there, elementary: x^2 is the smaller root of a - 1 + b x^2 + c x^4.

    Where |phi'| > 1 it repels, and no orbit but those that hit it converges.
    """
    a, b, c = coefficients
    point = float(np.sqrt((-b - np.sqrt(b**2 - 4 * c * (a - 1))) / (2 * c)))
    return point, float(_slope(point, coefficients))


def cycle(coefficients: tuple[float, float, float], period: int = 4) -> tuple[Float[np.ndarray, " period"], float]:
    """The cycle that the orbit of the dip ends on, increasing, and its multiplier, the product of phi' over it.

    Classical (Singer's theorem): phi' has real roots only, so phi has a negative Schwarzian derivative; a cycle with a
    multiplier below one in size then attracts an extremum, and as the band has one, the dip, there is one such cycle,
    and it attracts almost every start. That Muon's has period four and multiplier -.143 is an own computation.

    Raises:
        ValueError: if the orbit ends on no cycle of that period.
    """
    value = band(coefficients).dip
    for _ in range(1000):
        value = _value(value, coefficients)
    found = [value]
    for _ in range(period):
        found.append(_value(found[-1], coefficients))
    points = np.array(found[:-1])
    if abs(found[-1] - value) > 1e-12 or len(np.unique(points.round(9))) < period:
        raise ValueError(f"The orbit of the dip ends on no cycle of {period} values.")
    return np.sort(points), float(np.prod(_slope(points, coefficients)))


def share_floor(rank: int, steps: int, coefficients: tuple[float, float, float]) -> float:
    """Least share of the best spectral margin without momentum, up to what vanishes with time.

    Own derivation: <G, D> = sum s phi^k(s) ||G||_F is at least `lowest` times the sum of the singular values from
    risen(lowest, k) ||G||_F on; the others, at most rank - 1, sum to less than (rank - 1) risen(lowest, k) ||G||_*.
    Steps are at most `highest` long, and the margin is at least the sum of eta <G, D> but for terms that vanish
    relative to it.
    """
    found = band(coefficients)
    lost = (rank - 1) * risen(found.lowest, steps, coefficients)
    return found.lowest * (1 - lost) / found.highest
