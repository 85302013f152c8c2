"""Properties of sampling: one-dimensional theory, chains, measures, fibers."""

import math

import numpy as np
import torch
from properties import agree, case, within

from offconvex import rng
from offconvex.sampling import langevin, measure, model
from offconvex.sampling.manifolds import fibers
from offconvex.sampling.manifolds import theory as manifold_theory
from offconvex.sampling.tempering import dynamics, experiments, grid_theory, theory

# --- one-dimensional theory -------------------------------------------------------------------------------------------


case(
    theory.log_eyring_kramers,
    lambda d: (d.float(0.1, 3), d.float(0.1, 3), d.float(0.1, 9), d.float(0.5, 3)),
    lambda r, bottom, top, rise, beta: agree(
        math.exp(r), 2 * math.pi / beta / math.sqrt(bottom * top) * math.exp(beta * rise)
    ),
)


BETAS = np.array([0.25, 0.5, 1.0])


def short_grid(d):
    x = grid_theory.grid(3.0, 0.25)
    return grid_theory.two_modes(x, r=d.float(0.8, 2)), x


def check_kernel(kernel, law=None):
    balanced = law is None or agree(law[:, None] * kernel, (law[:, None] * kernel).T, 1e-6)
    return within(kernel, -1e-12, 1 + 1e-12) and agree(kernel.sum(1), np.ones(len(kernel))) and balanced


case(
    grid_theory.metropolis_kernel,
    lambda d: (*short_grid(d), d.float(0.05, 0.5)),
    lambda r, potential, x, step: check_kernel(r, np.exp(-potential) / np.exp(-potential).sum()),
)


# --- chains -----------------------------------------------------------------------------------------------------------


case(dynamics.ladder, lambda d: (d.float(1.05, 9), d.int(1, 9)), refuses={"spread": [0.5, math.nan], "dimension": [0]})
case(
    model.standard_normal,
    lambda d: (d.rt, d.numpy(), (d.int(20, 30), d.int(4, 9))),
    lambda r, rt, draws, shape: tuple(r.shape) == shape and 0.6 < r.std() < 1.5 and abs(r.mean()) < 0.6,
)
case(
    model.uniform,
    lambda d: (d.rt, d.numpy(), d.int(40, 60)),
    lambda r, rt, draws, count: len(r) == count and within(r, 0, 1) and 0.2 < r.mean() < 0.8,
)


def chains(d):
    return model.standard_gaussian(), d.tensor(d.int(1, 4), d.int(1, 3))


case(
    langevin.start,
    chains,
    lambda r, target, position: agree(r.log_density, -position.square().sum(1) / 2) and agree(r.gradient, -position),
    refuses={"position: start": [lambda x: x + math.inf]},
)


def walking(d):
    target, position = chains(d)
    return (target, langevin.start(target, position), d.rt, d.numpy()), {
        "step": d.float(0.01, 0.5),
        "steps": d.int(1, 5),
    }


WALKS = {"step": [0.0, -1.0], "steps": [0]}
case(langevin.ula, walking, refuses=WALKS)
case(langevin.mala, walking, refuses=WALKS)


def accepted(d):
    shape = (d.int(1, 4), d.int(1, 3))
    return *(d.tensor(*shape) for _ in range(3)), d.tensor(shape[0]), d.float(0.01, 1)


def check_acceptance(result, noise, gradient, new_gradient, gain, step):
    """log p(y) q(y, x) / p(x) q(x, y) with q(x, .) = N(x + step g, 2 step)."""
    forward = math.sqrt(2 * step) * noise + step * gradient
    back = -forward - step * new_gradient
    ratio = -back.square().sum(1) / (4 * step) + noise.square().sum(1) / 2
    return agree(result, gain + ratio, 1e-6)


case(langevin.log_acceptance, accepted, check_acceptance, each=["noise", "gradient", "new_gradient", "gain"])


def levels(d):
    return dynamics.Levels(d.rt.tensor(BETAS), d.tensor(3))


def swapping(d):
    count = d.int(1, 5)
    level = d.rt.tensor(d.numpy().integers(0, 2, count)).long()
    return d.tensor(count), levels(d), level, level + 1


