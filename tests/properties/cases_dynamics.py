"""Properties of flow and descent, of parameterizations, and of held-out sets."""

import math

import numpy as np
import torch
from properties import Draw, case, shape_is, within
from scipy.stats import binom

from offconvex import runtime
from offconvex.flow_vs_descent import plane
from offconvex.holdout import bits, description, networks
from offconvex.parameterizations import model

RT = runtime.Runtime(torch.device("cpu"), torch.float64)


# --- flow and descent -------------------------------------------------------------------------------------------------

FLOW = "flow_vs_descent"


def tube(d: Draw):
    count = d.int(2, 20)
    return d.rising(count, 0, d.float(0.1, 3)), d.uniform(count), d.uniform(count)


def rising_from_zero(result, times, *_, **__):
    shape_is(result, times.shape)
    assert result[0] == 0 and (np.diff(result) >= -1e-12).all()


case(f"{FLOW}.theory.tube", tube, rising_from_zero)
case(
    f"{FLOW}.theory.constant_tube",
    lambda d: (tube(d)[:2], {"step": d.float(1e-3, 0.1), "curvature": d.float(0.1, 3), "gradient": d.float(0.1, 3)}),
    rising_from_zero,
)
case(
    f"{FLOW}.theory.log_lipschitz_tube",
    tube,
    lambda result, times, *_: within(result[0] == -math.inf and np.isfinite(result[1:]).all(), 1, 1),
    finite=False,
)
case(
    f"{FLOW}.theory.gap_between_steps",
    lambda d: d.uniform(d.int(1, 5), low=1, high=64),
    lambda result, ratio: within(result, 0, 1),
    each=[0],
)
case(
    f"{FLOW}.theory.deep_linear_bound",
    lambda d: (lambda count: (d.uniform(count), d.uniform(count, d.int(2, 4))))(d.int(1, 4)),
    lambda result, norm, layers: within(result, -math.inf, 0),
)
case(
    f"{FLOW}.theory.scalar_chain_eigenvalue",
    lambda d: (d.uniform(d.int(1, 5), low=0.01), d.int(2, 5)),
    each=[0],
)


def check_manifold(result, m, x):
    # To leading order near zero the height is x^2 / (m + 2).
    assert result > 0 and (x > 0.1 or math.isclose(result, x * x / (m + 2), rel_tol=0.1))


case(f"{FLOW}.theory.saddle_manifold", lambda d: (d.float(1, 4), d.float(0.02, 0.6)), check_manifold)


def velocity(d):
    size = d.int(1, 4)
    return d.normal(size) + 0.1, d.normal(size), d.int(1, 4)


case(f"{FLOW}.theory.end_to_end_velocity", velocity, lambda result, vector, *_: shape_is(result, vector.shape))
case(
    f"{FLOW}.theory.arrival_time",
    lambda d: (d.int(2, 4), d.float(0.01, 0.1), d.float(-0.5, 0.9), d.float(1e-3, 0.05)),
    lambda result, *_: within(result, 0, math.inf),
    examples=3,
)
case(
    f"{FLOW}.theory.saddle_time",
    lambda d: (d.int(2, 5), d.float(0.01, 0.1), d.float(-0.95, -0.05)),
    lambda result, *_: within(result, 0, math.inf),
)


def network_layers(d):
    return tuple(d.tensor(1, d.int(1, 3), d.int(1, 3)) for _ in range(d.int(1, 3)))


case(
    f"{FLOW}.backward_error.flatten",
    lambda d: (network_layers(d),),
    lambda result, layers: shape_is(result, (sum(layer.numel() for layer in layers),)),
    single=False,
)


def flat(d):
    layers = network_layers(d)
    return d.normal(sum(layer.numel() for layer in layers)), layers


