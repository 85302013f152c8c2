"""From layers and their end-to-end matrix to numbers: growth of singular values, gaps between layers."""

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.descent import Record
from offconvex.factorizations.matrix.model import EndLoss, Layers, end_gradient, end_to_end


def growth_projections(
    product: Float[Tensor, "R n m"], gradient: Float[Tensor, "R n m"], count: int
) -> dict[str, Float[Tensor, "R {count}"]]:
    """The `count` largest singular values of W, "norms", and "projections" gamma_r = <-G, u_r v_r^T>, each (R, count).

    Args:
        product: end-to-end matrix W (R, n, n').
        gradient: gradient G of the loss at W, (R, n, n').
        count: how many singular values, at most min(n, n').
    """
    left, values, right = torch.linalg.svd(product, full_matrices=False)
    projections = -((left.mT @ gradient) * right).sum(-1)
    return {"norms": values[:, :count], "projections": projections[:, :count]}


def singular_growth(loss: EndLoss, count: int) -> Record:
    """The `count` largest singular values of the end-to-end matrix as "norms" of components, and their "projections".

    They follow from the layers alone: gamma needs the gradient at the end-to-end matrix, which those of the layers do
    not determine.
    """

    def growth(layers: Layers, _: Layers) -> dict[str, torch.Tensor]:
        product = end_to_end(layers)
        return growth_projections(product, end_gradient(loss, product), count)

    return growth


def layer_gaps(layers: Layers) -> Float[Tensor, "R gaps n n"]:
    """W_{j+1}^T W_{j+1} - W_j W_j^T for each j, (R, L - 1, n, n): constant along gradient flow (arora2018optimization).

    Raises:
        ValueError: for a single layer, which has no neighbor to be balanced with.
    """
    if len(layers) < 2:
        raise ValueError("Balance is a property of neighboring layers; got depth 1.")
    return torch.stack([above.mT @ above - below @ below.mT for below, above in zip(layers, layers[1:])], dim=1)
