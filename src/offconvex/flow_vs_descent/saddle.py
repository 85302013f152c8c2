"""A smooth objective on which descent leaves the flow unless its step is exponentially small in time."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from offconvex import rng
from offconvex.flow_vs_descent import theory


@dataclass(frozen=True)
class Saddle:
    """f(x, y) = x^2/2 - m y^2/2 + (m y^4 + x^4)/4 + x^2 y, started on the flow's stable manifold of the saddle at 0.

    Flow from there converges to the saddle; descent has a stable manifold of its own, O(step) away, so it leaves, and
    its distance to the flow grows like step e^(m t).

    Attributes:
        rates: values of m.
        steps: step sizes, in decades.
        left: |y| at which descent counts as gone.
        offset: added to y of the start: 0 on the manifold.
    """

    rates: tuple[float, ...] = (1.0, 2.0, 3.0)
    steps: tuple[float, ...] = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
    left: float = 0.5
    offset: float = 0.0

    def __post_init__(self):
        if min(self.rates) <= 0 or min(self.steps) <= 0 or not 0 < self.left < 0.8:
            raise ValueError(
                "Rates and steps must be positive and `left` lie in (0, 0.8), before the minima; "
                f"got {self.rates}, {self.steps}, {self.left}."
            )


def starts(config: Saddle, seed: int) -> list[tuple[float, float]]:
    """A start (x, y) per rate: x uniform in [0.4, 0.6], y on the stable manifold plus the offset."""
    draws = rng.numpy_generator(seed, "saddle", "start")
    points = []
    for m in config.rates:
        x = float(draws.uniform(0.4, 0.6))
        points.append((x, theory.saddle_manifold(m, x) + config.offset))
    return points


def leaving_times(config: Saddle, seed: int) -> Float[np.ndarray, "{len(config.rates)} {len(config.steps)}"]:
    """Flow time at which descent first has |y| > left, (rates, steps), located between two steps by interpolation."""
    times = np.empty((len(config.rates), len(config.steps)))
    for i, (m, start) in enumerate(zip(config.rates, starts(config, seed))):
        for j, step in enumerate(config.steps):
            times[i, j] = _leave(m, *start, step, config.left)
    return times


def path(m: float, start: tuple[float, float], step: float, steps: int) -> Float[np.ndarray, "{steps+1} 2"]:
    """Descent, (steps + 1, 2)."""
    x, y = start
    points = [start]
    for _ in range(steps):
        x, y = x - step * x * (1 + 2 * y + x * x), y - step * (m * y * (y * y - 1) + x * x)
        points.append((x, y))
    return np.array(points)


def _leave(m: float, x: float, y: float, step: float, left: float) -> float:
    # Plain numbers: a million steps of two coordinates, each waiting for the last, are no work for arrays.
    count, before = 0, y
    limit = int(200 / (m * step))
    while abs(y) <= left and count < limit:
        before = y
        x, y = x - step * x * (1 + 2 * y + x * x), y - step * (m * y * (y * y - 1) + x * x)
        count += 1
    if count == limit:
        return np.inf
    return step * (count - (abs(y) - left) / (abs(y) - abs(before)))