case(
    f"{FLOW}.backward_error.unflatten",
    flat,
    lambda result, vector, like: within([a.shape == b.shape for a, b in zip(result, like, strict=True)], 1, 1),
)
case(
    f"{FLOW}.step_sizes.distance",
    lambda d: (lambda shape: (d.normal(*shape), d.normal(*shape)))((d.int(1, 4), d.int(1, 4))),
    lambda result, left, right: shape_is(result, left.shape[:1]),
    each=[0, 1],
)
case(
    f"{FLOW}.saddle.path",
    lambda d: (d.float(1, 4), (d.float(0.1, 0.5), d.float(0.0, 0.3)), d.float(0.001, 0.05), d.int(0, 9)),
    lambda result, m, start, step, steps: shape_is(result, (steps + 1, 2)),
)
for name in ("bowl", "chain"):
    case(f"{FLOW}.plane.{name}", lambda d: ((), {}), lambda result: within(isinstance(result, plane.Plane), 1, 1))
case(f"{FLOW}.plane.saddle", lambda d: (d.float(1, 3), d.float(0.1, 0.6)), examples=2)

# --- parameterizations ------------------------------------------------------------------------------------------------

ROOM = "parameterizations"
KINDS = (1, 2, 3, 0.5, "exp")
REFUSED_KINDS = (0, -1, math.nan, math.inf, "power", True)


def weights(d):
    return d.uniform(d.int(1, 5), 2, low=0.1, high=3)


def check_model(result, kind):
    w = RT.tensor([[0.5, 2.0]])
    jacobian = model.jacobians(kind, w)
    assert jacobian.shape == (1, 2, 2)


case(
    f"{ROOM}.model.parameterization",
    lambda d: d.one(*KINDS, "polar"),
    check_model,
    refuses=[lambda kind=kind: ((kind,), {}) for kind in REFUSED_KINDS],
)


def moving(d):
    w = d.rt.tensor(weights(d))
    return d.one(*KINDS, "polar"), w, d.tensor(*w.shape)


def check_field(result, kind, w, gradient):
    from offconvex.parameterizations import theory

    assert np.allclose(result.numpy(), theory.field(kind, w.numpy(), gradient.numpy()), rtol=1e-6, atol=1e-9)


case(f"{ROOM}.model.induced_field", moving, check_field, each=[1, 2])
case(
    f"{ROOM}.model.jacobians",
    lambda d: moving(d)[:2],
    lambda result, kind, w: shape_is(result, (*w.shape, 2)),
    each=[1],
)
case(
    f"{ROOM}.dynamics.starting_parameters",
    lambda d: moving(d)[:2],
    lambda result, kind, w: shape_is(result, w.shape),
    each=[1],
    refuses=[lambda: ((2, RT.zeros(1, 2)), {}), lambda: ((2, RT.zeros(1, 2) - 1), {})],
)


def point_loss(d):
    return d.one(*KINDS), model.PointLoss((3.0, 6.0))


def check_gradient(result, kind, loss):
    from offconvex.descent import autograd_objective
    from offconvex.parameterizations import dynamics

    u = dynamics.starting_parameters(kind, RT.tensor([[0.5, 2.0], [1.0, 1.5]]))
    made = model.parameterization(kind)
    value, (gradient,) = result((u,))
    other, (expected,) = autograd_objective(lambda p: loss.value(made.weights(p[0])))((u,))
    assert torch.allclose(value, other) and torch.allclose(gradient, expected)


case(f"{ROOM}.dynamics.objective", point_loss, check_gradient)
case(
    f"{ROOM}.dynamics.flow_paths",
    lambda d: (
        (d.one(1, 2, "exp"), model.PointLoss((3.0, 6.0)), RT.tensor(weights(d))),
        {"points": 20, "loss_tolerance": 1e-10},
    ),
    examples=2,
    single=False,
)
case(
    f"{ROOM}.dynamics.race",
    lambda d: (d.one(2, 3, "exp"), [-3.0, -2.0], d.float(1.2, 3), 0.5),
    lambda result, kind, starts, ratio, learned: within(result, learned, ratio * (1 + 1e-6)),
    examples=3,
)


def field_arguments(d):
    w = weights(d)
    return d.one(*KINDS, "polar"), w, d.normal(*w.shape)


