"""What training near the start would learn: interpolation with a network's own tangent kernel. No training happens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.locality import networks, regularizer
from offconvex.locality.networks import Architecture, NetworkWeights
from offconvex.locality.regularizer import Patch


@dataclass(frozen=True)
class Interpolation:
    """Kernel interpolation, arrays (counts, R) of R replicas.

    Attributes:
        train: accuracy on the training set.
        test: accuracy on the test set.
        similarity: (R,), the surrogate at the start, before any training.
    """

    train: np.ndarray
    test: np.ndarray
    similarity: np.ndarray


def slopes(
    architecture: Architecture, weights: list[Float[Tensor, "1 _ _"]], images: Float[Tensor, "N C H W"]
) -> Float[Tensor, "N P"]:
    """Gradient of each sample's output by all weights of one replica."""

    def output(parameters: NetworkWeights, image: torch.Tensor) -> torch.Tensor:
        return networks.forward(architecture, parameters, image[None])[0, 0]

    gradients = torch.func.vmap(torch.func.grad(output), (None, 0))([w.detach() for w in weights], images)
    return torch.cat([g.flatten(1) for g in gradients], 1)


def interpolate(
    architecture: Architecture,
    weights: list[Float[Tensor, "R _ _"]],
    data: tuple[Float[Tensor, "R N C H W"], Float[Tensor, "R N"]],
    held_out: tuple[Float[Tensor, "M C H W"], Float[Tensor, " M"]],
    pair: tuple[Patch, Patch],
    counts: Sequence[int],
) -> Interpolation:
    """Fit labels +-1 exactly by the tangent kernel at the start, as gradient flow on a wide network does.

    With slopes J, kernel K = J J^T and the smallest change of weights that fits, outputs are K(test, train) K^-1 y
    (jacot2018neural); outputs at the start are left out, as if they had been subtracted. Solved in float64, since the
    small eigenvalues are where the memorizing happens.

    Args:
        architecture: the networks.
        weights: at the start, R replicas.
        data: training images and labels in {0, 1}.
        held_out: test images and labels.
        pair: patches between which the surrogate is read.
        counts: how many of the training images to use, from the first on; the slopes are the same for all.
    """
    sides = 2 * held_out[1].double() - 1
    train, test, similarity = (np.empty((len(counts), len(weights[0]))) for _ in range(3))
    for r in range(len(weights[0])):
        own = [w[r : r + 1].double() for w in weights]
        seen, unseen = (slopes(architecture, own, x.double()) for x in (data[0][r], held_out[0]))
        kernel, across, signs = seen @ seen.T, unseen @ seen.T, 2 * data[1][r].double() - 1
        for place, n in enumerate(counts):
            values, vectors = torch.linalg.eigh(kernel[:n, :n])
            coefficients = vectors @ ((vectors.T @ signs[:n]) / values.clamp(min=values[-1] * 1e-12))
            train[place, r] = (kernel[:n, :n] @ coefficients * signs[:n] > 0).double().mean().item()
            test[place, r] = (across[:, :n] @ coefficients * sides > 0).double().mean().item()
        _, similar = regularizer.gradient_similarity(
            lambda x, own=own: networks.forward(architecture, own, x)[0], held_out[0].double(), *pair
        )
        similarity[:, r] = similar.mean().item()
    return Interpolation(train, test, similarity[0])
