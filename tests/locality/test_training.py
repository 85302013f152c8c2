"""Training: the objective against its parts, replicas against single runs, and what can be learned at all."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from offconvex import rng, runtime
from offconvex.locality import networks, regularizer, training
from offconvex.locality.networks import Architecture
from offconvex.locality.regularizer import Patch
from offconvex.locality.training import TrainingSchedule

PAIR = Patch(0, 0, 1, 2), Patch(0, 4, 1, 2)


def one_pair(generator):
    return PAIR


def toy(rt, count, replicas, name="toy"):
    """Strips of six pixels with two channels; the label is the sign of the first."""
    x = rt.normal(rng.generator(0, name), replicas, count, 2, 1, 6)
    return x, (x[:, :, 0, 0, 0] > 0).to(rt.dtype)


def test_the_objective_is_loss_plus_lambda_times_surrogate(rt):
    a = Architecture(2, channels=3, blocks=1, kernel=(1, 3))
    weights = networks.start(a, rt, networks.start_generators(0, range(2), "test"))
    x, y = toy(rt, 8, 2)
    outputs, similar = regularizer.gradient_similarity(lambda v: networks.forward(a, weights, v), x, *PAIR)
    for r in range(2):
        plain = functional.binary_cross_entropy_with_logits(outputs[r], y[r])
        for strength in (0.0, 0.7):
            whole = training.objective(a, weights, x, y, strength, PAIR)[r]
            assert whole.item() == pytest.approx((plain + strength * similar[r].mean()).item(), rel=1e-12)


@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_a_replica_trains_as_if_it_were_alone(rt, strength):
    a = Architecture(2, channels=3, blocks=1, kernel=(1, 3))
    schedule = TrainingSchedule(epochs=2, batch=8, rate=1e-2, strength=strength, settling=1, records=2)
    x, y = toy(rt, 16, 3)
    held = x[0], y[0]
    both = training.train(a, schedule, (x, y), held, one_pair, rt, 5, range(3))
    alone = training.train(a, schedule, (x[2:], y[2:]), held, one_pair, rt, 5, range(2, 3))
    for w, v in zip(both.weights, alone.weights):
        assert torch.allclose(w[2:], v, atol=1e-9)
    assert both.similarity[:, 2] == pytest.approx(alone.similarity[:, 0], abs=1e-7)


def test_what_one_pixel_tells_is_learned_and_what_none_tells_is_not(rt):
    a = Architecture(2, channels=8, blocks=1, kernel=(1, 3))
    schedule = TrainingSchedule(epochs=25, batch=32, rate=1e-2, records=5)
    x, y = toy(rt, 128, 2)
    x[1] = rt.normal(rng.generator(0, "other"), *x[1].shape)
    test, label = toy(rt, 500, 1, "held out")
    # Blind to position by its mean over places, the network tells the first pixel by the zeros beside it.
    run = training.train(a, schedule, (x, y), (test[0], label[0]), one_pair, rt, 0, range(2))
    assert run.test[-1, 0] > 0.75 > run.test[-1, 1]
    assert run.epochs.tolist() == [5, 10, 15, 20, 25] and np.all(np.diff(run.loss[:, 0]) < 0)


def test_lambda_warms_up_or_cools_down_and_settles():
    up, down = TrainingSchedule(strength=2.0, settling=4), TrainingSchedule(strength=2.0, first=10.0, settling=4)
    assert [up.strength_at(e) for e in (0, 1, 4, 9)] == [0, 0.5, 2, 2]
    assert [down.strength_at(e) for e in (0, 1, 4, 9)] == [10, 8, 2, 2]
    assert TrainingSchedule(strength=3.0, first=7.0).strength_at(0) == 3


def test_the_rate_rises_stays_and_falls():
    schedule = TrainingSchedule(epochs=10, rate=2.0, warming=4.0, final=0.2)
    assert [schedule.rate_at(e) for e in (0, 1, 4, 8, 9)] == pytest.approx([0, 0.5, 2, 2, 1])
    assert TrainingSchedule(epochs=10, rate=2.0, final=0.0).rate_at(0) == 2.0
    with pytest.raises(ValueError, match="negative"):
        TrainingSchedule(warming=-1.0)


def test_the_penalty_lowers_the_surrogate(rt):
    a = Architecture(2, channels=8, blocks=2, kernel=(1, 3))
    x, y = toy(rt, 64, 2)
    runs = [
        training.train(
            a,
            TrainingSchedule(epochs=30, batch=32, rate=1e-2, strength=s, records=1),
            (x, y),
            (x[0], y[0]),
            one_pair,
            rt,
            0,
            range(2),
        )
        for s in (0.0, 5.0)
    ]
    assert np.all(runs[1].similarity[-1] < runs[0].similarity[-1] - 0.1)


def test_the_objective_takes_the_penalty_and_the_strength_of_each_replica(rt):
    a = Architecture(2, channels=3, blocks=1, kernel=(1, 3))
    weights = networks.start(a, rt, networks.start_generators(0, range(2), "test"))
    x, y = toy(rt, 8, 2)
    outputs, change = regularizer.gradient_change(lambda v: networks.forward(a, weights, v), x, *PAIR)
    strength = rt.tensor([0.5, 2.0])
    whole = training.objective(a, weights, x, y, strength, PAIR, penalty=regularizer.log_penalty)
    for r in range(2):
        plain = functional.binary_cross_entropy_with_logits(outputs[r], y[r])
        added = strength[r] * -(change[r] + regularizer.FLOOR).log().mean()
        assert whole[r].item() == pytest.approx((plain + added).item(), rel=1e-12)


SHORT = {"epochs": 2, "batch": 8, "rate": 1e-2, "records": 1}


def trained(rt, **course):
    """Weights of one toy network."""
    a = Architecture(2, channels=3, blocks=1, kernel=(1, 3))
    x, y = toy(rt, 16, 1)
    schedule = TrainingSchedule(**SHORT, **course)
    return training.train(a, schedule, (x, y), (x[0], y[0]), one_pair, rt, 5, range(1)).weights


def apart(one, other):
    return max((w - v).abs().max().item() for w, v in zip(one, other, strict=True))


def test_a_relative_strength_counts_in_units_of_one_over_the_change_at_the_start(rt):
    a = Architecture(2, channels=3, blocks=1, kernel=(1, 3))
    weights = networks.start(a, rt, networks.start_generators(5, range(1), "locality"))
    x, _ = toy(rt, 16, 1)
    change = 1 - training.similarity(a, weights, x[0], [PAIR])[0]
    assert 0 < change < 0.9
    relative = trained(rt, strength=0.1, relative=True)
    assert apart(relative, trained(rt, strength=0.1 / change)) < 1e-12 < apart(relative, trained(rt, strength=0.1))


def test_penalty_and_decay_reach_the_training(rt):
    cosine = trained(rt, strength=0.1)
    assert apart(cosine, trained(rt, strength=0.1, penalty="logarithm")) > 1e-4
    # Without labels' or penalty's slope Adam would only shrink the weights; with both, decay still makes them smaller.
    plain, decayed = trained(rt), trained(rt, decay=10.0)
    assert sum(w.square().sum() for w in decayed) < sum(w.square().sum() for w in plain)


def test_wrong_settings_are_told():
    wrong = ({"epochs": 0}, {"rate": 0.0}, {"strength": -1.0}, {"final": 2.0}, {"first": -1.0}, {"decay": -1e-3})
    for settings in wrong:
        with pytest.raises(ValueError, match="got"):
            TrainingSchedule(**settings)
    with pytest.raises(ValueError, match="one of cosine, logarithm, deep logarithm; got 'absolute'"):
        TrainingSchedule(penalty="absolute")


def test_devices_are_named(explicit_devices):
    rt = runtime.resolve("cpu")
    a = Architecture(2, channels=2, blocks=1, kernel=(1, 3))
    x, y = toy(rt, 8, 1)
    schedule = TrainingSchedule(epochs=1, batch=4, strength=1.0)
    training.train(a, schedule, (x, y), (x[0], y[0]), one_pair, rt, 0, range(1))
