"""The studies on pairs: what they assume of reach, their parts, and how parts are put together."""

import numpy as np
import pytest
import torch

from offconvex import configs, runtime
from offconvex.locality.pairs import setting as settings
from offconvex.locality.pairs import study
from offconvex.locality.pairs.study import PairStudy


def test_a_study_compares_networks_that_span_with_some_that_do_not():
    config = PairStudy()
    assert all(s.spans for name, s in config.points.items() if not name.startswith("short"))
    assert not any(s.spans for name, s in config.points.items() if name.startswith("short"))
    with pytest.raises(ValueError, match="do not"):
        PairStudy(gaps=(0, 40))
    with pytest.raises(ValueError, match="must not see"):
        PairStudy(short_gap=3)
    with pytest.raises(ValueError, match="divide"):
        PairStudy(seeds=5)


def test_a_study_is_put_together_in_its_order():
    config = PairStudy(gaps=(0, 4), strengths=(0.0, 1.0), seeds=4, together=2)
    arrays = [
        {"epochs": np.array([1.0, 2.0]), "choose": np.full(2, float(place))}
        | {name: np.full((2, 2), float(place)) for name in study.NAMES}
        for place, _ in enumerate(study.parts(config))
    ]
    together = study.assemble(config, dict(zip(study.parts(config).values(), arrays)))
    assert together["test"].shape == (2, 2, 2, 4) and together["short test"].shape == (2, 2, 4)
    assert together["test"][:, :, 0, ::2].tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    assert together["short test"][:, 0, ::2].tolist() == [[8, 9], [10, 11]]
    assert together["choose"][1].tolist() == [[4, 4, 5, 5], [6, 6, 7, 7]]


TINY = {"architecture": {"channels": 4}, "schedule": {"epochs": 1}, "count": 64, "held_out": 30}


def test_a_part_of_the_study_is_its_setting_run_on_its_networks():
    config = configs.varied(PairStudy(gaps=(0,), strengths=(0.0, 1.0), seeds=2, together=1), base=TINY)
    part = settings.run(config, *study.parts(config)["gap-0-strength-1-networks-1"])
    assert part["test"].shape == (1, 1) and part["choose"].shape == (1,)
    setting = config.points["gap-0-strength-1"]
    schedule = setting.schedule
    assert (schedule.first, schedule.settling, schedule.strength) == (30.0, 40.0, 1.0)
    assert config.points["gap-0-strength-0"].schedule.first == 0
    rt = runtime.resolve("cpu", torch.float32)
    assert np.array_equal(part["loss"], settings.train(setting, rt, config.seed, range(1, 2)).loss)


def test_networks_trained_again_are_the_study_s():
    config = configs.varied(PairStudy(gaps=(0,), strengths=(0.0, 1.0), seeds=4, together=2), base=TINY)
    rt, parts = runtime.resolve("cpu", torch.float32), study.parts(config)
    ends = [settings.run(config, *parts[f"gap-0-strength-1-networks-{start}"])["test"][-1] for start in (0, 2)]
    found = study.again(config, 0, 1.0, 3, rt, config.seed)
    assert found.shape == (3,) and np.array_equal(found[:2], ends[0])
    assert found[2] == pytest.approx(ends[1][0], abs=1 / 30 + 1e-9)
    assert np.array_equal(study.again(config, 0, 1.0, 4, rt, config.seed), np.concatenate(ends))
    assert study.seed_again(config, 0) == config.seed != study.seed_again(config, 1)


def test_the_first_study_differs_in_its_largest_gap_and_its_seed():
    first, second = study.FIRST_STUDY.config, study.STUDY.config
    assert (first.gaps, first.seed, second.gaps, second.seed) == ((0, 4, 8, 10), 1, (0, 4, 8, 9), 2)
    assert first.settings() | {"gaps": second.gaps, "seed": 2} == second.settings()


def test_the_study_is_made_again_at_its_largest_gap_with_the_strength_it_chose():
    config, again = study.STUDY.config, study.AGAIN.config
    chosen = config.strengths[study.STUDY.load()["choose"][-1, 1:].mean(-1).argmax() + 1]
    assert (again.gaps, again.strengths) == (config.gaps[-1:], (0.0, chosen))
    assert again.base == config.base and again.seed not in (config.seed, study.FIRST_STUDY.config.seed)
    own, earlier = set(study.parts(again).values()), set(study.parts(config).values())
    assert not {(group, seed) for _, group, seed in own} & {(group, seed) for _, group, seed in earlier}
