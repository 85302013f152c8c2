"""The study of modern networks: its arms, its parts, and how parts are put together."""

import numpy as np
import pytest
import torch

from offconvex import configs, runtime
from offconvex.locality.pairs import modern, modern_study
from offconvex.locality.pairs.modern_study import ModernStudy


def test_arms_differ_in_their_term_alone():
    config = ModernStudy()
    plain, log, wrong = (config.setting(arm, 40) for arm in ("plain", "logarithm", "wrong patches"))
    assert plain.schedule.strength_at(0) == plain.schedule.strength_at(plain.schedule.epochs) == 0
    assert log.schedule.strength_at(0) == 0.3 and log.schedule.strength_at(log.schedule.epochs) == 0.05
    assert configs.varied(log, schedule={"first": 0.0, "strength": 0.0, "settling": 0.0}) == plain
    assert configs.varied(wrong, within=False) == log and wrong.within
    with pytest.raises(ValueError, match="must see pixels of both"):
        configs.varied(config, base={"blocks": 1})
    with pytest.raises(ValueError, match="no 'plain' at gap 7"):
        config.row("plain", 7)


def test_a_study_is_put_together_in_its_order():
    config = ModernStudy(seeds=2)
    results = {
        key: {name: np.full(3, float(place)) for name in ("epochs", *modern.NAMES)} | {"within": np.array(float(place))}
        for place, key in enumerate(modern_study.parts(config).values())
    }
    together = modern_study.assemble(config, dict(reversed(results.items())))
    assert together["test"].shape == (5, 3, 2) and together["within"].shape == (5, 2)
    assert together["test"][config.row("plain", 0)].tolist() == [[4, 5]] * 3
    assert together["within"][config.row("wrong patches", 40)].tolist() == [8, 9]


def test_a_part_is_one_network_of_a_setting():
    base = {
        "task": {"side": 7},
        "channels": (4, 4, 4),
        "blocks": 1,
        "schedule": {"epochs": 1, "batch": 8},
        "count": 16,
        "held_out": 20,
        "asked": 4,
    }
    config = configs.varied(ModernStudy(points=(("logarithm", 2),)), base=base)
    part = modern_study.run(config, *modern_study.parts(config)["logarithm-gap-2-network-1"])
    other = modern.train(config.setting("logarithm", 2), runtime.resolve("cpu", torch.float32), 600, 1)
    assert all(np.array_equal(part[name], other[name]) for name in part) and part["test"].shape == (1,)
