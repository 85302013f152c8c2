"""The study of ranges: its points, what it refuses, and a tiny run put together."""

import numpy as np
import pytest
import torch

from offconvex import configs, runtime, stored
from offconvex.locality import theory
from offconvex.locality.pairs import ranges
from offconvex.locality.pairs import setting as settings
from offconvex.locality.pairs.ranges import RangePoint, RangeStudy
from offconvex.stored import Stored


def test_every_point_is_there_once_and_has_its_row():
    config = RangeStudy()
    assert len(set(config.points)) == len(config.points)
    for row, point in enumerate(config.points):
        assert config.row(point.arm, point.gap, long=point.blocks == config.long) == row
    main = {(p.arm, p.gap) for p in config.points if p.blocks == config.short and p.count == 8}
    assert {(arm, gap) for arm in ("plain", "cosine", "logarithm") for gap in (0, 4, 8, 10, 12, 16, 20)} < main
    long = {(p.arm, p.gap) for p in config.points if p.blocks == config.long}
    assert long == {(a, g) for a in ("plain", "logarithm") for g in config.gaps} | {("cosine", g) for g in (0, 8, 16)}
    with pytest.raises(ValueError, match="no 'cosine' at gap 4 for networks of 16 blocks"):
        config.row("cosine", 4, long=True)


def test_arms_differ_from_the_plain_one_as_they_say():
    config = RangeStudy()
    settings = {arm: config.setting(RangePoint(arm, 5, 8, 8)) for arm in ranges.ARMS}
    plain = settings["plain"]
    assert plain.schedule.strength_at(0) == 0 and not plain.within
    courses = {arm: [s.schedule.strength_at(e) for e in (0, 40)] for arm, s in settings.items()}
    assert courses["cosine"] == [30, 4] and courses["logarithm"] == courses["wrong patches"] == [0.3, 0.05]
    assert courses["constant logarithm"] == [0.05, 0.05] and courses["decay 0.01"] == [0, 0]
    assert settings["decay 0.001"].schedule.decay == 1e-3 and settings["scaled cosine"].schedule.relative
    assert [arm for arm, s in settings.items() if s.within] == ["wrong patches"]
    assert {arm for arm, s in settings.items() if s.schedule.penalty == "logarithm"} == {
        "logarithm",
        "wrong patches",
        "constant logarithm",
    }
    # What the arms do not name is common.
    assert len({(s.count, s.held_out, s.task, s.architecture, s.schedule.epochs) for s in settings.values()}) == 1


def test_reach_is_as_the_study_assumes():
    config = RangeStudy()
    long = config.setting(RangePoint("plain", config.long, 20, 8))
    assert long.architecture.receptive_field[1] == 67 == 2 * (14 + 20) - 1
    short = config.setting(RangePoint("plain", config.short, 20, 8))
    assert short.architecture.receptive_field[1] == 23 and theory.largest_gap(23) == 21
    with pytest.raises(ValueError, match="see all 35 columns, which takes a receptive field of 69; got 67"):
        RangeStudy(gaps=(0, 21))
    with pytest.raises(ValueError, match="pixels of both"):
        RangeStudy(short=4)
    with pytest.raises(ValueError, match="must divide"):
        RangeStudy(seeds=6)


TINY = {"architecture": {"channels": 4}, "schedule": {"epochs": 2, "records": 2}, "count": 64, "held_out": 30}


