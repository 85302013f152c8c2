"""The exact accountant against a numerical one, quadrature and special cases.

The numerical one is written apart from the engine: the privacy loss of one noisy sum, discretized and convolved.

One sum has outputs p = N(1, s^2) and q = N(0, s^2) with and without an example whose gradient has norm one. Its privacy
loss log p/q under p is binned, losses rounded up and the tails kept as mass at infinity, so that every number errs to
the careful side; that of T sums is the T-fold convolution, by one Fourier transform.
"""

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from offconvex.instahide.privacy import theory

BUDGETS = [(8.0, 1e-5), (1.0, 1e-5), (0.1, 1e-5), (8.0, 1e-8), (3.0, 1e-3)]


def step_losses(noise: float, width: float, reach: float) -> np.ndarray:
    """Chances of losses -reach, -reach + width, ..., reach of one sum, each rounded up to the next.

    At output x the loss is (2 x - 1) / (2 s^2), increasing in x.
    """
    edges = np.arange(-round(reach / width), round(reach / width) + 1) * width
    outputs = (edges + 1 / (2 * noise**2)) * noise**2
    below = special.ndtr((outputs - 1) / noise)
    return np.diff(below, prepend=0.0)


def losses(noise: float, steps: int, *, width: float, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """Losses of all steps together and their chances; what is missing to one is mass at infinity."""
    once = step_losses(noise, width, reach)
    middle = len(once) // 2
    turned = np.roll(np.pad(once, (0, len(once))), -middle)  # loss zero comes first
    together = np.fft.irfft(np.fft.rfft(turned) ** steps, n=len(turned)).clip(min=0)
    half = len(together) // 2
    return np.arange(-half, len(together) - half) * width, np.roll(together, half)


def delta_at(epsilon: float, values: np.ndarray, chances: np.ndarray) -> float:
    """Delta = E (1 - e^(epsilon - loss))+ , and the mass at infinity in whole."""
    beyond = values > epsilon
    finite = (chances[beyond] * -np.expm1(epsilon - values[beyond])).sum()
    return finite + max(0.0, 1 - chances.sum())


def epsilon_at(delta: float, noise: float, steps: int) -> float:
    """Epsilon that `steps` sums of noise `noise` spend at `delta`."""
    mu = np.sqrt(steps) / noise
    reach = mu**2 / 2 + 9 * mu + 1
    values, chances = losses(noise, steps, width=1e-3 / steps, reach=reach)
    return optimize.brentq(lambda epsilon: delta_at(epsilon, values, chances) - delta, 0.0, reach)


@pytest.mark.parametrize(("epsilon", "delta"), BUDGETS)
@pytest.mark.parametrize("steps", [1, 10])
def test_a_numerical_accountant_agrees(epsilon, delta, steps):
    noise = theory.noise_multiplier(epsilon, delta, steps)
    assert 0 <= epsilon_at(delta, noise, steps) - epsilon < 1e-3


def test_a_hundred_steps_spend_what_one_step_of_a_tenth_of_the_noise_does():
    assert epsilon_at(1e-5, theory.noise_multiplier(8.0, 1e-5, 100), 100) == pytest.approx(8, abs=1e-3)


@pytest.mark.parametrize("mu", [0.03, 0.27, 1.67, 5.0])
@pytest.mark.parametrize("epsilon", [0.0, 0.5, 2.0])
def test_delta_is_the_overhang_of_one_normal_over_another(mu, epsilon):
    """Integral of (p - e^epsilon q)+, from where it begins to be positive."""
    start, p, q = epsilon / mu + mu / 2, stats.norm(mu), stats.norm()
    found, _ = integrate.quad(lambda x: p.pdf(x) - np.exp(epsilon) * q.pdf(x), start, start + 40, epsabs=1e-14)
    assert theory.loss_delta(epsilon, mu) == pytest.approx(found, rel=1e-6, abs=1e-13)


@pytest.mark.parametrize(("epsilon", "delta"), BUDGETS)
def test_budget_undoes_distance(epsilon, delta):
    assert theory.budget(theory.distance(epsilon, delta), delta) == pytest.approx(epsilon, rel=1e-8)


def test_a_mechanism_that_hides_within_delta_spends_nothing():
    assert theory.budget(1e-6, 1e-5) == 0.0
    assert theory.budget(1e-4, 1e-5) > 0


def test_concentrated_privacy_is_the_more_careful_conversion():
    """What it calls 8 and 1 is 6.76 and 0.74 by the exact curve."""
    spent = [theory.budget(theory.concentrated_distance(epsilon, 1e-5), 1e-5) for epsilon in (8.0, 1.0)]
    assert spent == pytest.approx([6.76, 0.74], abs=0.01)


@pytest.mark.parametrize("mu", [0.1, 1.0, 3.0])
def test_the_advantage_is_that_of_the_best_threshold(mu):
    places = np.linspace(-5, 8, 100_001)
    best = (stats.norm.sf(places, loc=mu) - stats.norm.sf(places)).max()
    assert theory.advantage(mu) == pytest.approx(best, abs=1e-8)
    assert theory.overlap_missing(mu) == pytest.approx(best, abs=1e-8)


def test_epsilon_alone_grants_what_randomized_response_gives_away():
    for epsilon in (0.1, 1.0, 8.0):
        honest = np.exp(epsilon) / (1 + np.exp(epsilon))
        assert theory.advantage_granted(epsilon) == pytest.approx(honest - (1 - honest))
        assert theory.advantage(theory.distance(epsilon, 1e-5)) < theory.advantage_granted(epsilon) + 1e-5


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: theory.loss_delta(1.0, 0.0), "positive `mu`"),
        (lambda: theory.budget(1.0, 0.0), "`delta` between 0 and 1"),
        (lambda: theory.distance(0.0, 1e-5), "positive privacy budget"),
        (lambda: theory.distance(1.0, 1.0), "`delta` between 0 and 1"),
        (lambda: theory.concentrated_distance(-1.0, 1e-5), "positive privacy budget"),
    ],
)
def test_impossible_budgets_are_refused(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()
