"""Deep matrix factorization W = W_L ... W_1: starts, end-to-end matrix, and the engine's objective.

Layers are listed in the order in which they act, (W_1, ..., W_L), each (R, rows, columns) with R independent replicas.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.descent import Objective
from offconvex.factorizations.tasks import Layers
from offconvex.runtime import Runtime

EndLoss = Callable[..., torch.Tensor]
"""End-to-end matrix (R, n, n'), which it may overwrite, and a buffer that it fills with its gradient -> loss (R,).

A loss that depends on time, or on anything else that changes along a run, takes that as further arguments."""


def end_to_end(layers: Layers) -> Float[Tensor, "R rows columns"]:
    """End-to-end matrix W = W_L ... W_1, (R, n, n')."""
    product = layers[0]
    for layer in layers[1:]:
        product = layer @ product
    return product


def gaussian_layers(rt: Runtime, generators: list[torch.Generator], *, depth: int, size: int, std: float) -> Layers:
    """`depth` square layers with independent N(0, std^2) entries, one generator per replica.

    Such a start is not balanced: W_{j+1}^T W_{j+1} - W_j W_j^T = O(size std^2), which matters less and less as
    the layers outgrow it.

    Raises:
        ValueError: if depth or size is below 1, or std is not positive.
    """
    _check_shape(depth, size)
    if not std > 0:
        raise ValueError(f"`std` must be positive, since from zero layers nothing moves at depth >= 2; got {std}.")
    draws = torch.stack([std * rt.normal(generator, depth, size, size) for generator in generators])
    return tuple(draws[:, j].contiguous() for j in range(depth))


def identity_layers(rt: Runtime, *, depth: int, size: int, replicas: int, scale: float) -> Layers:
    """`depth` layers scale^(1/depth) I, a balanced start with end-to-end matrix scale I (arora2019implicit, code).

    Raises:
        ValueError: if depth or size is below 1, or scale is not positive.
    """
    _check_shape(depth, size)
    if not scale > 0:
        raise ValueError(f"`scale` must be positive, since from zero layers nothing moves at depth >= 2; got {scale}.")
    layer = scale ** (1 / depth) * rt.eye(size)
    return tuple(layer.repeat(replicas, 1, 1) for _ in range(depth))


def balanced_layers(product: Float[Tensor, "R n n"], *, depth: int) -> Layers:
    """Layers with end-to-end matrix `product` that are balanced, W_{j+1}^T W_{j+1} = W_j W_j^T.

    This is the hypothesis of the growth law (arora2019implicit, Theorem 3). With W = U S V^T the first layer is
    S^(1/L) V^T, the last U S^(1/L), those between S^(1/L).

    Raises:
        ValueError: if depth is below 1 or the matrices are not square.
    """
    if product.ndim != 3 or product.shape[1] != product.shape[2]:
        raise ValueError(f"`product` must be square matrices (R, n, n); got shape {tuple(product.shape)}.")
    _check_shape(depth, product.shape[1])
    if depth == 1:
        return (product.clone(),)
    left, values, right = torch.linalg.svd(product)
    root = values ** (1 / depth)
    between = torch.diag_embed(root)
    return (root[:, :, None] * right, *(between.clone() for _ in range(depth - 2)), left * root[:, None, :])


def squared_loss(target: Float[Tensor, "R n m"], weights: Float[Tensor, "..."]) -> EndLoss:
    """Weighted squared loss (1/2) sum_ij c_ij (W_ij - T_ij)^2, with gradient c * (W - T).

    Weights 2 mask / m give the mean squared error over m observed entries; ones give (1/2) |W - T|_F^2.

    Args:
        target: (R, n, n'), or (1, n, n') shared by all replicas.
        weights: c >= 0, shaped like the target.

    Raises:
        ValueError: if the shapes differ or a weight is negative.
    """
    if target.shape != weights.shape or target.ndim != 3:
        raise ValueError(
            f"`target` and `weights` must share one shape (R, n, n'); "
            f"got {tuple(target.shape)} and {tuple(weights.shape)}."
        )
    if bool((weights < 0).any()):
        raise ValueError("`weights` must not be negative, or the loss has no lower bound; got a negative weight.")

    def loss(product: Float[Tensor, "R n m"], gradient: Float[Tensor, "R n m"]) -> Float[Tensor, " R"]:
        residual = product.sub_(target)
        torch.mul(residual, weights, out=gradient)
        replicas = product.shape[0]
        return torch.linalg.vecdot(gradient.view(replicas, -1), residual.view(replicas, -1)).mul_(0.5)

    return loss


def completion_loss(target: Float[Tensor, "R n m"], mask: Float[Tensor, "#R n m"]) -> EndLoss:
    """Mean squared error over the observed entries, those where `mask` (R, n, n') is one.

    Raises:
        ValueError: if a replica observes no entry.
    """
    observed = mask.sum((1, 2), keepdim=True)
    if bool((observed == 0).any()):
        raise ValueError("Every replica needs at least one observed entry; got an empty mask.")
    return squared_loss(target, 2 * mask / observed)


def end_gradient(end_loss: EndLoss, product: Float[Tensor, "R n m"]) -> Float[Tensor, "R n m"]:
    """Gradient G of the loss at the end-to-end matrix, (R, n, n'); the matrix is left as it is."""
    gradient = torch.empty_like(product)
    end_loss(product.clone(), gradient)
    return gradient


def matrix_objective(end_loss: EndLoss) -> Objective:
    """Loss of the end-to-end matrix as a function of the layers, with hand-derived gradients.

    dloss/dW_j = (W_L ... W_{j+1})^T G (W_{j-1} ... W_1)^T with G the gradient at W. Prefix products are kept from the
    forward pass and the left factor is pulled back one layer at a time: 3 (L - 1) products in all, into buffers that
    are allocated once. The returned gradients are these buffers, so the next call overwrites them. What follows the
    layers is handed on to the loss.
    """
    tape: _Tape | None = None

    def objective(layers: Layers, *time: float) -> tuple[Float[Tensor, " R"], Layers]:
        nonlocal tape
        # `descend` passes the same tensors at every step, so views and buffers are looked up once, not at every step.
        if tape is None or tape.layers is not layers:
            tape = _tape(layers)
        for left, right, out in tape.forward:
            torch.bmm(left, right, out=out)
        if not tape.forward:
            tape.product.copy_(layers[0])  # the loss overwrites its argument
        value = end_loss(tape.product, tape.end_gradient, *time)
        for left, right, out in tape.backward:
            torch.bmm(left, right, out=out)
        return value, tape.gradients

    return objective


Product = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Left factor, right factor, and where their product goes."""


@dataclass(frozen=True)
class _Tape:
    """The products behind one evaluation of `matrix_objective`, bound to the layers they read."""

    layers: Layers
    forward: tuple[Product, ...]
    product: torch.Tensor
    end_gradient: torch.Tensor
    backward: tuple[Product, ...]
    gradients: Layers


def _tape(layers: Layers) -> _Tape:
    prefixes, forward = [layers[0]], []
    for layer in layers[1:]:
        prefixes.append(layer.new_empty(layer.shape[0], layer.shape[1], layers[0].shape[2]))
        forward.append((layer, prefixes[-2], prefixes[-1]))
    product = prefixes[-1] if forward else torch.empty_like(layers[0])
    gradients = [torch.empty_like(layer) for layer in layers]
    pulled, backward = torch.empty_like(product) if forward else gradients[0], []
    end_gradient = pulled
    for j in range(len(layers) - 1, 0, -1):
        below = torch.empty_like(prefixes[j - 1]) if j > 1 else gradients[0]
        backward += [(pulled, prefixes[j - 1].mT, gradients[j]), (layers[j].mT, pulled, below)]
        pulled = below
    return _Tape(layers, tuple(forward), product, end_gradient, tuple(backward), tuple(gradients))


def _check_shape(depth: int, size: int) -> None:
    if depth < 1 or size < 1:
        raise ValueError(f"A factorization needs depth >= 1 and size >= 1; got depth {depth} and size {size}.")