case(f"{ROOM}.theory.field", field_arguments, lambda result, kind, w, _: shape_is(result, w.shape), each=[1, 2])
case(
    f"{ROOM}.theory.exponent",
    lambda d: d.one(*KINDS),
    lambda result, kind: within(result, -math.inf, 2),
    refuses=[lambda kind=kind: ((kind,), {}) for kind in (0, -1, "polar", "power", math.nan)],
)
case(
    f"{ROOM}.theory.conserved",
    lambda d: (d.one(*KINDS), weights(d)),
    lambda result, kind, w: shape_is(result, w.shape[:1]),
    each=[1],
)


def check_on_line(result, *_, **__):
    assert math.isclose(result @ np.array([1.0, 2.0]), 15.0, rel_tol=1e-8) and (result > 0).all()


case(
    f"{ROOM}.theory.line_end_point",
    lambda d: (d.one(1, 2, 3, "exp"), d.uniform(2, low=0.8, high=1.5)),
    check_on_line,
)
case(
    f"{ROOM}.theory.min_norm_point",
    lambda d: d.float(1.1, 4),
    check_on_line,
    refuses=[lambda p=p: ((p,), {}) for p in (0.0, -1.0)],
)
case(
    f"{ROOM}.theory.polar_sine",
    lambda d: (d.uniform(d.int(1, 4), low=1, high=3), 1.0, d.float(-1, 1)),
    lambda result, *_: within(result, -1, 1),
    each=[0],
)


def timed(d):
    start = d.float(0.01, 0.4)
    return d.one(1, 2, 4, "exp"), start, start * d.float(1.1, 2), 1.0


REFUSED_TIMES = [lambda v=v: ((2, *v), {}) for v in ((0.0, 0.5, 1.0), (0.5, 1.5, 1.0), (0.1, -0.2, 1.0))]
case(
    f"{ROOM}.theory.learning_time",
    timed,
    lambda result, *_: within(result, 0, math.inf),
    refuses=REFUSED_TIMES,
)


def check_time(result, kind, start, end, target):
    from offconvex.parameterizations import theory

    assert math.isclose(result, theory.learning_time(kind, start, end, target), rel_tol=1e-6)


case(
    f"{ROOM}.theory.exact_time",
    timed,
    check_time,
    refuses=[lambda: ((3, 0.1, 0.5, 1.0), {})],
)
case(
    f"{ROOM}.theory.exact_solution",
    lambda d: (d.one(1, 2, 4, "exp"), d.rising(d.int(2, 5), 0, 5), d.float(0.05, 0.9), 1.0),
    lambda result, kind, times, start, target: within(np.diff(result), 0, 1),
    each=[1],
    loose=1e-6,
)


def companion(d):
    start = d.uniform(2, low=0.2, high=0.9)
    return d.one(1, 2, "exp"), start, (3.0, 6.0), np.linspace(start[0] * 1.1, 2.5, d.int(1, 4))


case(
    f"{ROOM}.theory.companion_path",
    companion,
    lambda result, kind, start, target, first: within(result, start[1], target[1]),
    examples=3,
)


def race_sizes(d):
    return d.one(2, 3, "exp"), d.float(1.5, 4), d.float(0.05, 0.25), d.float(0.75, 0.95)


REFUSED_RACES = [
    lambda v=v: ((2, *v), {}) for v in ((1.0, 0.1, 0.9), (2.0, 0.9, 0.1), (2.0, 0.0, 0.9), (2.0, 0.1, 1.0))
]


def check_threshold(result, kind, ratio, slow, fast):
    from offconvex.parameterizations import theory

    low, high = theory.threshold_bounds(kind, ratio, slow, fast)
    assert low - 1e-9 <= result <= high + 1e-9


