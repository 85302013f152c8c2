"""Completion of a 2 x 2 matrix whose corner W11 is not observed: the task, its starts, and the weights' objective."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.descent import Objective
from offconvex.factorizations.matrix.model import Layers, end_to_end, gaussian_layers, matrix_objective, squared_loss
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class CornerCompletion:
    """Three observed entries of a 2 x 2 matrix; W11 is free (razin2020implicit, Section 3.2).

    If W12 W21 is not zero and W22 = 0, every matrix that fits has determinant -W12 W21; with W22 = epsilon close to
    zero the fit of lowest rank is W11 = W12 W21 / epsilon.

    Attributes:
        right: W12, not zero.
        below: W21, not zero.
        corner: W22.
    """

    right: float = 1.0
    below: float = 1.0
    corner: float = 0.0

    def __post_init__(self):
        if self.right == 0 or self.below == 0:
            raise ValueError(
                "W12 and W21 must not be zero, or a matrix of rank one fits with W11 = 0; "
                f"got {self.right} and {self.below}."
            )

    @property
    def opposite_sign(self) -> int:
        """Sign of the determinant that no fit of the task with W22 = 0 has: +1 or -1."""
        return 1 if self.right * self.below > 0 else -1

    def objective(self, rt: Runtime) -> Objective:
        """Loss (1/2) of the summed squares of the three residuals, as a function of the layers."""
        target = rt.tensor([[[0.0, self.right], [self.below, self.corner]]])
        return matrix_objective(squared_loss(target, rt.tensor([[[0.0, 1.0], [1.0, 1.0]]])))


def gaussian_products(
    rt: Runtime, generators: list[torch.Generator], *, std: float, sign: int
) -> Float[Tensor, "R 2 2"]:
    """2 x 2 matrices with N(0, std^2) entries, given the sign of their determinant, one generator each.

    Exchanging the rows flips the determinant and leaves the Gaussian law as it is, so no draw is thrown away.

    Raises:
        ValueError: unless std > 0 and sign is +1 or -1.
    """
    _check(std, sign)
    draws = torch.stack([std * rt.normal(generator, 2, 2) for generator in generators])
    return _with_sign(draws, draws, sign)


def unbalanced_layers(rt: Runtime, generators: list[torch.Generator], *, depth: int, std: float, sign: int) -> Layers:
    """Independent Gaussian layers whose product has entries of standard deviation `std` and det of the given sign.

    Each entry of a layer has standard deviation a with a^L 2^((L-1)/2) = std (razin2020implicit, code).

    Raises:
        ValueError: unless std > 0 and sign is +1 or -1.
    """
    _check(std, sign)
    layer_std = (std / 2 ** ((depth - 1) / 2)) ** (1 / depth)
    layers = gaussian_layers(rt, generators, depth=depth, size=2, std=layer_std)
    return (*layers[:-1], _with_sign(layers[-1], end_to_end(layers), sign))


def _with_sign(last: torch.Tensor, products: torch.Tensor, sign: int) -> torch.Tensor:
    wrong = determinant(products) * sign < 0
    return torch.where(wrong[:, None, None], last.flip(1), last)


def determinant(product: Float[Tensor, "*any 2 2"]) -> Float[Tensor, "*any"]:
    """Determinant of 2 x 2 matrices."""
    return product[..., 0, 0] * product[..., 1, 1] - product[..., 0, 1] * product[..., 1, 0]


def _check(std: float, sign: int) -> None:
    if not std > 0 or sign not in (1, -1):
        raise ValueError(f"A start needs std > 0 and sign +1 or -1 of its determinant; got std {std}, sign {sign}.")
