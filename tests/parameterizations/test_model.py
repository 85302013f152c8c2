"""The maps u -> w against automatic differentiation, and what they refuse."""

import math

import pytest
import torch

from offconvex import descent
from offconvex.parameterizations.dynamics import objective
from offconvex.parameterizations.model import LineLoss, PointLoss, induced_field, jacobians, parameterization

KINDS = (1, 2.0, 3.0, 4.0, 6.0, 0.5, 0.2, "exp", "polar")


def weights() -> torch.Tensor:
    return torch.tensor([[0.3, 0.1], [3.0, 7.5], [9.9, 0.02]], dtype=torch.float64, device="cpu")


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_invert_weights(kind):
    p = parameterization(kind)
    assert torch.allclose(p.weights(p.parameters(weights())), weights(), rtol=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_pullback_and_stretch_are_those_of_the_automatic_jacobian(kind):
    p, w = parameterization(kind), weights()
    g = torch.tensor([[1.0, -2.0], [0.5, 0.1], [-3.0, 4.0]], dtype=torch.float64, device="cpu")
    j = jacobians(kind, w)
    assert torch.allclose(p.pullback(p.parameters(w), g), (j.mT @ g[..., None])[..., 0], rtol=1e-12)
    assert torch.allclose(p.stretch(p.parameters(w)), (j @ j.mT).diagonal(dim1=-2, dim2=-1).sum(-1), rtol=1e-12)


@pytest.mark.parametrize("loss", [PointLoss(), LineLoss(), LineLoss((2.0, 3.0), 7.0)])
@pytest.mark.parametrize("kind", KINDS)
def test_objective_agrees_with_autograd(kind, loss):
    p = parameterization(kind)
    u = p.parameters(weights())
    value, (gradient,) = objective(kind, loss)((u,))
    expected, (slow,) = descent.autograd_objective(lambda q: loss.value(p.weights(q[0])))((u,))
    assert torch.allclose(value, expected, rtol=1e-13)
    assert torch.allclose(gradient, slow, rtol=1e-10)


def test_the_order_of_the_jacobians_matters_in_polar_coordinates():
    w = weights()
    g = PointLoss().gradient(w)
    j = jacobians("polar", w)
    swapped = -(j.mT @ (j @ g[..., None]))[..., 0]
    assert not torch.allclose(induced_field("polar", w, g), swapped, rtol=0.1)


@pytest.mark.parametrize("kind", [0, -1.0, math.nan, math.inf, "log", True])
def test_parameterization_refuses_what_is_no_parameterization(kind):
    with pytest.raises(ValueError, match="power N > 0, 'exp' or 'polar'"):
        parameterization(kind)


def test_losses_refuse_solutions_outside_the_quadrant():
    with pytest.raises(ValueError, match="positive weights only"):
        PointLoss((3.0, 0.0))
    with pytest.raises(ValueError, match="a > 0 and b > 0"):
        LineLoss((1.0, -2.0))
