"""Properties of sampling, and of tangents and Taylor models."""

import math

import numpy as np
import torch
from properties import Draw, case, shape_is, within

from offconvex import rng, runtime
from offconvex.sampling import langevin, model, tempering, theory_grid
from offconvex.tangents import polynomials, two_layer

RT = runtime.Runtime(torch.device("cpu"), torch.float64)
ROOM = "sampling"


# --- one-dimensional theory -------------------------------------------------------------------------------------------


def check_mode(result, r):
    assert 0 < result <= r and math.isclose(result, r * math.tanh(r * result), rel_tol=1e-9)


case(f"{ROOM}.theory.mode", lambda d: d.float(1.1, 8), check_mode, examples=10)
case(f"{ROOM}.theory.mode_curvature", lambda d: d.float(1.1, 8), lambda result, r: within(result, 0, 1))
case(f"{ROOM}.theory.barrier_height", lambda d: d.float(1.1, 8), lambda result, r: within(result, 0, r * r / 2))
case(
    f"{ROOM}.theory.log_eyring_kramers",
    lambda d: (d.float(0.1, 3), d.float(0.1, 3), d.float(0.1, 9), d.float(0.5, 3)),
)
case(
    f"{ROOM}.theory.log_crossing_time",
    lambda d: ((d.float(2, 9),), {"correction": d.one(True, False)}),
    lambda result, r, *, correction: within(result - r * r / 2, -3, 3),
)
case(f"{ROOM}.theory.ula_variance", lambda d: d.uniform(d.int(1, 4)), lambda r, s: within(r, 1, 2), each=[0])
case(f"{ROOM}.theory.shell_rate", lambda d: d.float(0.1, 0.9), lambda result, shape: within(result, 0, 9))


def on_grid(d: Draw):
    x = theory_grid.grid(d.float(3, 6), d.one(0.1, 0.2))
    return theory_grid.two_modes(x, r=d.float(1.2, 2.5), right=d.float(0.2, 0.8), shape=d.float(0.5, 1.5)), x


case(
    f"{ROOM}.theory_grid.grid",
    lambda d: (d.float(1, 6), d.one(0.1, 0.25)),
    lambda result, spread, spacing: within(np.abs(result + result[::-1]).max(), 0, 1e-9),
)
case(
    f"{ROOM}.theory_grid.two_modes",
    lambda d: ((d.normal(d.int(1, 5)),), {"r": d.float(0.5, 4), "right": d.float(0.1, 0.9), "shape": d.float(0.5, 2)}),
    lambda result, x, **_: shape_is(result, x.shape),
    each=[0],
)
case(
    f"{ROOM}.theory_grid.two_shells",
    lambda d: ((d.uniform(d.int(1, 5), low=0.1, high=4),), {"dimension": d.int(1, 9), "shape": d.float(0.2, 0.9)}),
    lambda result, radius, **_: [shape_is(part, radius.shape) for part in result],
    each=[0],
)
case(
    f"{ROOM}.theory.level_law",
    lambda d: (*on_grid(d), d.float(0.1, 1)),
    lambda result, potential, x, beta: within(result[1][-1], 0.99, 1.01) or within(result[0], 0, math.inf),
)


def two_laws(d):
    from offconvex.sampling import theory

    potential, x = on_grid(d)
    return theory.level_law(potential, x, 1.0)[0], theory.level_law(potential, x, d.float(0.2, 1))[0], x


case(f"{ROOM}.theory.total_variation", two_laws, lambda result, *_: within(result, 0, 1 + 1e-9))


def check_generator(result, *_, **__):
    matrix = result.toarray()
    assert np.allclose(matrix, matrix.T, atol=1e-8 * np.abs(matrix).max())
    assert np.linalg.eigvalsh(matrix)[0] > -1e-8 * np.abs(matrix).max()


