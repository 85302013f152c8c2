"""Properties of flow and descent, and of parameterizations."""

import math

import numpy as np
import torch
from properties import agree, case, within
from scipy.integrate import quad

from offconvex import runtime
from offconvex.descent import autograd_objective
from offconvex.flow_vs_descent import backward_error, step_sizes
from offconvex.flow_vs_descent import theory as flow_theory
from offconvex.parameterizations import dynamics, incremental, measure, model, theory

RT = runtime.Runtime(torch.device("cpu"), torch.float64)


# --- flow and descent -------------------------------------------------------------------------------------------------


case(
    flow_theory.gap_between_steps,
    lambda d: d.uniform(d.int(1, 5), low=1, high=64),
    lambda r, ratio: agree((1 - r) * ratio, np.ones_like(ratio)),
    each=["ratio"],
)
case(
    flow_theory.deep_linear_bound,
    lambda d: (lambda count: (d.uniform(count), d.uniform(count, d.int(2, 5))))(d.int(1, 4)),
    lambda r, norm, layers: agree(
        -r, (layers.shape[1] - 1) * norm * layers.prod(1) / np.sort(layers)[:, :2].prod(1), 1e-6
    ),
    each=["end_gradient_norm", "layer_norms"],
)


def check_chain(result, weight, depth):
    for least, w in zip(result, weight):
        square, cross = w ** (2 * depth - 2), w ** (2 * depth - 2) - (1 - w**depth) * w ** (depth - 2)
        hessian = np.full((depth, depth), cross) + np.diag(np.full(depth, square - cross))
        assert math.isclose(least, np.linalg.eigvalsh(hessian)[0], rel_tol=1e-6, abs_tol=1e-9)


