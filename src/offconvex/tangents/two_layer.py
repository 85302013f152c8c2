"""The two-layer network of the source: bottom layer trained, top layer of random signs, zero at its start."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from offconvex.runtime import Runtime


@dataclass(frozen=True)
class Activation:
    """A function and its derivatives.

    Attributes:
        value: elementwise.
        first: first derivative.
        second: second derivative, or None where there is none.
        third: third derivative, or None.
    """

    value: Callable[[torch.Tensor], torch.Tensor]
    first: Callable[[torch.Tensor], torch.Tensor]
    second: Callable[[torch.Tensor], torch.Tensor] | None = None
    third: Callable[[torch.Tensor], torch.Tensor] | None = None


def _logistic_slope(z: torch.Tensor) -> torch.Tensor:
    s = torch.sigmoid(z)
    return s * (1 - s)


def _logistic_bend(z: torch.Tensor) -> torch.Tensor:
    s = torch.sigmoid(z)
    return s * (1 - s) * (1 - 2 * s)


_ERF = 2 / torch.pi**0.5
ACTIVATIONS = {
    "softplus": Activation(functional.softplus, torch.sigmoid, _logistic_slope, _logistic_bend),
    "erf": Activation(torch.erf, lambda z: _ERF * torch.exp(-z * z), lambda z: -2 * _ERF * z * torch.exp(-z * z)),
    "relu": Activation(torch.relu, lambda z: (z > 0).to(z.dtype)),
}


@dataclass(frozen=True)
class TwoLayer:
    """Replicas of f(x) = m^(-1/2) sum_r a_r s((w_r + v_r)^T x), with v the movement.

    Attributes:
        weights: (R, m, d) the start w.
        signs: (R, m) a, plus or minus one.
        activation: name of s.
    """

    weights: torch.Tensor
    signs: torch.Tensor
    activation: str

    @property
    def act(self) -> Activation:
        """The activation s with its derivatives."""
        return ACTIVATIONS[self.activation]

    def start(self, inputs: Float[Tensor, "n d"] | Float[Tensor, "R n d"]) -> Float[Tensor, "R n m"]:
        """w_r^T x, of inputs that all replicas or each of its own sees."""
        return inputs @ self.weights.mT

    def value(
        self, move: Float[Tensor, "R m d"], inputs: Float[Tensor, "n d"] | Float[Tensor, "R n d"]
    ) -> Float[Tensor, "R n"]:
        """Output f at w + v."""
        return self.read(self.act.value(inputs @ (self.weights + move).mT))

    def read(self, units: Float[Tensor, "R n m"]) -> Float[Tensor, "R n"]:
        """m^(-1/2) sum_r a_r u_r."""
        return (units @ self.signs[..., None])[..., 0] / self.signs.shape[1] ** 0.5

    def term(
        self, move: Float[Tensor, "R m d"], inputs: Float[Tensor, "n d"] | Float[Tensor, "R n d"], order: int
    ) -> Float[Tensor, "R n"]:
        """f^(k), the term of order k = 1, 2 or 3 in the movement.

        Raises:
            ValueError: if the activation has no derivative of that order here.
        """
        derivative = {1: self.act.first, 2: self.act.second, 3: self.act.third}.get(order)
        if derivative is None:
            raise ValueError(f"{self.activation} has no term of order {order} here.")
        return self.read(derivative(self.start(inputs)) * (inputs @ move.mT) ** order) / (1, 2, 6)[order - 1]

    def tangent_kernel(self, left: Float[Tensor, "n d"], right: Float[Tensor, "m d"]) -> Float[Tensor, "R n m"]:
        """Kernel of the linear term."""
        slopes = [self.act.first(self.start(x)) for x in (left, right)]
        return (slopes[0] @ slopes[1].mT) / self.signs.shape[1] * (left @ right.mT)


def draw(
    rt: Runtime,
    generator: torch.Generator,
    replicas: int,
    width: int,
    dimension: int,
    activation: str,
    *,
    scale: float = 1.0,
) -> TwoLayer:
    """Normal weights of deviation `scale` and random signs; every unit has a twin of opposite sign, so that f = 0.

    Raises:
        ValueError: if the width is odd, or the activation unknown.
    """
    if width % 2:
        raise ValueError(f"`width` must be even, since units come in pairs; got {width}.")
    if activation not in ACTIVATIONS:
        raise ValueError(f"`activation` must be one of {', '.join(ACTIVATIONS)}; got {activation!r}.")
    half = rt.normal(generator, replicas, width // 2, dimension) * scale
    signs = rt.normal(generator, replicas, width // 2).sign()
    return TwoLayer(torch.cat([half, half], 1), torch.cat([signs, -signs], 1), activation)