case(
    f"{ROOM}.theory_grid.langevin_generator",
    lambda d: (lambda p, x: (p, x[1] - x[0]))(*on_grid(d)),
    check_generator,
    examples=3,
)
BETAS = np.array([0.25, 0.5, 1.0])
case(
    f"{ROOM}.theory_grid.log_constants",
    lambda d: (lambda p, x: (p, x[1] - x[0], BETAS))(*on_grid(d)),
    lambda result, *_: shape_is(result, (3,)),
)
case(
    f"{ROOM}.theory_grid.tempering_generator",
    lambda d: (lambda p, x: (p, x[1] - x[0], BETAS, d.float(0.5, 2)))(*on_grid(d)),
    check_generator,
    examples=2,
)


def generator_of(d):
    potential, x = on_grid(d)
    return theory_grid.langevin_generator(potential, x[1] - x[0])


def check_gap(result, generator):
    assert math.isclose(result, np.linalg.eigvalsh(generator.toarray())[1], rel_tol=1e-6)


case(f"{ROOM}.theory_grid.spectral_gap", generator_of, check_gap, examples=3)
case(
    f"{ROOM}.theory_grid.hitting_time",
    lambda d: (*on_grid(d), -1.0, 1.0),
    lambda result, *_: within(result, 0, math.inf),
)


def half_line(d):
    x = np.arange(0, 8, 0.02)
    return theory_grid.two_modes(x, r=d.float(1.5, 3)), x


case(f"{ROOM}.theory_grid.log_symmetric_gap", half_line, lambda r, *_: within(r, -9, 1), examples=3)


def short_grid(d):
    x = theory_grid.grid(3.0, 0.25)
    return theory_grid.two_modes(x, r=d.float(0.8, 2)), x


def check_kernel(result, *_):
    kernel = result[0] if isinstance(result, tuple) else result
    within(kernel, -1e-12, 1 + 1e-12)
    assert np.allclose(kernel.sum(1), 1)


case(f"{ROOM}.theory_grid.metropolis_kernel", lambda d: (*short_grid(d), d.float(0.05, 0.5)), check_kernel)
case(f"{ROOM}.theory_grid.tempering_kernel", lambda d: (*short_grid(d), BETAS, d.float(0.05, 0.5)), check_kernel)


def reversible(d):
    size = d.int(4, 8)
    flow = d.uniform(size, size, low=0.1)
    flow = flow + flow.T
    law = flow.sum(1) / flow.sum()
    return flow / flow.sum(1, keepdims=True), law


def sets(d):
    kernel, law = reversible(d)
    return kernel, law, np.arange(len(law)) % 2


def check_reversible_gap(result, kernel, law):
    assert math.isclose(result, 1 - np.sort(np.linalg.eigvals(kernel).real)[-2], rel_tol=1e-7, abs_tol=1e-10)


case(f"{ROOM}.theory_grid.kernel_gap", reversible, check_reversible_gap)
case(f"{ROOM}.theory_grid.projected_kernel", sets, lambda result, *_: check_kernel(result[0]))
case(
    f"{ROOM}.theory_grid.restricted_gap",
    lambda d: (lambda k, p, s: (k, p, s == 0))(*sets(d)),
    lambda result, *_: within(result, 0, 2),
)
case(
    f"{ROOM}.theory_grid.decomposition",
    sets,
    lambda result, *_: within(result[0], result[1] * result[2] / 2 - 1e-12, 2),
)
case(f"{ROOM}.theory_grid.imbalance", reversible, lambda result, *_: within(result, 0, 1e-9))

# --- chains -----------------------------------------------------------------------------------------------------------


def check_ladder(result, spread, dimension):
    assert result[-1] == 1 and math.isclose(result[0], spread**-2, rel_tol=1e-9)
    assert (result[1:] / result[:-1] <= 1 + 1 / dimension + 1e-9).all()


case(
    f"{ROOM}.tempering.ladder",
    lambda d: (d.float(1.05, 9), d.int(1, 9)),
    check_ladder,
    refuses=[lambda v=v: (v, {}) for v in ((0.5, 1), (2.0, 0), (math.nan, 1))],
)
case(
    f"{ROOM}.model.standard_normal",
    lambda d: (d.rt, d.numpy(), (d.int(1, 3), d.int(1, 4))),
    lambda result, rt, draws, shape: shape_is(result, shape),
)
case(f"{ROOM}.model.uniform", lambda d: (d.rt, d.numpy(), d.int(1, 9)), lambda result, *_: within(result, 0, 1))
case(
    f"{ROOM}.model.replicas_inside",
    lambda d: d.tensor(d.int(1, 4), d.int(1, 3), d.int(1, 3)),
    lambda result, position: within(torch.equal(result, position), 1, 1),
    each=[0],
)
for name in ("standard_gaussian", "double_well"):
    case(
        f"{ROOM}.model.{name}",
        (lambda d: (d.rt,)) if name == "double_well" else (lambda d: ((), {})),
        lambda result, *_: within(isinstance(result, model.Target), 1, 1),
    )


