"""Properties of the rooms on InstaHide, locality and prediction: theory and measures."""

import math

import numpy as np
import torch
from properties import Draw, case, shape_is, within

from offconvex import rng, runtime
from offconvex.locality import regularizer

RT = runtime.Runtime(torch.device("cpu"), torch.float64)


# --- InstaHide --------------------------------------------------------------------------------------------------------

HIDE = "instahide"
case(
    f"{HIDE}.theory.accepted_share",
    lambda d: (d.int(2, 4), d.float(0.55, 1), 0.0),
    lambda result, *_: within(result, 0, 1),
    examples=3,
)
case(f"{HIDE}.theory.folded_overlap", lambda d: d.float(-1, 1), lambda r, _: within(r, 2 / np.pi - 1e-12, 1 + 1e-12))


def check_overlap(result, product):
    from offconvex.instahide import theory

    assert math.isclose(theory.folded_overlap(result), product, rel_tol=1e-9)


case(
    f"{HIDE}.theory.overlap_of",
    lambda d: d.float(0.64, 0.999),
    check_overlap,
    refuses=[lambda p=p: ((p,), {}) for p in (0.5, 1.1, math.nan)],
)


def simplex(d: Draw):
    raw = d.uniform(d.int(1, 4), d.int(2, 4), low=0.1)
    return raw / raw.sum(1, keepdims=True)


case(f"{HIDE}.theory.coefficient_density", simplex, lambda r, c: within(r, 0, math.inf), each=[0])


def scored(d):
    count = d.int(2, 9)
    positive = torch.arange(count, device="cpu") < d.int(1, count - 1)
    return d.tensor(count), positive


case(f"{HIDE}.measure.auc", scored, lambda result, *_: within(result, 0, 1))


def images(d):
    shape = (d.int(1, 3), 28, 28)
    return d.tensor(*shape, low=-1.0), d.tensor(*shape, low=-1.0)


case(f"{HIDE}.measure.psnr", images, lambda result, x, _: shape_is(result, x.shape[:1]), each=[0, 1])
case(f"{HIDE}.measure.ssim", images, lambda result, *_: within(result.numpy(), -1, 1), each=[0, 1], loose=1e-6)
case(f"{HIDE}.attack.quality", images, lambda result, *_: within(result[1], -1, 1))
case(f"{HIDE}.demonstration.mean_psnr", images)
case(
    f"{HIDE}.utility.centered", lambda d: d.tensor(d.int(1, 3), 28, 28, low=0.0), lambda r, _: within(r.numpy(), -1, 1)
)
for name in ("inside", "cross", "mixup"):
    case(f"{HIDE}.scheme.{name}", lambda d: d.int(4, 6), lambda result, k: within(result.images, k, k))

# --- locality ---------------------------------------------------------------------------------------------------------

LOCAL = "locality"
case(
    f"{LOCAL}.theory.receptive_field",
    lambda d: ([(d.int(1, 5), d.int(1, 2)) for _ in range(d.int(1, 4))],),
    lambda result, layers: within(result, max(k for k, _ in layers), math.inf),
)
case(f"{LOCAL}.theory.largest_gap", lambda d: d.int(2, 99), lambda result, field: within(result, field - 2, field - 2))
case(f"{LOCAL}.theory.isotropic_similarity", lambda d: d.int(1, 99), lambda r, _: within(r, 0, 1))
case(
    f"{LOCAL}.measure.sign_flip_p",
    lambda d: [(d.normal(n), d.normal(n)) for n in [d.int(1, 6)]][0],
    lambda result, treated, _: within(result, 2.0 ** -len(treated), 1),
    refuses=[lambda: ((np.zeros(21), np.zeros(21)), {}), lambda: ((np.zeros(2), np.zeros(3)), {})],
)


def batch(d):
    return d.tensor(d.int(2, 4), 1, 6, 6), regularizer.Patch(d.int(0, 3), d.int(0, 3), 2, 3)


def check_swapped(result, inputs, patch):
    shape_is(result, inputs.shape)
    assert torch.equal(result[:-1, :, patch.top, patch.left], inputs[1:, :, patch.top, patch.left])


