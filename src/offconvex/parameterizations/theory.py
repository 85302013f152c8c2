"""Closed forms for the flow of two weights: fields, conserved quantities, end points, exact solutions, thresholds."""

import math

import numpy as np
from jaxtyping import Float
from scipy.integrate import quad
from scipy.optimize import brentq

Kind = float | str
"""The power N of w = u^N, or "exp", or "polar"."""


def exponent(kind: Kind) -> float:
    """Exponent of w in the field: 2 - 2/N for a power, its limit 2 for "exp" (gissin2019primer).

    Raises:
        ValueError: for "polar", whose field is no power of w, and for a power that is not positive.
    """
    if kind == "exp":
        return 2.0
    if isinstance(kind, str) or not kind > 0:
        raise ValueError(f"The field is a power of w for N > 0 and 'exp' only; got {kind!r}.")
    return 2.0 - 2.0 / kind


def field(
    kind: Kind, w: Float[np.ndarray, "*any 2"], gradient: Float[np.ndarray, "*any 2"]
) -> Float[np.ndarray, "*any 2"]:
    """Velocity of w, (n, 2): N^2 w^(2-2/N) (-gradient) per coordinate, w^2 (-gradient) for "exp".

    "polar": the radial part of -gradient as it is, the tangential part times r^2 (gissin2019primer).
    """
    if kind != "polar":
        factor = 1.0 if kind == "exp" else float(kind) ** 2
        return -factor * w ** exponent(kind) * gradient
    radius = np.linalg.norm(w, axis=-1, keepdims=True)
    radial = w / radius
    tangent = np.stack([-radial[..., 1], radial[..., 0]], -1)
    along = (gradient * radial).sum(-1, keepdims=True)
    across = (gradient * tangent).sum(-1, keepdims=True)
    return -along * radial - radius**2 * across * tangent


def conserved(
    kind: Kind, w: Float[np.ndarray, "*any 2"], normal: tuple[float, float] = (1.0, 2.0)
) -> Float[np.ndarray, "*any"] | float:
    """Quantity that every flow toward the line a.w = b keeps: h(w1)/a1 - h(w2)/a2, with h' = w^-(2-2/N).

    h(w) = (w^q - 1) / q with q = 2/N - 1, that is log w for N = 2 and 1 - 1/w for "exp". Reason: dh(w_i)/dt is a_i
    times a factor common to both weights.
    Elementary: by differentiation.
    """
    return _potential(kind, w[..., 0]) / normal[0] - _potential(kind, w[..., 1]) / normal[1]


def line_end_point(
    kind: Kind, start: Float[np.ndarray, "2"], normal: tuple[float, float] = (1.0, 2.0), offset: float = 15.0
) -> Float[np.ndarray, "2"]:
    """Where gradient flow from `start` (2,) meets the line a.w = b: the point of the line with the same `conserved`.

    "polar": from (sin d) = (sin d0) exp(-(r^2 - r0^2)/2) and r cos d = b / |a|; see `polar_sine`.
    Elementary: two equations.

    Raises:
        ValueError: if the line holds no such point in the open quadrant: the flow reaches an axis first.
    """
    if kind == "polar":
        return _polar_end_point(start, normal, offset)
    target = conserved(kind, np.asarray(start, dtype=float), normal)

    def excess(angle: float) -> float:
        # The line runs through the quadrant as (b/a1) sin^2, (b/a2) cos^2: both ends are resolved to full precision.
        return float(conserved(kind, _on_line(angle, normal, offset), normal) - target)

    low, high = 1e-9, math.pi / 2 - 1e-9
    if not excess(low) < 0 < excess(high):
        raise ValueError(
            f"The flow of {kind} from {tuple(start)} reaches an axis before the line; start below the line."
        )
    return _on_line(brentq(excess, low, high, xtol=1e-15, rtol=1e-15), normal, offset)


