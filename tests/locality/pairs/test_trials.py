"""What was tried on pairs: its names and lines, and that a trial is its setting trained."""

import numpy as np
import torch

from offconvex import configs, runtime
from offconvex.locality.pairs import setting as settings
from offconvex.locality.pairs import trials


def test_what_was_tried_has_names_and_lines():
    before, later = trials.TRIED.config, trials.LATER.config
    lines = dict(zip(trials.parts(before), before.labels))
    assert lines["far-2"] == "gap 8, 512 pairs, λ 2, 25 epochs"
    assert lines["farther-fewer-8-from-30"] == "gap 10, 256 pairs, λ 30 → 8 in 40 of 200 epochs"
    assert lines["far-wider"] == "gap 8, 512 pairs, λ 0, 100 epochs, 32 channels"
    assert later.labels[0] == "gap 10, 256 pairs, λ 30 → 8 in 40 of 200 epochs"
    assert later.labels[-1] == "gap 9, 256 pairs, λ 0, 200 epochs, seed 4"
    # What differs is said: no two lines look alike, and no two lists share a name.
    assert len(set(later.labels)) == len(later.labels) and not set(trials.parts(before)) & set(trials.parts(later))
    assert all(trial.study == "locality-first-study" and trial.seed == 0 for trial in before.trials)
    assert all(trial.study == "locality-study" for trial in later.trials)


def test_trials_on_few_networks_are_filled_up():
    parts = {place: {name: np.ones((2, count)) for name in trials.NAMES} for place, count in enumerate((2, 6))}
    rows = trials.assemble(trials.TRIED.config, parts)
    assert rows["test"].shape == (2, 6) and np.isnan(rows["test"]).sum() == 4


def test_a_trial_is_its_setting_run_with_its_seed():
    config = trials.LATER.config
    setting, networks, seed = trials.parts(config)["farther-8-from-1000-seed-4"]
    assert setting.schedule.first == 1000 and list(networks) == [0, 1, 2, 3] and seed == 4
    sizes = {"schedule": {"epochs": 1}, "architecture": {"channels": 4, "blocks": 1}, "count": 64, "held_out": 30}
    tiny = configs.varied(setting, **sizes)
    expected = settings.train(tiny, runtime.resolve("cpu", torch.float32), 5, range(1, 3))
    rows = trials.assemble(config, {"one": settings.run(config, tiny, (1, 2), 5)})
    assert np.array_equal(rows["loss"][0], expected.loss[-1])
