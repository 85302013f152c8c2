"""The kernel's interpolation against ridge, and slopes against autograd."""

import numpy as np
import pytest
import torch

from offconvex import rng
from offconvex.locality import networks, tangent
from offconvex.locality.networks import Architecture
from offconvex.locality.regularizer import Patch

SMALL = Architecture(2, channels=6, blocks=1, kernel=(1, 3))
PAIR = Patch(0, 0, 1, 2), Patch(0, 4, 1, 2)


def strips(rt, name, *shape):
    """Strips of six pixels with two channels, and fair labels."""
    generator = rng.generator(0, name)
    return rt.normal(generator, *shape, 2, 1, 6), (rt.uniform(generator, *shape) > 0.5).to(rt.dtype)


def test_the_interpolation_fits_and_is_the_least_change_of_weights(rt):
    train, held = strips(rt, "train", 1, 24), strips(rt, "held out", 30)
    weights = networks.start(SMALL, rt, networks.start_generators(0, range(1), "test"))
    found = tangent.interpolate(SMALL, weights, train, held, PAIR, (10, 24))
    assert found.train.tolist() == [[1], [1]]
    # Least squares of smallest norm, by another algorithm.
    own, other = (tangent.slopes(SMALL, weights, x) for x in (train[0][0], held[0]))
    for row, count in enumerate((10, 24)):
        change = np.linalg.lstsq(own.numpy()[:count], 2 * train[1][0].numpy()[:count] - 1, rcond=None)[0]
        accuracy = ((other.numpy() @ change > 0) == (held[1].numpy() > 0.5)).mean()
        assert found.test[row, 0] == pytest.approx(accuracy, abs=1e-12)


@pytest.mark.parametrize(("kernel", "residual"), [((1, 3), True), ((3, 3), True), ((3, 1), False)])
def test_slopes_are_autograd_s(rt, kernel, residual):
    architecture = Architecture(2, channels=5, blocks=2, kernel=kernel, residual=residual)
    images = rt.normal(rng.generator(0, "planes"), 3, 2, 4, 6)
    weights = networks.start(architecture, rt, networks.start_generators(0, range(1), "test"))
    together = tangent.slopes(architecture, weights, images, chunk=2)
    leaves = [w.clone().requires_grad_() for w in weights]
    for row, image in zip(together, images):
        gradient = torch.autograd.grad(networks.forward(architecture, leaves, image[None]).sum(), leaves)
        assert torch.allclose(row, torch.cat([g.flatten() for g in gradient]), atol=1e-10)


def test_samples_that_are_the_same_are_fitted_as_well_as_can_be(rt):
    images, labels = strips(rt, "train", 1, 12)
    images[:, 6:], labels[:, 6:] = images[:, :6], labels[:, :6]
    weights = networks.start(SMALL, rt, networks.start_generators(0, range(1), "test"))
    found = tangent.interpolate(SMALL, weights, (images, labels), (images[0], labels[0]), PAIR, (12,))
    assert found.train.tolist() == found.test.tolist() == [[1]]