def min_norm_point(p: float, normal: tuple[float, float] = (1.0, 2.0), offset: float = 15.0) -> Float[np.ndarray, "2"]:
    """Point of a.w = b with the smallest l_p norm, (2,): w_i in proportion to a_i^(1/(p-1)); a corner for p <= 1.

    Elementary: Lagrange multipliers.

    Raises:
        ValueError: if p is not positive.
    """
    if not p > 0:
        raise ValueError(f"`p` must be positive; got {p}.")
    a = np.asarray(normal, dtype=float)
    if p > 1:
        # Scaled by the largest entry, so that p near 1 does not overflow.
        w = (a / a.max()) ** (1 / (p - 1))
        return w * offset / (a @ w)
    corners = np.diag(offset / a)
    return corners[np.argmin(corners.max(axis=1))]


def polar_sine(
    radius: Float[np.ndarray, "*any"] | float, start_radius: float, start_angle: float
) -> Float[np.ndarray, "*any"] | float:
    """Sine of the angle d between w and the normal of the line along the polar flow: sin d0 exp(-(r^2 - r0^2)/2).

    From dr/dt = -s cos d and dd/dt = s r sin d (s the signed distance to the line): d log sin d = -r dr.
    Own derivation.
    """
    return math.sin(start_angle) * np.exp(-(np.asarray(radius) ** 2 - start_radius**2) / 2)


def learning_time(kind: Kind, start: float, end: float, target: float) -> float:
    """Time from `start` to `end` under ds/dt = s^(2-2/N) (target - s), the field divided by N^2, by quadrature.

    Elementary: variables separated.

    Raises:
        ValueError: unless start and end are positive and on the same side of the target.
    """
    if not (start > 0 and end > 0 and (target - start) * (target - end) > 0):
        raise ValueError(f"`start` and `end` must be positive, on one side of {target}; got {start} and {end}.")
    return _odds_time(kind, _odds(start, target), _odds(end, target), target, 1.0 if start < target else -1.0)


def exact_time(
    kind: Kind, start: float, end: Float[np.ndarray, "*any"] | float, target: float
) -> Float[np.ndarray, "*any"] | float:
    """`learning_time` in closed form for N = 1, 2, 4 and "exp", 0 < start, end < target (gissin2020implicit).

    Raises:
        ValueError: for another N, whose antiderivative is not elementary in this form.
    """
    end = np.asarray(end, dtype=float)
    if kind == 1:
        return np.log((target - start) / (target - end))
    if kind == 2:
        return np.log(end * (target - start) / (start * (target - end))) / target
    if kind == 4:
        return _antiderivative_4(end, target) - _antiderivative_4(np.asarray(start), target)
    if kind == "exp":
        growth = np.log(end * (target - start) / (start * (target - end)))
        return (1 / start - 1 / end) / target + growth / target**2
    raise ValueError(f"A closed form is stated for N = 1, 2, 4 and 'exp'; got {kind!r}.")


def exact_solution(kind: Kind, times: Float[np.ndarray, " T"], start: float, target: float) -> Float[np.ndarray, " T"]:
    """Weight at the given times under ds/dt = s^(2-2/N) (target - s), (T,) (gissin2020implicit).

    Explicit for N = 1 and 2; for N = 4 and "exp" the closed-form time is inverted.
    """
    times = np.asarray(times, dtype=float)
    if kind == 1:
        return target + (start - target) * np.exp(-times)
    if kind == 2:
        decay = np.exp(-target * times)
        return start * target / (start * (1 - decay) + target * decay)
    return np.array([_invert_time(kind, time, start, target) for time in times])


def companion_path(
    kind: Kind, start: Float[np.ndarray, "2"], target: tuple[float, float], first: Float[np.ndarray, " T"]
) -> Float[np.ndarray, " T"]:
    """Second weight of the point-loss flow when the first one has reached `first`, (T,).

    Both weights have spent the same time: learning_time(w1 -> first) = learning_time(w2 -> second).
    Elementary: both weights share the time.
    """
    return np.array([_companion(kind, start, target, value) for value in first])


