"""Tables of exact numbers for the chapter on tempering: gaps against distance, shape and dimension, and their parts."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Shaped

from offconvex.files import Arrays
from offconvex.runtime import Runtime
from offconvex.sampling.langevin import log_acceptance
from offconvex.sampling.model import TwoModes
from offconvex.sampling.tempering import grid_theory, theory
from offconvex.sampling.tempering.dynamics import Levels, ladder, swap_log_ratio


@dataclass(frozen=True)
class Gaps:
    """Exact gaps of two equal modes at growing distance.

    Attributes:
        rs: half distances of the means for tempering.
        spacing: of the grid, in standard deviations of a mode.
        swap_rates: proposals per unit of time.
    """

    rs: tuple[float, ...] = (2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 14.0, 20.0)
    spacing: float = 0.1
    swap_rates: tuple[float, ...] = (1.0, 10.0)


def gaps(config: Gaps) -> Arrays:
    """Gaps of tempering (swap rates, rs) and the logarithms of Langevin's gap and of its prediction, each (rs,)."""
    tempering = [
        [grid_theory.spectral_gap(_two_modes_generator(r, config.spacing, rate)) for r in config.rs]
        for rate in config.swap_rates
    ]
    rs = np.array(config.rs)
    return {
        "r": rs,
        "tempering": np.array(tempering),
        "log langevin": np.array([langevin_log_gap(r) for r in rs]),
        "log predicted": np.log(2) - theory.log_crossing_time(rs),
    }


def tilted_gap(r: float, tilt: float, swap_rate: float = 1.0, spacing: float = 0.1) -> float:
    """Exact tempering gap when each level's constant is too small by exp(tilt) more than that of the level before.

    Positive: colder levels are favored, by that factor per level.
    """
    x, betas = grid_theory.grid(7 * r, spacing), ladder(r, 1)
    errors = -tilt * np.arange(len(betas))
    potential = grid_theory.two_modes(x, r=r)
    return grid_theory.spectral_gap(grid_theory.tempering_generator(potential, spacing, betas, swap_rate, tilt=errors))


def langevin_log_gap(r: float, beta: float = 1.0, spacing: float = 0.005) -> float:
    """Logarithm of the exact gap of Langevin between equal modes, at inverse temperature beta."""
    x = np.arange(0, r + 9, spacing)
    return grid_theory.log_symmetric_gap(beta * grid_theory.two_modes(x, r=r), x)


def prefactors(rs: Shaped[np.ndarray, " rs"], betas: Float[np.ndarray, " betas"], r_cold: float = 2.0) -> Arrays:
    """Exact mean crossing time over formulas for it: growing distance at beta = 1, and growing beta at one distance.

    The crossing time is 2 / gap, as both directions count.
    """
    times = np.array([np.log(2) - langevin_log_gap(r) for r in rs])
    cold = np.array([np.log(2) - langevin_log_gap(r_cold, beta, 0.0025) for beta in betas])
    return {
        "r": rs,
        "textbook": np.exp(times - [_textbook(r, 1.0) for r in rs]),
        "own": np.exp(times - theory.log_crossing_time(rs)),
        "beta": betas,
        "textbook, cold": np.exp(cold - [_textbook(r_cold, beta) for beta in betas]),
    }


def shapes_on_the_line(
    shapes: tuple[float, ...], r: float = 4.0, swap_rate: float = 1.0
) -> Float[np.ndarray, " {len(shapes)}"]:
    """Exact tempering gap of modes at -r and r whose right one has another standard deviation."""
    found = []
    for shape in shapes:
        spacing = min(0.05, shape / 8)
        x = grid_theory.grid(7 * r, spacing)
        potential = grid_theory.two_modes(x, r=r, shape=shape)
        generator = grid_theory.tempering_generator(potential, spacing, ladder(r, 1), swap_rate)
        found.append(grid_theory.spectral_gap(generator))
    return np.array(found)


@dataclass(frozen=True)
class ShellGaps:
    """Exact gaps of a mixture of two shells, each (dimensions,).

    Attributes:
        tempering: on the whole ladder.
        langevin: at the coldest level alone.
    """

    tempering: np.ndarray
    langevin: np.ndarray


def shells(dimensions: tuple[int, ...], shape: float, spread: float, swap_rate: float = 1.0) -> ShellGaps:
    """Exact gaps of half N(0, I) plus half N(0, shape^2 I), by the radius alone, with tempering and without.

    Args:
        dimensions: of the space.
        shape: standard deviation of the narrow part; one gives a single Gaussian.
        spread: of the ladder, `ladder(spread, dimension)`.
        swap_rate: proposals per unit of time.
    """
    spacing = shape / 5

    def gap(d: int, betas: np.ndarray) -> float:
        radius = np.arange(spacing / 2, (np.sqrt(d) + 6) / np.sqrt(betas[0]), spacing)
        potential, base = grid_theory.two_shells(radius, dimension=d, shape=shape)
        return grid_theory.spectral_gap(
            grid_theory.tempering_generator(potential, spacing, betas, swap_rate, base=base)
        )

    ladders = [(d, ladder(spread, d)) for d in dimensions]
    tempering, langevin = ([gap(d, betas[first:]) for d, betas in ladders] for first in (0, -1))
    return ShellGaps(np.array(tempering), np.array(langevin))


