"""Networks on their way: descent, flow, the Hessian's extreme eigenvalues along both, and the tubes they imply."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from offconvex import rng
from offconvex.descent import Gradients, Parameters, descend
from offconvex.files import Arrays
from offconvex.flow import flow
from offconvex.flow_vs_descent import theory
from offconvex.flow_vs_descent.backward_error import NetworkLoss, flatten, unflatten
from offconvex.flow_vs_descent.curvature import extremes
from offconvex.flow_vs_descent.model import Network, images
from offconvex.flow_vs_descent.objective import network_loss
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class Course:
    """One network, one start, one step.

    Attributes:
        network: its shape.
        scale: of the start, 1 for Glorot's.
        rate: step of descent.
        iterations: steps of descent.
        count: images.
        side: their pixels.
        records: evenly spaced times at which gradients are measured.
        checks: of these, how many get eigenvalues besides the start, denser early: the k-th at records (k / checks)^2.
        finer: the flow of a network with kinks is extrapolated from steps rate and rate / finer.
        stream: name of the start's random stream.
    """

    network: Network = Network((49, 20, 20, 10), 1.0)
    scale: float = 1.0
    rate: float = 1e-2
    iterations: int = 1600
    count: int = 200
    side: int = 7
    records: int = 100
    checks: int = 10
    finer: int = 4
    stream: str = "course"

    def __post_init__(self):
        if self.iterations % self.records or self.checks < 1 or self.finer < 2:
            raise ValueError(
                f"`iterations` must be a multiple of {self.records} records, `checks` positive and `finer` at least 2; "
                f"got {self.iterations}, {self.checks}, {self.finer}."
            )

    @property
    def times(self) -> Float[np.ndarray, " {self.records+1}"]:
        """(records + 1,) flow times."""
        return self.rate * np.linspace(0, self.iterations, self.records + 1)

    def start(self, rt: Runtime, seed: int) -> tuple[Float[Tensor, "1 _ _"], ...]:
        """Layers at the start, (1, ...)."""
        name = "linear" if self.network.slope == 1 else "relu"
        return self.network.start(rt, seed, self.stream, name, scale=self.scale)

    @property
    def checked(self) -> Int[np.ndarray, " checks"]:
        """Rows of the times with eigenvalues, strictly increasing from the start."""
        return np.unique(np.round(self.records * np.linspace(0, 1, self.checks + 1) ** 2).astype(int))


def curves(
    course: Course, rt: Runtime, seed: int
) -> tuple[
    NetworkLoss,
    tuple[Float[Tensor, "1 _ _"], ...],
    Float[np.ndarray, " T"],
    Float[np.ndarray, "T P"],
    Float[np.ndarray, "T P"],
]:
    """Loss function, start, and over the times loss (T,), weights of descent (T, P) and of the flow (T, P)."""
    loss = network_loss(course.network, images(rt, count=course.count, side=course.side))
    start = course.start(rt, seed)
    run = _descend(loss, start, course, 1)
    walked = run["weights"][:, 0].cpu().numpy()
    if course.network.slope == 1:
        exact = flow(loss, start, course.times, record=_flat, rtol=1e-8, atol=1e-10)
        ideal = exact["weights"][:, 0].cpu().numpy()
    else:
        finer = _descend(loss, start, course, course.finer)["weights"][:, 0].cpu().numpy()
        ideal = (course.finer * finer - walked) / (course.finer - 1)
    return loss, start, run.loss[:, 0].cpu().numpy(), walked, ideal


def follow(course: Course, rt: Runtime, seed: int) -> Arrays:
    """Distances, eigenvalues and tubes along one course; T times, C of them checked.

    Returns:
        "times" (T,), "loss" (T,), "gap" (T,) between descent and flow, "travel" (T,) from the start, "gradient" (T,)
        norms, "defect" (T,), how far the gradient moves in a step; "checked" (C,) times, "least" and "most" (C, 2)
        eigenvalues on descent and on the flow, "error" (C, 2) residuals of Lanczos; for a linear network
        "lower" (C, 2), the bound on "least".
    """
    loss, start, values, walked, ideal = curves(course, rt, seed)
    gradients, defects = [], []
    for weights in walked:
        gradient = flatten(loss(unflatten(weights, start))[1])
        moved = flatten(loss(unflatten(weights - course.rate * gradient, start))[1])
        gradients.append(np.linalg.norm(gradient))
        defects.append(np.linalg.norm(moved - gradient))
    draws = rng.numpy_generator(seed, "course", "Lanczos")
    found, lower = [], []
    for row in course.checked:
        points = [unflatten(weights[row], start) for weights in (walked, ideal)]
        found.append([extremes(loss.linearize(p)[1], p, draws, tolerance=1e-2) for p in points])
        if course.network.slope == 1:
            lower.append([lower_bound(loss, p) for p in points])
    arrays = {
        "times": course.times,
        "loss": values,
        "gap": np.linalg.norm(walked - ideal, axis=1),
        "travel": np.linalg.norm(walked - walked[0], axis=1),
        "gradient": np.array(gradients),
        "defect": np.array(defects),
        "checked": course.times[course.checked],
    }
    for name in ("least", "most", "error"):
        arrays[name] = np.array([[getattr(e, name) for e in pair] for pair in found])
    return arrays | ({"lower": np.array(lower)} if lower else {})


def lower_bound(loss: NetworkLoss, layers: tuple[Float[Tensor, "1 _ _"], ...]) -> float:
    """`theory.deep_linear_bound` at one point of a linear network."""
    end = torch.linalg.matrix_norm(loss.end_gradient(layers)[0], 2)
    norms = [float(torch.linalg.matrix_norm(layer[0], 2)) for layer in layers]
    return float(theory.deep_linear_bound(float(end), np.array(norms)))


def tubes(course: Arrays, *, rate: float, ratio: float = 1.0) -> Arrays:
    """Radii (T,) of the tubes for descent at step rate / ratio, from measurements along a course at step `rate`.

    Returns:
        "constants", with the largest Hessian and gradient norm, as the source states it; "local", with both as
        functions of time; "defect", with the measured change of the gradient within a step, which is proportional to
        the step up to second order; "lipschitz", log10 of the classical bound.
    """
    times, checked = course["times"], course["checked"]
    negative = np.interp(times, checked, np.maximum(-(course["least"] - course["error"]).min(1), 0))
    most = np.interp(times, checked, np.maximum(course["most"], -course["least"]).max(1))
    step = rate / ratio
    local = step * most * course["gradient"]
    return {
        "constants": theory.constant_tube(
            times, negative, step=step, curvature=most.max(), gradient=course["gradient"].max()
        ),
        "local": theory.tube(times, negative, local),
        "defect": theory.tube(times, negative, course["defect"] / ratio),
        "lipschitz": theory.log_lipschitz_tube(times, most, local),
    }


def exponents(course: Arrays) -> tuple[float, float]:
    """Integrals over time of the negative part of lambda_min, with its sign turned, and of lambda_max, on the flow."""
    least, most = (
        np.trapezoid(np.maximum(v, 0), course["checked"]) for v in (-course["least"][:, 1], course["most"][:, 1])
    )
    return float(least), float(most)


def random_points(course: Course, rt: Runtime, seed: int, scales: tuple[float, ...], draws: int) -> Arrays:
    """Eigenvalues "least" and "most" at independent starts of several scales, (scales, draws)."""
    loss = network_loss(course.network, images(rt, count=course.count, side=course.side))
    first = rng.numpy_generator(seed, "random points", "Lanczos")
    found = []
    for scale in scales:
        stream = ("random points", str(course.network.slope))
        points = [course.network.start(rt, seed, *stream, str(d), scale=scale) for d in range(draws)]
        found.append([extremes(loss.linearize(p)[1], p, first, tolerance=1e-2) for p in points])
    return {name: np.array([[getattr(e, name) for e in row] for row in found]) for name in ("least", "most")}


def _descend(loss: NetworkLoss, start: tuple[torch.Tensor, ...], course: Course, ratio: int):
    return descend(
        loss,
        start,
        steps=course.iterations * ratio,
        step_size=course.rate / ratio,
        record=_flat,
        record_every=course.iterations // course.records * ratio,
    )


def _flat(layers: Parameters, _: Gradients) -> dict[str, torch.Tensor]:
    return {"weights": torch.cat([layer.flatten(1) for layer in layers], 1)}
