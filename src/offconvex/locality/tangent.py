"""What training near the start would learn: interpolation with a network's own tangent kernel. No training happens."""

from dataclasses import dataclass

import numpy as np
import torch

from offconvex.locality import networks, regularizer
from offconvex.locality.networks import Architecture, Weights
from offconvex.locality.regularizer import Patch


@dataclass(frozen=True)
class Interpolation:
    """Kernel interpolation of one replica each, arrays (R,).

    Attributes:
        train: accuracy on the training set.
        test: accuracy on the test set.
        similarity: the surrogate at the start, before any training.
        condition: largest over smallest eigenvalue of the training kernel, how far the fit can be trusted.
    """

    train: np.ndarray
    test: np.ndarray
    similarity: np.ndarray
    condition: np.ndarray


def slopes(architecture: Architecture, weights: Weights, images: torch.Tensor) -> torch.Tensor:
    """Gradient (N, P) of each sample's output by all weights of one replica, images (N, C, H, W)."""

    def output(parameters: Weights, image: torch.Tensor) -> torch.Tensor:
        return networks.forward(architecture, parameters, image[None])[0, 0]

    gradients = torch.func.vmap(torch.func.grad(output), (None, 0))([w.detach() for w in weights], images)
    return torch.cat([g.flatten(1) for g in gradients], 1)


def interpolate(
    architecture: Architecture,
    weights: Weights,
    data: tuple[torch.Tensor, torch.Tensor],
    held_out: tuple[torch.Tensor, torch.Tensor],
    pair: tuple[Patch, Patch],
) -> Interpolation:
    """Fit labels +-1 exactly by the tangent kernel at the start, as gradient flow on a wide network does.

    With slopes J, kernel K = J J^T and the smallest change of weights that fits, outputs are K(test, train) K^-1 y
    (jacot2018neural); outputs at the start are left out, as if they had been subtracted. Solved in float64, since the
    small eigenvalues are where the memorizing happens.

    Args:
        architecture: the networks.
        weights: at the start, R replicas.
        data: training images (R, N, C, H, W) and labels (R, N) in {0, 1}.
        held_out: test images (M, C, H, W) and labels (M,).
        pair: patches between which the surrogate is read.
    """
    rows = []
    for r in range(len(weights[0])):
        own = [w[r : r + 1].double() for w in weights]
        train, test = (slopes(architecture, own, x.double()) for x in (data[0][r], held_out[0]))
        kernel, signs = train @ train.T, 2 * data[1][r].double() - 1
        values, vectors = torch.linalg.eigh(kernel)
        coefficients = vectors @ ((vectors.T @ signs) / values.clamp(min=values[-1] * 1e-12))
        fitted, predicted = kernel @ coefficients, test @ (train.T @ coefficients)
        _, similar = regularizer.gradient_similarity(
            lambda x, own=own: networks.forward(architecture, own, x)[0], held_out[0].double(), *pair
        )
        rows.append(
            [
                (fitted * signs > 0).double().mean().item(),
                (predicted * (2 * held_out[1].double() - 1) > 0).double().mean().item(),
                similar.mean().item(),
                (values[-1] / values[0].clamp(min=1e-300)).item(),
            ]
        )
    return Interpolation(*np.array(rows).T)
