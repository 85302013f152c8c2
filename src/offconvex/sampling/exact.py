"""Tables of exact numbers for the chapter on tempering: gaps against distance, shape and dimension, and their parts."""

from dataclasses import dataclass

import numpy as np

from offconvex.sampling import theory, theory_grid
from offconvex.sampling.tempering import ladder

Table = dict[str, np.ndarray]


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


def gaps(config: Gaps) -> Table:
    """"tempering" (swap rates, rs) and the logarithms of Langevin's gap and of its prediction, each (rs,)."""
    tempering = [
        [theory_grid.spectral_gap(_two_modes_generator(r, config.spacing, rate)) for r in config.rs]
        for rate in config.swap_rates
    ]
    rs = np.array(config.rs)
    return {
        "r": rs,
        "tempering": np.array(tempering),
        "log langevin": np.array([langevin_log_gap(r) for r in rs]),
        "log predicted": np.log(2) - theory.log_crossing_time(rs),
    }


def langevin_log_gap(r: float, beta: float = 1.0, spacing: float = 0.005) -> float:
    """Logarithm of the exact gap of Langevin between equal modes, at inverse temperature beta."""
    x = np.arange(0, r + 9, spacing)
    return theory_grid.log_symmetric_gap(beta * theory_grid.two_modes(x, r=r), x)


def prefactors(rs: np.ndarray, betas: np.ndarray, r_cold: float = 2.0) -> Table:
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


def shapes_on_the_line(shapes: tuple[float, ...], r: float = 4.0, swap_rate: float = 1.0) -> np.ndarray:
    """Exact tempering gap of modes at -r and r whose right one has another standard deviation, (shapes,)."""
    found = []
    for shape in shapes:
        spacing = min(0.05, shape / 8)
        x = theory_grid.grid(7 * r, spacing)
        potential = theory_grid.two_modes(x, r=r, shape=shape)
        generator = theory_grid.tempering_generator(potential, spacing, ladder(r, 1), swap_rate)
        found.append(theory_grid.spectral_gap(generator))
    return np.array(found)


def shells(dimensions: tuple[int, ...], shape: float, spread: float, swap_rate: float = 1.0) -> Table:
    """Exact gaps of half N(0, I) plus half N(0, shape^2 I), by the radius alone: "tempering" and "langevin", (dimensions,).

    Args:
        dimensions: of the space.
        shape: standard deviation of the narrow part; one gives a single Gaussian.
        spread: of the ladder, `ladder(spread, dimension)`.
        swap_rate: proposals per unit of time.
    """
    spacing = shape / 5
    found = {"tempering": [], "langevin": []}
    for d in dimensions:
        betas = ladder(spread, d)
        for name, temperatures in (("tempering", betas), ("langevin", betas[-1:])):
            radius = np.arange(spacing / 2, (np.sqrt(d) + 6) / np.sqrt(temperatures[0]), spacing)
            potential, base = theory_grid.two_shells(radius, dimension=d, shape=shape)
            generator = theory_grid.tempering_generator(potential, spacing, temperatures, swap_rate, base=base)
            found[name].append(theory_grid.spectral_gap(generator))
    return {name: np.array(values) for name, values in found.items()}


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


def decompositions(config: Decompositions) -> Table:
    """Gap, projected gap and least restricted gap of Langevin ("langevin", cut at zero) and of tempering, (rs, 3) each.

    Tempering is cut into its hottest level, and the left and the right of all others. "imbalance" (rs,): the largest
    violation of detailed balance over all pairs of states, both chains.
    """
    found = {"r": np.array(config.rs), "langevin": [], "tempering": [], "imbalance": []}
    for r in config.rs:
        x = theory_grid.grid(4.5 * r + 1, config.spacing)
        potential, betas = theory_grid.two_modes(x, r=r), ladder(r, 1)
        side = (x > 0).astype(int)
        plain = theory_grid.metropolis_kernel(potential, x, config.step)
        law = np.exp(-potential) / np.exp(-potential).sum()
        found["langevin"].append(theory_grid.decomposition(plain, law, side))
        kernel, joint = theory_grid.tempering_kernel(potential, x, betas, config.step)
        sets = np.where(np.repeat(np.arange(len(betas)), len(x)) == 0, 0, 1 + np.tile(side, len(betas)))
        found["tempering"].append(theory_grid.decomposition(kernel, joint, sets))
        found["imbalance"].append(max(theory_grid.imbalance(plain, law), theory_grid.imbalance(kernel, joint)))
    return {name: np.array(values) for name, values in found.items()}


def _textbook(r: float, beta: float) -> float:
    return theory.log_eyring_kramers(theory.mode_curvature(r), r**2 - 1, theory.barrier_height(r), beta)


def _two_modes_generator(r: float, spacing: float, swap_rate: float):
    x = theory_grid.grid(7 * r, spacing)
    return theory_grid.tempering_generator(theory_grid.two_modes(x, r=r), spacing, ladder(r, 1), swap_rate)
