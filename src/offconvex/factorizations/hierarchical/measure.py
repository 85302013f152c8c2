"""From a tensor to its ranks in and off a mode tree, and to its local components; see also `tensor.measure`."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.descent import Record
from offconvex.factorizations.hierarchical.model import ModeTree, Weights, local_vectors
from offconvex.factorizations.tensor.measure import growth_projections


def local_growth(tree: ModeTree, positions: tuple[int, ...]) -> Record:
    """Norms and projections of the local components at nodes with one number of axes, side by side."""

    def growth(weights: Weights, gradients: Weights) -> dict[str, torch.Tensor]:
        nodes = [
            growth_projections(local_vectors(tree, weights, i), local_vectors(tree, gradients, i)) for i in positions
        ]
        return {name: torch.cat([node[name] for node in nodes], dim=1) for name in ("norms", "projections")}

    return growth


def matricization(tensor: Float[Tensor, "R ..."], axes: tuple[int, ...]) -> Float[Tensor, "R rows columns"]:
    """A tensor (B, d_1, ..., d_N) as matrices with the given axes as rows and the others as columns, (B, D, D').

    Raises:
        ValueError: unless the axes are distinct axes of the tensor, and neither none nor all of them.
    """
    order = tensor.ndim - 1
    if not set(axes) < set(range(order)) or len(set(axes)) < len(axes) or not axes:
        raise ValueError(f"A matricization needs some, not all, of the axes 0 to {order - 1} as rows; got {axes}.")
    others = [axis for axis in range(order) if axis not in axes]
    rows = [tensor.shape[1 + axis] for axis in axes]
    permuted = tensor.permute(0, *(1 + axis for axis in (*axes, *others)))
    return permuted.reshape(tensor.shape[0], int(np.prod(rows)), -1)


def split_values(tensor: Float[Tensor, "R ..."], axes: tuple[int, ...]) -> Float[Tensor, "R values"]:
    """Singular values of a matricization in decreasing order, (B, k).

    Their number above zero is the separation rank of the tensor across the split of its axes: the smallest number of
    summands, each a tensor over the given axes times one over the others (cohen2017inductive, Claim 1).
    """
    return torch.linalg.svdvals(matricization(tensor, axes))
