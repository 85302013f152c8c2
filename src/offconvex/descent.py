"""Full-batch gradient descent on a batch of independent replicas."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.trajectory import Recorder, Trajectory

Parameters = tuple[torch.Tensor, ...]


@dataclass(frozen=True)
class LowRank:
    """Gradient left^T right of matrices (R, n, n') that is not made: a step adds the product to the matrices at once.

    With k well below n and n' this saves a pass over a gradient, and its squared norm is that of two k x k matrices.

    Attributes:
        left: (R, k, n).
        right: (R, k, n').
    """

    left: torch.Tensor
    right: torch.Tensor

    @property
    def square(self) -> Float[Tensor, " R"]:
        """Squared Frobenius norm, <left left^T, right right^T>."""
        grams = (x @ x.mT for x in (self.left, self.right))
        return torch.linalg.vecdot(*(gram.flatten(1) for gram in grams))

    def dense(self) -> Float[Tensor, "R n m"]:
        """The gradient itself."""
        return self.left.mT @ self.right


Gradients = tuple[torch.Tensor | LowRank, ...]
"""Gradients of the loss, each shaped like its parameter or, where an objective leaves it unmade, of low rank."""

Objective = Callable[[Parameters], tuple[torch.Tensor, Gradients]]
"""Parameters, each (R, ...) -> loss (R,) and its gradients.

Losses and gradients may live in buffers that the next call overwrites: nobody but the caller looks at them, and nobody
keeps them."""

Record = Callable[[Parameters, Gradients], Mapping[str, torch.Tensor]]
"""Parameters, each (R, ...), and the gradients there -> what to keep, each (R, ...).

It must be pure: it neither changes what it is given nor remembers it. Its values are copied at once, so they may be
views of what it is given."""


@dataclass(frozen=True)
class GroupRMSprop:
    """One adaptive scalar step for all parameters of a replica: the papers' "adaptive learning rate".

    v <- decay v + (1 - decay) |g|^2 and step = rate / (sqrt(v / (1 - decay^t)) + floor), with g all gradients of the
    replica together (arora2019implicit, razin2021implicit, code). The direction stays the gradient's, so a run is
    gradient descent with a step that varies in time: conserved quantities of the flow survive up to O(step^2).
    Where |g| is far below `floor` the step saturates at rate / floor, which sets the length of a first plateau.

    Attributes:
        rate: length of a step in parameter space once the average has settled.
        decay: memory of the squared gradient norm, in [0, 1).
        floor: added to the root mean square; positive.
    """

    rate: float
    decay: float = 0.99
    floor: float = 1e-6

    def __post_init__(self):
        if not (self.rate > 0 and 0 <= self.decay < 1 and self.floor > 0):
            raise ValueError(
                "GroupRMSprop needs rate > 0, 0 <= decay < 1 and floor > 0; "
                f"got rate={self.rate}, decay={self.decay}, floor={self.floor}."
            )


def autograd_objective(loss: Callable[[Parameters], torch.Tensor]) -> Objective:
    """Objective of a loss (parameters -> (R,)) by automatic differentiation, the oracle of hand-derived gradients."""

    def objective(
        parameters: tuple[Float[Tensor, "R ..."], ...],
    ) -> tuple[Float[Tensor, " R"], tuple[Float[Tensor, "R ..."], ...]]:
        leaves = tuple(p.detach().requires_grad_() for p in parameters)
        value = loss(leaves)
        # Replicas are independent, so the gradient of the sum holds each replica's own gradient.
        return value.detach(), torch.autograd.grad(value.sum(), leaves)

    return objective


def descend(
    objective: Objective,
    parameters: tuple[Float[Tensor, "R ..."], ...],
    *,
    steps: int,
    step_size: float | Float[Tensor, ""] | Float[Tensor, " R"] | GroupRMSprop,
    record: Record | Mapping[int, Record] | None = None,
    record_every: int = 1,
    stop: Callable[[torch.Tensor], bool] | None = None,
    patience: int = 1,
) -> Trajectory:
    """Gradient descent p <- p - step * grad from `parameters`, all replicas advanced together.

    Args:
        objective: loss and gradients; see `Objective`.
        parameters: starting point; not modified.
        steps: largest number of steps.
        step_size: one number for all, one per replica, or an adaptive rule.
        record: what to keep besides the loss, of the parameters and the gradients just computed there; or several such
            functions by the number of records between two calls, with what is taken less often repeated in between.
        record_every: steps between records; the first and the last state are always kept.
        stop: called with the loss (R,) at each record; the run ends there once it has been true `patience` times in a
            row.
        patience: see `stop`.

    Returns:
        Trajectory: records at steps 0, record_every, 2 record_every, ... and at the last step.

    Raises:
        ValueError: for a non-positive step or count, or parameters without a common replica axis.
        FloatingPointError: if a loss is not finite at a record, because the step was too large for the curvature.
    """
    parameters = tuple(p.detach().clone() for p in parameters)
    replicas = replica_count(parameters)
    if steps < 0 or record_every < 1 or patience < 1:
        raise ValueError(
            "`steps` must be >= 0, `record_every` >= 1 and `patience` >= 1; "
            f"got {steps}, {record_every} and {patience}."
        )
    advance = _Stepper(step_size, parameters)
    time = torch.zeros(replicas, dtype=torch.float64, device="cpu")
    iterations, times, losses, recorder, calm = [], [], [], Recorder(record), 0
    for iteration in range(steps + 1):
        loss, gradients = objective(parameters)
        if iteration % record_every == 0 or iteration == steps:
            _check_finite(loss, iteration, "the step size")
            iterations.append(iteration)
            # As numbers, for the reason that `Recorder` has.
            times.append(advance.time(time).tolist())
            losses.append(loss.tolist())
            recorder.look(parameters, gradients)
            calm = calm + 1 if stop is not None and stop(loss) else 0
            if iteration == steps or calm >= patience:
                break
        advance(parameters, gradients)
    return Trajectory(
        iterations=torch.tensor(iterations, device="cpu"),
        times=torch.tensor(times, dtype=time.dtype, device="cpu"),
        loss=torch.tensor(losses, dtype=loss.dtype, device=loss.device),
        fields=recorder.fields(),
        parameters=parameters,
        steps=iterations[-1],
    )


class _Stepper:
    """Applies one update in place and keeps the flow time of each replica."""

    def __init__(self, step_size: float | torch.Tensor | GroupRMSprop, parameters: Parameters):
        replicas = parameters[0].shape[0]
        self.rule = step_size if isinstance(step_size, GroupRMSprop) else None
        self.elapsed: float | torch.Tensor = 0.0
        self.count = 0
        if self.rule:
            self.mean_square = torch.zeros(replicas, dtype=parameters[0].dtype, device=parameters[0].device)
            return
        step = torch.as_tensor(step_size, dtype=torch.float64, device="cpu")
        if step.ndim > 1 or (step.ndim == 1 and step.shape[0] != replicas):
            raise ValueError(
                f"`step_size` must be one number or one per replica, here ({replicas},); got shape {tuple(step.shape)}."
            )
        if not bool((step > 0).all()) or not bool(step.isfinite().all()):
            raise ValueError(f"`step_size` must be positive and finite; got {step_size}.")
        # One common step is a Python number: in-place updates then need no extra pass over memory.
        self.step = float(step) if step.ndim == 0 else step.to(parameters[0])

    def __call__(self, parameters: Parameters, gradients: Gradients) -> None:
        self.count += 1
        step = self._adaptive_step(self.rule, gradients) if self.rule else self.step
        # In double precision: after a plateau of huge steps a single precision clock no longer sees ordinary ones.
        wide = step.double() if isinstance(step, torch.Tensor) and step.device.type != "mps" else step
        self.elapsed = self.elapsed + wide
        for p, g in zip(parameters, gradients):
            if isinstance(step, float):
                p.baddbmm_(g.left.mT, g.right, alpha=-step) if isinstance(g, LowRank) else p.sub_(g, alpha=step)
                continue
            factor = step.view(-1, *(1,) * (p.ndim - 1))
            if isinstance(g, LowRank):
                p.baddbmm_((g.left * factor).mT, g.right, alpha=-1)
            else:
                p.addcmul_(g, factor, value=-1)

    def _adaptive_step(self, rule: GroupRMSprop, gradients: Gradients) -> torch.Tensor:
        square = sum(g.square if isinstance(g, LowRank) else _square(g) for g in gradients)
        self.mean_square.mul_(rule.decay).add_(square, alpha=1 - rule.decay)
        unbiased = self.mean_square / (1 - rule.decay**self.count)
        return rule.rate / (unbiased.sqrt() + rule.floor)

    def time(self, like: torch.Tensor) -> torch.Tensor:
        """Flow time so far, one number per replica."""
        elapsed = self.step * self.count if isinstance(getattr(self, "step", None), float) else self.elapsed
        return torch.zeros_like(like) + torch.as_tensor(elapsed, dtype=like.dtype, device=like.device)


def _square(gradient: torch.Tensor) -> torch.Tensor:
    flat = gradient.reshape(len(gradient), -1)  # a parameter may be one number per replica
    return torch.linalg.vecdot(flat, flat)


def replica_count(parameters: tuple[Float[Tensor, "R ..."], ...]) -> int:
    """Length R of the leading axis that all parameters share.

    Raises:
        ValueError: if they do not share one.
    """
    sizes = {p.shape[0] for p in parameters if p.ndim}
    if len(sizes) != 1 or not all(p.ndim for p in parameters):
        shapes = [tuple(p.shape) for p in parameters]
        raise ValueError(f"Every parameter needs the same leading replica axis; got shapes {shapes}.")
    return sizes.pop()


def _check_finite(loss: torch.Tensor, iteration: int, culprit: str) -> None:
    if bool(loss.isfinite().all()):
        return
    bad = (~loss.isfinite()).nonzero().flatten().tolist()
    raise FloatingPointError(
        f"The loss of replica {bad[0]} is not finite at iteration {iteration}: {culprit} is too large for the "
        "curvature met; make it smaller."
    )
