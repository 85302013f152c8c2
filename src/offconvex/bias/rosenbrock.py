"""A linearly implicit integrator for stiff flows: each step solves linear systems with the Jacobian, and no other.

The pair of orders 2 and 3 of Shampine and Reichelt's ode23s (1997; coefficients as in public code, orders measured in
the tests), for autonomous fields; time that a field needs is a state of derivative one. Many runs may be followed at
once, each with steps of its own.
It is NumPy in float64: nothing here depends on a device.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

DIAGONAL = 1 / (2 + np.sqrt(2))
"""With this share of the Jacobian in every stage, stiff modes are gone after one step (the pair is L-stable)."""

THIRD = 6 + np.sqrt(2)
"""Coefficient of the stage that only the estimate of the error uses."""

SAFETY, SHRINK, GROW = 0.8, 0.2, 5.0
"""Share of the step that would just pass, and by how much a step changes at most."""

RightSide = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Path:
    """Solutions in d dimensions, one for each index of *runs, and the quadratics that join their states.

    Attributes:
        times: (steps, *runs) of the states, from zero. A run that is at its end, or repeats a step while others go on,
            keeps its time.
        states: at these times.
        slopes: first stage of the step that follows each state; zero at the last.
    """

    times: Float[np.ndarray, "*times"]
    states: Float[np.ndarray, "*times d"]
    slopes: Float[np.ndarray, "*times d"]

    def at(self, times: Float[np.ndarray, "*#runs"] | float) -> Float[np.ndarray, "*runs d"]:
        """States at one time of each run, by the quadratic of its step.

        Raises:
            ValueError: at a time that the path does not reach.
        """
        times = np.broadcast_to(np.asarray(times, dtype=float), self.times.shape[1:])
        if not ((times >= 0) & (times <= self.times[-1])).all():
            raise ValueError(
                f"The path runs from time 0 to {np.min(self.times[-1]):.6g}; it has no state at {np.max(times):.6g}."
            )
        step = np.clip((self.times <= times).sum(axis=0) - 1, 0, len(self.times) - 2)
        begin, end = self._take(self.times, step), self._take(self.times, step + 1)
        length = end - begin
        share = np.divide(times - begin, length, out=np.ones_like(length), where=length > 0)
        return self._between(step, share)

    def first_time(self, measure: RightSide, level: float) -> Float[np.ndarray, "*runs"]:
        """First time at which a measure of the state passes a level, from either side; infinite where it never does.

        Args:
            measure: states (*any, *runs, d) to numbers (*any, *runs).
            level: its value at the time sought.

        Raises:
            ValueError: if the measure is not finite.
        """
        values = np.asarray(measure(self.states)) - level
        if values.shape != self.times.shape or not np.isfinite(values).all():
            raise ValueError(
                f"A measure gives a finite number for each state, shape {self.times.shape}; got shape {values.shape}, "
                f"{np.count_nonzero(~np.isfinite(values))} of them not finite."
            )
        passed = np.sign(values[:1]) * values <= 0
        found = passed.any(axis=0)
        step = np.maximum(passed.argmax(axis=0) - 1, 0)
        low, high = np.zeros(step.shape), np.ones(step.shape)
        for _ in range(52):  # bisection of the step, to the last bit
            middle = (low + high) / 2
            before = np.sign(values[0]) * (measure(self._between(step, middle)) - level) > 0
            low, high = np.where(before, middle, low), np.where(before, high, middle)
        begin, end = self._take(self.times, step), self._take(self.times, step + 1)
        return np.where(passed[0], 0.0, np.where(found, begin + high * (end - begin), np.inf))

    def _take(self, values: np.ndarray, step: np.ndarray) -> np.ndarray:
        index = step.reshape(1, *step.shape, *(1,) * (values.ndim - 1 - step.ndim))
        return np.take_along_axis(values, index, axis=0)[0]

    def _between(self, step: np.ndarray, share: np.ndarray) -> np.ndarray:
        begin, end = self._take(self.states, step), self._take(self.states, step + 1)
        length = (self._take(self.times, step + 1) - self._take(self.times, step))[..., None]
        share = share[..., None]
        bend = (length * self._take(self.slopes, step) - (end - begin)) / (1 - 2 * DIAGONAL)
        return begin + share * (end - begin) + share * (1 - share) * bend


def step(
    field: RightSide,
    jacobian: RightSide,
    state: Float[np.ndarray, "*runs d"],
    rate: Float[np.ndarray, "*runs d"],
    length: Float[np.ndarray, "*#runs"] | float,
) -> tuple[Float[np.ndarray, "*runs d"], ...]:
    """One step: the new state (order 2), the field there, the first stage, and the estimated error.

    Args:
        field: states (*runs, d) to rates of change.
        jacobian: states to derivatives (*runs, d, d) of the field, rows by component of the field.
        state: to start from.
        rate: the field there.
        length: of the step in time.
    """
    length = np.asarray(length)[..., None]
    matrix = np.eye(state.shape[-1]) - DIAGONAL * length[..., None] * jacobian(state)
    # One inverse serves three stages; what it costs in accuracy is far below the error of a step.
    inverse = np.linalg.inv(matrix)

    def solve(right: np.ndarray) -> np.ndarray:
        return (inverse @ right[..., None])[..., 0]

    first = solve(rate)
    halfway = field(state + length / 2 * first)
    second = solve(halfway - first) + first
    new = state + length * second
    new_rate = field(new)
    third = solve(new_rate - THIRD * (second - halfway) - 2 * (first - rate))
    return new, new_rate, first, length / 6 * (first - 2 * second + third)


def integrate(
    field: RightSide,
    jacobian: RightSide,
    start: Float[np.ndarray, "*runs d"],
    end: Float[np.ndarray, "*#runs"] | float,
    *,
    rtol: float = 0.0,
    atol: float = 1e-6,
    longest: Float[np.ndarray, "*#runs"] | float = np.inf,
    most: int = 100_000,
) -> Path:
    """Follows dx/dt = field(x) from time zero, in steps whose estimated error is at most atol + rtol |x| per component.

    Args:
        field: states (*runs, d) to rates of change.
        jacobian: states to derivatives (*runs, d, d) of the field, rows by component of the field.
        start: states at time zero; any axes before the last are runs of their own.
        end: last time, one for all or one for each run.
        rtol: relative tolerance of a step.
        atol: absolute tolerance of a step.
        longest: a step at most. Where the Jacobian falls by orders of magnitude within a step, its value at the
            begin hides the error from the estimate: set it below the time of such a fall.
        most: attempted steps at most.

    Raises:
        ValueError: if the tolerances, the times or the start make no sense, the Jacobian has another shape, or steps
            become too short or too many.
    """
    state = np.array(start, dtype=float)
    if not (rtol >= 0 and atol > 0):
        raise ValueError(f"Tolerances are rtol >= 0 and atol > 0; got rtol = {rtol} and atol = {atol}.")
    if state.ndim < 1 or not np.isfinite(state).all():
        raise ValueError(f"A start is finite, with components on its last axis; got shape {state.shape}: {start}.")
    end = np.broadcast_to(np.asarray(end, dtype=float), state.shape[:-1])
    if not ((end > 0) & np.isfinite(end)).all():
        raise ValueError(f"A path ends at a finite time after zero; got {end}.")
    if not np.all(np.asarray(longest) > 0):
        raise ValueError(f"A longest step is positive; got {longest}.")
    rate, shape = field(state), (*state.shape, state.shape[-1])
    if rate.shape != state.shape or not np.isfinite(rate).all():
        raise ValueError(f"The field at the start must be finite and {state.shape}; got {rate.shape}: {rate}.")
    if jacobian(state).shape != shape:
        raise ValueError(f"The Jacobian of states {state.shape} must be {shape}; got {jacobian(state).shape}.")

    time = np.zeros(state.shape[:-1])
    steepest = (np.abs(rate) / (atol + rtol * np.abs(state))).max(axis=-1)
    length = np.minimum(end, 1 / np.maximum(steepest, 1 / end))
    times, states, slopes = [time], [state], []
    for _ in range(most):
        length = np.minimum(np.minimum(length, longest), end - time)
        with np.errstate(over="ignore", invalid="ignore"):  # a step too long may overflow; it is repeated
            new, new_rate, slope, error = step(field, jacobian, state, rate, length)
            ratio = (np.abs(error) / (atol + rtol * np.maximum(np.abs(state), np.abs(new)))).max(axis=-1)
        ratio = np.where(np.isfinite(new_rate).all(axis=-1) & np.isfinite(ratio), ratio, np.inf)
        ahead = (ratio <= 1) & (length > 0)
        if ahead.any():
            moved = ahead[..., None]
            state, rate = np.where(moved, new, state), np.where(moved, new_rate, rate)
            # The last step ends at the end itself, not at a rounded sum.
            time = np.where(ahead, np.where(length >= end - time, end, time + length), time)
            times.append(time)
            states.append(state)
            slopes.append(np.where(moved, slope, 0.0))
        if (time >= end).all():
            return Path(np.array(times), np.array(states), np.array([*slopes, np.zeros_like(state)]))
        length = length * np.clip(SAFETY * np.maximum(ratio, 1e-12) ** (-1 / 3), SHRINK, GROW)
        if (time + length == time)[time < end].any():
            raise ValueError(
                f"Steps became shorter than a rounding of the time, {np.min(time):.6g}; a component grows without "
                "bound or the Jacobian is not the field's: end the path earlier, or check the Jacobian."
            )
    raise ValueError(
        f"{most} steps reach the time {np.min(time):.6g} of {np.max(end):.6g}; loosen the tolerances or allow more."
    )
