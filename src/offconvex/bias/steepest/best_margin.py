"""The best margin in the max entry and in the Frobenius norm, solved for, with a certificate of its own."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from offconvex.bias import certificate

BALLS = ("frobenius", "max")


def best_margin(name: str, examples: Float[np.ndarray, "R N n m"], *, gap: float = 1e-7) -> certificate.Certificate:
    """The best margin of each data set, from below by weights and from above by a certificate.

    A path of centers: the maximum of z - mu (ball(W) - sum_i log(<W, X_i> - z)), with ball(W) = -log(1 - ||W||^2) or
    -sum_j log(1 - W_j^2), by damped Newton, while mu falls fourfold. At a center p_i = mu / (<W, X_i> - z) has sum one
    (gradient in z), and the dual norm of sum_i p_i X_i exceeds z by mu (N + 2 n m) at most, or by mu (N + 2) in the
    round ball (gradient in W). It ends where that is a share `gap` of z; rounding forbids much less than 1e-7.

    Args:
        name: one of `BALLS`.
        examples: each times its label.
        gap: of the margin, relative.

    Raises:
        ValueError: if there is no such ball, or some data set is not separable.
    """
    if name not in BALLS:
        raise ValueError(f"The best margin is solved for in the norms {' and '.join(BALLS)}; got {name!r}.")
    sets, count, rows, columns = examples.shape
    path = _Path(name, examples.reshape(sets, count, rows * columns))
    point = np.zeros((sets, rows * columns + 1))
    point[:, -1] = -path.size
    mu, parameter = path.size, count + (2 * rows * columns if name == "max" else 2)
    while mu * parameter > gap * point[:, -1].min():
        if mu < 1e-13 * path.size:
            raise ValueError(
                "A best margin needs examples that some weights separate; got a data set in which no margin is above "
                f"{point[:, -1].min() + mu * parameter:.3g}."
            )
        mu /= 4
        point = path.center(point, mu)
    weights = point[:, :-1].reshape(sets, rows, columns)
    p = 1 / path.slack(point)
    return certificate.certify(name, examples, weights, p / p.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class _Path:
    """Points (W, z) as rows of length n m + 1, and the barriers between which they lie."""

    name: str
    flat: np.ndarray

    @property
    def size(self) -> float:
        return float(np.sqrt(np.square(self.flat).sum(axis=-1)).mean())

    def slack(self, point: np.ndarray) -> np.ndarray:
        return (self.flat @ point[:, :-1, None])[..., 0] - point[:, -1:]

    def inside(self, w: np.ndarray) -> np.ndarray:
        return 1 - w**2 if self.name == "max" else 1 - np.square(w).sum(axis=-1, keepdims=True)

    def cost(self, point: np.ndarray, mu: float) -> np.ndarray:
        """Minus z over mu plus all barriers; infinite outside."""
        room = np.concatenate([self.slack(point), self.inside(point[:, :-1])], axis=-1)
        logs = np.log(np.where(room > 0, room, 1)).sum(axis=-1)
        return np.where((room > 0).all(axis=-1), -point[:, -1] / mu - logs, np.inf)

    def newton(self, point: np.ndarray, mu: float) -> tuple[np.ndarray, np.ndarray]:
        """Newton's step, and the fall of the cost that it promises, twice."""
        w = point[:, :-1]
        room, eye = self.inside(w), np.eye(w.shape[1])
        weighted = np.concatenate([self.flat, -np.ones((*self.flat.shape[:2], 1))], axis=-1)
        weighted /= self.slack(point)[..., None]
        gradient = -weighted.sum(axis=1)
        gradient[:, :-1] += 2 * w / room
        gradient[:, -1] -= 1 / mu
        hessian = weighted.transpose(0, 2, 1) @ weighted
        if self.name == "max":
            hessian[:, :-1, :-1] += (2 * (1 + w**2) / room**2)[..., None] * eye
        else:
            hessian[:, :-1, :-1] += 2 * eye / room[..., None] + 4 * w[:, :, None] * w[:, None] / room[..., None] ** 2
        step = -np.linalg.solve(hessian, gradient[..., None])[..., 0]
        return step, -(step * gradient).sum(axis=-1)

    def center(self, point: np.ndarray, mu: float) -> np.ndarray:
        for _ in range(50):
            step, promised = self.newton(point, mu)
            if promised.max() < 1e-8:
                break
            now, length = self.cost(point, mu), np.ones(len(point))
            for _ in range(40):
                tried = self.cost(point + length[:, None] * step, mu)
                worse = ~(tried <= now - 0.1 * length * promised + 1e-12 * np.abs(now))
                if not worse.any():
                    break
                length = np.where(worse, length / 2, length)
            point = point + length[:, None] * step
        return point
