"""Densities to sample from: anything that gives its log density and the gradient of it, and two that the book uses."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.runtime import Runtime


@dataclass(frozen=True)
class Target:
    """A density on points of any shape, known up to a factor.

    Attributes:
        log_density: positions (N, ...) -> log density (N,) and its gradient (N, ...).
        gradient: positions (N, ...) -> the gradient alone, where it is cheaper; by default taken from `log_density`.
    """

    log_density: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
    gradient: Callable[[torch.Tensor], torch.Tensor] | None = None

    def slope(self, position: Float[Tensor, "*positions"]) -> Float[Tensor, "*positions"]:
        """Gradient of the log density."""
        return self.gradient(position) if self.gradient else self.log_density(position)[1]


def replicas_inside(position: Float[Tensor, "*positions"]) -> Float[Tensor, "*positions"]:
    """The same positions laid out in memory with the replica axis innermost.

    Every elementwise operation on thousands of small vectors or matrices then runs over one long stretch of memory.
    """
    return position.movedim(0, -1).contiguous().movedim(-1, 0)


def standard_normal(
    rt: Runtime, generator: np.random.Generator, shape: torch.Size | tuple[int, ...]
) -> Float[Tensor, "{shape[0]} ..."]:
    """Standard normal draws (N, ...) with the replica axis innermost, in float64, then cast and moved.

    NumPy's ziggurat takes half the time of torch's normal draws, and noise is most of what a Langevin step costs.
    """
    draws = generator.standard_normal((*shape[1:], shape[0]))
    return torch.from_numpy(draws).to(device=rt.device, dtype=rt.dtype).movedim(-1, 0)


def uniform(rt: Runtime, generator: np.random.Generator, count: int) -> Float[Tensor, " {count}"]:
    """Uniform draws on [0, 1), in float64, then cast and moved."""
    return torch.from_numpy(generator.random(count)).to(device=rt.device, dtype=rt.dtype)


@dataclass(frozen=True)
class TwoModes:
    """A mixture of two Gaussians on the first axis: left N(-r, I), right N(r, shape^2 I).

    Attributes:
        r: half the distance of the means, in standard deviations of the left mode.
        dimension: of the space.
        right: weight of the right mode.
        shape: standard deviation of the right mode.
    """

    r: float
    dimension: int = 1
    right: float = 0.5
    shape: float = 1.0

    def __post_init__(self):
        if not (self.r > 0 and self.dimension >= 1 and 0 < self.right < 1 and self.shape > 0):
            raise ValueError(
                "TwoModes needs r > 0, dimension >= 1, a weight in (0, 1) and shape > 0; "
                f"got {self.r}, {self.dimension}, {self.right}, {self.shape}."
            )

    def target(self) -> Target:
        """Log density up to (2 pi)^(d/2), and its gradient, for positions (N, dimension)."""
        return Target(self._log_density, self._gradient)

    def _log_density(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        to_left, excess = self._exponents(x)
        return to_left + torch.nn.functional.softplus(excess), self._pull(x, torch.sigmoid(excess))

    def _gradient(self, x: torch.Tensor) -> torch.Tensor:
        if self.shape == 1:
            # The modes differ by a linear function, so that no square is needed.
            excess = x[:, 0] * (2 * self.r) + np.log(self.right / (1 - self.right))
            return self._pull(x, torch.sigmoid(excess))
        return self._pull(x, torch.sigmoid(self._exponents(x)[1]))

    def _exponents(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Log density of the left mode with its weight, and that of the right one above it, (N,) each."""
        # |x -+ m|^2 = |x|^2 -+ 2 r x_1 + r^2 spares two copies of the positions.
        along, square, precision = 2 * self.r * x[:, 0], (x * x).sum(1) + self.r**2, self.shape**-2
        to_left = np.log(1 - self.right) - 0.5 * (square + along)
        scale = np.log(self.right) - self.dimension * np.log(self.shape)
        return to_left, scale - 0.5 * precision * (square - along) - to_left

    def _pull(self, x: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        """Gradient of the log density where the right mode has this share, (N, d)."""
        precision = self.shape**-2
        gradient = -x if precision == 1 else x * (-1 + (1 - precision) * share)[:, None]
        gradient[:, 0] += (share * (1 + precision) - 1) * self.r
        return gradient

    def draw(
        self, rt: Runtime, generator: np.random.Generator, count: int
    ) -> Float[Tensor, "{count} {self.dimension}"]:
        """Exact draws."""
        right = uniform(rt, generator, count) < self.right
        x = standard_normal(rt, generator, (count, self.dimension))
        x = x * torch.where(right, self.shape, 1.0)[:, None]
        x[:, 0] += torch.where(right, self.r, -self.r)
        return x

    def left(
        self, rt: Runtime, generator: np.random.Generator, count: int
    ) -> Float[Tensor, "{count} {self.dimension}"]:
        """Draws from the left mode alone."""
        x = standard_normal(rt, generator, (count, self.dimension))
        x[:, 0] -= self.r
        return x


def double_well(rt: Runtime) -> Target:
    """Density exp(-(x^2 - 1)^2) on the line, for positions (N,): the cheapest target with two modes."""

    def gradient(x: torch.Tensor) -> torch.Tensor:
        return torch.rsub(x * x, 1.0).mul_(x).mul_(4.0)

    def both(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        height = torch.rsub(x * x, 1.0)
        return -(height * height), height.mul_(x).mul_(4.0)

    return Target(both, gradient)


def standard_gaussian() -> Target:
    """Density exp(-|x|^2 / 2), for positions (N, ...)."""

    def both(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return -0.5 * (x * x).flatten(1).sum(1) if x.dim() > 1 else -0.5 * x * x, -x

    return Target(both, torch.neg)
