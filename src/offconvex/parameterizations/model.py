"""A linear model with two weights w, written through parameters u, and the two losses of the primer."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.parameterizations.theory import Kind


@dataclass(frozen=True)
class Parameterization:
    """A smooth one-to-one map from parameters u to weights w on the open positive quadrant.

    Attributes:
        kind: the power N, "exp" or "polar".
        label: short name for figures.
        weights: u (..., 2) -> w (..., 2).
        parameters: the inverse map, w (..., 2) -> u (..., 2).
        pullback: (u, g) -> J^T g with J = dw/du (row i: the derivatives of w_i), derived by hand.
        stretch: u -> trace of J J^T, the mean squared stretch of the map, (...,).
    """

    kind: Kind
    label: str
    weights: Callable[[Tensor], Tensor]
    parameters: Callable[[Tensor], Tensor]
    pullback: Callable[[Tensor, Tensor], Tensor]
    stretch: Callable[[Tensor], Tensor]


def parameterization(kind: Kind) -> Parameterization:
    """Power w_i = u_i^N for a number N > 0, w_i = e^(u_i) for "exp", w = r (cos a, sin a) for "polar".

    Source: gissin2019primer. N = 1 is the plain model; N a whole number is a diagonal linear network of depth N with
    shared weights.

    Raises:
        ValueError: for any other name, or a power that is not positive and finite: w = u^0 is constant, and a negative
            power sends small weights to infinite parameters.
    """
    if kind == "exp":
        return Parameterization(
            kind, "exp", torch.exp, torch.log, lambda u, g: u.exp() * g, lambda u: (2 * u).exp().sum(-1)
        )
    if kind == "polar":
        return Parameterization(kind, "polar", _polar_weights, _polar_parameters, _polar_pullback, _polar_stretch)
    if isinstance(kind, str) or isinstance(kind, bool) or not (math.isfinite(kind) and kind > 0):
        raise ValueError(f"A parameterization is a power N > 0, 'exp' or 'polar'; got {kind!r}.")
    n = float(kind)
    return Parameterization(
        n,
        "identity" if n == 1 else f"$N={n:g}$",
        lambda u: u**n,
        lambda w: w ** (1 / n),
        lambda u, g: n * u ** (n - 1) * g,
        lambda u: (n * u ** (n - 1)).square().sum(-1),
    )


def induced_field(kind: Kind, w: Float[Tensor, "n 2"], gradient: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
    """Velocity of the weights when gradient flow runs on the parameters: -J J^T times the gradient in w.

    The Jacobian J = dw/du is taken by automatic differentiation at u(w), so that this knows no formula for it.

    Args:
        kind: see `parameterization`.
        w: weights in the open positive quadrant.
        gradient: of the loss with respect to w.
    """
    jacobian = jacobians(kind, w)
    return -(jacobian @ (jacobian.mT @ gradient[..., None]))[..., 0]


def jacobians(kind: Kind, w: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2 2"]:
    """J = dw/du at u(w) by automatic differentiation; row i belongs to w_i."""
    p = parameterization(kind)
    return torch.func.vmap(torch.func.jacrev(p.weights))(p.parameters(w))


@dataclass(frozen=True)
class PointLoss:
    """Half the squared distance to one optimum: l(w) = |w - w*|^2 / 2.

    Attributes:
        optimum: w*, every weight positive; two of them in the plane, more where only powers are used.
    """

    optimum: tuple[float, ...] = (3.0, 6.0)

    def __post_init__(self):
        if not all(math.isfinite(x) and x > 0 for x in self.optimum):
            raise ValueError(
                f"`optimum` must have positive weights only, as w = u^N cannot be negative; got {self.optimum}."
            )

    def value(self, w: Float[Tensor, "*R n"]) -> Float[Tensor, "*R"]:
        """The loss."""
        return (w - _constant(self.optimum, w.dtype, w.device)).square().sum(-1) / 2

    def gradient(self, w: Float[Tensor, "*R n"]) -> Float[Tensor, "*R n"]:
        """Of the loss."""
        return w - _constant(self.optimum, w.dtype, w.device)


@dataclass(frozen=True)
class LineLoss:
    """Half the squared distance to a line: l(w) = (a.w - b)^2 / (2 |a|^2), the loss of a single example (a, b).

    Attributes:
        normal: a, both entries positive, so that the line crosses the positive quadrant.
        offset: b > 0.
    """

    normal: tuple[float, float] = (1.0, 2.0)
    offset: float = 15.0

    def __post_init__(self):
        if not all(math.isfinite(x) and x > 0 for x in (*self.normal, self.offset)):
            raise ValueError(
                "A line a.w = b needs a > 0 and b > 0 to cross the positive quadrant; "
                f"got a = {self.normal}, b = {self.offset}."
            )

    def value(self, w: Float[Tensor, "*R 2"]) -> Float[Tensor, "*R"]:
        """The loss."""
        a = _constant(self.normal, w.dtype, w.device)
        return (w @ a - self.offset).square() / (2 * a @ a)

    def gradient(self, w: Float[Tensor, "*R 2"]) -> Float[Tensor, "*R 2"]:
        """Of the loss."""
        a = _constant(self.normal, w.dtype, w.device)
        return (w @ a - self.offset)[..., None] * a / (a @ a)


Loss = PointLoss | LineLoss


@functools.cache
def _constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    # Made once: a loss is asked for at every step, and would send its numbers to the device each time.
    return torch.tensor(values, dtype=dtype, device=device)


def _polar_weights(u: Tensor) -> Tensor:
    return u[..., :1] * torch.stack([u[..., 1].cos(), u[..., 1].sin()], -1)


def _polar_parameters(w: Tensor) -> Tensor:
    return torch.stack([w.norm(dim=-1), torch.atan2(w[..., 1], w[..., 0])], -1)


def _polar_pullback(u: Tensor, g: Tensor) -> Tensor:
    radius, cosine, sine = u[..., 0], u[..., 1].cos(), u[..., 1].sin()
    return torch.stack([cosine * g[..., 0] + sine * g[..., 1], radius * (cosine * g[..., 1] - sine * g[..., 0])], -1)


def _polar_stretch(u: Tensor) -> Tensor:
    return 1 + u[..., 0].square()
