"""The studies on paths: their parts, and how parts are put together."""

import numpy as np
import pytest

from offconvex import configs
from offconvex.locality.pathfinder import small, study

TINY = {"schedule": {"epochs": 2}, "count": 16, "held_out": 6}


def run(config, parts):
    """The parts of a study, put together."""
    return study.assemble(config, {arguments: small.run(config, *arguments) for arguments in parts.values()})


def test_small_networks_on_paths_are_put_together_by_length():
    sizes = {"task": {"used": 16}, "architecture": {"channels": 2, "blocks": 1}, "count": 8, "held_out": 6}
    schedule = {"epochs": 2, "batch": 4, "strength": 1.0}
    config = configs.varied(study.SmallPathfinder(lengths=(3, 5), seeds=2), base=sizes | {"schedule": schedule})
    parts = study.parts(config)
    assert list(parts) == [f"dashes-{length}-network-{network}" for length in (3, 5) for network in (0, 1)]
    together = run(config, parts)
    assert together["test"].shape == (2, 2, 2) and together["epochs"].tolist() == [1, 2]
    third = small.run(config, *parts["dashes-5-network-0"])
    assert np.array_equal(together["train"][1, 0], third["train"])
    assert not np.array_equal(together["similarity"][0, 0], together["similarity"][0, 1])


def test_the_study_on_paths_is_put_together_by_group():
    config = study.PathStudy(seeds=2, strengths=(0.0, 2.0))
    config = configs.varied(config, base=TINY | {"architecture": {"blocks": 1}})
    parts = study.parts(config)
    assert list(parts) == [f"{group}-network-{network}" for group in ("near", "far-0", "far-2") for network in (0, 1)]
    together = run(config, parts)
    assert together["test"].shape == (3, 2, 2) and together["epochs"].tolist() == [1, 2]
    last = small.run(config, *parts["far-2-network-1"])
    assert np.array_equal(together["similarity"][2, 1], last["similarity"])
    # Twins have one start and one training set; the term moves them apart.
    assert not np.array_equal(together["similarity"][1, 0], together["similarity"][2, 0])
    assert config.labels[2] == "6 dashes, 16 images, 1 blocks, λ 2"
    with pytest.raises(ValueError, match="starts with 0"):
        study.PathStudy(strengths=(0.1,))


def test_networks_of_the_study_far_apart_share_nothing_but_with_their_twins():
    schedule = {"epochs": 2, "settling": 1.0, "strength": 9.0}
    config = configs.varied(study.ApartStudy(seeds=2), base=TINY | {"schedule": schedule, "away": 2})
    parts = study.parts_apart(config)
    groups = ("near", "plain", "start", "regularized")
    assert list(parts) == [f"{group}-network-{network}" for group in groups for network in (0, 1)]
    together = run(config, parts)
    assert together["test"].shape == (4, 2, 2)
    assert config.labels[2:] == [
        f"6 dashes, 16 images, λ 100 → {strength} within 1 epochs, far patches" for strength in (0, 9)
    ]
    # Plain networks are those that the second seed trains as its first ones: nothing is shared between numbers.
    alone = small.run(config, config.groups["plain"], 0, config.seed + 1)
    assert np.array_equal(together["similarity"][1, 1], alone["similarity"])
    # Twins have one start and the same images; the term moves them apart, and for longer if it stays.
    ends = together["similarity"][1:, :, -1]
    assert (ends[0] != ends[1]).all() and (ends[1] != ends[2]).all()
    for schedule in ({"strength": 0.0}, {"first": 0.01}):
        with pytest.raises(ValueError, match="got"):
            configs.varied(study.ApartStudy(), base={"schedule": schedule})
    with pytest.raises(ValueError, match="got 10"):
        study.ApartStudy(seeds=10)
