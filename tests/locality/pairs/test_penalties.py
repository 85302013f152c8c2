"""Slopes at the start against autograd's on one network, and descent on a penalty alone."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from offconvex import runtime
from offconvex.locality import networks, regularizer
from offconvex.locality.pairs import penalties
from offconvex.locality.pairs import setting as settings
from offconvex.locality.pairs.penalties import Descent, PenaltyStart
from offconvex.locality.pairs.setting import PairSetting

SMALL = PenaltyStart(
    gaps=(0, 2), count=6, networks=2, base=PairSetting(architecture=networks.Architecture(7, 4, 1, (1, 3)), held_out=1)
)


def test_slopes_are_those_of_each_network_alone(rt):
    found = penalties.slopes(SMALL, rt, 3)
    assert found.loss.shape == (2, 2)
    setting = SMALL.setting(2)
    (images, labels), _ = settings.data(setting, rt, 3, range(2))
    weights = networks.start(setting.architecture, rt, networks.start_generators(3, range(2), "locality"))
    own = [w[1:].clone().requires_grad_() for w in weights]
    outputs, change = regularizer.gradient_change(
        lambda x: networks.forward(setting.architecture, own, x), images[1:], *setting.task.patches, differentiable=True
    )
    values = {
        "cosine": (1 - change).mean(),
        "logarithm": -(change + regularizer.FLOOR).log().mean(),
        "loss": functional.binary_cross_entropy_with_logits(outputs, labels[1:]),
    }
    assert found.change[1, 1] == pytest.approx(change.mean().item(), rel=1e-12)
    for name, value in values.items():
        slopes = torch.autograd.grad(value, own, retain_graph=True, allow_unused=True)
        length = sum(0 if g is None else g.square().sum().item() for g in slopes) ** 0.5
        assert getattr(found, name)[1, 1] == pytest.approx(length, rel=1e-10) and length > 0


@pytest.mark.parametrize(("penalty", "rate"), [("cosine", 0.2), ("logarithm", 0.01)])
def test_descent_on_a_penalty_begins_along_its_slope_and_raises_the_change(rt, penalty, rate):
    start = penalties.slopes(SMALL, rt, 3)
    run = penalties.alone(SMALL, 0, penalty, 0.5, rate, rt, 3, steps=20)
    assert run.change[0] == pytest.approx(start.change[0], rel=1e-12) and len(run.times) == len(run.change)
    assert np.all(run.change.max(0) > 2 * run.change[0])
    if penalty == "cosine":
        tiny = penalties.alone(SMALL, 0, penalty, 1.0, 1e-6, rt, 3, steps=1)
        assert (tiny.change[1] - tiny.change[0]) / 1e-6 == pytest.approx(start.cosine[0] ** 2, rel=1e-3)


def test_a_wait_is_the_first_time_there_and_the_descent_ends_once_all_have_been_there(rt):
    run = Descent(np.array([0.0, 0.5, 1.0]), np.array([[0.1, 0.1], [0.3, 0.1], [0.1, 0.2]]))
    assert run.wait(0.2).tolist() == [0.5, 1.0] and np.isnan(run.wait(0.25)).tolist() == [False, True]
    target = float(run.change[0, 0])
    assert len(penalties.alone(SMALL, 0, "cosine", target * 1e-9, 0.1, rt, 3).times) == 1


def test_devices_are_named(explicit_devices):
    rt = runtime.resolve("cpu")
    penalties.slopes(SMALL, rt, 0)
    penalties.alone(SMALL, 0, "logarithm", 0.9, 0.01, rt, 0, steps=1)