def chains(d):
    return model.standard_gaussian(), d.tensor(d.int(1, 4), d.int(1, 3))


case(
    f"{ROOM}.langevin.start",
    chains,
    lambda result, target, position: shape_is(result.log_density, position.shape[:1]),
    refuses=[
        lambda: ((model.standard_gaussian(), RT.zeros(2, 1) + math.inf), {}),
        lambda: ((model.Target(lambda x: (x, x)), RT.zeros(2, 1)), {}),
    ],
)


def walking(d):
    target, position = chains(d)
    return (target, langevin.start(target, position), d.rt, d.numpy()), {
        "step": d.float(0.01, 0.5),
        "steps": d.int(1, 5),
    }


def refused_walk(**changed):
    state = langevin.start(model.standard_gaussian(), RT.zeros(2, 1))
    draws = rng.numpy_generator(0, "x")
    return lambda: ((model.standard_gaussian(), state, RT, draws), {"step": 0.1, "steps": 2} | changed)


REFUSED_WALKS = [refused_walk(**c) for c in ({"step": 0.0}, {"step": -1.0}, {"steps": 0}, {"record_every": 0})]
for name in ("ula", "mala"):
    case(
        f"{ROOM}.langevin.{name}",
        walking,
        lambda result, target, state, *_, **__: shape_is(result[0].position, state.position.shape),
        refuses=REFUSED_WALKS,
    )


def accepted(d):
    shape = (d.int(1, 4), d.int(1, 3))
    return *(d.tensor(*shape) for _ in range(3)), d.tensor(shape[0]), d.float(0.01, 1)


case(f"{ROOM}.langevin.log_acceptance", accepted, lambda r, noise, *_: shape_is(r, noise.shape[:1]), each=[0, 1, 2, 3])


def levels(d):
    return tempering.Levels(d.rt.tensor(BETAS), d.tensor(3))


def swapping(d):
    count = d.int(1, 5)
    level = d.rt.tensor(d.numpy().integers(0, 2, count)).long()
    return d.tensor(count), levels(d), level, level + 1


def check_swap(result, log_density, levels, level, other):
    back = tempering.swap_log_ratio(log_density, levels, other, level)
    assert torch.allclose(result, -back)


case(f"{ROOM}.tempering.swap_log_ratio", swapping, check_swap, each=[0, 2, 3])


def beginning(d):
    return model.standard_gaussian(), levels(d), d.rt, d.numpy(), (d.int(1, 4), d.int(1, 3))


case(
    f"{ROOM}.tempering.begin",
    beginning,
    lambda result, target, levels, rt, draws, shape: shape_is(result.position, shape),
)


def tempered(d):
    target, rungs, rt, draws, shape = beginning(d)
    state = tempering.begin(target, rungs, rt, rng.numpy_generator(3, "start"), shape)
    options = {"step": d.float(0.01, 0.3), "steps": d.int(1, 5), "swap_rate": d.float(0, 2)}
    return (target, rungs, state, rt, draws), options


def refused_tempering(**changed):
    def build():
        target, rungs = model.standard_gaussian(), tempering.Levels(RT.tensor(BETAS), RT.zeros(3))
        state = tempering.begin(target, rungs, RT, rng.numpy_generator(0, "x"), (2, 1))
        options = {"step": 0.1, "steps": 2, "swap_rate": 1.0} | changed
        return (target, rungs, state, RT, rng.numpy_generator(0, "y")), options

    return build