case(
    flow_theory.scalar_chain_eigenvalue,
    lambda d: (d.uniform(d.int(1, 5), low=0.1), d.int(2, 5)),
    check_chain,
    each=["weight"],
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


def check_model(result, kind):
    w = RT.tensor([[0.5, 2.0], [1.5, 0.7]])
    return agree(result.weights(dynamics.starting_parameters(kind, w)), w, 1e-6)


case(model.parameterization, lambda d: d.one(*KINDS, "polar"), check_model, refuses=REFUSED_KINDS)


def moving(d):
    w = d.rt.tensor(weights(d))
    return d.one(*KINDS, "polar"), w, d.tensor(*w.shape)


def check_jacobian(result, kind, w):
    """J J^T is the metric of the induced field."""
    gradient = torch.ones_like(w)
    moved = -(result @ (result.mT @ gradient[..., None]))[..., 0]
    return agree(moved, theory.field(kind, w.numpy(), gradient.numpy()), 1e-6)


case(
    model.induced_field,
    moving,
    lambda r, kind, w, gradient: agree(r, theory.field(kind, w.numpy(), gradient.numpy()), 1e-6),
    each=["w", "gradient"],
)
case(model.jacobians, lambda d: moving(d)[:2], check_jacobian, each=["w"])
case(
    dynamics.starting_parameters,
    lambda d: moving(d)[:2],
    lambda r, kind, w: agree(model.parameterization(kind).weights(r), w, 1e-6),
    each=["starts"],
    refuses={"starts": [torch.zeros_like, lambda w: -w]},
)


def check_gradient(result, kind, loss):
    u = dynamics.starting_parameters(kind, RT.tensor([[0.5, 2.0], [1.0, 1.5]]))
    made = model.parameterization(kind)
    value, (gradient,) = result((u,))
    other, (expected,) = autograd_objective(lambda p: loss.value(made.weights(p[0])))((u,))
    return torch.allclose(value, other) and torch.allclose(gradient, expected)


case(dynamics.objective, lambda d: (d.one(*KINDS), model.PointLoss((3.0, 6.0))), check_gradient)


def field_arguments(d):
    w = weights(d)
    return d.one(*KINDS), w, d.normal(*w.shape)


def check_exponent(result, kind, w, gradient):
    factor = -result / gradient
    again = -theory.field(kind, 2 * w, gradient) / gradient
    return agree(again / factor, np.full_like(w, 2.0 ** theory.exponent(kind)), 1e-6)


case(theory.field, field_arguments, check_exponent, each=["w", "gradient"])
case(
    theory.exponent,
    lambda d: d.one(*KINDS),
    lambda r, kind: r == (2.0 if kind == "exp" else 2 - 2 / kind),
    refuses={"kind: N": [0, -1, "polar", "power", math.nan]},
)


def check_conserved(result, kind, w, normal=(1.0, 2.0)):
    """It does not change along the field of a gradient along the normal."""
    moved = w + 1e-6 * theory.field(kind, w, -np.broadcast_to(np.array(normal), w.shape))
    back = w - 1e-6 * theory.field(kind, w, -np.broadcast_to(np.array(normal), w.shape))
    return within(np.abs(theory.conserved(kind, moved) - theory.conserved(kind, back)), 0, 1e-9)


case(theory.conserved, lambda d: (d.one(*KINDS), weights(d)), check_conserved, each=["w"])


def check_on_line(result, *_):
    return math.isclose(result @ np.array([1.0, 2.0]), 15.0, rel_tol=1e-8) and bool((result > 0).all())


def check_least(result, p):
    line = np.array([2.0, -1.0])
    norms = [(np.abs(result + s * line) ** p).sum() for s in (-1e-3, 0, 1e-3)]
    return check_on_line(result) and norms[1] <= min(norms)


case(theory.min_norm_point, lambda d: d.float(1.1, 4), check_least, refuses={"p": [0.0, -1.0]})


def check_sine(result, radius, start_radius, start_angle):
    # At the starting radius it is the sine of the starting angle.
    return math.isclose(
        theory.polar_sine(np.array([start_radius]), start_radius, start_angle)[0], math.sin(start_angle)
    ) and within(result, -1, 1)


case(
    theory.polar_sine,
    lambda d: (d.uniform(d.int(1, 4), low=1, high=3), 1.0, d.float(-1, 1)),
    check_sine,
    each=["radius"],
)


def timed(d):
    start = d.float(0.01, 0.4)
    return d.one(1, 2, 4, "exp"), start, start * d.float(1.1, 2), 1.0


def check_time(result, kind, start, end, target):
    """Integral of one over the speed x^exponent (target - x), with the parameterization's own factor."""
    speed = lambda x: theory.field(kind, np.array([[x, 1.0]]), np.array([[x - target, 0.0]]))[0, 0]  # noqa: E731
    return agree(result, quad(lambda x: (1 if kind == "exp" else kind**2) / speed(x), start, end)[0], 1e-6)


case(theory.learning_time, timed, check_time, refuses={"start": [0.0, 1.5], "end": [1.5, -0.2]})
case(theory.exact_time, timed, lambda r, *given: agree(r, theory.learning_time(*given), 1e-6), refuses={"kind: N": [3]})
case(
    theory.exact_solution,
    lambda d: (d.one(1, 2, 4, "exp"), d.rising(d.int(2, 5), 0, 5), d.float(0.05, 0.9), 1.0),
    lambda r, kind, times, start, target: (
        agree(theory.exact_time(kind, start, r[-1], target), times[-1], 1e-4) or r[-1] > 1 - 1e-9
    ),
    each=["times"],
    loose=1e-6,
)


def race_sizes(d):
    return d.one(2, 3, "exp"), d.float(1.5, 4), d.float(0.05, 0.25), d.float(0.75, 0.95)


def check_threshold(result, kind, ratio, slow, fast):
    low, high = theory.threshold_bounds(kind, ratio, slow, fast)
    return low - 1e-9 <= result <= high + 1e-9


RACES = {"ratio": [1.0], "slow": [0.99, 0.0], "fast": [1.0, 0.01]}
case(theory.threshold, race_sizes, check_threshold, refuses=RACES, examples=8)
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


def several_paths(d):
    return d.uniform(d.int(2, 5), d.int(1, 3), 2, low=0.1)


case(
    measure.angle_to,
    lambda d: (several_paths(d), (1.0, 2.0)),
    lambda r, paths, normal: (
        agree(np.abs(r), angle(paths, np.array(normal)), 1e-6)
        and within(r * (paths[..., 1] - 2 * paths[..., 0]), 0, 99)
    ),
    each=["paths"],
)
