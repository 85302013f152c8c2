"""Properties of flow and descent, and of parameterizations."""

import math

import numpy as np
import torch
from properties import agree, case

from offconvex.flow_vs_descent import backward_error, step_sizes
from offconvex.flow_vs_descent import theory as flow_theory
from offconvex.parameterizations import dynamics, incremental, measure, model, theory

# --- flow and descent -------------------------------------------------------------------------------------------------


case(
    flow_theory.gap_between_steps,
    lambda d: d.uniform(d.int(1, 5), low=1, high=64),
    lambda r, ratio: agree((1 - r) * ratio, np.ones_like(ratio)),
    each=["ratio"],
)


def network_layers(d):
    return tuple(d.tensor(1, d.int(1, 3), d.int(1, 3)) for _ in range(d.int(1, 3)))


case(
    backward_error.flatten,
    lambda d: (network_layers(d),),
    lambda r, layers: agree(r, torch.cat([layer.flatten() for layer in layers])),
    single=False,
)
case(
    backward_error.unflatten,
    lambda d: (lambda layers: (d.normal(sum(x.numel() for x in layers)), layers))(network_layers(d)),
    lambda r, vector, like: (
        [x.shape for x in r] == [x.shape for x in like] and agree(backward_error.flatten(r), vector)
    ),
)
case(
    step_sizes.distance,
    lambda d: (lambda shape: (d.normal(*shape), d.normal(*shape)))((d.int(1, 4), d.int(1, 4))),
    lambda r, left, right: agree(r**2, ((left - right) ** 2).sum(1)),
    each=["left", "right"],
)


# --- parameterizations ------------------------------------------------------------------------------------------------

KINDS = (1, 2, 3, 0.5, "exp")
REFUSED_KINDS = {"kind: N": [0, -1, math.nan, math.inf, "power", True]}


def weights(d):
    return d.uniform(d.int(1, 5), 2, low=0.1, high=3)


case(model.parameterization, lambda d: d.one(*KINDS, "polar"), refuses=REFUSED_KINDS)


def moving(d):
    w = d.rt.tensor(weights(d))
    return d.one(*KINDS, "polar"), w, d.tensor(*w.shape)


case(
    model.induced_field,
    moving,
    lambda r, kind, w, gradient: agree(r, theory.field(kind, w.numpy(), gradient.numpy()), 1e-6),
    each=["w", "gradient"],
)
case(model.jacobians, lambda d: moving(d)[:2], each=["w"])
case(
    dynamics.starting_parameters,
    lambda d: moving(d)[:2],
    lambda r, kind, w: agree(model.parameterization(kind).weights(r), w, 1e-6),
    each=["starts"],
    refuses={"starts": [torch.zeros_like, lambda w: -w]},
)


case(dynamics.objective, lambda d: (d.one(*KINDS), model.PointLoss((3.0, 6.0))))


case(
    theory.exponent,
    lambda d: d.one(*KINDS),
    lambda r, kind: r == (2.0 if kind == "exp" else 2 - 2 / kind),
    refuses={"kind: N": [0, -1, "polar", "power", math.nan]},
)


case(theory.min_norm_point, lambda d: d.float(1.1, 4), refuses={"p": [0.0, -1.0]})


def check_sine(result, radius, start_radius, start_angle):
    """At the starting radius the sine of the starting angle; further out it falls by a Gaussian factor."""
    return agree(result * np.exp(radius**2 / 2), math.sin(start_angle) * np.exp(start_radius**2 / 2) + 0 * radius)


case(
    theory.polar_sine,
    lambda d: (d.uniform(d.int(1, 4), low=1, high=3), 1.0, d.float(-1, 1)),
    check_sine,
    each=["radius"],
)


def timed(d):
    start = d.float(0.01, 0.4)
    return d.one(1, 2, 4, "exp"), start, start * d.float(1.1, 2), 1.0


case(theory.learning_time, timed, refuses={"start": [0.0, 1.5], "end": [1.5, -0.2]})
case(theory.exact_time, timed, lambda r, *given: agree(r, theory.learning_time(*given), 1e-6), refuses={"kind: N": [3]})


def race_sizes(d):
    return d.one(2, 3, "exp"), d.float(1.5, 4), d.float(0.05, 0.25), d.float(0.75, 0.95)


RACES = {"ratio": [1.0], "slow": [0.99, 0.0], "fast": [1.0, 0.01]}
case(theory.threshold, race_sizes, refuses=RACES, examples=8)
case(
    theory.threshold_bounds,
    race_sizes,
    lambda r, *given: r[0] - 1e-9 <= theory.threshold(*given) <= r[1] + 1e-9,
    refuses=RACES | {"kind: N": [1]},
)
case(
    theory.threshold_law,
    lambda d: (lambda kind, ratio, slow, fast: (kind, slow, fast))(*race_sizes(d)),
    refuses={"kind: N": [1]},
)
case(
    incremental.largest_start,
    lambda d: (3, 2.0, 0.3, d.float(0.5, 0.8)),
    lambda r, kind, ratio, slow, fast: (
        agree(math.exp(r), theory.threshold(kind, ratio, slow, fast), 0.05)
        or agree(r, theory.threshold(kind, ratio, slow, fast), 0.05)
    ),
    examples=1,
)


def two_lists(d):
    shape = (d.int(1, 5), 2)
    return d.uniform(*shape, low=0.1), d.uniform(*shape, low=0.1)


def angle(a, b):
    return np.arccos((a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1))


case(
    measure.relative_error,
    two_lists,
    lambda r, x, expected: agree(r, max(np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(x, expected))),
)
case(
    measure.mean_relative_distance,
    two_lists,
    lambda r, x, expected: agree(r, (np.linalg.norm(x - expected, axis=1) / np.linalg.norm(expected, axis=1)).mean()),
)
case(measure.angle_between, two_lists, lambda r, *given: agree(r, angle(*given), 1e-6), each=["first", "second"])
