"""How often a unit is on for one image of a batch alone: closed forms."""

import numpy as np
from jaxtyping import Float, Num


def share_alone(batch: float | Num[np.ndarray, "*any"], units: int) -> float | Float[np.ndarray, "*any"]:
    """Chance 1 - (1 - 2^-B)^H that some of H units is on for a given image of B and off for all others.

    Own derivation: units independent, and on for each image with chance one half, independently, as random signs make
    it.
    """
    return -np.expm1(units * np.log1p(-(2.0 ** -np.asarray(batch, dtype=float))))


def share_twice(batch: float | Num[np.ndarray, "*any"], units: int) -> float | Float[np.ndarray, "*any"]:
    """Chance that two units or more are on for a given image of B alone (own derivation, as `share_alone`)."""
    one = 2.0 ** -np.asarray(batch, dtype=float)
    return share_alone(batch, units) - units * one * np.exp((units - 1) * np.log1p(-one))
