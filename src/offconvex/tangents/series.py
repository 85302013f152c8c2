"""Truncated power series through a network: its Taylor expansion of any order around a start, in one pass."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

Series = list[torch.Tensor]
"""Coefficients c_0, ..., c_k of a power series in t, equal shapes; missing higher ones are zero."""


def expand(
    start: Sequence[Float[Tensor, "R ..."]],
    move: Sequence[Float[Tensor, "R ..."]],
    inputs: Float[Tensor, "images ..."],
    order: int,
    activation: str,
) -> list[Float[Tensor, "R images outputs"]]:
    """Coefficients of f(start + t move) in t up to t^order.

    With t = 1 the sum of the first k + 1 is the Taylor model of order k of bai2020taylorized, without nested
    derivatives: a linear layer takes c_j to W c_j + V c_{j-1}, with W its start and V its move, and an activation
    composes series. Where a two-sided derivative is missing (ReLU at zero) the one-sided one from below is taken.

    Args:
        start: weights, per layer (R, out, in), or (R, out, in, 3, 3) for a convolution without padding.
        move: shaped like `start`.
        inputs: (B, in), or (B, channels, height, width) if the first layer is a convolution.
        order: k, at least 0.
        activation: "relu", "tanh", "softplus" or "linear", between layers.

    Raises:
        ValueError: if the order is negative, the activation unknown, or the moves are not shaped like the weights.
    """
    if order < 0:
        raise ValueError(f"`order` must be at least 0; got {order}.")
    if activation not in _COMPOSE:
        raise ValueError(f"`activation` must be one of {', '.join(_COMPOSE)}; got {activation!r}.")
    if [w.shape for w in start] != [v.shape for v in move]:
        raise ValueError("`move` must have the shapes of `start`, layer by layer.")
    series = [inputs.expand(len(start[0]), *inputs.shape)]
    for layer, (weight, step) in enumerate(zip(start, move)):
        if weight.dim() == 3 and series[0].dim() == 5:
            series = [c.mean((3, 4)) for c in series]  # the last convolution is averaged over its places
        series = _affine(weight, step, series, order)
        if layer < len(start) - 1:
            series = _COMPOSE[activation](series, order)
    return series


def taylor(
    start: Sequence[Float[Tensor, "R ..."]],
    move: Sequence[Float[Tensor, "R ..."]],
    inputs: Float[Tensor, "images ..."],
    order: int,
    activation: str,
) -> Float[Tensor, "R images outputs"]:
    """Value of the Taylor model of order k at start + move; arguments as in `expand`."""
    return torch.stack(expand(start, move, inputs, order, activation)).sum(0)


def network(
    weights: Sequence[Float[Tensor, "R ..."]], inputs: Float[Tensor, "images ..."], activation: str
) -> Float[Tensor, "R images outputs"]:
    """Value of the network itself; arguments as in `expand`."""
    hidden = inputs.expand(len(weights[0]), *inputs.shape)
    for layer, weight in enumerate(weights):
        if weight.dim() == 3 and hidden.dim() == 5:
            hidden = hidden.mean((3, 4))
        hidden = _apply(weight, hidden)
        if layer < len(weights) - 1:
            hidden = _PLAIN[activation](hidden)
    return hidden


def _apply(weight: Float[Tensor, "R ..."], hidden: Float[Tensor, "R images ..."]) -> Float[Tensor, "R images ..."]:
    """One linear layer on (R, B, in) or (R, B, channels, height, width)."""
    if weight.dim() == 3:
        return hidden @ weight.mT
    # Replicas are groups of channels.
    replicas, size, channels, *places = hidden.shape
    flat = hidden.transpose(0, 1).reshape(size, replicas * channels, *places)
    out = functional.conv2d(flat, weight.flatten(0, 1), groups=replicas)
    return out.unflatten(1, (replicas, -1)).transpose(0, 1)


def _affine(weight: torch.Tensor, step: torch.Tensor, series: Series, order: int) -> Series:
    size = series[0].shape[1]
    # All coefficients in one product: 2k + 1 products of the plain size in two calls.
    kept = _apply(weight, torch.cat(series, 1)).split(size, 1)
    moved = _apply(step, torch.cat(series[:order], 1)).split(size, 1) if order else ()
    out = list(kept) + [None] * (min(len(moved) + 1, order + 1) - len(kept))
    for j, m in enumerate(moved, start=1):
        out[j] = m if out[j] is None else out[j] + m
    return out


def _relu(u: Series, order: int) -> Series:
    gate = (u[0] > 0).to(u[0].dtype)
    return [c * gate for c in u]


def _tanh(u: Series, order: int) -> Series:
    """Series of tanh u, from y' = s u', s = 1 - y^2: j y_j = sum_i i u_i s_{j-i}."""
    y = [torch.tanh(u[0])]
    s = [1 - y[0] * y[0]]
    for j in range(1, order + 1):
        y.append(_integrated(u, s, j))
        if j < order:
            s.append(-_square(y, j))
    return y


def _softplus(u: Series, order: int) -> Series:
    """Series of log(1 + e^u), from y' = s u' and s' = (s - s^2) u', with s the logistic function."""
    y, s = [functional.softplus(u[0])], [torch.sigmoid(u[0])]
    q = [s[0] - s[0] * s[0]]
    for j in range(1, order + 1):
        y.append(_integrated(u, s, j))
        if j < order:
            s.append(_integrated(u, q, j))
            q.append(s[j] - _square(s, j))
    return y


def _integrated(u: Series, s: Series, j: int) -> torch.Tensor:
    """Coefficient j of the series y with y' = s u'; coefficients that u lacks are zero."""
    terms = [u[i] * s[j - i] if i == j else (i / j) * (u[i] * s[j - i]) for i in range(1, min(j, len(u) - 1) + 1)]
    return sum(terms[1:], terms[0])


def _square(a: Series, j: int) -> torch.Tensor:
    """Coefficient j >= 1 of a^2; each mixed product is made once."""
    terms = [2 * (a[i] * a[j - i]) for i in range((j + 1) // 2)]
    if j % 2 == 0:
        terms.append(a[j // 2] * a[j // 2])
    return sum(terms[1:], terms[0])


_COMPOSE = {"relu": _relu, "tanh": _tanh, "softplus": _softplus, "linear": lambda u, order: u}
_PLAIN = {"relu": torch.relu, "tanh": torch.tanh, "softplus": functional.softplus, "linear": lambda u: u}
