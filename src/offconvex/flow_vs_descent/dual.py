"""Gradient descent in other coordinates: the first layer as a combination of the images.

A step changes the first layer by -step E X^T, with X the images as columns and E the error at the first
pre-activations Z = W_1 X. So W_1 = W_1(0) + A X^T for a matrix A that moves by -step E, and Z moves by -step E K with
K = X^T X. One product with K per step replaces two with X; in exact arithmetic it is the same gradient descent.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.descent import Parameters
from offconvex.flow_vs_descent.model import ImageColumns, Network
from offconvex.flow_vs_descent.objective import LayeredLoss


class DualLoss:
    """Loss and velocity in the coordinates (Z, A, W_2, ..., W_L), an objective for `descend` with a constant step.

    What is returned as gradient is (E K, E, gradients of the other layers): minus the velocity, no gradient in Z and A.
    """

    def __init__(self, network: Network, images: ImageColumns):
        self.inputs = images.inputs
        self.kernel = images.inputs.T @ images.inputs
        self.layered = LayeredLoss(network.slope, images)

    def lift(self, layers: Parameters) -> tuple[Float[Tensor, "R _ _"], ...]:
        """Coordinates of a start: Z = W_1 X and A = 0."""
        first = layers[0] @ self.inputs
        return (first, torch.zeros_like(first), *layers[1:])

    def layers(
        self, coordinates: tuple[Float[Tensor, "R _ _"], ...], start: tuple[Float[Tensor, "R _ _"], ...]
    ) -> tuple[Float[Tensor, "R _ _"], ...]:
        """Layers at a point of a run from `start`."""
        return (start[0] + coordinates[1] @ self.inputs.T, *coordinates[2:])

    def __call__(
        self, coordinates: tuple[Float[Tensor, "R _ _"], ...]
    ) -> tuple[Float[Tensor, " R"], tuple[Float[Tensor, "R _ _"], ...]]:
        """Loss and minus the velocity."""
        first, _, *others = coordinates
        loss, error, gradients = self.layered.from_first(first, tuple(others))
        return loss, ((error.flatten(0, 1) @ self.kernel).view_as(error), error, *gradients)