@dataclass(frozen=True)
class Decompositions:
    """Discrete-time chains on grids, cut into sets.

    Attributes:
        rs: half distances of the means.
        spacing: of the grid.
        step: of the MALA moves.
    """

    rs: tuple[float, ...] = (2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0)
    spacing: float = 0.25
    step: float = 0.5


def decompositions(config: Decompositions) -> Arrays:
    """Gap, projected gap and least restricted gap of Langevin ("langevin", cut at zero) and of tempering, (rs, 3) each.

    Tempering is cut into its hottest level, and the left and the right of all others. "imbalance" (rs,): the largest
    violation of detailed balance over all pairs of states, both chains.
    """
    found = {"r": np.array(config.rs), "langevin": [], "tempering": [], "imbalance": []}
    for r in config.rs:
        x = grid_theory.grid(4.5 * r + 1, config.spacing)
        potential, betas = grid_theory.two_modes(x, r=r), ladder(r, 1)
        side = (x > 0).astype(int)
        plain = grid_theory.metropolis_kernel(potential, x, config.step)
        law = np.exp(-potential) / np.exp(-potential).sum()
        found["langevin"].append(grid_theory.decomposition(plain, law, side))
        kernel, joint = grid_theory.tempering_kernel(potential, x, betas, config.step)
        sets = np.where(np.repeat(np.arange(len(betas)), len(x)) == 0, 0, 1 + np.tile(side, len(betas)))
        found["tempering"].append(grid_theory.decomposition(kernel, joint, sets))
        found["imbalance"].append(max(grid_theory.imbalance(plain, law), grid_theory.imbalance(kernel, joint)))
    return {name: np.array(values) for name, values in found.items()}


def engine_imbalance(rt: Runtime, r: float = 4.0, step: float = 0.3) -> float:
    """Largest violation of detailed balance over all pairs of grid points and levels, with the engine's own decisions.

    Every proposal of a MALA move between two grid points, and every swap at each, is weighed by the functions that
    `mala` and `temper` call. Relative to the largest flow of its kind.
    """
    betas, modes = ladder(r, 1), TwoModes(r, 1, 0.3)
    x = grid_theory.grid(3 * r, 0.25)
    density, gradient = modes.target().log_density(rt.tensor(x)[:, None])
    potential = -density.cpu().numpy()
    levels = Levels(rt.tensor(betas), rt.tensor(grid_theory.log_constants(potential, x[1] - x[0], betas)))
    worst = 0.0
    for i, beta in enumerate(betas):
        law = theory.level_law(potential, x, beta)[0]
        slope, count = beta * gradient[:, 0], len(x)
        noise = (rt.tensor(x)[None, :] - rt.tensor(x)[:, None] - step * slope[:, None]) / (2 * step) ** 0.5
        back, gain = slope.repeat(count), beta * (density[None, :] - density[:, None]).reshape(-1)
        ratio = log_acceptance(noise.reshape(-1), slope.repeat_interleave(count), back, gain, step)
        accept = ratio.clamp(max=0).exp().reshape(count, count).cpu().numpy()
        worst = max(worst, _asymmetry(law[:, None] * np.exp(-0.5 * noise.cpu().numpy() ** 2) * accept))
        if i + 1 < len(betas):
            here = torch.full((count,), i, device=rt.device)
            up = law * swap_log_ratio(density, levels, here, here + 1).clamp(max=0).exp().cpu().numpy()
            down = swap_log_ratio(density, levels, here + 1, here).clamp(max=0).exp().cpu().numpy()
            down = theory.level_law(potential, x, betas[i + 1])[0] * down
            worst = max(worst, float(np.abs(up - down).max() / up.max()))
    return worst


def _asymmetry(flow: np.ndarray) -> float:
    return float(np.abs(flow - flow.T).max() / flow.max())


def _textbook(r: float, beta: float) -> float:
    return theory.log_eyring_kramers(theory.mode_curvature(r), r**2 - 1, theory.barrier_height(r), beta)


def _two_modes_generator(r: float, spacing: float, swap_rate: float):
    x = grid_theory.grid(7 * r, spacing)
    return grid_theory.tempering_generator(grid_theory.two_modes(x, r=r), spacing, ladder(r, 1), swap_rate)
