"""How |cos| and its logarithm leave the plateau alone: the change is c e^2, with e what joins the patches. Float64."""

import numpy as np
import torch
from jaxtyping import Float
from scipy.integrate import solve_ivp

from offconvex.locality import regularizer


def cosine_law(
    times: Float[np.ndarray, " T"], start: float, c: float, strength: float = 1.0
) -> Float[np.ndarray, " T"]:
    """e(t) under lambda (1 - c e^2) alone: e' = 2 lambda c e, hence start e^(2 lambda c t) (own derivation).

    Args:
        times: of the flow.
        start: e at time 0.
        c: the change at e = 1.
        strength: lambda.
    """
    return start * np.exp(2 * strength * c * times)


def logarithm_law(times: Float[np.ndarray, " T"], start: float, strength: float = 1.0) -> Float[np.ndarray, " T"]:
    """e(t) under -lambda ln(c e^2) alone: e' = 2 lambda / e, hence (start^2 + 4 lambda t)^(1/2), without c.

    Own derivation, for c e^2 far above FLOOR; `times`, `start` and `strength` as in `cosine_law`.
    """
    return np.sqrt(start**2 + 4 * strength * times)


def cosine_wait(first: float, last: float, c: float, strength: float = 1.0) -> float:
    """Time from a change to a later one by `cosine_law`, ln(last / first) / (4 lambda c)."""
    return np.log(last / first) / (4 * strength * c)


def logarithm_wait(first: float, last: float, c: float, strength: float = 1.0) -> float:
    """Time from a change to a later one by `logarithm_law`, (last - first) / (4 lambda c): it goes as 1/c as well."""
    return (last - first) / (4 * strength * c)


def integrated(
    penalty: str, times: Float[np.ndarray, " T"], start: float, c: float, strength: float = 1.0
) -> Float[np.ndarray, " T"]:
    """The same e(t) by numerical integration of the penalty's own slope, to compare the laws with.

    Args:
        penalty: a name in PENALTIES.
        times: rising, from 0 on.
        start: e at time 0.
        c: the change at e = 1.
        strength: lambda.
    """

    def velocity(_: float, e: np.ndarray) -> np.ndarray:
        joint = torch.tensor(e, dtype=torch.float64, device="cpu", requires_grad=True)
        value = regularizer.PENALTIES[penalty](c * joint.square())
        return -strength * torch.autograd.grad(value, joint)[0].numpy()

    return solve_ivp(velocity, (0, times[-1]), [start], "DOP853", times, rtol=1e-11, atol=1e-14).y[0]