def threshold(kind: Kind, ratio: float, slow: float, fast: float) -> float:
    """Natural logarithm of the largest common start that is (slow, fast)-incremental, for targets `ratio` > 1 and 1.

    Incremental: at some time the small coordinate is at most `slow` of its target and the large one at least `fast`
    of its own (gissin2020implicit). At the threshold both events fall on the same time.

    Raises:
        ValueError: unless ratio > 1, 0 < slow < fast < 1.
    """
    _check_threshold(ratio, slow, fast)

    def lateness(log_start: float) -> float:
        # Time of the large one minus time of the small one; the common part of both integrals, which dominates for
        # tiny starts, is integrated once as a difference.
        return _late_time(kind, log_start, ratio, slow, fast)

    high = math.log(slow)
    low = high - 1.0
    while lateness(low) > 0:
        low = high + 2 * (low - high)
    return brentq(lateness, low, high, xtol=1e-13, rtol=1e-14)


def threshold_bounds(kind: Kind, ratio: float, slow: float, fast: float) -> tuple[float, float]:
    """Bounds below and above `threshold`, as logarithms (gissin2020implicit): exponential in 1/(r-1) only for N = 2.

    N = 2: s (s(1-f)/(rf))^(1/(r-1)) and s ((1-f)/f)^(1/(r-1)).
    N > 2: s ((1-f)(r-1)/(1+(1-f)(r-1)))^(N/(N-2)) and s ((r-1)/(r-s^((N-2)/N)))^(N/(N-2)); "exp" is N/(N-2) = 1.
    The second one is for f near 1: at f = 1/2 and below the threshold may exceed it.

    Raises:
        ValueError: for N < 2, where no start is small enough to wait for, and outside 0 < slow < fast < 1 < ratio.
    """
    _check_threshold(ratio, slow, fast)
    if kind == 2:
        lower = math.log(slow * (1 - fast) / (ratio * fast)) / (ratio - 1)
        return math.log(slow) + lower, math.log(slow) + math.log((1 - fast) / fast) / (ratio - 1)
    root = exponent(kind) - 1
    if root <= 0:
        raise ValueError(f"Bounds are stated for N >= 2; got {kind!r}.")
    gap = (1 - fast) * (ratio - 1)
    lower = math.log(gap / (1 + gap)) / root
    return math.log(slow) + lower, math.log(slow) + math.log((ratio - 1) / (ratio - slow**root)) / root


def threshold_law(kind: Kind, slow: float, fast: float) -> float:
    """How `threshold` falls as the gap r - 1 closes: its slope in log(r - 1), N/(N-2), for N > 2 (1 for "exp").

    For N = 2 its slope in 1/(r - 1): log(s(1-f) / ((1-s)f)), from setting the two closed-form times equal.
    Own derivation.

    Raises:
        ValueError: for N < 2, where there is no threshold law.
    """
    if kind == 2:
        return math.log(slow * (1 - fast) / ((1 - slow) * fast))
    root = exponent(kind) - 1
    if root <= 0:
        raise ValueError(f"A threshold law is stated for N >= 2; got {kind!r}.")
    return 1 / root


def _potential(kind: Kind, w: np.ndarray) -> np.ndarray:
    q = 1.0 - exponent(kind)
    # expm1 keeps all digits near N = 2, where both w^q and 1 tend to 1.
    return np.log(w) if q == 0 else np.expm1(q * np.log(w)) / q


def _on_line(angle: float, normal: tuple[float, float], offset: float) -> np.ndarray:
    return np.array([offset / normal[0] * math.sin(angle) ** 2, offset / normal[1] * math.cos(angle) ** 2])


