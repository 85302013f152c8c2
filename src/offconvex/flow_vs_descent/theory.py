"""Closed forms and bounds for the distance between gradient descent and gradient flow."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Shaped
from scipy.integrate import cumulative_trapezoid, quad, solve_ivp


def tube(
    times: Float[np.ndarray, " T"], negative: Float[np.ndarray, "*#runs T"], forcing: Float[np.ndarray, "*#runs T"]
) -> Float[np.ndarray, "... T"]:
    """Radius of the tube around the flow that gradient descent cannot leave, (T,).

    R(t) = int_0^t exp(int_s^t m) forcing(s) ds, with m a bound on -lambda_min of the Hessian between the two curves and
    `forcing` one on how far the gradient moves within a step: eta beta gamma, with beta a bound on the Hessian's and
    gamma one on the gradient's norm (Theorem 1 of elkabetz2021continuous; the "fundamental lemma" of hairer1993solving,
    Theorem I.10.6). Both integrals by the trapezoidal rule; m and forcing may also be given per run on leading axes.

    Args:
        times: (T,) increasing.
        negative: (..., T) m; negative where the objective is strictly convex, which makes the tube narrower.
        forcing: (..., T).
    """
    exponent = cumulative_trapezoid(np.asarray(negative), times, initial=0.0)
    # exp(E(t)) int exp(-E) forcing would lose everything to overflow where E is large: step by step instead.
    radius = np.zeros(np.broadcast_shapes(exponent.shape, np.shape(forcing)))
    forcing = np.broadcast_to(forcing, radius.shape)
    for k, step in enumerate(np.diff(times)):
        growth = np.exp(exponent[..., k + 1] - exponent[..., k])
        fresh = 0.5 * step * (growth * forcing[..., k] + forcing[..., k + 1])
        radius[..., k + 1] = growth * radius[..., k] + fresh
    return radius


def constant_tube(
    times: Float[np.ndarray, " T"], negative: Float[np.ndarray, " T"], *, step: float, curvature: float, gradient: float
) -> Float[np.ndarray, " T"]:
    """The tube with constants, as the source states it: eta beta gamma int_0^t exp(int_s^t m) ds.

    Source: elkabetz2021continuous, Theorem 1.

    Args:
        times: (T,) increasing.
        negative: (T,) m = max(-lambda_min, 0).
        step: eta.
        curvature: beta, the largest Hessian norm.
        gradient: gamma, the largest gradient norm.
    """
    return tube(times, negative, np.full(len(times), step * curvature * gradient))


def log_lipschitz_tube(
    times: Float[np.ndarray, " T"], largest: Float[np.ndarray, " T"], forcing: Float[np.ndarray, " T"]
) -> Float[np.ndarray, " T"]:
    """Decimal logarithm of the classical bound, with lambda_max in place of -lambda_min, (T,); the first is -inf.

    The classical theorem has the Lipschitz constant of the gradient in the exponent. It overflows, hence the logarithm.
    """
    exponent = cumulative_trapezoid(largest, times, initial=0.0)
    log_radius = np.full(len(times), -np.inf)
    for k, step in enumerate(np.diff(times)):
        grown = log_radius[k] + exponent[k + 1] - exponent[k]
        fresh = np.log(0.5 * step * forcing[k]) + exponent[k + 1] - exponent[k]
        log_radius[k + 1] = np.logaddexp(grown, np.logaddexp(fresh, np.log(0.5 * step * forcing[k + 1])))
    return log_radius / np.log(10)


def gap_between_steps(ratio: Shaped[np.ndarray, "*any"] | Sequence[float] | float) -> Float[np.ndarray, "*any"] | float:
    """1 - 1/r: the distance between descent at steps eta and eta / r over that between descent at eta and flow.

    To first order the distance to the flow is C(t) eta, and both runs leave it in the same direction.
    Elementary.
    """
    return 1 - 1 / np.asarray(ratio)


def deep_linear_bound(
    end_gradient_norm: Float[np.ndarray, "*any"] | float, layer_norms: Float[np.ndarray, "*any n"]
) -> Float[np.ndarray, "*any"] | float:
    """Lower bound -(n - 1) ||grad phi|| max_J prod_{j in J} ||W_j|| on the Hessian of phi(W_n ... W_1), phi convex.

    J runs over the sets of n - 2 layers (elkabetz2021continuous, Theorem 2 for linear networks). The second derivative
    along (V_1, ..., V_n) is non-negative but for 2 sum_{i<j} <grad phi, ... V_j ... V_i ...>, which is at least
    -2 ||grad phi|| max prod sum_{i<j} |V_i| |V_j|, and 2 sum_{i<j} a_i a_j <= (n - 1) sum a_i^2.

    Args:
        end_gradient_norm: (...,) spectral norm of grad phi at the end-to-end matrix.
        layer_norms: (..., n) spectral norms of the layers, n >= 2.
    """
    layer_norms = np.sort(layer_norms, axis=-1)
    depth = layer_norms.shape[-1]
    return -(depth - 1) * end_gradient_norm * np.prod(layer_norms[..., 2:], axis=-1)


def scalar_chain_eigenvalue(weight: Float[np.ndarray, "*any"] | float, depth: int) -> Float[np.ndarray, "*any"] | float:
    """Least Hessian eigenvalue of 1/2 (w_1 ... w_n - 1)^2 where all w_j equal `weight`, 0 < weight <= 1.

    The Hessian is a I + b 11^T, less a's own diagonal: with P = w^(n-2), r = 1 - w^n its entries are w^(2n-2) on the
    diagonal and w^(2n-2) - r P off it. So the eigenvalues are r P (n - 1 times) and n w^(2n-2) - (n - 1) r P.
    Own derivation.
    """
    residual, product = 1 - weight**depth, weight ** (depth - 2.0)
    return np.minimum(residual * product, depth * weight ** (2 * depth - 2.0) - (depth - 1) * residual * product)


def saddle_manifold(m: float, x: float) -> float:
    """Height y on the stable manifold of the saddle of x^2/2 - m y^2/2 + (m y^4 + x^4)/4 + x^2 y.

    From h'(x) (x + 2 x h + x^3) = -m h + m h^3 + x^2, started at h = x^2 / (m + 2), which holds near 0 up to x^4.
    Own derivation: the manifold is invariant.
    """

    def slope(x: float, h: np.ndarray) -> np.ndarray:
        return (-m * h + m * h**3 + x**2) / (x + 2 * x * h + x**3)

    start = 1e-4
    solution = solve_ivp(slope, (start, x), [start**2 / (m + 2)], rtol=1e-13, atol=1e-18, method="DOP853")
    return float(solution.y[0, -1])


def end_to_end_velocity(
    vector: Float[np.ndarray, " d"], target: Float[np.ndarray, " d"], depth: int
) -> Float[np.ndarray, " d"]:
    """Velocity of u = W_n ... W_1, a row vector, under balanced gradient flow on 1/2 |u - target|^2.

    u' = -|u|^(2 - 2/n) (I + (n - 1) u u^T / |u|^2) (u - target) (arora2018optimization, Theorem 1, for one output).
    """
    norm = np.linalg.norm(vector)
    residual, direction = vector - target, vector / norm
    return -(norm ** (2 - 2 / depth)) * (residual + (depth - 1) * direction * (direction @ residual))


def arrival_time(depth: int, norm: float, cosine: float, loss: float) -> float:
    """Time of the balanced flow of `end_to_end_velocity` from |u| = norm at angle `cosine` to a unit target, to `loss`.

    The motion stays in the plane of start and target. Integrated in (log |u|, angle), since |u| becomes tiny near the
    saddle.
    Source: arora2018optimization, Theorem 1.

    Raises:
        FloatingPointError: if the loss is not reached.
    """

    def field(_: float, state: np.ndarray) -> np.ndarray:
        size, angle = np.exp(state[0]), state[1]
        speed = size ** (1 - 2 / depth)
        return np.array([depth * speed * (np.cos(angle) - size), -speed * np.sin(angle)])

    def height(_: float, state: np.ndarray) -> float:
        size = np.exp(state[0])
        return 0.5 * (1 + size**2 - 2 * size * np.cos(state[1])) - loss

    height.terminal = True
    # From the angle, because a cosine near -1 would lose it.
    start = [np.log(norm), np.arccos(cosine)]
    solution = solve_ivp(field, (0, 1e12), start, events=height, rtol=1e-9, atol=1e-12, method="LSODA")
    if not len(solution.t_events[0]):
        raise FloatingPointError(f"The loss {loss} is not reached from cosine {cosine} at depth {depth}.")
    return float(solution.t_events[0][0])


def saddle_time(depth: int, norm: float, cosine: float) -> float:
    """Time that the start's angle costs near the saddle: from cosine nu to the opposite angle while |u| << 1.

    There nu' = |u|^(1-2/n) (1 - nu^2) and |u| = norm ((1 - nu_0^2) / (1 - nu^2))^(n/2), hence
    t = norm^-(1-2/n) (1 - nu_0^2)^-((n-2)/2) int_{nu_0}^{-nu_0} (1 - nu^2)^(n/2-2) dnu, until |u| is `norm` again.
    For nu_0 -> -1 it grows like ((1 - nu_0)/(1 + nu_0))^((n-2)/2), logarithmically for n = 2.
    Own derivation.
    """
    sine_square = 1 - cosine**2
    # With nu = cos a the integrand is sin(a)^(n-3), which has no singularity for n >= 3.
    angle = np.arccos(cosine)
    integral, _ = quad(lambda a: np.sin(a) ** (depth - 3), np.pi - angle, angle, epsabs=0, epsrel=1e-10)
    return norm ** -(1 - 2 / depth) * sine_square ** -((depth - 2) / 2) * integral