case(f"{ROOM}.theory.threshold", race_sizes, check_threshold, refuses=REFUSED_RACES, examples=8)
case(
    f"{ROOM}.theory.threshold_bounds",
    race_sizes,
    lambda result, *_: within(result[1] - result[0], -1e-12, math.inf),
    refuses=[*REFUSED_RACES, lambda: ((1, 2.0, 0.1, 0.9), {})],
)
case(
    f"{ROOM}.theory.threshold_law",
    lambda d: (lambda kind, ratio, slow, fast: (kind, slow, fast))(*race_sizes(d)),
    refuses=[lambda: ((1, 0.1, 0.9), {})],
)
case(
    f"{ROOM}.incremental.largest_start",
    lambda d: (3, 2.0, 0.3, d.float(0.5, 0.8)),
    lambda result, *_: within(result, -math.inf, 0),
    examples=1,
)


def two_lists(d):
    shape = (d.int(1, 5), 2)
    return d.uniform(*shape, low=0.1), d.uniform(*shape, low=0.1)


for name in ("relative_error", "mean_relative_distance"):
    case(f"{ROOM}.measure.{name}", two_lists, lambda result, *_: within(result, 0, math.inf))
case(f"{ROOM}.measure.angle_between", two_lists, lambda result, *_: within(result, 0, math.pi), each=[0, 1])


def several_paths(d):
    return d.uniform(d.int(2, 5), d.int(1, 3), 2, low=0.1)


case(f"{ROOM}.measure.bend", lambda d: (several_paths(d), (3.0, 6.0)), lambda r, *_: within(r, 0, math.pi))
for name in ("peak_log_ratio", "lowest_log_ratio"):
    case(f"{ROOM}.measure.{name}", several_paths, lambda result, paths: shape_is(result, paths.shape[1:2]))
case(
    f"{ROOM}.measure.angle_to",
    lambda d: (several_paths(d), (1.0, 2.0)),
    lambda result, paths, _: shape_is(result, paths.shape[:-1]),
    each=[0],
)
case(
    f"{ROOM}.measure.slope",
    lambda d: (lambda x: (x, 3 * x**-2.0))(d.rising(d.int(2, 6), 0.5, 4)),
    lambda result, *_: within(result, -2 - 1e-9, -2 + 1e-9),
)
case(
    f"{ROOM}.measure.smallest_distance",
    lambda d: d.normal(d.int(2, 6), 2),
    lambda result, points: within(result, 0, np.linalg.norm(points[0] - points[1]) + 1e-12),
)

# --- held-out sets ----------------------------------------------------------------------------------------------------

HOLD = "holdout"


def flags(d, rows=(1, 3)):
    return d.uniform(d.int(*rows), d.int(1, 150)) < 0.5


case(f"{HOLD}.bits.words", lambda d: d.int(1, 500), lambda result, size: within(64 * result - size, 0, 63))
case(
    f"{HOLD}.bits.random",
    lambda d: ((d.numpy(), d.int(1, 3)), {"size": d.int(1, 150)}),
    lambda result, draws, rows, *, size: shape_is(bits.unpack(result, size), (rows, size)),
)


def check_packed(result, given):
    assert np.array_equal(bits.unpack(result, given.shape[-1]), given)
    assert np.array_equal(bits.ones(result), given.sum(-1))


case(f"{HOLD}.bits.pack", flags, check_packed, each=[0])
case(
    f"{HOLD}.bits.unpack",
    lambda d: (lambda f: (bits.pack(f), f.shape[-1]))(flags(d)),
    lambda result, packed, size: within(result, 0, 1),
    each=[0],
)
case(f"{HOLD}.bits.ones", lambda d: bits.pack(flags(d)), lambda result, p: shape_is(result, p.shape[:-1]), each=[0])


def check_sums(result, packed, size):
    assert np.array_equal(result, bits.unpack(packed, size).sum(-2))


case(
    f"{HOLD}.bits.column_sums",
    lambda d: (lambda f: (bits.pack(f), f.shape[-1]))(flags(d, rows=(1, 40))),
    check_sums,
    examples=10,
)

DESCRIPTIONS = (
    "graph: input 784 -> dense 10 -> softmax",
    "graph: input 784 -> dense 32 -> relu -> dense 10 -> softmax\nphrase: sgd rate 0.1",
)