def _polar_end_point(start: np.ndarray, normal: tuple[float, float], offset: float) -> np.ndarray:
    distance = offset / math.hypot(*normal)
    tilt = math.atan2(normal[1], normal[0])
    radius, angle = math.hypot(*start), math.atan2(start[1], start[0]) - tilt

    def excess(d: float) -> float:
        return math.sin(d) - float(polar_sine(distance / math.cos(d), radius, angle))

    # sin d decreases along the flow from below and grows from above, but never changes sign.
    edge = math.copysign(math.pi / 2 - 1e-9, angle)
    d = 0.0 if angle == 0 else brentq(excess, 0.0, edge, xtol=1e-16, rtol=1e-15)
    point = distance / math.cos(d) * np.array([math.cos(tilt + d), math.sin(tilt + d)])
    if point.min() <= 0:
        raise ValueError(f"The polar flow from {tuple(start)} leaves the positive quadrant; start below the line.")
    return point


def _antiderivative_4(s: np.ndarray, target: float) -> np.ndarray:
    root, goal = np.sqrt(s), math.sqrt(target)
    return -2 / (target * root) + np.log((goal + root) / (goal - root)) / goal**3


def _invert_time(kind: Kind, time: float, start: float, target: float) -> float:
    if time == 0:
        return start

    # In the log-odds x = log(s / (target - s)) the time is smooth up to the target.
    def excess(x: float) -> float:
        return float(exact_time(kind, start, target / (1 + math.exp(-x)), target)) - time

    low = math.log(start / (target - start))
    high = low + 1.0
    while excess(high) < 0 and high < 30:
        high += 4.0
    return target if excess(high) < 0 else target / (1 + math.exp(-brentq(excess, low, high, xtol=1e-13)))


def _odds(s: float, target: float) -> float:
    return math.log(s / abs(target - s))


def _odds_time(kind: Kind, start: float, end: float, target: float, side: float) -> float:
    # In y = log(s / |target - s|) the speed is target / s^(1 - exponent): smooth from tiny starts up to the target.
    power = 1.0 - exponent(kind)

    def pace(y: float) -> float:
        return (target / (1 + side * math.exp(-y))) ** power / target

    return quad(pace, start, end, epsabs=0.0, epsrel=1e-12, limit=400)[0]


def _companion(kind: Kind, start: np.ndarray, target: tuple[float, float], value: float) -> float:
    if value == start[0]:
        return float(start[1])
    elapsed = learning_time(kind, float(start[0]), value, target[0])
    low = _odds(float(start[1]), target[1])
    side = 1.0 if start[1] < target[1] else -1.0

    def excess(y: float) -> float:
        return _odds_time(kind, low, y, target[1], side) - elapsed

    high = low + 1.0
    # Nearer to the target than the spacing of floating-point numbers is arrival.
    while excess(high) < 0 and high < 36:
        high += 4.0
    return target[1] if high >= 36 else target[1] / (1 + side * math.exp(-brentq(excess, low, high, xtol=1e-12)))


def _late_time(kind: Kind, log_start: float, ratio: float, slow: float, fast: float) -> float:
    power = 1.0 - exponent(kind)
    scale = -power * log_start

    def difference(x: float) -> float:
        w = math.exp(x)
        return math.exp(power * x - scale) * (1 / (ratio - w) - 1 / (1 - w))

    def tail(x: float) -> float:
        return math.exp(power * x - scale) / (ratio - math.exp(x))

    options = {"epsabs": 0.0, "epsrel": 1e-12, "limit": 400}
    common, _ = quad(difference, log_start, math.log(slow), **options)
    rest, _ = quad(tail, math.log(slow), math.log(fast * ratio), **options)
    return common + rest


def _check_threshold(ratio: float, slow: float, fast: float) -> None:
    if not (ratio > 1 and 0 < slow < fast < 1):
        raise ValueError(f"Need ratio > 1 and 0 < slow < fast < 1; got ratio={ratio}, slow={slow}, fast={fast}.")
