"""Gap 20 once more: what differs from the study of ranges, and how its parts are joined."""

import numpy as np

from offconvex import configs
from offconvex.locality.pairs import farther
from offconvex.locality.pairs.farther import FartherStudy


def test_the_arms_differ_in_the_term_alone():
    plain, deep = (FartherStudy().setting(deep=deep) for deep in (False, True))
    assert plain == configs.varied(deep, schedule={"penalty": "cosine", "strength": 0.0, "first": 0.0, "settling": 0.0})
    assert deep.schedule.penalty == "deep logarithm" and deep.schedule.settling == deep.schedule.epochs
    across = deep.task.canvas[2]
    assert deep.architecture.receptive_field[1] >= 2 * across - 1


def test_parts_are_joined_in_order():
    config = FartherStudy()
    results = {
        arguments: {name: np.full((3, 4), 10.0 * arguments[0] + arguments[1].start) for name in farther.NAMES}
        | {"epochs": np.arange(3.0)}
        for arguments in farther.parts(config).values()
    }
    joined = farther.assemble(config, results)
    assert joined["test"].shape == (2, 3, 8)
    assert joined["test"][0, 0].tolist() == [0.0] * 4 + [4.0] * 4
    assert joined["test"][1, 0].tolist() == [10.0] * 4 + [14.0] * 4


def test_a_small_run_has_all_columns():
    base = {"together": 1, "long": 17, "gaps": (0, 20)}
    small = {"schedule": {"epochs": 1, "records": 1}, "count": 64, "held_out": 16, "architecture": {"channels": 2}}
    config = configs.varied(FartherStudy(), base={**base, "base": small})
    found = farther.run(config, True, range(1))
    assert found.keys() == {"epochs", *farther.NAMES} and found["test"].shape == (1, 1)
