"""From a tensor to its ranks in and off a mode tree; component norms are in `tensor_measure`, on `local_vectors`."""

import numpy as np
import torch


def matricization(tensor: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
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


def split_values(tensor: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    """Singular values of a matricization in decreasing order, (B, k).

    Their number above zero is the separation rank of the tensor across the split of its axes: the smallest number of
    summands, each a tensor over the given axes times one over the others (cohen2017inductive, Claim 1).
    """
    return torch.linalg.svdvals(matricization(tensor, axes))
