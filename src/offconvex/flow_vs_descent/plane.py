"""Two parameters: gradient descent as a broken line, the flow as a curve, and the tube that the theorem draws."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.integrate import solve_ivp

from offconvex.flow_vs_descent import theory

PointFunction = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Plane:
    """An objective of two parameters.

    Attributes:
        value: points (..., 2) -> (...,).
        gradient: points (..., 2) -> (..., 2).
        hessian: points (..., 2) -> (..., 2, 2).
        start: (x, y).
        step: of descent.
        steps: number of steps.
    """

    value: PointFunction
    gradient: PointFunction
    hessian: PointFunction
    start: tuple[float, float]
    step: float
    steps: int

    def descent(self) -> Float[np.ndarray, "{self.steps+1} 2"]:
        """Points of gradient descent, (steps + 1, 2)."""
        points = [np.array(self.start)]
        for _ in range(self.steps):
            points.append(points[-1] - self.step * self.gradient(points[-1]))
        return np.array(points)

    def flow(self, times: Float[np.ndarray, " T"]) -> Float[np.ndarray, "T 2"]:
        """Points of the flow at the given times, (T, 2)."""
        solution = solve_ivp(
            lambda _, p: -self.gradient(p), (0, times[-1]), self.start, t_eval=times, rtol=1e-12, atol=1e-14
        )
        return solution.y.T


@dataclass(frozen=True)
class Followed:
    """Descent, flow and tube; K steps of `fine` parts each.

    Attributes:
        times: (K fine + 1,).
        flow: (K fine + 1, 2).
        descent: (K + 1, 2), the corners of the broken line.
        distance: (K fine + 1,) from the flow to the broken line at equal times.
        radius: (K fine + 1,) of the tube; infinite from where the tube reaches `widest`.
        convex_radius: the same, had the Hessian no negative eigenvalue.
        least: (K fine + 1,) smallest eigenvalue of the Hessian on the flow.
    """

    times: np.ndarray
    flow: np.ndarray
    descent: np.ndarray
    distance: np.ndarray
    radius: np.ndarray
    convex_radius: np.ndarray
    least: np.ndarray


def bowl() -> Plane:
    """A strictly convex objective."""
    scales = np.array([0.35, 1.5])
    return Plane(
        lambda p: 0.5 * (scales * p**2).sum(-1),
        lambda p: scales * p,
        lambda p: np.broadcast_to(np.diag(scales), (*np.shape(p), 2)),
        (1.6, 1.0),
        step=0.15,
        steps=40,
    )


def chain() -> Plane:
    """Two scalar layers from near zero, 1/2 (x y - 1)^2: a saddle at zero, then a valley of minima."""

    def hessian(p: np.ndarray) -> np.ndarray:
        x, y = p[..., 0], p[..., 1]
        mixed = 2 * x * y - 1
        return np.stack([np.stack([y * y, mixed], -1), np.stack([mixed, x * x], -1)], -2)

    return Plane(
        lambda p: 0.5 * (p[..., 0] * p[..., 1] - 1) ** 2,
        lambda p: (p[..., :1] * p[..., 1:] - 1) * p[..., ::-1],
        hessian,
        (0.5, 0.05),
        step=0.1,
        steps=60,
    )


def saddle(m: float = 2.0, x: float = 0.5, *, step: float = 0.04, steps: int = 130) -> Plane:
    """The objective of `offconvex.flow_vs_descent.saddle`, from the stable manifold of its saddle."""

    def gradient(p: np.ndarray) -> np.ndarray:
        x, y = p[..., 0], p[..., 1]
        return np.stack([x * (1 + 2 * y + x * x), m * y * (y * y - 1) + x * x], -1)

    def hessian(p: np.ndarray) -> np.ndarray:
        x, y = p[..., 0], p[..., 1]
        return np.stack([np.stack([1 + 2 * y + 3 * x * x, 2 * x], -1), np.stack([2 * x, m * (3 * y * y - 1)], -1)], -2)

    return Plane(
        lambda p: (
            p[..., 0] ** 2 * (0.5 + p[..., 1] + p[..., 0] ** 2 / 4) + m * (p[..., 1] ** 4 / 4 - p[..., 1] ** 2 / 2)
        ),
        gradient,
        hessian,
        (x, theory.saddle_manifold(m, x)),
        step,
        steps,
    )


def follow(plane: Plane, *, fine: int = 10, widest: float = 1.0) -> Followed:
    """Descent beside its flow, and the tube, whose constants are taken over the tube itself.

    R' = m R + beta (s - t_k) |grad f(theta_k)| with m = max(-lambda_min) over the disk of radius R around the flow, and
    beta the largest Hessian norm over the disk that also holds the step's first point. Both maxima are taken over 48
    points of a disk, and R is advanced by small explicit steps.
    """
    times = plane.step * np.arange(plane.steps * fine + 1) / fine
    curve, corners = plane.flow(times), plane.descent()
    part = np.arange(len(times)) % fine / fine
    index = np.minimum(np.arange(len(times)) // fine, plane.steps - 1)
    part = np.where(np.arange(len(times)) == plane.steps * fine, 1.0, part)
    line = corners[index] + part[:, None] * (corners[index + 1] - corners[index])
    speed = np.linalg.norm(np.diff(corners, axis=0), axis=1) / plane.step
    radius, convex = np.zeros(len(times)), np.zeros(len(times))
    h = plane.step / fine
    for i in range(len(times) - 1):
        # The end of the part, where the defect is largest.
        since = (i % fine + 1) * h
        for radii, signed in ((radius, True), (convex, False)):
            if not radii[i] < widest:
                radii[i + 1] = np.inf
                continue
            least, _ = _extremes(plane, curve[i], radii[i])
            _, most = _extremes(plane, curve[i], radii[i] + since * speed[i // fine])
            m = -least if signed else min(-least, 0.0)
            radii[i + 1] = np.exp(m * h) * radii[i] + h * max(1.0, np.exp(m * h)) * most * since * speed[i // fine]
    on_flow = np.linalg.eigvalsh(plane.hessian(curve))[:, 0]
    return Followed(times, curve, corners, np.linalg.norm(line - curve, axis=1), radius, convex, on_flow)


_ANGLES = np.linspace(0, 2 * np.pi, 16, endpoint=False)
_DISK = np.concatenate([r * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], -1) for r in (0.0, 0.5, 1.0)])


def _extremes(plane: Plane, center: np.ndarray, radius: float) -> tuple[float, float]:
    """Least eigenvalue and largest norm of the Hessian over a disk."""
    values = np.linalg.eigvalsh(plane.hessian(center + radius * _DISK))
    return float(values[:, 0].min()), float(np.abs(values).max())