case(dynamics.swap_log_ratio, swapping, each=["log_density", "level", "other"])


def beginning(d):
    return model.standard_gaussian(), levels(d), d.rt, d.numpy(), (d.int(1, 4), d.int(1, 3))


def tempered(d):
    target, rungs, rt, draws, shape = beginning(d)
    state = dynamics.begin(target, rungs, rt, rng.numpy_generator(3, "start"), shape)
    options = {"step": d.float(0.01, 0.3), "steps": d.int(1, 5), "swap_rate": d.float(0, 2)}
    return (target, rungs, state, rt, draws), options


case(
    dynamics.temper,
    tempered,
    lambda r, *_, swap_rate, **__: (
        within(r[0].level, 0, 2) and agree(r[0].log_density, -r[0].position.square().sum(1) / 2)
    ),
    refuses={"step": [0.0], "steps": [0], "swap_rate": [999.0, -1.0]},
)
case(
    experiments.on_the_right,
    lambda d: chains(d)[1],
    lambda r, position: agree(r, position[:, 0] > 0),
    each=["position"],
)

# --- measures and fibers ----------------------------------------------------------------------------------------------


def counted(d):
    total = d.rt.tensor(d.numpy().integers(1, 50, d.int(2, 6)))
    return torch.stack([total, (total * d.float(0.1, 0.9)).floor()], 1)


case(
    measure.share,
    counted,
    lambda r, marked: (
        agree(r[0], float(marked[:, 1].sum() / marked[:, 0].sum()))
        or agree(r[0], float((marked[:, 1] / marked[:, 0]).mean()))
    ),
)


def law(d):
    x = np.linspace(-4, 4, 801)
    cumulative = np.cumsum(np.exp(-x * x / 2))
    return d.normal(d.int(2, 60)), x, cumulative / cumulative[-1]


def sides(d):
    first = d.rt.tensor(np.where(d.uniform(40) < 0.5, 1.0, -1.0))
    signs = torch.stack([first.clone(), first.clone()])
    signs[0, :4] *= -1
    signs[1, :8] *= -1
    return signs, first, d.float(0.5, 2)


case(
    measure.relaxation_rate,
    sides,
    # The mean product falls from 0.8 to 0.6 in one gap of time.
    lambda r, signs, first, gap: agree(r[0], math.log(0.8 / 0.6) / gap, 1e-6),
)
case(
    measure.effective_samples,
    lambda d: np.random.Generator(np.random.PCG64(d.int(0, 99))).normal(size=(4, 400)),
    lambda r, chains: 800 < r < 3200,
    refuses={"chains": [np.zeros((1, 9)), np.zeros((2, 3))]},
)


def placed(d):
    columns = d.int(1, 3)
    rows = columns + d.int(0, 2)
    return d.tensor(d.int(1, 3), rows, columns), d.tensor(rows, columns)


case(fibers.places, placed, each=["position"])


def along(d):
    """A rotation that turns by one angle in every step: its memory at a lag is the cosine of the angle in between."""
    angles = d.float(0.1, 0.3) * np.arange(7)
    turning = np.stack(
        [np.stack([np.cos(angles), -np.sin(angles)], -1), np.stack([np.sin(angles), np.cos(angles)], -1)], -2
    )
    return d.rt.tensor(np.repeat(turning[:, None], 4, 1)), d.int(1, 2)


case(
    fibers.trace_memory,
    along,
    lambda r, rotation, lag: (
        agree(r[0], float(rotation[lag, 0].trace()) / 2, 1e-6) or agree(r[0], float(rotation[lag, 0].trace()), 1e-6)
    ),
)


case(
    manifold_theory.angle_law,
    lambda d: (np.linspace(0, math.pi, 201), d.one(2, 3)),
    lambda r, angles, size: (
        r[0] == 0
        and agree(r[-1], 1.0)
        and within(np.abs(np.gradient(r, angles)[1:-1] * math.pi - (1 - np.cos(angles[1:-1]) * (size == 3))), 0, 1e-3)
    ),
    each=["angles"],
    refuses={"size": [1, 4]},
)

# --- what takes longer, once each -------------------------------------------------------------------------------------
