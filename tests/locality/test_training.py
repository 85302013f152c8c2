"""Training: the objective against its parts, replicas against single runs, and what can be learned at all."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from offconvex import rng, runtime
from offconvex.locality import networks, regularizer, training
from offconvex.locality.networks import Architecture
from offconvex.locality.pathfinder import apart, paper, resnet18
from offconvex.locality.pathfinder import small as small_pathfinder
from offconvex.locality.pathfinder import study as path_study
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
    schedule = TrainingSchedule(epochs=2, batch=8, rate=1e-2, strength=strength, settling=1, record_every=1)
    x, y = toy(rt, 16, 3)
    held = x[0], y[0]
    both = training.train(a, schedule, (x, y), held, one_pair, rt, 5, range(3))
    alone = training.train(a, schedule, (x[2:], y[2:]), held, one_pair, rt, 5, range(2, 3))
    for w, v in zip(both.weights, alone.weights):
        assert torch.allclose(w[2:], v, atol=1e-9)
    assert both.similarity[:, 2] == pytest.approx(alone.similarity[:, 0], abs=1e-7)


def test_what_one_pixel_tells_is_learned_and_what_none_tells_is_not(rt):
    a = Architecture(2, channels=8, blocks=1, kernel=(1, 3))
    schedule = TrainingSchedule(epochs=25, batch=32, rate=1e-2, record_every=5)
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
            TrainingSchedule(epochs=30, batch=32, rate=1e-2, strength=s, record_every=30),
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


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_the_source_s_training_runs_and_stops_when_perfect(strength):
    rt = runtime.resolve("cpu", torch.float32)
    x = rt.normal(rng.generator(0, "images"), 5, 1, 32, 32)
    y = rt.tensor([0.0, 1.0, 0.0, 1.0, 1.0])
    config = paper.Paper(strength=strength, epochs=2, batch=2, patience=0)
    pair = Patch(0, 0, 2, 2), Patch(20, 20, 2, 2)
    record = paper.run(config, (x, y), (x, y), lambda g: pair, rt, 0)
    assert 1 <= len(record.train) <= 2 and np.all((record.test >= 0) & (record.test <= 1))
    assert np.isfinite(record.similarity).all() == bool(strength)


def test_a_step_s_price_grows_with_the_batch_and_the_penalty():
    rt = runtime.resolve("cpu", torch.float32)
    small, large, penalized = (paper.price(32, b, s, rt, 0) for b, s in ((2, 0.0), (4, 0.0), (2, 1.0)))
    assert 1.5 < large.bytes / small.bytes < 2.5 and penalized.bytes > 2 * small.bytes
    assert small.seconds > 0


def test_the_source_s_figure_at_tiny_size():
    rt = runtime.resolve("cpu", torch.float32)
    config = paper.Paper(epochs=1, batch=2)
    records = paper.pathfinder_study((3,), (0.0,), 2, config, rt, 0)
    assert list(records) == [(3, 0.0)] and len(records[3, 0.0].test) == 1
    assert paper.report(records).startswith("3 dashes, λ 0: train ")


def test_a_step_s_operations_are_three_times_its_multiplications_and_additions():
    rt = runtime.resolve("cpu", torch.float32)
    # Each convolution by hand: outputs x kernel x inputs, twice for a multiplication and an addition.
    first = 2 * 16**2 * 64 * 49
    side, inputs, forward = 8, 64, 0
    for channels, stride in resnet18.STAGES:
        for layer in range(4):
            side //= stride if layer == 0 else 1
            forward += 2 * side**2 * channels * 9 * inputs
            if layer == 0 and (stride > 1 or inputs != channels):
                forward += 2 * side**2 * channels * inputs
            inputs = channels
    # Backward costs twice the same, but the first layer needs no derivative by its input.
    plain = 3 * forward + 2 * first + 6 * 512
    assert paper.operations(32, 0.0, rt, 0) == pytest.approx(plain, rel=1e-12)
    # Forward and back to the inputs twice, and back through all of that; no layer is spared, strides cost extra.
    assert 4 * plain < paper.operations(32, 1.0, rt, 0) < 4.6 * plain


def test_a_forecast_counts_every_step():
    rt = runtime.resolve("cpu", torch.float32)
    text = paper.forecast(32, 9, paper.Paper(epochs=3, batch=4), rt, 0)
    assert text.startswith("9 steps at most for each network: 0.0 hours")


def test_wrong_settings_are_told():
    for settings in ({"epochs": 0}, {"rate": 0.0}, {"strength": -1.0}, {"final": 2.0}, {"first": -1.0}):
        with pytest.raises(ValueError, match="got"):
            TrainingSchedule(**settings)
    with pytest.raises(ValueError, match="got"):
        paper.Paper(strength=-1)


def test_devices_are_named(explicit_devices):
    rt = runtime.resolve("cpu")
    a = Architecture(2, channels=2, blocks=1, kernel=(1, 3))
    x, y = toy(rt, 8, 1)
    schedule = TrainingSchedule(epochs=1, batch=4, strength=1.0)
    training.train(a, schedule, (x, y), (x[0], y[0]), one_pair, rt, 0, range(1))


def test_small_networks_on_paths_are_put_together_by_length():
    config = small_pathfinder.SmallPathfinder(
        lengths=(3, 5), used=16, count=8, held_out=6, channels=2, blocks=1, epochs=2, batch=4, strength=1.0,
        seeds=2,
    )  # fmt: skip
    parts = small_pathfinder.parts(config)
    assert parts == [f"dashes-{length}-network-{network}" for length in (3, 5) for network in (0, 1)]
    arrays = [small_pathfinder.run_part(config, part) for part in parts]
    together = small_pathfinder.assemble(config, arrays)
    assert together["test"].shape == (2, 2, 2) and together["epochs"].tolist() == [1, 2]
    assert np.array_equal(together["train"][1, 0], arrays[2]["train"])
    assert not np.array_equal(together["similarity"][0, 0], together["similarity"][0, 1])


def test_the_study_on_paths_is_put_together_by_group():
    config = path_study.PathStudy(epochs=2, count=16, held_out=6, blocks=1, seeds=2, strengths=(0.0, 2.0))
    parts = path_study.study_parts(config)
    assert parts == [f"{group}-network-{network}" for group in ("near", "far-0", "far-2") for network in (0, 1)]
    arrays = [path_study.run_study_part(config, part) for part in parts]
    together = path_study.assemble_study(config, arrays)
    assert together["test"].shape == (3, 2, 2) and together["epochs"].tolist() == [1, 2]
    assert np.array_equal(together["similarity"][2, 1], arrays[5]["similarity"])
    # Twins have one start and one training set; the term moves them apart.
    assert not np.array_equal(together["similarity"][1, 0], together["similarity"][2, 0])
    assert [path_study.label(s) for s in config.settings.values()] == config.labels
    assert config.labels[2] == "6 dashes, 16 images, 1 blocks, λ 2"
    with pytest.raises(ValueError, match="starts with 0"):
        path_study.PathStudy(strengths=(0.1,))


def test_networks_of_the_study_far_apart_share_nothing_but_with_their_twins():
    config = apart.ApartStudy(epochs=2, count=16, held_out=6, seeds=2, settling=1.0, away=2, strength=9.0)
    parts = path_study.study_parts(config)
    groups = ("near", "plain", "start", "regularized")
    assert parts == [f"{group}-network-{network}" for group in groups for network in (0, 1)]
    together = path_study.assemble_study(config, [apart.run_study_part(config, part) for part in parts])
    assert together["test"].shape == (4, 2, 2)
    assert config.labels[2:] == [
        f"6 dashes, 16 images, λ 100 → {strength} within 1 epochs, far patches" for strength in (0, 9)
    ]
    # Plain networks are those that the second seed trains as its first ones: nothing is shared between numbers.
    alone = small_pathfinder.train(config.settings["plain"], 0, config.seed + 1)
    assert np.array_equal(together["similarity"][1, 1], alone["similarity"])
    # Twins have one start and the same images; the term moves them apart, and for longer if it stays.
    ends = together["similarity"][1:, :, -1]
    assert (ends[0] != ends[1]).all() and (ends[1] != ends[2]).all()
    for settings in ({"strength": 0.0}, {"first": 0.01}, {"seeds": 10}):
        with pytest.raises(ValueError, match="got"):
            apart.ApartStudy(**settings)


def test_settings_tried_far_apart_are_known_by_name(monkeypatch):
    tiny = {"epochs": 1, "count": 16, "held_out": 6, "blocks": 1}
    monkeypatch.setattr(apart.ApartSearch, "tried", {n: replace(s, **tiny) for n, s in apart.TRIED.items()})
    config = apart.ApartSearch(names=("0", ".1-from-100"))
    arrays = [path_study.run_search_part(config, part) for part in path_study.search_parts(config)]
    assert path_study.assemble_search(config, arrays)["test"].shape == (2,)
    with pytest.raises(ValueError, match="Settings tried are stretched-3-from-300, "):
        apart.ApartSearch(names=("short",))


def test_settings_tried_on_paths_are_known_by_name(monkeypatch):
    tiny = {"epochs": 1, "count": 16, "held_out": 6, "blocks": 1}
    monkeypatch.setattr(path_study.PathSearch, "tried", {n: replace(s, **tiny) for n, s in path_study.TRIED.items()})
    config = path_study.PathSearch(names=("short", "stretched-1-away"))
    arrays = [path_study.run_search_part(config, part) for part in path_study.search_parts(config)]
    assert path_study.assemble_search(config, arrays)["test"].shape == (2,)
    assert config.labels[1] == "3 long dashes, 16 images, 1 blocks, λ 1, far patches"
    with pytest.raises(ValueError, match="Settings tried are short, "):
        path_study.PathSearch(names=("none",))
