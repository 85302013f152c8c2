"""What was tried on paths: its names and lines, and that a trial is its setting trained."""

import numpy as np
import pytest

from offconvex import configs, paths
from offconvex.locality.pathfinder import small, trials

TINY = {"architecture": {"blocks": 1}, "schedule": {"epochs": 1}, "count": 16, "held_out": 6}


@pytest.mark.parametrize(
    ("experiment", "name", "line"),
    [
        (trials.TRIED, "stretched-1-away", "3 long dashes, λ 1, far patches"),
        (trials.APART_TRIED, ".1-from-100", "6 dashes, 2048 images, λ 100 → 0.1 within 10 epochs, far patches"),
    ],
)
def test_what_was_tried_is_known_by_name_and_is_run_as_it_says(experiment, name, line):
    config = experiment.config
    assert dict(zip(trials.parts(config), config.labels))[name] == line
    setting, network, seed = trials.parts(config)[name]
    assert (network, seed) == (0, 9)
    part = small.run(config, configs.varied(setting, **TINY), network, seed)
    together = trials.assemble(config, {"one": part, "other": part})
    assert np.array_equal(together["test"], [part["test"][-1]] * 2)


def test_one_network_a_trial_and_one_seed_for_all(tmp_path, monkeypatch):
    text = '[tried]\nstudy = "study"\nall = {}\nseed = 9\nnetworks = [0]\ntrials = [{name = "a"}, {name = "b", %s}]\n'
    monkeypatch.setattr(paths, "book_file", lambda name: tmp_path / name)
    for more, wrong in (("count = 64", False), ("seed = 8", True), ("networks = [0, 1]", True)):
        (tmp_path / "trials.toml").write_text(text % more)
        if wrong:
            with pytest.raises(ValueError, match="tried: on paths there is one network a trial"):
                trials.parts(trials.PathSearch("tried"))
        else:
            assert trials.PathSearch("tried").settings() == {"names": ["a", "b"], "seed": 9}
