"""Gradient flow by an adaptive integrator of SciPy."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from scipy.integrate import solve_ivp

from offconvex.descent import Objective, Parameters
from offconvex.trajectory import Trajectory

Field = Callable[[np.ndarray], np.ndarray]
"""State (n,) -> velocity (n,)."""


def integrate(
    field: Field,
    initial: np.ndarray,
    times: np.ndarray,
    *,
    rtol: float = 1e-10,
    atol: float = 1e-12,
    method: str = "DOP853",
) -> tuple[np.ndarray, int]:
    """Solve dy/dt = field(y), y(times[0]) = initial, in float64, with an adaptive step.

    Args:
        field: velocity of a state (n,).
        initial: (n,) state at times[0].
        times: (T,) strictly increasing.
        rtol: relative tolerance of one step.
        atol: absolute tolerance of one step; choose it below the smallest size that matters.
        method: a method of `scipy.integrate.solve_ivp`; "LSODA" for stiff fields.

    Returns:
        (T, n) states, and the number of field evaluations.

    Raises:
        ValueError: if the times do not strictly increase.
        FloatingPointError: if the integrator gives up, because the field is stiff or singular there.
    """
    times = np.asarray(times, dtype=np.float64)
    if times.ndim != 1 or len(times) < 2 or not np.all(np.diff(times) > 0):
        raise ValueError(f"`times` must be at least two strictly increasing numbers; got {times[:4]}...")
    solution = solve_ivp(
        lambda _, state: field(state),
        (times[0], times[-1]),
        np.asarray(initial, dtype=np.float64),
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
    return solution.y.T, solution.nfev


def flow(
    objective: Objective,
    parameters: Parameters,
    times: np.ndarray,
    *,
    record: Callable[[Parameters], Mapping[str, torch.Tensor]] | None = None,
    rtol: float = 1e-10,
    atol: float = 1e-12,
    method: str = "DOP853",
) -> Trajectory:
    """Gradient flow dp/dt = -grad from `parameters`, each replica with its own adaptive steps.

    Args:
        objective: loss and gradients; see `offconvex.descent.Objective`.
        parameters: starting point at times[0], each tensor (R, ...).
        times: (T,) strictly increasing times to record at.
        record: what to keep besides the loss, as a function of the parameters; values (R, ...).
        rtol: see `integrate`.
        atol: see `integrate`.
        method: see `integrate`.

    Returns:
        Trajectory: the same record that `descend` returns, with `steps` counting field evaluations.

    Raises:
        ValueError: if the times do not strictly increase.
        FloatingPointError: if the integrator gives up.
    """
    shapes = [p.shape[1:] for p in parameters]
    like = parameters[0]

    def unflatten(state: np.ndarray) -> Parameters:
        flat = torch.from_numpy(state).to(device=like.device, dtype=like.dtype)
        pieces = flat.split([shape.numel() for shape in shapes])
        return tuple(piece.reshape(1, *shape) for piece, shape in zip(pieces, shapes))

    def field(state: np.ndarray) -> np.ndarray:
        _, gradients = objective(unflatten(state))
        return -torch.cat([g.reshape(-1) for g in gradients]).to(device="cpu", dtype=torch.float64).numpy()

    states, evaluations = [], 0
    for replica in range(like.shape[0]):
        initial = torch.cat([p[replica].reshape(-1) for p in parameters])
        initial = initial.detach().to(device="cpu", dtype=torch.float64).numpy()
        path, count = integrate(field, initial, times, rtol=rtol, atol=atol, method=method)
        states.append([unflatten(np.ascontiguousarray(state)) for state in path])
        evaluations += count
    # (R)(T) single states -> T states with a replica axis, the layout of `descend`.
    history = [tuple(torch.cat(blocks) for blocks in zip(*at_time)) for at_time in zip(*states)]
    loss = torch.stack([torch.cat([objective(s[i])[0].clone() for s in states]) for i in range(len(history))])
    kept = [{name: value.clone() for name, value in record(state).items()} if record else {} for state in history]
    times = torch.as_tensor(np.asarray(times, dtype=np.float64), device="cpu")
    return Trajectory(
        iterations=torch.arange(len(history), device="cpu"),
        times=times[:, None].expand(-1, like.shape[0]).contiguous(),
        loss=loss,
        fields={name: torch.stack([k[name] for k in kept]) for name in kept[0]},
        parameters=history[-1],
        steps=evaluations,
    )
