"""What gradient flow conserves, for any factorization: its drift along descent at several steps, and along the flow."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import fits
from offconvex.descent import Gradients, Objective, Parameters, descend
from offconvex.flow import flow


@dataclass(frozen=True)
class Ladder:
    """One start followed for one flow time, with gradient descent at several steps and with the flow itself.

    Attributes:
        stable_steps: flow time in units of the largest stable step, long enough to learn the whole target.
        steps: numbers of equal steps that the time is cut into, increasing.
        tolerance: relative tolerance of the adaptive integrator.
        records: of the flow.
    """

    stable_steps: float = 300.0
    steps: tuple[int, ...] = (800, 1600, 3200)
    tolerance: float = 1e-8
    records: int = 40

    def __post_init__(self):
        if len(self.steps) < 2 or any(b <= a for a, b in zip(self.steps, self.steps[1:])):
            raise ValueError(f"`steps` must be at least two increasing counts; got {self.steps}.")


@dataclass(frozen=True)
class Drift:
    """Drift of conserved quantities, relative to the largest squared norm of the parameters that was reached.

    Attributes:
        step_sizes: (S,) of gradient descent, decreasing.
        drifts: (S,) of the quantity that moved most, at the end.
        flow_times: (T,) of the flow's records.
        flow_drifts: (T,) along the flow.
        grown: how far that squared norm has grown along the flow: end over start.
    """

    step_sizes: np.ndarray
    drifts: np.ndarray
    flow_times: np.ndarray
    flow_drifts: np.ndarray
    grown: float

    @property
    def slope(self) -> float:
        """Exponent of the step in the drift."""
        return fits.power_law(self.step_sizes, self.drifts)[0]

    @property
    def line(self) -> Float[np.ndarray, " {len(self.drifts)}"]:
        """Drift proportional to the step, through the smallest one, (S,)."""
        return self.drifts[-1] * self.step_sizes / self.step_sizes[-1]


def measure_drift(
    objective: Objective,
    start: tuple[Float[Tensor, "1 ..."], ...],
    conserved: Callable[[Parameters], torch.Tensor],
    scale: Callable[[Parameters], torch.Tensor],
    ladder: Ladder,
    *,
    stable_step: float,
    std: float,
) -> Drift:
    """Follow one start for `ladder.stable_steps` times the stable step.

    Args:
        objective: loss and gradients.
        start: parameters of one replica, each (1, ...).
        conserved: parameters -> what the flow conserves, (1, M, ...): M quantities, numbers or arrays.
        scale: parameters -> their largest squared norm, (1,).
        ladder: of steps.
        stable_step: the largest stable one.
        std: size of the start's entries, of which the integrator resolves the share `ladder.tolerance`.
    """
    initial, duration = conserved(start), ladder.stable_steps * stable_step

    def drift(parameters: Parameters, _: Gradients) -> dict[str, torch.Tensor]:
        moved = (conserved(parameters) - initial).flatten(2).norm(dim=2).amax(1)
        return {"moved": moved, "scale": scale(parameters)}

    sizes = np.array([duration / count for count in ladder.steps])
    drifts = []
    for count, size in zip(ladder.steps, sizes):
        run = descend(objective, start, steps=count, step_size=float(size), record=drift, record_every=count)
        drifts.append(float(run["moved"][-1, 0] / run["scale"][-1, 0]))
    times = np.linspace(0.0, duration, ladder.records)
    path = flow(objective, start, times, record=drift, rtol=ladder.tolerance, atol=ladder.tolerance * std)
    moved, scales = (path[name][:, 0].cpu().numpy() for name in ("moved", "scale"))
    return Drift(sizes, np.array(drifts), times, moved / scales.max(), float(scales[-1] / scales[0]))
