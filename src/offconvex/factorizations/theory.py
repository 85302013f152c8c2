"""The growth law of any component, balanced or not, and its closed forms: what depth does, and how long it waits."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import brentq


def growth_rate(
    value: Float[np.ndarray, "*any"] | float, projection: Float[np.ndarray, "*any"] | float, *, depth: int
) -> Float[np.ndarray, "*any"] | float:
    """Velocity of a singular value, L sigma^(2 - 2/L) gamma (arora2019implicit, Theorem 3).

    Holds along gradient flow over balanced layers, for any differentiable loss; `depth` may also be the number of
    axes of a tensor component, which obeys the same law (razin2021implicit, razin2022implicit).

    Args:
        value: sigma >= 0.
        projection: gamma = <-G, u v^T>, the loss gradient's descent along the component's own direction.
        depth: L, number of factors.
    """
    return depth * value ** (2 - 2 / depth) * projection


def unbalanced_growth(
    value: Float[np.ndarray, "*any"], projection: Float[np.ndarray, "*any"], vector_norms: Float[np.ndarray, "*any K"]
) -> Float[np.ndarray, "*any"]:
    """Velocity of a component's norm along gradient flow, gamma sigma^2 sum_k 1 / |w_k|^2, exact for any start.

    Every vector has d(|w_k|^2 / 2)/dt = sigma gamma; the product rule over the K vectors gives the rest. With equal
    norms it is K sigma^(2 - 2/K) gamma (razin2021implicit, Theorem 1; razin2022implicit, Theorem 1).

    Args:
        value: sigma, (...).
        projection: gamma = <-G, C>, (...).
        vector_norms: |w_k|, (..., K), positive.
    """
    return projection * value**2 * (1 / vector_norms**2).sum(-1)


def growth_bounds(
    value: Float[np.ndarray, "*any"] | float, projection: Float[np.ndarray, "*any"] | float, gap: float, *, axes: int
) -> tuple[Float[np.ndarray, "*any"] | float, Float[np.ndarray, "*any"] | float]:
    """Bounds of that velocity from the imbalance alone, for gamma >= 0 (razin2021implicit, Theorem 1).

    K gamma sigma^2 / (sigma^(2/K) + gap) <= d sigma/dt <= K gamma (sigma^(2/K) + gap)^(K - 1), where gap is the largest
    difference | |w_k|^2 - |w_l|^2 |, which gradient flow conserves.

    Args:
        value: sigma, (...).
        projection: gamma >= 0, (...).
        gap: >= 0.
        axes: K.
    """
    squared = value ** (2 / axes)
    return axes * projection * value**2 / (squared + gap), axes * projection * (squared + gap) ** (axes - 1)


def discrete_growth(
    steps: Float[np.ndarray, "steps ..."],
    projections: Float[np.ndarray, " T *any"],
    initial: Float[np.ndarray, "*any"] | float,
    *,
    depth: int,
) -> Float[np.ndarray, " steps+1 *any"]:
    """The growth law taken with gradient descent's own steps, (T, ...) from T - 1 steps (own derivation).

    Every balanced layer carries the root u = sigma^(1/L), and a step of size eta moves it by eta gamma u^(L-1). As
    eta -> 0 this is d sigma/dt = L sigma^(2-2/L) gamma. It is the form to hold against runs whose single steps move u
    visibly, because for L >= 3 the flow is so steep that a step's length would spoil the comparison.

    Args:
        steps: (T - 1,) or (T - 1, ...) step sizes eta.
        projections: (T, ...) measured gamma before each step; the last row is not used.
        initial: sigma at the first row.
        depth: L.
    """
    root = np.asarray(initial, dtype=np.float64) ** (1 / depth)
    path = [root]
    for step, projection in zip(steps, projections):
        root = root + step * projection * root ** (depth - 1)
        path.append(root)
    return np.stack(path) ** depth


def discrete_unbalanced_growth(
    steps: Float[np.ndarray, " steps"],
    projections: Float[np.ndarray, " T *any"],
    vector_norms: Float[np.ndarray, " K *any"],
) -> Float[np.ndarray, " steps+1 *any"]:
    """Norms of components along given pulls, (T, ...), taken with gradient descent's own steps.

    Each of the K vectors of a component has d(|w_k|^2 / 2)/dt = sigma gamma, so that a step of size eta moves |w_k| by
    eta gamma sigma / |w_k|. As eta -> 0 and for equal norms this is d sigma/dt = K sigma^(2 - 2/K) gamma
    (razin2022implicit, Theorem 1); it needs no balance (razin2021implicit, Lemma 1).

    Args:
        steps: (T - 1,) step sizes eta.
        projections: (T, ...) measured gamma before each step; the last row is not used.
        vector_norms: (K, ...) at the first row, positive.
    """
    norms = np.array(vector_norms, dtype=np.float64)
    path = [norms.prod(0)]
    for step, projection in zip(steps, projections):
        norms = norms + step * projection * path[-1] / norms
        path.append(norms.prod(0))
    return np.stack(path)


def aligned_quadratic(
    times: Float[np.ndarray, " T"], *, initial: float, target: float, curvature: float, depth: int
) -> Float[np.ndarray, " T"]:
    """Exact sigma(t) of d sigma/dt = L a sigma^(2-2/L) (s - sigma), sigma(0) = sigma0, for L = 1, 2, 3, 4.

    This is a singular value of balanced layers under the loss (a/2) |W - T|_F^2 when W and T share their singular
    vectors. Depths 1 and 2 are explicit (saxe2014exact; gissin2020implicit, Theorem 1); depths 3 and 4 give t(sigma),
    inverted here by root bracketing.

    Args:
        times: (T,) t >= 0.
        initial: 0 < sigma0 < target.
        target: s.
        curvature: a > 0.
        depth: L.

    Raises:
        ValueError: for another depth, or unless 0 < initial < target.
    """
    times = np.asarray(times, dtype=np.float64)
    if depth not in (1, 2, 3, 4):
        raise ValueError(f"A closed form is known here for depths 1 to 4; got {depth}.")
    if not 0 < initial < target:
        raise ValueError(f"The start must lie between zero and the target {target}; got {initial}.")
    if depth == 1:
        return target - (target - initial) * np.exp(-curvature * times)
    if depth == 2:
        return target / (1 + (target / initial - 1) * np.exp(-2 * curvature * target * times))
    # With x = sigma^(1/L) / target^(1/L) in (0, 1) the waiting time is [F(x) - F(x0)] / (a target^(2-2/L)).
    antiderivative = _depth_three if depth == 3 else _depth_four
    start = (initial / target) ** (1 / depth)
    scaled = antiderivative(start) + curvature * target ** (2 - 2 / depth) * times
    roots = [_invert(antiderivative, goal, start) for goal in scaled]
    return target * np.array(roots) ** depth


def _invert(antiderivative, goal: float, start: float) -> float:
    last = 1 - 2.0**-53  # the antiderivative diverges at 1: the last double below it bounds every root
    if goal <= antiderivative(start):
        return start
    if goal >= antiderivative(last):
        return last
    return brentq(lambda x: antiderivative(x) - goal, start, last, xtol=1e-15)


def _depth_three(x: float) -> float:
    """Antiderivative of 1 / (x^2 (1 - x^3))."""
    return -1 / x - np.log1p(-x) / 3 + np.log(1 + x + x**2) / 6 - np.arctan((2 * x + 1) / np.sqrt(3)) / np.sqrt(3)


def _depth_four(x: float) -> float:
    """Antiderivative of 1 / (x^3 (1 - x^4))."""
    return -1 / (2 * x**2) + np.arctanh(x**2) / 2


def stable_step(value: float, *, observed: int, depth: int) -> float:
    """Largest step at which gradient descent on the mean squared error does not bounce off a learned singular value.

    m / (L sigma^(2-2/L)), two over the curvature that a learned balanced component of size sigma sees when its whole
    direction is observed; with part of it observed the curvature is smaller.
    Elementary: two over the curvature.
    """
    return observed / (depth * value ** (2 - 2 / depth))


def escape_time(
    initial: Float[np.ndarray, "*any"] | float, *, target: float, curvature: float, depth: int
) -> Float[np.ndarray, "*any"] | float:
    """Leading order of the time at which the aligned singular value reaches half its target, as sigma0 -> 0.

    ln(s / sigma0) / (2 a s) at L = 2, and sigma0^(-(1 - 2/L)) / ((L - 2) a s) beyond. With sigma0 = std^L this is
    std^(-(L - 2)): at depth 2 a smaller start costs a logarithm, beyond it costs a power.
    Own derivation, from `aligned_quadratic`.

    Raises:
        ValueError: at depth 1, where the time does not depend on the start.
    """
    if depth < 2:
        raise ValueError(f"Below depth 2 the escape time does not depend on the start; got depth {depth}.")
    if depth == 2:
        return np.log(target / initial) / (2 * curvature * target)
    return initial ** -(1 - 2 / depth) / ((depth - 2) * curvature * target)
