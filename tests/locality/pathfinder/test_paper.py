"""The source's own experiment at tiny size, and what its steps cost."""

import numpy as np
import pytest
import torch

from offconvex import rng, runtime
from offconvex.locality.pathfinder import paper, resnet18
from offconvex.locality.regularizer import Patch


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
    # A term that is only measured: twice forward, twice back to the inputs, once back to all weights and the inputs.
    measured = 6 * (forward + first + 2 * 512)
    assert paper.operations(32, 1.0, rt, 0, slope=False) == pytest.approx(measured, rel=1e-12)
    assert measured < 2.2 * plain


def test_a_forecast_counts_every_step():
    rt = runtime.resolve("cpu", torch.float32)
    text = paper.forecast(32, 9, paper.Paper(epochs=3, batch=4), rt, 0)
    assert text.startswith("9 steps at most for each network: 0.0 hours")


def test_wrong_settings_are_told():
    with pytest.raises(ValueError, match="got"):
        paper.Paper(strength=-1)
