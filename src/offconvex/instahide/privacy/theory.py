"""What rows of a gradient hold alone, accounting for Gaussian noise, and what a budget grants: closed forms."""

import numpy as np
from jaxtyping import Float, Shaped
from scipy import optimize, special


def share_alone(batch: float | Shaped[np.ndarray, "*any"], units: int) -> float | Float[np.ndarray, "*any"]:
    """Chance 1 - (1 - 2^-B)^H that some of H units is on for a given image of B and off for all others.

    Own derivation: units independent, and on for each image with chance one half, independently, as random signs make
    it.
    """
    return -np.expm1(units * np.log1p(-(2.0 ** -np.asarray(batch, dtype=float))))


def share_twice(batch: float | Shaped[np.ndarray, "*any"], units: int) -> float | Float[np.ndarray, "*any"]:
    """Chance that two units or more are on for a given image of B alone (own derivation, as `share_alone`)."""
    one = 2.0 ** -np.asarray(batch, dtype=float)
    return share_alone(batch, units) - units * one * np.exp((units - 1) * np.log1p(-one))


def loss_delta(epsilon: float, mu: float) -> float:
    """Least delta for which a mu-Gaussian mechanism is (epsilon, delta)-differentially private.

    Phi(-epsilon/mu + mu/2) - e^epsilon Phi(-epsilon/mu - mu/2), with Phi the normal distribution function
    (balle2018improving, Theorem 8; dong2022gaussian, Corollary 1).

    Raises:
        ValueError: unless mu is positive.
    """
    if not mu > 0:
        raise ValueError(f"Expected a positive `mu`, the distance of two outputs in standard deviations; got {mu!r}.")
    ahead, behind = -epsilon / mu + mu / 2, -epsilon / mu - mu / 2
    # By logarithms, since e^epsilon overflows where the second term is still small.
    return float(special.ndtr(ahead) - np.exp(epsilon + special.log_ndtr(behind)))


def budget(mu: float, delta: float) -> float:
    """Epsilon at which a mu-Gaussian mechanism has the given delta: inverse of `loss_delta` (balle2018improving).

    Raises:
        ValueError: unless 0 < delta < 1.
    """
    _require_chance(delta)
    if loss_delta(0.0, mu) <= delta:
        return 0.0
    highest = mu**2 / 2 + mu * np.sqrt(2 * np.log(1 / delta)) + 1  # beyond the tail bound of a normal privacy loss
    return float(optimize.brentq(lambda epsilon: loss_delta(epsilon, mu) - delta, 0.0, highest, xtol=1e-12))


def distance(epsilon: float, delta: float) -> float:
    """Mu of the Gaussian mechanism that spends exactly (epsilon, delta): inverse of `budget` (balle2018improving).

    Raises:
        ValueError: unless epsilon > 0 and 0 < delta < 1.
    """
    _require_chance(delta)
    if not epsilon > 0:
        raise ValueError(f"Expected a positive privacy budget `epsilon`; got {epsilon!r}.")
    return float(optimize.brentq(lambda mu: loss_delta(epsilon, mu) - delta, 1e-6, 10 + 2 * epsilon, xtol=1e-13))


def noise_multiplier(epsilon: float, delta: float, steps: int) -> float:
    """Noise sigma of each of `steps` sums, in units of what one example adds at most, that spends (epsilon, delta).

    Steps of noise sigma compose to mu = sqrt(steps) / sigma, whatever depends on earlier ones (dong2022gaussian,
    Corollary 3.3), so sigma = sqrt(steps) / mu. Neighbors are data sets of which one has an example more.
    """
    return float(np.sqrt(steps) / distance(epsilon, delta))


def advantage(mu: float) -> float:
    """Largest true minus false positive rate of a test for membership, from a mu-Gaussian mechanism: 2 Phi(mu/2) - 1.

    The total variation of two unit normals mu apart, the best test being a threshold halfway (dong2022gaussian,
    Section 2; elementary).
    """
    return float(2 * special.ndtr(mu / 2) - 1)


def overlap_missing(mu: float) -> float:
    """The same as the integral of (p - q)+ over densities p and q of two unit normals mu apart, by the trapezoid rule.

    Own computation, without the normal distribution function.
    """
    place = np.linspace(-12.0, 12.0 + mu, 200_001)
    ahead, behind = (np.exp(-((place - center) ** 2) / 2) for center in (mu, 0.0))
    return float(np.trapezoid(np.maximum(ahead - behind, 0), place) / np.sqrt(2 * np.pi))


def advantage_granted(epsilon: float) -> float:
    """The same from epsilon alone, delta = 0: (e^epsilon - 1)/(e^epsilon + 1) (kairouz2015composition)."""
    return float(np.tanh(epsilon / 2))


def concentrated_distance(epsilon: float, delta: float) -> float:
    """Mu that the conversion by concentrated privacy grants to (epsilon, delta), smaller than `distance`.

    rho = mu^2/2 and epsilon = rho + 2 sqrt(rho log(1/delta)) (bun2016concentrated, Proposition 1.3).

    Raises:
        ValueError: unless epsilon > 0 and 0 < delta < 1.
    """
    _require_chance(delta)
    if not epsilon > 0:
        raise ValueError(f"Expected a positive privacy budget `epsilon`; got {epsilon!r}.")
    root = np.log(1 / delta)
    return float(np.sqrt(2) * (np.sqrt(root + epsilon) - np.sqrt(root)))


def _require_chance(delta: float) -> None:
    if not 0 < delta < 1:
        raise ValueError(f"Expected `delta` between 0 and 1; got {delta!r}.")
