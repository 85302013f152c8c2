"""Directions of steepest descent in five norms, and the loop that all rules share; replicas on leading axes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from offconvex.bias.certificate import NORMS, loss_weights

Rule = Callable[[Float[np.ndarray, "*any n m"]], Float[np.ndarray, "*any n m"]]
"""From G = sum_i p_i X_i, minus the gradient of the log of the loss, to the direction of the step."""


def direction(name: str, gradient: Float[np.ndarray, "*any n m"]) -> Float[np.ndarray, "*any n m"]:
    """Matrix D of norm one with the largest <G, D>, which is the dual norm of G.

    G / ||G||, sign G, the polar factor U V', the sign of the largest entry in its place, u_1 v_1', in the order of
    `NORMS`. Among several largest entries the first is taken; where G is zero, nothing moves (frobenius, max).

    Raises:
        ValueError: if there is no such norm.
    """
    if name not in NORMS:
        raise ValueError(f"A norm is one of {', '.join(NORMS)}; got {name!r}.")
    if name == "frobenius":
        size = np.sqrt(np.sum(gradient**2, axis=(-2, -1), keepdims=True))
        return gradient / np.where(size == 0, 1, size)
    if name == "max":
        return np.sign(gradient)
    if name == "sum":
        flat = gradient.reshape(*gradient.shape[:-2], -1)
        place = np.abs(flat).argmax(axis=-1)[..., None]
        found = np.zeros_like(flat)
        np.put_along_axis(found, place, np.sign(np.take_along_axis(flat, place, axis=-1)), axis=-1)
        return found.reshape(gradient.shape)
    left, _, right = np.linalg.svd(gradient, full_matrices=False)
    return left @ right if name == "spectral" else left[..., :, :1] * right[..., :1, :]


def directions(gradients: Float[np.ndarray, "5 *any n m"]) -> Float[np.ndarray, "5 *any n m"]:
    """The five directions, gradients of each rule's own course in the order of `NORMS`; one SVD for those that need it.

    Equal to `direction` of each.
    """
    found = np.empty_like(gradients)
    for place, name in enumerate(NORMS):
        if name not in ("spectral", "nuclear"):
            found[place] = direction(name, gradients[place])
    places = [NORMS.index("spectral"), NORMS.index("nuclear")]
    left, _, right = np.linalg.svd(gradients[places], full_matrices=False)
    found[places[0]] = left[0] @ right[0]
    found[places[1]] = left[1][..., :, :1] * right[1][..., :1, :]
    return found


@dataclass(frozen=True)
class MarginCourse:
    """What is kept of a run, at K numbers of steps.

    Attributes:
        steps: numbers of steps done, (K,).
        weights: (K, *any, n, m).
        p: shares of the examples in the gradient at these weights, (K, *any, N).
        length: sum of the lengths of the steps done, before the scale, (K,).
        summed_p: sum of length times p over the steps done, (K, *any, N).
    """

    steps: np.ndarray
    weights: np.ndarray
    p: np.ndarray
    length: np.ndarray
    summed_p: np.ndarray

    def mean_p(self, first: int | None = None, last: int = -1) -> Float[np.ndarray, "*any N"]:
        """Mean of p between two of the kept numbers of steps, or from the start, each as heavy as its step was long."""
        if first is None:
            return self.summed_p[last] / self.length[last]
        return (self.summed_p[last] - self.summed_p[first]) / (self.length[last] - self.length[first])


def follow(
    examples: Float[np.ndarray, "*any N n m"],
    rule: Rule,
    lengths: Float[np.ndarray, " T"],
    *,
    scale: Float[np.ndarray, "*#any"] | float = 1.0,
    decay: float = 0.0,
    keep: Sequence[int] = (),
    loss: str = "exponential",
) -> MarginCourse:
    """W <- (1 - eta_t decay) W + eta_t D(G) from zero, eta_t = scale lengths_t, G = sum_i p_i X_i at W.

    Args:
        examples: each times its label; leading axes are replicas.
        rule: called once for every step, in order, so that it may have a memory.
        lengths: of the steps.
        scale: factor of the lengths for each replica.
        decay: lambda of decoupled decay.
        keep: increasing numbers of steps from 1 to T after which the course is kept; the last is always kept.
        loss: whose p moves the weights.

    Raises:
        ValueError: if a number to keep is not in order or out of range, or a step times the decay exceeds one.
        FloatingPointError: if the weights are not finite any more.
    """
    lengths, scale = np.asarray(lengths, float), np.asarray(scale, float)
    total_steps, kept = len(lengths), sorted({*keep, len(lengths)})
    if not total_steps or not lengths.min() > 0 or kept[0] < 1 or kept[-1] > total_steps:
        raise ValueError(f"A course needs steps of positive length and keeps 1 to {total_steps} of them; got {keep}.")
    if decay < 0 or lengths.max() * scale.max() * decay > 1:
        raise ValueError(
            f"A step times the decay must be in [0, 1]; got {lengths.max() * scale.max() * decay:.3g}: smaller steps."
        )
    *batch, count, rows, columns = examples.shape
    flat = np.ascontiguousarray(examples.reshape(*batch, count, rows * columns))
    weights, summed = np.zeros((*batch, rows, columns)), np.zeros((*batch, count))
    length_so_far, found, wanted = 0.0, [], set(kept)

    def shares(weights: np.ndarray) -> np.ndarray:
        return loss_weights((flat @ weights.reshape(*batch, -1, 1))[..., 0], loss)

    p = shares(weights)
    for number, length in enumerate(lengths, start=1):
        gradient = (p[..., None, :] @ flat).reshape(weights.shape)
        summed += length * p
        length_so_far += length
        step = np.asarray(length * scale)[..., None, None]
        weights = (1 - step * decay) * weights + step * rule(gradient)
        p = shares(weights)
        if number in wanted:
            found.append((weights, p, length_so_far, summed.copy()))
            if not np.isfinite(weights).all():
                raise FloatingPointError(f"The weights are not finite after {number} steps; take smaller ones.")
    return MarginCourse(np.array(kept), *(np.stack(column) for column in zip(*found)))
