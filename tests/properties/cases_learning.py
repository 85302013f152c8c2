"""Properties of tangents, InstaHide, locality and prediction: theory and measures."""

import math

import numpy as np
import torch
from properties import agree, case, within

from offconvex import runtime
from offconvex.instahide import attack, experiments, utility
from offconvex.instahide import measure as hide_measure
from offconvex.instahide import theory as hide_theory
from offconvex.locality import measure as local_measure
from offconvex.locality import regularizer
from offconvex.prediction import baselines, classifiers, gan
from offconvex.prediction import theory as prediction_theory
from offconvex.tangents import (
    learners,
    polynomials,
    series,
    theory,
    thresholds,
    two_layer,
)

RT = runtime.Runtime(torch.device("cpu"), torch.float64)


# --- tangents: closed forms -------------------------------------------------------------------------------------------


def unit(d, *shape):
    x = d.normal(*shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def kernel_points(d):
    size = d.int(1, 5)
    return unit(d, d.int(1, 4), size), unit(d, d.int(1, 4), size), d.one("relu", "erf")


case(
    theory.tangent_kernel,
    kernel_points,
    each=["left"],
    refuses={"activation": ["tanh"], "left: inputs": [lambda x: 2 * x]},
    examples=8,
)


def descent_arguments(d):
    x = d.normal(4, 3)
    kernel = x @ x.T + np.eye(4)
    return kernel, d.normal(d.int(1, 3), 4), d.normal(4), 1 / np.linalg.eigvalsh(kernel)[-1], np.arange(d.int(1, 4))


def descended(kernel, labels, step, times):
    """Coefficients of descent on half the sum of squares, step by step."""
    paths = [np.zeros_like(labels)]
    for _ in range(int(max(times))):
        paths.append(paths[-1] - step * (kernel @ paths[-1] - labels))
    return np.stack(paths)[times]


case(
    theory.kernel_descent,
    descent_arguments,
    lambda r, kernel, across, labels, step, times: agree(r, descended(kernel, labels, step, times) @ across.T, 1e-6),
    refuses={"step": [99.0]},
)


# --- tangents: models -------------------------------------------------------------------------------------------------


def sphere(d):
    return d.rt, d.generator(), d.int(1, 5), d.int(2, 5)


def points(d):
    return polynomials.sphere(*sphere(d))


case(
    polynomials.sphere,
    sphere,
    lambda r, rt, generator, count, dimension: agree(r.square().sum(1), torch.full((count,), dimension, device="cpu")),
)


case(polynomials.quadratic_features, points, each=["points"])
case(
    polynomials.monomials,
    lambda d: (points(d), d.int(1, 3)),
    lambda r, x, degree: (
        r.shape[1] == math.comb(x.shape[1] + degree - 1, degree)
        and within([(r - x[:, :1] ** degree).abs().amin(1).max()], 0, 1e-9)
    ),
    each=["points"],
)


def tall(d):
    size = d.int(1, 3)
    return d.tensor(size + d.int(3, 9), size)


case(polynomials.whitener, tall, refuses={"features": [RT.zeros(2, 3)]})
case(
    polynomials.indicators,
    lambda d: (lambda x, count: (x, d.tensor(count, x.shape[1]), d.tensor(count)))(points(d), d.int(1, 4)),
    lambda r, x, directions, offsets: (
        agree(r, x @ directions.mT + offsets > 0) or agree(r, x @ directions.mT > offsets)
    ),
    each=["points"],
)


def learned(d):
    replicas, count, size = d.int(1, 3), d.int(1, 3), d.int(1, 3)
    return d.tensor(replicas, size, size), d.tensor(replicas, count, size)


case(
    learners.quadratic_values,
    learned,
    lambda r, m, h: agree(r, torch.einsum("rci,rij,rcj->rc", h, m, h), 1e-6),
    each=["matrix", "features"],
)


def kernels(d):
    replicas, count = d.int(1, 3), d.int(1, 4)
    x = d.tensor(replicas, count, count + 1)
    return x @ x.mT, d.tensor(replicas, d.int(1, 3), count), d.tensor(replicas, count)


case(
    learners.kernel_fit,
    kernels,
    lambda r, k, across, y: agree(r, (across @ torch.linalg.solve(k, y[..., None]))[..., 0], 1e-4),
    loose=1e-6,
)


def sides_of(d):
    size = d.int(1, 4)
    return d.rt.tensor(unit(d, d.int(1, 3), size)), d.rt.tensor(unit(d, d.int(1, 3), size))


case(learners.even_kernel, lambda d: (*sides_of(d), d.one(2, 4)), each=["left"])
case(
    learners.tangent_kernel,
    sides_of,
    lambda r, *given: agree(r, learners.tangent_kernel(*given[::-1]).mT, 1e-6),
    each=["left"],
)
case(
    learners.least_nuclear,
    lambda d: (d.tensor(2, 3, 2), d.tensor(2, 3)),
    lambda r, features, labels: (
        within(r.gap, -1e-6, 0.1) and agree(learners.quadratic_values(r.matrix, features), labels, 0.1)
    ),
    examples=2,
    refuses={"features": [RT.zeros(2, 3)], "labels": [RT.zeros(1, 3)]},
)


def taylor(d):
    replicas, sizes, order = d.int(1, 2), [d.int(1, 3) for _ in range(d.int(2, 4))], d.int(0, 3)
    shapes = [(replicas, b, a) for a, b in zip(sizes, sizes[1:])]
    start, move = ([d.tensor(*s) for s in shapes] for _ in range(2))
    return start, move, d.tensor(d.int(1, 3), sizes[0]), order, d.one("relu", "tanh")


def multiplied(weights, inputs, activation):
    x = inputs.expand(len(weights[0]), -1, -1)
    for number, w in enumerate(weights):
        x = x @ w.mT
        if number < len(weights) - 1:
            x = torch.relu(x) if activation == "relu" else torch.tanh(x)
    return x


BAD_TAYLOR = {"order": [-1], "activation": ["step"], "move": [lambda move: [m.repeat(1, 1, 2) for m in move]]}
case(series.expand, taylor, refuses=BAD_TAYLOR, examples=10)
case(series.taylor, taylor, lambda r, *given: agree(r, sum(series.expand(*given)), 1e-6), refuses=BAD_TAYLOR)
case(
    series.network,
    lambda d: (lambda start, move, inputs, order, activation: (start, inputs, activation))(*taylor(d)),
    # Layers may be scaled by their widths: exactly so, or by a constant.
    lambda r, *given: agree(
        r / multiplied(*given).abs().max(),
        multiplied(*given) / multiplied(*given).abs().max() * (r.abs().max() / multiplied(*given).abs().max()),
        1e-6,
    ),
    each=["weights"],
)


def drawn(d):
    return d.rt, d.generator(), d.int(1, 3), 2 * d.int(1, 3), d.int(1, 4), d.one(*two_layer.ACTIVATIONS)


case(
    two_layer.draw,
    drawn,
    lambda r, rt, generator, replicas, width, dimension, activation: (
        tuple(r.weights.shape) == (replicas, width, dimension)
        and set(r.signs.unique().tolist()) == {-1.0, 1.0}
        and agree(r.signs.sum(1), rt.zeros(replicas))
    ),
    refuses={"width": [3], "activation": ["step"]},
)


def check_crossing(result, sizes, errors, level):
    return abs(np.interp(result, sizes, errors[:, 0]) - level) < 0.1


case(
    thresholds.crossing,
    lambda d: (lambda x: (x, (1 - (x - x[0]) / (x[-1] - x[0]))[:, None] + np.zeros(3), d.float(0.1, 0.9)))(
        d.rising(d.int(4, 6), 90, 99)
    ),
    check_crossing,
    refuses={"level: error": [2.0, -0.1]},
)

# --- InstaHide --------------------------------------------------------------------------------------------------------

case(
    hide_theory.accepted_share,
    lambda d: (2, d.float(0.55, 0.95), 0.0),
    # Two coefficients: the larger is at most c with chance 1 - 2 (1 - 2 / pi arctan(c / (1 - c))).
    lambda r, k, upper, _: agree(r, 1 - 2 * (1 - 2 / math.pi * math.atan(upper / (1 - upper))), 1e-3),
    examples=3,
    refuses={"upper": [0.4]},
)


case(
    hide_theory.overlap_of,
    lambda d: d.float(0.64, 0.999),
    lambda r, product: agree(hide_theory.folded_overlap(r), product),
    refuses={"product": [0.5, 1.1, math.nan]},
)


def scored(d):
    count = d.int(2, 9)
    return d.tensor(count), torch.arange(count, device="cpu") < d.int(1, count - 1)


def images(d):
    shape = (d.int(1, 3), 28, 28)
    return d.tensor(*shape, low=-1.0), d.tensor(*shape, low=-1.0)


def check_psnr(result, x, truth):
    return agree(10 ** (-result / 10), (x - truth).square().mean((1, 2)) / 4, 1e-6)


case(hide_measure.auc, scored)
case(hide_measure.psnr, images, check_psnr)
case(
    hide_measure.ssim,
    images,
    lambda r, x, truth: agree(hide_measure.ssim(x, x), torch.ones_like(r)) and within(r, -1, 1 + 1e-9),
    loose=1e-6,
)
case(
    attack.quality,
    images,
    lambda r, *given: (
        agree(r, (float(hide_measure.psnr(*given).mean()), float(hide_measure.ssim(*given).mean())), 1e-6)
        or agree(r, (float(hide_measure.psnr(*given).median()), float(hide_measure.ssim(*given).median())), 1e-6)
    ),
)
case(experiments.mean_psnr, images, lambda r, *given: agree(r, float(hide_measure.psnr(*given).mean()), 1e-6))
case(utility.centered, lambda d: d.tensor(d.int(1, 3), 28, 28, low=0.0), lambda r, x: agree((r + 1) / 2, x, 1e-6))

# --- locality ---------------------------------------------------------------------------------------------------------


case(
    local_measure.sign_flip_p,
    lambda d: (lambda n: (d.normal(n), d.normal(n)))(d.int(1, 6)),
    refuses={"treated: pairs": [np.zeros(21), lambda x: np.append(x, 0.0)]},
)


def batch(d):
    return d.tensor(d.int(2, 4), 1, 6, 6), regularizer.Patch(d.int(0, 3), d.int(0, 3), 2, 3)


case(regularizer.swapped, batch, refuses={"inputs: samples": [lambda x: x[:1]]})


def two_gradients(d):
    shape = (d.int(1, 3), 1, 3, 3)
    return d.tensor(*shape), d.tensor(*shape)


case(
    regularizer.direction_change,
    two_gradients,
    lambda r, *pair: agree(r, 1 - torch.cosine_similarity(*(x.flatten(1) for x in pair)).abs(), 1e-6),
)


case(regularizer.cosine_penalty, lambda d: d.tensor(d.int(1, 3), d.int(1, 4), low=0.0, high=1.0))
case(regularizer.log_penalty, lambda d: d.tensor(d.int(1, 3), d.int(1, 4), low=0.0, high=1.0))


case(
    regularizer.random_pair,
    lambda d: (d.int(6, 9), d.int(6, 9), d.int(1, 3), d.generator()),
    refuses={"side: squares": [9]},
    examples=20,
)

# --- prediction -------------------------------------------------------------------------------------------------------


case(
    prediction_theory.pair_signs,
    lambda d: d.normal(d.int(1, 3), d.int(1, 5)),
    lambda r, x: agree(np.abs(r), np.sign(np.abs(x[:, :, None] - x[:, None]))) and agree(r, -r.swapaxes(-1, -2)),
    each=["values"],
)


case(classifiers.standardize, lambda d: d.tensor(d.int(2, 4), 28, 28, low=0.0))
case(gan.shifted, lambda d: (d.tensor(d.int(1, 3), 28, 28), 0, d.generator()), lambda r, x, *_: torch.equal(r, x))
case(baselines.share, lambda d: d.tensor(d.int(1, 9)) > 0, lambda r, flags: agree(r, sum(flags.tolist()) / len(flags)))