case(
    f"{LOCAL}.regularizer.swapped",
    batch,
    check_swapped,
    refuses=[lambda: ((RT.zeros(1, 1, 4, 4), regularizer.Patch(0, 0, 2, 2)), {})],
)


def two_gradients(d):
    shape = (d.int(1, 3), 1, 3, 3)
    return d.tensor(*shape), d.tensor(*shape)


case(f"{LOCAL}.regularizer.absolute_cosine", two_gradients, lambda r, *_: within(r.numpy(), 0, 1 + 1e-9), each=[0, 1])


def check_pair(result, height, width, side, _):
    assert not result[0].overlaps(result[1])
    for patch in result:
        assert 0 <= patch.top <= height - side and 0 <= patch.left <= width - side


case(
    f"{LOCAL}.regularizer.random_pair",
    lambda d: (d.int(6, 9), d.int(6, 9), d.int(1, 3), d.generator()),
    check_pair,
    refuses=[lambda: ((4, 4, 3, rng.generator(0, "x")), {})],
)

# --- prediction -------------------------------------------------------------------------------------------------------

PREDICT = "prediction"
case(f"{PREDICT}.theory.birthday_chance", lambda d: (d.int(0, 60), d.float(1, 999)), lambda r, *_: within(r, 0, 1))
case(f"{PREDICT}.theory.birthday_size", lambda d: d.float(2, 9999), lambda r, support: within(r, 2, support + 1))
case(
    f"{PREDICT}.theory.birthday_chance_approximate",
    lambda d: (d.uniform(d.int(1, 4), low=1, high=99), d.float(1, 999)),
    lambda result, *_: within(result, 0, 1),
    each=[0],
)
case(
    f"{PREDICT}.theory.effective_support",
    lambda d: (d.uniform(d.int(1, 4), low=1, high=9), 50),
    lambda result, *_: within(result, 1, math.inf),
    each=[0],
)
case(
    f"{PREDICT}.theory.pair_signs",
    lambda d: d.normal(d.int(1, 3), d.int(1, 5)),
    lambda result, values: within(np.abs(result + result.swapaxes(-1, -2)), 0, 0),
    each=[0],
)
case(
    f"{PREDICT}.theory.same_stratum",
    lambda d: (lambda n: (d.numpy().integers(0, 2, n), d.numpy().integers(0, 3, n)))(d.int(1, 6)),
    lambda result, *_: within(np.diagonal(result), 1, 1),
)
case(
    f"{PREDICT}.theory.kendall",
    lambda d: (lambda n: (d.normal(n), d.normal(n)))(d.int(2, 9)),
    lambda result, *_: within(result, -1, 1),
)
case(
    f"{PREDICT}.theory.mutual_information",
    lambda d: d.numpy().integers(1, 50, (2, 2)).astype(float),
    lambda result, _: within((result[0], result[1] - result[0]), -1e-9, 1 + 1e-9),
)
case(
    f"{PREDICT}.theory.known_images_error",
    lambda d: (d.uniform(3, low=0.5, high=0.9), np.arange(10, 50, 10), 100),
    lambda result, accuracy, known, total: shape_is(result, known.shape),
)
case(
    f"{PREDICT}.classifiers.standardize",
    lambda d: d.tensor(d.int(2, 4), 28, 28, low=0.0),
    lambda result, pixels: shape_is(result, pixels.shape),
)
case(
    f"{PREDICT}.gan.shifted",
    lambda d: (d.tensor(d.int(1, 3), 28, 28), d.int(0, 3), d.generator()),
    lambda result, images, most, _: shape_is(result, images.shape),
)
case(f"{PREDICT}.baselines.share", lambda d: d.tensor(d.int(1, 9)) > 0, lambda result, _: within(result, 0, 1))


def check_halves(result, predictions):
    from offconvex.prediction import study

    assert np.array_equal(study.unpacked(result), predictions)


case(f"{PREDICT}.study.packed", lambda d: d.numpy().integers(0, 10, (d.int(1, 3), 8)).astype(np.uint8), check_halves)
