"""Gradient descent and gradient flow on the parameters u of the two-weight model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.descent import Objective, Parameters
from offconvex.flow import integrate
from offconvex.parameterizations.model import Loss, parameterization
from offconvex.parameterizations.theory import Kind

TOLERANCE = 1e-11
"""Relative tolerance of one integrator step: two digits below the tightest quantity the chapter reads off a path."""


@dataclass(frozen=True)
class Paths:
    """Flow paths of several starts, run until the loss is gone; axis 0 is the point on the path, axis 1 the start.

    Attributes:
        weights: (T, R, 2) weights along the paths; the last row is the end point.
        clock: (T,) the common clock the paths were integrated in; see `flow_paths`.
    """

    weights: np.ndarray
    clock: np.ndarray

    @property
    def ends(self) -> Float[np.ndarray, "R 2"]:
        """End points."""
        return self.weights[-1]


def objective(kind: Kind, loss: Loss) -> Objective:
    """Loss and hand-derived gradient J^T dl/dw of parameters u (R, n), for `descend` and `flow`."""
    p = parameterization(kind)

    def evaluate(
        parameters: Parameters,
    ) -> tuple[Float[Tensor, " R"], tuple[Float[Tensor, "R n"], ...]]:
        (u,) = parameters
        w = p.weights(u)
        return loss.value(w), (p.pullback(u, loss.gradient(w)),)

    return evaluate


def starting_parameters(kind: Kind, starts: Float[Tensor, "R n"]) -> Float[Tensor, "R n"]:
    """Parameters u(w) of starting weights w, two of them for "polar".

    Raises:
        ValueError: for a start outside the open positive quadrant. On an axis the power map has no inverse derivative:
            a weight at zero never moves for N > 1, and has infinite velocity for N < 1.
    """
    if starts.ndim != 2 or not bool(((starts > 0) & starts.isfinite()).all()):
        raise ValueError(
            "Starts are rows of weights with every weight positive, since w = u^N stays at zero or is undefined on the "
            f"axes; got {starts.tolist()}."
        )
    return parameterization(kind).parameters(starts)


def flow_paths(
    kind: Kind,
    loss: Loss,
    starts: Float[Tensor, "R 2"],
    *,
    loss_tolerance: float = 1e-18,
    first: float = 1e-3,
    points: int = 300,
) -> Paths:
    """Gradient flow on u from each start until every loss is below `loss_tolerance`.

    The path, not the time, is wanted: du/ds = -J^T grad / trace(J J^T) has the same path as du/dt = -J^T grad, and in
    the clock s weights move at about the speed of the plain flow for every N, where t spans up to 18 decades.

    Args:
        kind: see `model.parameterization`.
        loss: point or line loss.
        starts: starting weights.
        loss_tolerance: where to stop; the default leaves a distance of about 1e-9.
        first: clock at the first recorded point after the start.
        points: points recorded up to clock 30; the slow rest adds 40 per doubling.

    Raises:
        ValueError: see `starting_parameters`.
        FloatingPointError: if a path runs into an axis, which happens from above the line for N < 2, N other than 1.
    """
    p = parameterization(kind)
    evaluate = objective(kind, loss)
    start = starting_parameters(kind, starts)

    def field(state: np.ndarray) -> np.ndarray:
        u = torch.from_numpy(state).to(start).reshape(start.shape)
        velocity = -evaluate((u,))[1][0] / p.stretch(u)[:, None]
        return velocity.reshape(-1).to(device="cpu", dtype=torch.float64).numpy()

    # A power's parameters span many decades (u = w^5 for N = 1/5), so its error must be relative to the smallest one;
    # log w and the angle cross zero, where only an absolute error has a meaning.
    floor = 1e-12 if isinstance(kind, str) else TOLERANCE * float(start.min())
    # Powers below one and the angle relax at rates hundreds of times apart: stiff.
    method = "LSODA" if kind == "polar" or (not isinstance(kind, str) and kind < 1) else "DOP853"
    states, clock = [start.reshape(-1).cpu().numpy()], [0.0]
    times = np.concatenate([[0.0], np.geomspace(first, 30.0, points)])
    for _ in range(14):
        try:
            path, _ = integrate(field, states[-1], times, rtol=TOLERANCE, atol=floor, method=method)
        except FloatingPointError as error:
            raise FloatingPointError(
                f"The flow of {kind} from {starts.tolist()} reaches an axis, where w = u^N ends; start below the line."
            ) from error
        states.extend(path[1:])
        clock.extend(times[1:])
        u = torch.from_numpy(np.stack(states)).to(start).reshape(-1, *start.shape)
        w = p.weights(u)
        if not bool(w.isfinite().all()):
            raise FloatingPointError(
                f"The flow of {kind} from {starts.tolist()} left the quadrant; start below the line."
            )
        if bool((loss.value(w[-1]) <= loss_tolerance).all()):
            return Paths(w.cpu().numpy(), np.array(clock))
        times = np.linspace(clock[-1], 2 * clock[-1], 41)
    raise FloatingPointError(f"The flow of {kind} from {starts.tolist()} still has loss above {loss_tolerance:g}.")


def race(
    kind: Kind, log_starts: Sequence[float], ratio: float, learned: float
) -> Float[np.ndarray, " {len(log_starts)}"]:
    """Larger weight at the moment when the smaller one has grown from its start to `learned`, one value per start.

    Both weights start at e^log_start; the targets are `ratio` > 1 and 1, so the loss separates. Integrated in the
    parameters, with the logarithm of the slow parameter as the clock, because its true time grows without bound as the
    start shrinks.

    Args:
        kind: a power N >= 1 or "exp".
        log_starts: natural logarithms of the common start.
        ratio: target of the larger weight; the smaller has target 1.
        learned: weight of the smaller coordinate at which to stop, in (0, 1).
    """
    p = parameterization(kind)
    targets = torch.tensor([ratio, 1.0], dtype=torch.float64, device="cpu")

    def rates(log_weights: Tensor) -> Tensor:
        # d log w / dt of both coordinates, through the parameters: J J^T (target - w) / w. A trial step may overshoot
        # the target by far, where the exponential would overflow; no path goes there.
        w = log_weights.clamp(max=math.log(ratio) + 1).exp()
        u = p.parameters(w)
        return p.pullback(u, p.pullback(u, targets - w)) / w

    def field(state: np.ndarray) -> np.ndarray:
        slow = torch.as_tensor(state[1], dtype=torch.float64, device="cpu")
        fast = torch.as_tensor(state[0], dtype=torch.float64, device="cpu")
        rate = rates(torch.stack([fast, slow]))
        return np.array([float(rate[0] / rate[1]), 1.0])

    ends = []
    for log_start in log_starts:
        span = np.array([0.0, math.log(learned) - log_start])
        # Once the large weight has arrived it only follows, and an explicit method would crawl: the field is stiff.
        path, _ = integrate(field, np.array([log_start, log_start]), span, rtol=1e-8, atol=1e-10, method="LSODA")
        ends.append(math.exp(path[-1, 0]))
    return np.array(ends)
