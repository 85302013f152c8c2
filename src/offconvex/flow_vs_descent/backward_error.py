"""What descent does beyond flow: the error of first order, and the flow of a modified loss."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex.descent import Parameters
from offconvex.flow import integrate
from offconvex.flow_vs_descent.objective import CollapsedLoss, LayeredLoss

NetworkLoss = CollapsedLoss | LayeredLoss


def first_order_gap(
    loss: NetworkLoss, start: tuple[Float[Tensor, "1 _ _"], ...], times: Float[np.ndarray, " T"], *, rtol: float = 1e-8
) -> tuple[Float[np.ndarray, "T P"], Float[np.ndarray, "T P"]]:
    """Gradient flow from `start` and the first-order displacement of descent from it.

    Descent at step eta is at theta(t) + eta delta(t) + O(eta^2) with delta' = -H (delta + g / 2), delta(0) = 0: Euler's
    method follows theta' = -g - (eta / 2) H g up to second order (backward error analysis, hairer2006geometric,
    Chapter IX). Flow and displacement are integrated together.

    Args:
        loss: of one network.
        start: layers (1, ...).
        times: (T,) strictly increasing from 0.
        rtol: relative tolerance of a step.

    Returns:
        (T, P) weights of the flow, and (T, P) delta.
    """
    size = sum(p.numel() for p in start)

    def field(state: np.ndarray) -> np.ndarray:
        gradients, hessian = loss.linearize(unflatten(state[:size], start))
        gradient = flatten(gradients)
        pushed = hessian(unflatten(state[size:] + gradient / 2, start))
        return np.concatenate([-gradient, -flatten(pushed)])

    initial = np.concatenate([flatten(start), np.zeros(size)])
    states, _ = integrate(field, initial, times, rtol=rtol, atol=rtol * 1e-2)
    return states[:, :size], states[:, size:]


def modified_flow(
    loss: NetworkLoss,
    start: tuple[Float[Tensor, "1 _ _"], ...],
    times: Float[np.ndarray, " T"],
    *,
    step: float,
    rtol: float = 1e-9,
) -> Float[np.ndarray, "T P"]:
    """Flow of f + (step / 4) |grad f|^2, which descent follows to second order (barrett2021implicit), (T, P) weights.

    Its velocity is -g - (step / 2) H g.
    """

    def field(state: np.ndarray) -> np.ndarray:
        gradients, hessian = loss.linearize(unflatten(state, start))
        return -flatten(gradients) - 0.5 * step * flatten(hessian(gradients))

    return integrate(field, flatten(start), times, rtol=rtol, atol=rtol * 1e-2)[0]


def flatten(layers: tuple[Float[Tensor, "1 ..."], ...]) -> Float[np.ndarray, " P"]:
    """Weights of one network as a vector (P,)."""
    return torch.cat([layer.reshape(-1) for layer in layers]).cpu().numpy()


def unflatten(vector: Float[np.ndarray, " P"], like: Parameters) -> Parameters:
    """Inverse of `flatten`, with shapes, type and device of `like`."""
    flat = torch.as_tensor(np.ascontiguousarray(vector), dtype=like[0].dtype, device=like[0].device)
    return tuple(b.view(p.shape) for b, p in zip(flat.split([p.numel() for p in like]), like))