def parsed(d):
    return (description.parse(d.one(*DESCRIPTIONS)),)


case(
    f"{HOLD}.description.parse",
    lambda d: d.one(*DESCRIPTIONS),
    lambda result, text: within(description.parse(description.text_of(result)) == result, 1, 1),
    refuses=[lambda t=t: ((t,), {}) for t in ("", "dense 10", "graph: dnse 10", "grph: dense 10")],
)
case(f"{HOLD}.description.text_of", parsed)
case(
    f"{HOLD}.description.encode",
    parsed,
    lambda result, e: within(description.decode(result) == tuple(e) and set(result) <= {"0", "1"}, 1, 1),
)
case(
    f"{HOLD}.description.decode",
    lambda d: description.encode(parsed(d)[0]),
    refuses=[
        lambda: (("",), {}),
        lambda: ((description.encode(description.parse(DESCRIPTIONS[0])) + "0",), {}),
        lambda: ((description.encode(description.parse(DESCRIPTIONS[0]))[:-1],), {}),
    ],
)
for name in ("cifar", "imagenet"):
    case(f"{HOLD}.evidence.{name}", lambda d: ((), {}), lambda result: within(result[1], 0, 100), examples=1)
case(f"{HOLD}.evidence.photo", lambda d: ((), {}), lambda result: shape_is(result, (50, 2)), examples=1)
case(
    f"{HOLD}.evidence.kaggle",
    lambda d: (d.one("highacc", "lowacc"), d.one("Kaggle", "Ladder")),
    lambda result, *_: shape_is(result, (40, 2)),
)
case(f"{HOLD}.evidence.compare", lambda d: d.uniform(d.int(4, 9), 2), examples=3)


def submitted(d):
    return d.uniform(d.int(1, 4), d.int(1, 8))


case(f"{HOLD}.leaderboard.naive", submitted, lambda result, losses: within(np.abs(result - losses), 0, 6e-6), each=[0])


def check_ladder(result, losses, step):
    reports, lowered = result
    assert reports.shape == lowered.shape == losses.shape and lowered.dtype == bool
    assert (np.diff(reports) <= 1e-12).all() and np.allclose(reports / step, np.round(reports / step), atol=1e-6)


case(
    f"{HOLD}.leaderboard.ladder",
    lambda d: (submitted(d), d.one(0.01, 0.1, 0.25, 1.0)),
    check_ladder,
    each=[0],
    refuses=[lambda s=s: ((np.ones((1, 2)), s), {}) for s in (0.0, -0.1, 1.5, math.nan)],
)
case(
    f"{HOLD}.leaderboard.paired_deviation",
    lambda d: (lambda n: (n, n / 1000 * d.float(-1, 1), 1000))(d.uniform(d.int(1, 4), low=1, high=900).round()),
    lambda result, *_: within(result, 0, 1),
)


def packed_labels(d):
    size, replicas, count = d.int(20, 90), d.int(1, 3), d.int(1, 6)
    return bits.pack(d.uniform(replicas, count, size) < 0.5), bits.pack(d.uniform(replicas, size) < 0.5), size


case(
    f"{HOLD}.leaderboard.free_ladder",
    packed_labels,
    lambda result, *_: within(np.diff(result[0]), -1, 1e-12),
    each=[0, 1],
)


def answers(d):
    shape = (d.int(1, 6),)
    return d.uniform(*shape), d.uniform(*shape), d.float(0, 0.1), d.float(0, 0.1), d.numpy()


case(f"{HOLD}.leaderboard.thresholdout", answers, lambda result, train, *_: shape_is(result, train.shape))
case(
    f"{HOLD}.measure.z_score",
    lambda d: (d.normal(d.int(2, 9), d.int(1, 3)), 0.0),
    lambda result, *_: within(result, 0, math.inf),
)
case(
    f"{HOLD}.networks.shrink",
    lambda d: d.tensor(d.int(1, 4), 28, 28, low=0.0),
    lambda result, pixels: shape_is(result, (len(pixels), 14, 14)),
    each=[0],
)


