"""Spectral penalties on a matrix: stand-ins for rank that are added to a loss, with hand-derived gradients.

All are functions of the singular values of X = W / scale, smoothed to s_i = sqrt(sigma_i^2 + delta^2). A plain penalty
has a fixed scale; a normalized one has scale |W|_F, and with it no opinion on the size of W.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.factorizations.matrix.model import EndLoss, completion_loss

SHARPEST = 1e-4
"""Smoothing that penalties end with, relative to the scale.

It keeps the gradient continuous, so that runs come to rest, and stands far above the rounding of the eigenvalues of
X^T X, which blurs singular values below 1e-8."""


@dataclass(frozen=True)
class Penalty:
    """A penalty sum_i s_i^p, or the effective rank exp(- sum_i q_i log q_i) with q = s / sum s.

    The nuclear norm is p = 1; p < 1 are powers of the Schatten quasi-norms; the normalized nuclear norm |W|_* / |W|_F
    (zhao2022combining) is the normalized p = 1. The effective rank (roy2007effective) is normalized by the nuclear
    norm already, and smoothed relative to |W|_F.

    Attributes:
        power: p in (0, 1], or 0 for the effective rank.
        normalized: whether the scale is |W|_F.
        scale: of a plain penalty, a guess of |W|_F; puts the weights of all penalties in one unit.
    """

    power: float
    normalized: bool = False
    scale: float = 100.0

    def __post_init__(self):
        if not 0 <= self.power <= 1 or (self.power == 0 and not self.normalized) or not self.scale > 0:
            raise ValueError(
                "A penalty needs a power in (0, 1], or 0 if `normalized`, the effective rank, and a positive scale; "
                f"got power {self.power}, normalized {self.normalized}, scale {self.scale}."
            )

    def value_and_gradient(
        self, product: Float[Tensor, "R n m"], smoothing: float = SHARPEST
    ) -> tuple[Float[Tensor, " R"], Float[Tensor, "R n m"]]:
        """Penalty and its gradient at W, by the eigenvectors V of X^T X.

        With f the function of s, the gradient in X is X V diag(f'(s) / s) V^T; a normalized penalty then loses its
        part along W: grad = (g - <g, X> X) / |W|_F. One symmetric eigenproblem costs half of a singular value
        decomposition and is all that is needed; it halves the digits of singular values that are tiny, which
        `smoothing` hides.

        Args:
            product: W.
            smoothing: delta, relative to the scale; with 0 the gradient is that of the penalty itself, and accurate
                where no singular value is below 1e-6 of the scale.

        Raises:
            ValueError: for a negative smoothing.
        """
        if smoothing < 0:
            raise ValueError(f"`smoothing` must not be negative; got {smoothing}.")
        wide = product.shape[1] < product.shape[2]
        scale = torch.linalg.matrix_norm(product)[:, None, None] if self.normalized else self.scale
        x = (product.mT if wide else product) / scale
        squares, right = torch.linalg.eigh(x.mT @ x)
        squares = squares.clamp_min(0)
        # A value that is zero in double precision must not divide by zero where no smoothing is wanted.
        smooth = (squares + smoothing**2).sqrt().clamp_min(1e-15)
        value, slope = self._function(smooth)
        factor = slope / smooth
        gradient = x @ ((right * factor[:, None, :]) @ right.mT)
        if self.normalized:
            gradient = gradient - (factor * squares).sum(1)[:, None, None] * x
        gradient = gradient / scale
        return value, gradient.mT if wide else gradient

    def _function(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Value (R,) and slope (R, r) at smoothed singular values (R, r)."""
        if self.power > 0:
            return values.pow(self.power).sum(1), self.power * values.pow(self.power - 1)
        total = values.sum(1, keepdim=True)
        logs = (values / total).log()
        entropy = -(values * logs).sum(1, keepdim=True) / total
        rank = entropy.exp()
        return rank[:, 0], rank * (-logs - entropy) / total


PENALTIES = {
    "nuclear": Penalty(1.0),
    "Schatten": Penalty(0.5),
    "ratio": Penalty(1.0, normalized=True),
    "normalized Schatten": Penalty(0.5, normalized=True),
    "effective rank": Penalty(0.0, normalized=True),
}
"""The penalties of the chapter by name; "Schatten" is sum_i sigma_i^(1/2), "ratio" is nuclear over Frobenius."""


def penalized_loss(
    target: Float[Tensor, "R n m"],
    mask: Float[Tensor, "R n m"],
    penalty: Penalty | None,
    weight: Float[Tensor, " R"],
) -> EndLoss:
    """Mean squared error over the observed entries plus `weight` times a penalty, as a function of the end matrix.

    It takes the penalty's smoothing as a third argument, so that a run may sharpen the penalty as it goes.

    Args:
        target: the matrix.
        mask: ones at its observed entries.
        penalty: or None.
        weight: lambda, at least 0.

    Raises:
        ValueError: for a negative weight, or a replica without observations.
    """
    if bool((weight < 0).any()):
        raise ValueError(f"The weight of a penalty must not be negative; got {float(weight.min())}.")
    data_loss = completion_loss(target, mask)

    def loss(
        product: Float[Tensor, "R n m"], gradient: Float[Tensor, "R n m"], smoothing: float = SHARPEST
    ) -> Float[Tensor, " R"]:
        if penalty is None:
            return data_loss(product, gradient)
        value, slope = penalty.value_and_gradient(product, smoothing)
        fit = data_loss(product, gradient)  # overwrites the product
        gradient.addcmul_(slope, weight[:, None, None])
        return fit + weight * value

    return loss