case(
    f"{ROOM}.tempering.temper",
    tempered,
    lambda result, target, levels, state, *_, **__: within(result[0].level.numpy(), 0, 2),
    refuses=[refused_tempering(**c) for c in ({"step": 0.0}, {"steps": 0}, {"swap_rate": 20.0}, {"swap_rate": -1.0})],
)
case(f"{ROOM}.experiments.on_the_right", lambda d: chains(d)[1], lambda r, p: shape_is(r, p.shape[:1]), each=[0])

# --- measures and fibers ----------------------------------------------------------------------------------------------


def counted(d):
    total = d.rt.tensor(d.numpy().integers(1, 50, d.int(2, 6)))
    return torch.stack([total, (total * d.float(0.1, 0.9)).floor()], 1)


case(f"{ROOM}.measure.share", counted, lambda result, marked: within(result[0], 0, 1))


def law(d):
    x = np.linspace(-4, 4, 201)
    cumulative = np.cumsum(np.exp(-x * x / 2))
    return d.normal(d.int(2, 60)), x, cumulative / cumulative[-1]


case(f"{ROOM}.measure.scaled_ks", law, lambda result, samples, *_: within(result, 0, math.sqrt(len(samples))))
case(
    f"{ROOM}.measure.binned_variation",
    lambda d: (*law(d), np.linspace(-4, 4, 9)),
    lambda result, *_: within(result, 0, 1 + 1e-9),
)


def sides(d):
    first = d.rt.tensor(np.where(d.uniform(40) < 0.5, 1.0, -1.0))
    signs = torch.stack([first.clone(), first.clone()])
    signs[0, :4] *= -1
    signs[1, :8] *= -1
    return signs, first, d.float(0.5, 2)


case(f"{ROOM}.measure.relaxation_rate", sides, lambda result, *_: within(result, 0, math.inf))
case(
    f"{ROOM}.measure.effective_samples",
    lambda d: d.normal(d.int(2, 4), d.int(4, 30)),
    lambda result, chains: within(result, 0, math.inf),
    refuses=[lambda: ((np.zeros((1, 9)),), {}), lambda: ((np.zeros((2, 3)),), {})],
)


def rotations(d, count=None):
    size = d.int(2, 3)
    q, r = np.linalg.qr(d.normal(count or d.int(2, 5), size, size))
    q = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None]
    q[:, :, 0] *= np.linalg.det(q)[:, None]
    return q


def placed(d):
    columns = d.int(1, 3)
    rows = columns + d.int(0, 2)
    return d.tensor(d.int(1, 3), rows, columns), d.tensor(rows, columns)


case(
    f"{ROOM}.fibers.places",
    placed,
    lambda result, *_: within(result.rotation.mT @ result.rotation, -1.01, 1.01),
    each=[0],
)
case(f"{ROOM}.fibers.rotation_angles", rotations, lambda result, q: within(result, 0, math.pi), each=[0])
case(f"{ROOM}.fibers.haar_deviations", rotations, lambda result, q: within(len(result), 3, 3))


def along(d):
    times = 6
    return d.rt.tensor(np.stack([rotations(d, 4)[:, :2, :2] for _ in range(times)])), d.int(1, 2)