def test_a_tiny_study_is_run_and_put_together():
    config = configs.varied(RangeStudy(gaps=(0, 2), limit=1, far=(2,), short=1, long=7, seeds=2, together=1), base=TINY)
    parts = ranges.parts(config)
    assert len(parts) == sum(p.count for p in config.points) == len(set(parts.values()))
    wanted = ("plain-1-gap-2-networks-0", "constant-cosine-1-gap-2-networks-0")
    tiny = {parts[name]: ranges.run(config, *parts[name]) for name in wanted}
    plain, constant = tiny.values()
    assert plain["test"].shape == (2, 1) and plain["choose"].shape == plain["within"].shape == (1,)
    assert plain["epochs"].tolist() == [1, 2] and not np.array_equal(plain["loss"], constant["loss"])
    # Arrays of every part, numbered, so that the order shows.
    numbered = {
        key: {n: np.full_like(plain[n], place) if n != "epochs" else plain[n] for n in plain}
        for place, key in enumerate(parts.values())
    }
    whole = ranges.assemble(config, numbered)
    assert whole["test"].shape == (len(config.points), 2, 2) and whole["within"].shape == (len(config.points), 2)
    assert whole["test"][0, 0].tolist() == [0, 1] and whole["test"][1, 1].tolist() == [2, 3]
    row = config.row("constant cosine", 2)
    assert config.points[row].count == 1 and np.isnan(whole["choose"][row]).tolist() == [False, True]


def test_a_stored_study_is_known_by_its_arms_as_well(monkeypatch):
    before = stored.settings(RangeStudy())
    monkeypatch.setitem(ranges.ARMS, "cosine", {"schedule": {"first": 31.0, "strength": 4.0}})
    after = stored.settings(RangeStudy())
    assert {name for name in before if before[name] != after[name]} == {"arms"}


def test_an_outcome_is_the_end_of_its_rows_and_the_first_record_off_the_plateau():
    config = RangeStudy()
    shape = len(config.points), 3, config.seeds
    arrays = {name: np.random.default_rng(0).random(shape) for name in ("train", "test")}
    arrays |= {name: np.random.default_rng(1).random((shape[0], shape[2])) for name in ("choose", "within")}
    similar = np.ones(shape)
    near, far = config.row("scaled cosine", 8), config.row("scaled cosine", 16)
    similar[[near, far], :, 4:] = np.nan
    similar[near, :, :4] = 1 - np.array([[0.2, 0, 0, 0.1], [0, 0.11, 0, 0.1], [0, 0.5, 0.3, 0.1]])
    study = Stored({**arrays, "similarity": similar, "epochs": np.array([10.0, 20.0, 160.0])}, config, {})
    found = ranges.outcome(study, "scaled cosine", (8, 16))
    assert found.epoch[0, :4].tolist() == [10, 20, 160, 160] and np.isnan(found.epoch[:, 4:]).all()
    assert found.epoch[1, :4].tolist() == [160] * 4 and found.across[0, :4] == pytest.approx([0, 0.5, 0.3, 0.1])
    assert np.array_equal(found.test, arrays["test"][[near, far], -1])
    assert np.array_equal(found.train, arrays["train"][[near, far], -1])
    assert np.array_equal(found.within, 1 - arrays["within"][[near, far]])
    with pytest.raises(ValueError, match="no 'scaled cosine' at gap 0"):
        ranges.outcome(study, "scaled cosine", (0,))


def test_first_epochs_are_those_of_the_study_s_networks():
    schedule = {"epochs": 4, "records": 4, "settling": 2.0, "final": 0.25}
    base = {**TINY, "schedule": schedule}
    config = configs.varied(RangeStudy(gaps=(0, 2), limit=1, far=(2,), short=1, long=7, seeds=2, together=2), base=base)
    point = RangePoint("logarithm", 1, 2, 2)
    rt = runtime.resolve("cpu", torch.float32)
    study = settings.train(config.setting(point), rt, config.seed, range(2))
    again = ranges.first_epochs(config, point, 3, rt, 0)
    assert again.epochs.tolist() == [3] and np.array_equal(again.loss[0], study.loss[2])
    assert not np.array_equal(ranges.first_epochs(config, point, 3, rt, 1).loss, again.loss)
    for epochs in (1, 4):
        with pytest.raises(ValueError, match=f"between 2, when lambda has fallen, and 3, .* got {epochs}"):
            ranges.first_epochs(config, point, epochs, rt, 0)