def assessed(d):
    return (d.one(*DESCRIPTIONS),), {"error": d.float(0, 0.4), "size": d.int(100, 10_000), "delta": d.float(0.001, 1)}


def check_assessed(result, text, *, error, size, delta):
    assert result.bits > 0 and all(error <= bound <= 1 + 1e-9 for bound in result.bounds.values())


case(
    f"{HOLD}.razor.assess",
    assessed,
    check_assessed,
    refuses=[
        lambda options=options: ((DESCRIPTIONS[0],), options)
        for options in (
            {"error": 0.1},
            {"size": 10},
            {"error": -0.1, "size": 10},
            {"error": 1.1, "size": 10},
            {"error": 0.1, "size": 0},
            {"error": 0.1, "size": 10, "delta": 0.0},
        )
    ],
)
case(
    f"{HOLD}.razor.lengths",
    lambda d: ([description.parse(text) for text in DESCRIPTIONS],),
    lambda result, given: within([min(v) for v in result.values()], 1e-9, math.inf),
    examples=1,
)


def bounded(d):
    options = {"delta": d.float(0.001, 1), "inequality": d.one("okamoto", "kl", "binomial", "hoeffding")}
    return (d.float(0, 500), d.float(0, 1), d.int(1, 10_000)), options


def check_bound(result, bits, error, size, *, delta, inequality):
    assert error - 1e-9 <= result <= 1 + 1e-9


REFUSED_BOUNDS = [
    lambda v=v: (v, {})
    for v in ((-1.0, 0.1, 10), (math.nan, 0.1, 10), (1.0, -0.1, 10), (1.0, 1.1, 10), (1.0, 0.1, 0), (1.0, 0.1, 2.5))
] + [lambda: ((1.0, 0.1, 10), {"delta": 0.0}), lambda: ((1.0, 0.1, 10), {"inequality": "chernoff"})]
case(f"{HOLD}.razor_theory.true_error_bound", bounded, check_bound, refuses=REFUSED_BOUNDS, examples=40)
case(
    f"{HOLD}.razor_theory.gap",
    lambda d: (d.uniform(d.int(1, 4), low=1, high=300), d.float(0, 0.5), 1000),
    lambda result, bits, error, size: within(result, -1e-9, 1),
    each=[0],
)


def tail(d):
    size = d.int(1, 60)
    return d.int(0, size), size, d.float(0.05, 0.95)


case(
    f"{HOLD}.razor_theory.log_tail",
    tail,
    lambda result, wrong, size, p: within(result - binom.logcdf(wrong, size, p), -1e-6, 1e-6),
    examples=20,
)
case(
    f"{HOLD}.razor_theory.smallest_of",
    lambda d: (d.int(1, 1000), d.int(10, 500), d.float(0.1, 0.9), np.array([0.1, 0.5, 0.9])),
    lambda result, count, size, *_: within(np.diff(result), 0, size),
)
case(
    f"{HOLD}.razor_theory.logsumexp_tails",
    lambda d: (lambda w: np.log(w / w.sum()))(d.uniform(d.int(1, 9), low=0.1)),
    lambda result, logs: within(np.exp(result) - np.exp(logs)[::-1].cumsum()[::-1], -1e-9, 1e-9),
)


def proposal(d):
    parents = [networks.Trial(), networks.Trial(family="cnn")] if d.one(True, False) else []
    return d.numpy(), d.int(0, 3), d.int(1, 5), parents


case(
    f"{HOLD}.search.propose",
    proposal,
    lambda result, draws, group, count, parents: within(
        len({t.shape for t in result}) == 1 and len(result) == count, 1, 1
    ),
    examples=10,
)
TRIALS = (networks.Trial(), networks.Trial(family="cnn"), networks.Trial(activation="tanh", momentum=0.9))


def check_places(result, trial):
    from offconvex.holdout import search

    assert search.trial_at(np.array(result)) == trial


