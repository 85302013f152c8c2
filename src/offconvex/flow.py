"""Gradient flow by an adaptive integrator of SciPy."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float
from scipy.integrate import solve_ivp
from torch import Tensor

from offconvex.descent import Objective, Parameters, Record, replica_count
from offconvex.trajectory import Recorder, Trajectory

Field = Callable[[np.ndarray], np.ndarray]
"""State (n,) -> velocity (n,)."""


def integrate(
    field: Field,
    initial: Float[np.ndarray, " n"],
    times: Float[np.ndarray, " T"] | Sequence[float],
    *,
    rtol: float = 1e-10,
    atol: float = 1e-12,
    method: str = "DOP853",
) -> tuple[Float[np.ndarray, "T n"], int]:
    """Solve dy/dt = field(y), y(times[0]) = initial, in float64, with an adaptive step.

    Args:
        field: velocity of a state.
        initial: state at times[0].
        times: strictly increasing.
        rtol: relative tolerance of one step.
        atol: absolute tolerance of one step; choose it below the smallest size that matters.
        method: a method of `scipy.integrate.solve_ivp`; "LSODA" for stiff fields.

    Returns:
        States, and the number of field evaluations.

    Raises:
        ValueError: if the times do not strictly increase.
        FloatingPointError: if the velocity is not finite at the start, or the integrator gives up, because the field
            is stiff or singular there.
    """
    times = np.asarray(times, dtype=np.float64)
    initial = np.asarray(initial, dtype=np.float64)
    if times.ndim != 1 or len(times) < 2 or not (np.all(np.isfinite(times)) and np.all(np.diff(times) > 0)):
        raise ValueError(f"`times` must be at least two strictly increasing finite numbers; got {times.ravel()[:4]}.")
    _check_start(field, initial, times[0])
    solution = solve_ivp(
        lambda _, state: field(state),
        (times[0], times[-1]),
        initial,
        method=method,
        t_eval=times,
        rtol=rtol,
        atol=atol,
    )
    if not solution.success:
        reached = solution.t[-1] if len(solution.t) else times[0]
        raise FloatingPointError(
            f"The integrator stopped at time {reached:.3g} of {times[-1]:.3g} ({solution.message}); "
            "try method='LSODA' or a looser tolerance."
        )
    # One more for the check of the start.
    return solution.y.T, solution.nfev + 1


def flow(
    objective: Objective,
    parameters: tuple[Float[Tensor, "R ..."], ...],
    times: Float[np.ndarray, " T"] | Sequence[float],
    *,
    record: Record | Mapping[int, Record] | None = None,
    rtol: float = 1e-10,
    atol: float = 1e-12,
    method: str = "DOP853",
) -> Trajectory:
    """Gradient flow dp/dt = -grad from `parameters`, each replica with its own adaptive steps.

    Args:
        objective: loss and gradients; see `offconvex.descent.Objective`.
        parameters: starting point at times[0].
        times: strictly increasing times to record at.
        record: what to keep besides the loss, of the parameters and the gradients there, as in `descend`.
        rtol: see `integrate`.
        atol: see `integrate`.
        method: see `integrate`.

    Returns:
        Trajectory: the same record that `descend` returns, with `steps` counting field evaluations.

    Raises:
        ValueError: if the times do not strictly increase, or the parameters have no common replica axis.
        FloatingPointError: if the velocity is not finite at the start, or the integrator gives up.
    """
    replicas = replica_count(parameters)
    unflatten, field = _coordinates(objective, parameters)
    states, evaluations = [], 0
    for replica in range(replicas):
        initial = _flatten([p[replica] for p in parameters])
        path, count = integrate(field, initial, times, rtol=rtol, atol=atol, method=method)
        states.append([unflatten(np.ascontiguousarray(state)) for state in path])
        evaluations += count
    # (R)(T) single states -> T states with a replica axis, the layout of `descend`.
    history = [tuple(torch.cat(blocks) for blocks in zip(*at_time)) for at_time in zip(*states)]
    losses, recorder = [], Recorder(record)
    for state in history:
        # One state at a time: the next call may overwrite both.
        loss, gradients = objective(state)
        losses.append(loss.clone())
        recorder.look(state, gradients)
    clock = torch.as_tensor(np.asarray(times, dtype=np.float64), device="cpu")
    return Trajectory(
        iterations=torch.arange(len(history), device="cpu"),
        times=clock[:, None].expand(-1, replicas).contiguous(),
        loss=torch.stack(losses),
        fields=recorder.fields(),
        parameters=history[-1],
        steps=evaluations,
    )


def hitting_time(
    objective: Objective,
    parameters: tuple[Float[Tensor, "1 ..."], ...],
    *,
    until: Callable[[Parameters], float],
    horizon: float,
    rtol: float = 1e-8,
    atol: float = 1e-12,
) -> float:
    """Time at which gradient flow from one replica first makes `until` non-negative, located on the dense output.

    The run ends there, so that an escape is timed without paying for what follows it.

    Args:
        objective: loss and gradients; see `offconvex.descent.Objective`.
        parameters: starting point of one replica at time 0.
        until: a number that is negative before the event and positive after it.
        horizon: longest time to follow.
        rtol: see `integrate`.
        atol: see `integrate`.

    Raises:
        ValueError: for more than one replica, since each has its own time, or a horizon that is not positive.
        FloatingPointError: if the velocity is not finite at the start, or the event does not happen before the horizon.
    """
    if replica_count(parameters) != 1:
        raise ValueError(f"`hitting_time` follows one replica; got {replica_count(parameters)}.")
    if not 0 < horizon < np.inf:
        raise ValueError(f"`horizon` must be positive and finite; got {horizon}.")
    unflatten, field = _coordinates(objective, parameters)

    def reached(_: float, state: np.ndarray) -> float:
        return until(unflatten(state))

    event: Any = reached  # SciPy reads what to do at an event from attributes of the function
    event.terminal, event.direction = True, 1
    initial = _flatten(parameters)
    _check_start(field, initial, 0.0)
    solution = solve_ivp(
        lambda _, state: field(state),
        (0.0, horizon),
        initial,
        method="DOP853",
        events=event,
        rtol=rtol,
        atol=atol,
    )
    if not len(solution.t_events[0]):
        raise FloatingPointError(f"The event did not happen before time {horizon:.3g}; give a longer `horizon`.")
    return float(solution.t_events[0][0])


def _coordinates(objective: Objective, like: Parameters) -> tuple[Callable[[np.ndarray], Parameters], Field]:
    """Flat float64 coordinates of one replica: state -> parameters, and the velocity -grad in them."""
    shapes, first = [p.shape[1:] for p in like], like[0]

    def unflatten(state: np.ndarray) -> Parameters:
        flat = torch.from_numpy(state).to(device=first.device, dtype=first.dtype)
        pieces = flat.split([shape.numel() for shape in shapes])
        return tuple(piece.reshape(1, *shape) for piece, shape in zip(pieces, shapes))

    def field(state: np.ndarray) -> np.ndarray:
        return -_flatten(cast(Parameters, objective(unflatten(state))[1]))

    return unflatten, field


def _check_start(field: Field, initial: np.ndarray, time: float) -> None:
    # SciPy would look for a first step for ever.
    if not np.all(np.isfinite(field(initial))):
        raise FloatingPointError(f"The velocity is not finite at time {time:.3g}, the start; choose another start.")


def _flatten(parts: Sequence[torch.Tensor]) -> np.ndarray:
    return torch.cat([p.detach().reshape(-1) for p in parts]).to(device="cpu", dtype=torch.float64).numpy()
