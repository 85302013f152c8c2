"""What training near the start would learn: interpolation with a network's own tangent kernel. No training happens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from offconvex.locality import networks, regularizer
from offconvex.locality.networks import Architecture
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
    architecture: Architecture,
    weights: list[Float[Tensor, "1 _ _"]],
    images: Float[Tensor, "N C H W"],
    *,
    chunk: int = 128,
) -> Float[Tensor, "N P"]:
    """Gradient of each sample's output by all weights of one replica, layer by layer.

    With d the output's slopes by what comes out of a layer, which one backward pass gives for all samples, and u the
    windows of what goes in, the slope by the kernel is the sum over places of d u^T, by the offset that of d.
    """
    weights = [w.detach() for w in weights]
    return torch.cat([_slopes(architecture, weights, part) for part in images.split(chunk)])


def _slopes(
    architecture: Architecture, weights: list[Float[Tensor, "1 _ _"]], images: Float[Tensor, "N C H W"]
) -> Float[Tensor, "N P"]:
    passed: list[tuple[Tensor, Tensor]] = []
    outputs = networks.forward(architecture, weights, images.detach().requires_grad_(), passed=passed)
    errors = torch.autograd.grad(outputs.sum(), [result for _, result in passed[:-1]])
    parts = []
    for (hidden, _), error in zip(passed[:-1], errors, strict=True):
        by_kernel = error.flatten(2) @ _windows(hidden.detach(), architecture.kernel).transpose(1, 2)
        parts += [by_kernel.flatten(1), error.sum((-2, -1))]
    mean = passed[-1][0].detach()
    return torch.cat([*parts, mean, torch.ones_like(mean[:, :1])], 1)


def _windows(hidden: Float[Tensor, "N C H W"], sides: tuple[int, int]) -> Float[Tensor, "N fan_in places"]:
    """What each place of a layer sees, in the order of the weights: rows, columns, channels."""
    rows, columns = sides
    height, width = hidden.shape[-2:]
    wide = functional.pad(hidden, (columns // 2, columns // 2, rows // 2, rows // 2))
    shifted = [wide[..., i : i + height, j : j + width] for i in range(rows) for j in range(columns)]
    return torch.stack(shifted, 1).flatten(3).flatten(1, 2)


def interpolate(
    architecture: Architecture,
    weights: list[Float[Tensor, "R _ _"]],
    data: tuple[Float[Tensor, "R N C H W"], Float[Tensor, "R N"]],
    held_out: tuple[Float[Tensor, "M C H W"], Float[Tensor, " M"]],
    pair: tuple[Patch, Patch],
    counts: Sequence[int],
    *,
    chunk: int = 500,
) -> Interpolation:
    """Fit labels +-1 exactly by the tangent kernel at the start, as gradient flow on a wide network does.

    With slopes J, kernel K = J J^T and the smallest change of weights that fits, outputs are K(test, train) K^-1 y
    (jacot2018neural); outputs at the start are left out, as if they had been subtracted. Slopes have the precision of
    the weights; the kernel of such slopes, and its solution, are in float64, since the small eigenvalues are where the
    memorizing happens. So is the surrogate.

    Args:
        architecture: the networks.
        weights: at the start, R replicas.
        data: training images and labels in {0, 1}.
        held_out: test images and labels.
        pair: patches between which the surrogate is read.
        counts: how many of the training images to use, from the first on; the slopes are the same for all.
        chunk: test images whose slopes are held at once; on so many of them the surrogate is measured.
    """
    sides = 2 * held_out[1].double() - 1
    train, test, similarity = (np.empty((len(counts), len(weights[0]))) for _ in range(3))
    for r in range(len(weights[0])):
        own = [w[r : r + 1] for w in weights]
        seen, signs = slopes(architecture, own, data[0][r]).double(), 2 * data[1][r].double() - 1
        kernel = seen @ seen.T
        across = torch.cat([slopes(architecture, own, x).double() @ seen.T for x in held_out[0].split(chunk)])
        for place, n in enumerate(counts):
            coefficients = _solve(kernel[:n, :n], signs[:n])
            train[place, r] = (kernel[:n, :n] @ coefficients * signs[:n] > 0).double().mean().item()
            test[place, r] = (across[:, :n] @ coefficients * sides > 0).double().mean().item()
        precise = [w.double() for w in own]
        _, similar = regularizer.gradient_similarity(
            lambda x, w=precise: networks.forward(architecture, w, x)[0], held_out[0][:chunk].double(), *pair
        )
        similarity[:, r] = similar.mean().item()
    return Interpolation(train, test, similarity[0])


def _solve(kernel: Float[Tensor, "n n"], signs: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Coefficients with which the kernel fits the signs; nearly dependent samples are fitted as well as can be."""
    factor, failed = torch.linalg.cholesky_ex(kernel)
    if not failed:
        coefficients = torch.cholesky_solve(signs[:, None], factor)[:, 0]
        if (kernel @ coefficients - signs).abs().max() < 1e-6:
            return coefficients
    values, vectors = torch.linalg.eigh(kernel)
    return vectors @ ((vectors.T @ signs) / values.clamp(min=values[-1] * 1e-12))