case(f"{HOLD}.search.places", lambda d: (d.one(*TRIALS),), check_places)


def placed(d):
    from offconvex.holdout import search

    return np.array(search.places(d.one(*TRIALS)))


case(f"{HOLD}.search.trial_at", placed)
case(f"{HOLD}.trials.describe", lambda d: (d.one(*TRIALS), (d.int(0, 9),)))


def votes(d):
    return (d.int(1, 60), d.int(20, 500)), {"flip": d.one(True, False), "noise": d.one(0.0, 0.01)}


case(f"{HOLD}.theory.vote_loss", votes, lambda result, *_, **__: within(result, 0, 0.5 + 1e-9))
case(
    f"{HOLD}.theory.vote_losses",
    lambda d: (([1, d.int(2, 9), 20], d.int(20, 300)), {}),
    lambda result, queries, size: shape_is(result, (len(queries),)),
)
case(f"{HOLD}.theory.kept_and_right", lambda d: votes(d)[0][1:], lambda result, size: within(result, 0, 1))
case(
    f"{HOLD}.theory.vote_loss_normal",
    lambda d: (d.uniform(d.int(1, 4), low=0, high=500), d.int(20, 5000)),
    lambda result, *_: within(result, 0, 0.5),
    each=[0],
)
case(
    f"{HOLD}.theory.luckiest_gap",
    lambda d: (d.uniform(d.int(1, 4), low=1, high=99).round(), d.int(20, 300)),
    lambda result, models, size: within(np.asarray(result) - np.sqrt(np.log(models) / (2 * size)), -1, 1e-9),
    each=[0],
)
case(
    f"{HOLD}.theory.hoeffding_gap",
    lambda d: (d.uniform(d.int(1, 4), low=1, high=999), d.int(20, 300)),
    lambda result, *_: within(result, 0, math.inf),
    each=[0],
)
case(
    f"{HOLD}.theory.ladder_guarantee",
    lambda d: (d.int(1, 1000), d.int(100, 9000), d.float(0.01, 1), d.float(0.01, 0.5)),
    lambda result, queries, size, step, delta: within(result, step, math.inf),
)
case(
    f"{HOLD}.theory.best_step",
    lambda d: (d.int(1, 1000), d.int(100, 9000), d.float(0.01, 0.5)),
    lambda result, *_: within(abs(1 / result - round(1 / result)) < 1e-6 and 0 < result <= 1, 1, 1),
)
case(
    f"{HOLD}.theory.changes_guarantee",
    lambda d: (d.int(20, 1000), d.int(100, 9000), np.arange(d.int(1, 9)), d.float(0.01, 0.5)),
    lambda result, queries, size, changes, delta: within(np.diff(result), 0, math.inf),
)


def binomial(d):
    top = d.int(1, 200)
    return float(top), np.arange(0, top + 1, max(1, top // 4))


case(
    f"{HOLD}.theory.log_binomial",
    binomial,
    lambda result, top, bottom: within(
        np.asarray(result) - [math.log(math.comb(int(top), int(b))) for b in bottom], -1e-7, 1e-7
    ),
    each=[1],
)
case(
    f"{HOLD}.theory.pairs_loss",
    lambda d: (d.uniform(d.int(1, 4), low=0, high=999), d.int(20, 300)),
    lambda result, *_: within(result, 0, 0.5),
    each=[0],
)
case(
    f"{HOLD}.theory.private_guarantee",
    lambda d: (d.uniform(d.int(1, 4), low=0, high=999), d.int(20, 300), d.float(0.01, 1)),
    lambda result, *_: within(result, 0, math.inf),
    each=[0],
)
case(
    f"{HOLD}.simulate.luckiest_gaps",
    lambda d: ([1, 2, 5], d.int(20, 90), 20, d.int(0, 9)),
    lambda result, counts, *_: shape_is(result[0], (3,)),
    examples=3,
    refuses=[lambda: (([3], 10, 20, 0), {}), lambda: (([20], 10, 20, 0), {})],
)
