"""Residual networks with normalization and strides: their reach, their twins, and swaps that leave samples apart."""

import copy

import numpy as np
import pytest
import torch

from offconvex import configs, rng, runtime
from offconvex.locality import regularizer
from offconvex.locality.pairs import modern
from offconvex.locality.pairs.modern import ModernSetting

TINY = configs.varied(
    ModernSetting(),
    task={"side": 7},
    channels=(4, 4, 4),
    blocks=1,
    schedule={"epochs": 2, "batch": 8, "records": 2, "penalty": "logarithm"},
    count=24,
    held_out=30,
    asked=4,
)


def with_strength(strength):
    return configs.varied(TINY, schedule={"strength": strength, "first": strength})


def start(setting, rt, seed=0):
    return modern.network(setting, rt, rng.generator(seed, "start"))


@pytest.mark.parametrize(("strides", "blocks"), [((1, 1, 2, 2), 1), ((2, 1, 2, 1), 2)])
def test_the_last_layer_sees_what_the_receptive_field_says(rt, strides, blocks):
    setting = configs.varied(TINY, strides=strides, blocks=blocks, task={"side": 28, "gap": 70})
    network, field = start(setting, rt).eval(), setting.receptive_field
    images = rt.normal(rng.generator(0, "images"), 1, 1, 28, 126).requires_grad_()
    seen = []
    network.blocks.register_forward_hook(lambda module, given, result: seen.append(result))
    network(images)
    # All channels and rows of one place in the middle, whose field the edges do not cut.
    (gradient,) = torch.autograd.grad(seen[0][..., seen[0].shape[-1] // 2].square().sum(), images)
    columns = torch.nonzero(gradient.abs().sum((0, 1, 2))).flatten()
    assert int(columns[-1] - columns[0]) + 1 == field


def test_a_network_too_short_is_a_sum_and_one_that_spans_is_not(rt):
    # Field 25, and fields are 4 apart: up to a gap of 20 some unit sees both images for sure, above 23 none does.
    for gap, spans in ((20, True), (24, False)):
        setting = configs.varied(TINY, task={"side": 28, "gap": gap})
        assert setting.spans is spans
        images, _ = modern.data(setting, rt, 0, 0)[0]
        change = modern.changes(start(setting, rt), images, setting.task.patches)
        assert (change.max().item() > 1e-9) is spans


def test_changes_are_each_samples_own_and_leave_the_network_as_it_was(rt):
    network = start(TINY, rt).train()
    images = modern.data(TINY, rt, 0, 0)[0][0]
    network(images)  # running averages that are not the start's
    before = copy.deepcopy(network.state_dict())
    whole = modern.changes(network, images, TINY.task.patches)
    two = modern.changes(network, images[:2], TINY.task.patches)
    assert torch.allclose(whole[:1], two[:1], rtol=1e-6) and whole.std() > 0
    assert network.training and all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    # In training mode they are not: the batch's averages carry one sample's swap to all others.
    coupled = [regularizer.gradient_change(network, x, *TINY.task.patches)[1][0].item() for x in (images, images[:2])]
    assert abs(coupled[0] - coupled[1]) > 1e-3 * abs(coupled[0])


@pytest.mark.parametrize("strength", [0.0, 0.3])
def test_slopes_of_the_objective_are_those_of_differences(strength):
    rt = runtime.resolve("cpu", torch.float64)
    setting = with_strength(strength)
    network = start(setting, rt).train()
    images, labels = modern.data(setting, rt, 0, 0)[0]
    # No momentum of the averages between two evaluations: they must not differ by it.
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 0.0

    def value():
        return modern.objective(network, images[:8], labels[:8], strength, setting.task.patches, setting)

    weights = list(network.parameters())
    slopes = torch.autograd.grad(value(), weights)
    draws = rng.generator(0, "direction")
    direction = [rt.normal(draws, *w.shape) for w in weights]
    expected = sum((s * d).sum() for s, d in zip(slopes, direction)).item()
    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            for w, d in zip(weights, direction):
                w.add_(sign * 1e-7 * d)
        ends.append(value().item())
        with torch.no_grad():
            for w, d in zip(weights, direction):
                w.sub_(sign * 1e-7 * d)
    assert (ends[0] - ends[1]) / 2e-7 == pytest.approx(expected, rel=1e-4)


def test_training_again_is_the_same_and_twins_share_start_pairs_and_batches():
    rt = runtime.resolve("cpu", torch.float64)
    one, two, none, tiny = (modern.train(with_strength(s), rt, 3, 0) for s in (0.3, 0.3, 0.0, 1e-300))
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert np.allclose(none["loss"], tiny["loss"], atol=1e-9) and not np.allclose(none["loss"], one["loss"], atol=1e-3)
    assert none["epochs"].tolist() == [1, 2] and set(none) == {"epochs", *modern.NAMES, "within"}


def test_networks_have_pairs_and_starts_of_their_own_and_one_test_set(rt):
    (one, held), (two, same) = (modern.data(TINY, rt, 3, replica) for replica in (0, 1))
    assert torch.equal(held[0], same[0]) and not torch.equal(one[0], two[0])
    assert not any(torch.equal(a, b) for a in one[0] for b in held[0])
    assert not torch.equal(start(TINY, rt, 0).stem.weight, start(TINY, rt, 1).stem.weight)


def test_an_easy_task_is_learned():
    rt = runtime.resolve("cpu", torch.float32)
    setting = configs.varied(TINY, schedule={"epochs": 12, "records": 1, "batch": 16}, count=256)
    history = modern.train(setting, rt, 0, 0)
    assert history["train"][-1] > 0.9 and history["test"][-1] > 0.6 and 0 < history["change"][-1] < 1


def test_accuracies_are_those_at_running_averages_chunk_by_chunk(rt):
    network = start(TINY, rt).train()
    images, labels = modern.data(TINY, rt, 0, 0)[0]
    network(images)
    one, two = (modern.evaluate(network, images, labels, chunk=chunk) for chunk in (5, 24))
    assert one == pytest.approx(two, abs=1e-12) and network.training
    outputs = network.eval()(images)
    assert one[0] == ((outputs > 0) == (labels > 0.5)).double().mean()
    assert one[1] == pytest.approx(torch.log1p(torch.exp(-outputs * (2 * labels - 1))).mean().item())


def test_patches_lie_in_two_images_or_in_one():
    draws = rng.generator(0, "pairs")
    across = {modern.drawn_pair(TINY, draws) for _ in range(40)}
    assert across == {TINY.task.patches, TINY.task.patches[::-1]}
    inside = {modern.drawn_pair(configs.varied(TINY, within=True), draws) for _ in range(80)}
    assert inside == {pair[::way] for pair in TINY.task.halves for way in (1, -1)}


def test_settings_that_make_no_sense_are_refused():
    for change in ({"strides": (1, 2)}, {"blocks": 0}):
        with pytest.raises(ValueError, match="one entry more than `channels`"):
            configs.varied(TINY, **change)
    for change in ({"asked": 1}, {"asked": 9}, {"count": 20}):
        with pytest.raises(ValueError, match="lies between 2 and the batch"):
            configs.varied(TINY, **change)


def test_devices_are_named(explicit_devices):
    rt = runtime.resolve("cpu", torch.float32)
    modern.train(configs.varied(with_strength(0.3), schedule={"epochs": 1}), rt, 0, 0)