case(f"{ROOM}.fibers.trace_memory", along, lambda result, *_: within(result[1], 0, math.inf))
case(f"{ROOM}.theory_manifold.fiber_rate", lambda d: d.uniform(d.int(2, 4), low=0.5), lambda r, v: within(r, 0, 99))
case(
    f"{ROOM}.theory_manifold.fiber_ricci",
    lambda d: d.uniform(d.int(2, 4), low=0.5),
    lambda result, v: shape_is(result, (len(v) * (len(v) - 1) // 2,)),
)
case(
    f"{ROOM}.theory_manifold.invariant_ricci",
    lambda d: ({(0, 1): d.float(0.5, 2), (0, 2): d.float(0.5, 2), (1, 2): d.float(0.5, 2)}, 3),
    lambda result, *_: shape_is(result, (3,)),
)


def minimizer(d):
    columns = d.int(1, 3)
    return d.normal(columns + d.int(0, 2), columns)


def check_curvatures(result, x):
    rows, columns = x.shape
    shape_is(result, (rows * columns - columns * (columns - 1) // 2,))
    assert (np.diff(result) >= -1e-9).all() and (result > 0).all()


case(f"{ROOM}.theory_manifold.normal_curvatures", minimizer, check_curvatures)
case(
    f"{ROOM}.theory_manifold.squared_distance",
    lambda d: (d.uniform(d.int(1, 5), low=0.5), d.float(10, 99), d.float(0, 1e-3)),
    lambda result, *_: within(result, 0, 9),
)
case(f"{ROOM}.theory_manifold.log_escape_time", lambda d: (d.float(5, 50), d.float(0.5, 1.5)))
case(
    f"{ROOM}.theory_manifold.angle_law",
    lambda d: (np.linspace(0, math.pi, d.int(2, 9)), d.one(2, 3)),
    lambda result, *_: within(result, 0, 1),
    each=[0],
    refuses=[lambda size=size: ((np.zeros(1), size), {}) for size in (1, 4)],
)

# --- tangents ---------------------------------------------------------------------------------------------------------

TANGENTS = "tangents"


def unit(d, *shape):
    x = d.normal(*shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def kernel_points(d):
    size = d.int(1, 5)
    return unit(d, d.int(1, 4), size), unit(d, d.int(1, 4), size), d.one("relu", "erf")


case(
    f"{TANGENTS}.theory.tangent_kernel",
    kernel_points,
    lambda result, left, right, _: shape_is(result, (len(left), len(right))),
    each=[0],
    refuses=[lambda: ((np.eye(2), 2 * np.eye(2), "relu"), {}), lambda: ((np.eye(2), np.eye(2), "tanh"), {})],
)


def descent_arguments(d):
    x = d.normal(4, 3)
    kernel = x @ x.T + np.eye(4)
    return kernel, d.normal(d.int(1, 3), 4), d.normal(4), 1 / np.linalg.eigvalsh(kernel)[-1], np.arange(d.int(1, 4))


REFUSED_KERNEL = (np.eye(2), np.eye(2), np.ones(2), 2.0, np.arange(2))
case(
    f"{TANGENTS}.theory.kernel_descent",
    descent_arguments,
    lambda result, kernel, across, labels, step, times: shape_is(result, (len(times), len(across))),
    refuses=[lambda: (REFUSED_KERNEL, {})],
)
case(
    f"{TANGENTS}.theory.kernel_losses",
    lambda d: (lambda k, a, y, s, t: (k, y, s, t))(*descent_arguments(d)),
    lambda result, *_: within(np.diff(result), -math.inf, 1e-12),
)
case(
    f"{TANGENTS}.theory.even_dimension",
    lambda d: ((d.int(1, 9), d.one(2, 4)), {"sphere": d.one(True, False)}),
    lambda result, *_, **__: within(result, 1, 999),
)
case(
    f"{TANGENTS}.theory.sphere_dimension",
    lambda d: (d.int(2, 9), d.int(1, 4)),
    lambda result, d, degree: within(result, math.comb(d + degree - 1, degree), math.comb(d + degree, degree)),
)
case(f"{TANGENTS}.theory.nuclear_threshold", lambda d: d.int(3, 40), lambda r, d: within(r, 1, d * (d + 1) / 2))
case(f"{TANGENTS}.theory.top_degree_share", lambda d: (d.int(3, 20), d.int(1, 5)), lambda r, *_: within(r, 0, 1))


def sphere(d):
    return d.rt, d.generator(), d.int(1, 5), d.int(2, 5)


def check_sphere(result, rt, generator, count, dimension):
    shape_is(result, (count, dimension))
    assert torch.allclose(result.square().sum(1), torch.full_like(result[:, 0], dimension))


case(f"{TANGENTS}.polynomials.sphere", sphere, check_sphere)


def points(d):
    return polynomials.sphere(*sphere(d))


case(
    f"{TANGENTS}.polynomials.quadratic_features",
    points,
    lambda result, x: shape_is(result, (len(x), x.shape[1] * (x.shape[1] + 1) // 2)),
    each=[0],
)
case(
    f"{TANGENTS}.polynomials.monomials",
    lambda d: (points(d), d.int(1, 3)),
    lambda result, x, degree: shape_is(result, (len(x), math.comb(x.shape[1] + degree - 1, degree))),
    each=[0],
)


def tall(d):
    size = d.int(1, 3)
    return d.tensor(size + d.int(3, 9), size)


def check_white(result, features):
    white = features @ result
    assert torch.allclose(
        white.mT @ white / len(white), torch.eye(len(result), dtype=result.dtype, device="cpu"), atol=1e-6
    )


case(
    f"{TANGENTS}.polynomials.whitener",
    tall,
    check_white,
    refuses=[lambda: ((RT.zeros(2, 3),), {})],
)


def units(d):
    x = points(d)
    count = d.int(1, 4)
    return x, d.tensor(count, x.shape[1]), d.tensor(count)


case(
    f"{TANGENTS}.polynomials.indicators",
    units,
    lambda r, *_: within(set(r.unique().tolist()) <= {0.0, 1.0}, 1, 1),
    each=[0],
)
case(f"{TANGENTS}.representations.features", lambda d: (points(d), d.int(2, 3)), each=[0])
case(f"{TANGENTS}.representations.growth", lambda d: d.int(2, 4), lambda r, degree: within(abs(r - degree), 0, 0.2))


def learned(d):
    replicas, count, size = d.int(1, 3), d.int(1, 3), d.int(1, 3)
    return d.tensor(replicas, size, size), d.tensor(replicas, count, size)


case(f"{TANGENTS}.learners.quadratic_values", learned, lambda r, m, h: shape_is(r, h.shape[:2]), each=[0, 1])


def kernels(d):
    replicas, count = d.int(1, 3), d.int(1, 4)
    x = d.tensor(replicas, count, count + 1)
    return x @ x.mT, d.tensor(replicas, d.int(1, 3), count), d.tensor(replicas, count)


case(f"{TANGENTS}.learners.kernel_fit", kernels, lambda r, k, across, y: shape_is(r, across.shape[:2]), each=[0, 1, 2])


def sides_of(d):
    size = d.int(1, 4)
    return d.rt.tensor(unit(d, d.int(1, 3), size)), d.rt.tensor(unit(d, d.int(1, 3), size))


case(f"{TANGENTS}.learners.even_kernel", lambda d: (*sides_of(d), d.one(2, 4)), each=[0])
case(f"{TANGENTS}.learners.tangent_kernel", sides_of, each=[0])


def taylor(d):
    replicas, sizes, order = d.int(1, 2), [d.int(1, 3) for _ in range(d.int(2, 4))], d.int(0, 3)
    shapes = [(replicas, b, a) for a, b in zip(sizes, sizes[1:])]
    return (
        [d.tensor(*s) for s in shapes],
        [d.tensor(*s) for s in shapes],
        d.tensor(d.int(1, 3), sizes[0]),
        order,
        d.one("relu", "tanh"),
    )


REFUSED_TAYLOR = [
    lambda: (([RT.zeros(1, 2, 2)], [RT.zeros(1, 2, 2)], RT.zeros(1, 2), -1, "relu"), {}),
    lambda: (([RT.zeros(1, 2, 2)], [RT.zeros(1, 2, 2)], RT.zeros(1, 2), 1, "step"), {}),
    lambda: (([RT.zeros(1, 2, 2)], [RT.zeros(1, 2, 3)], RT.zeros(1, 2), 1, "relu"), {}),
]


def two_units(d):
    net = two_layer.draw(d.rt, d.generator(), d.int(1, 3), 2 * d.int(1, 3), d.int(1, 4), "relu")
    return net


def drawn(d):
    names = tuple(two_layer.ACTIVATIONS)
    return d.rt, d.generator(), d.int(1, 3), 2 * d.int(1, 3), d.int(1, 4), d.one(*names)


def check_drawn(result, rt, generator, replicas, width, dimension, activation):
    shape_is(result.weights, (replicas, width, dimension))
    assert set(result.signs.unique().tolist()) <= {-1.0, 1.0} and torch.equal(result.signs.sum(1), rt.zeros(replicas))


case(
    f"{TANGENTS}.two_layer.draw",
    drawn,
    check_drawn,
    refuses=[
        lambda: ((RT, rng.generator(0, "x"), 1, 3, 2, "relu"), {}),
        lambda: ((RT, rng.generator(0, "x"), 1, 2, 2, "step"), {}),
    ],
)


def power_law(d):
    x = d.rising(d.int(2, 6), 10, 99)
    return x, 5 * x**-0.5


for name in ("signs.slope", "thresholds.exponent"):
    case(f"{TANGENTS}.{name}", power_law, lambda r, *_: within(r, -0.5 - 1e-9, -0.5 + 1e-9))
case(
    f"{TANGENTS}.wide.slopes",
    lambda d: (lambda x, y: (x, y[:, None] * d.uniform(d.int(2, 4), low=0.9)))(*power_law(d)),
    lambda result, *_: within(result[0], -0.5 - 1e-9, -0.5 + 1e-9),
)
case(
    f"{TANGENTS}.wide.rate",
    lambda d: (np.exp(-0.3 * np.arange(d.int(3, 9)))[:, None] * d.uniform(1, d.int(1, 3), low=0.5), 1),
    lambda result, *_: within(result, 0.3 - 1e-9, 0.3 + 1e-9),
)
case(
    f"{TANGENTS}.thresholds.dimension",
    lambda d: (d.one("kernel", "kernel4"), d.int(2, 9)),
    lambda result, *_: within(result, 1, 9999),
)
case(
    f"{TANGENTS}.thresholds.crossing",
    lambda d: (lambda x: (x, (1 - (x - x[0]) / (x[-1] - x[0]))[:, None] + np.zeros(3), d.float(0.1, 0.9)))(
        d.rising(d.int(3, 6), 10, 99)
    ),
    lambda result, sizes, *_: within(result, sizes[0], sizes[-1]),
    refuses=[lambda level=level: ((np.arange(3), np.array([[1.0], [0.5], [0.2]]), level), {}) for level in (2.0, 0.1)],
)
case(f"{TANGENTS}.taylor_stored.step_scores", lambda d: d.normal(3, d.int(3, 6)), lambda r, v: shape_is(r, (2,)))
case(f"{TANGENTS}.training.source", lambda d: d.int(1, 9), lambda result, epochs: within(result.epochs, epochs, epochs))
for name in ("expand", "taylor"):
    case(f"{TANGENTS}.series.{name}", taylor, refuses=REFUSED_TAYLOR)
case(
    f"{TANGENTS}.series.network",
    lambda d: (lambda start, move, inputs, order, activation: (start, inputs, activation))(*taylor(d)),
    lambda result, weights, inputs, _: shape_is(result, (len(weights[0]), len(inputs), weights[-1].shape[1])),
    each=[0],
)


# --- what takes longer, once each -------------------------------------------------------------------------------------

EXACT = f"{ROOM}.exact"
case(f"{EXACT}.tilted_gap", lambda d: (d.float(1.5, 2.5), d.float(0, 1)), lambda r, *_: within(r, 0, 9), examples=1)
case(f"{EXACT}.langevin_log_gap", lambda d: (d.float(2, 4), 1.0, 0.02), lambda r, *_: within(r, -20, 1), examples=2)
case(
    f"{EXACT}.shapes_on_the_line",
    lambda d: ((1.0, d.float(0.4, 0.9)), 2.0),
    lambda result, shapes, _: shape_is(result, (len(shapes),)),
    examples=1,
)
case(f"{EXACT}.engine_imbalance", lambda d: (d.rt,), lambda r, _: within(r, 0, 1e-6), examples=1)
case(f"{ROOM}.fibers.memory_rate", lambda d: (*along(d), 1.0), finite=False)
case(
    f"{TANGENTS}.learners.least_nuclear",
    lambda d: (d.tensor(2, 3, 2), d.tensor(2, 3)),
    lambda result, *_: within(result.gap.numpy(), -1e-6, math.inf),
    examples=2,
    refuses=[lambda: ((RT.zeros(2, 3), RT.zeros(2)), {}), lambda: ((RT.zeros(1, 2, 3), RT.zeros(1, 3)), {})],
)
