"""Stored experiments: saved whole, resumed part by part, refused when damaged or made with other settings."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest

from offconvex import files, paths, stored
from offconvex.book import processes
from offconvex.book.execution import long_run


@dataclass(frozen=True)
class Config:
    seeds: tuple[int, ...] = (3, 4, 5)
    factor: float = 2.0


def parts(config):
    return {f"seed-{seed}": (seed,) for seed in config.seeds}


def run_part(config, seed):
    return {"value": np.array(config.factor * seed)}


EXPERIMENT = stored.StoredExperiment("doubling", "tiny", Config(), parts, run_part)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").touch()
    monkeypatch.setenv("OFFCONVEX_ROOT", str(tmp_path))
    return tmp_path


def test_a_saved_result_comes_back_with_its_settings_and_equal_bytes(checkout):
    path = EXPERIMENT.save({"value": np.arange(3.0)}, {"commit": "abc"})
    first = path.read_bytes()
    result = EXPERIMENT.load()
    assert np.array_equal(result["value"], np.arange(3.0))
    assert result.config == Config() and result.provenance["commit"] == "abc"
    EXPERIMENT.save({"value": np.arange(3.0)}, {"commit": "abc"})
    assert path.read_bytes() == first


def test_missing_damaged_truncated_or_foreign_results_are_one_clear_sentence(checkout):
    with pytest.raises(
        ValueError, match=r"missing \(stored-doubling.npz\); make it again with `offconvex run doubling`"
    ):
        EXPERIMENT.load()
    path = EXPERIMENT.save({"value": np.arange(3.0)}, {})
    with pytest.raises(ValueError, match="other settings \\(factor\\)"):
        EXPERIMENT.load(Config(factor=3.0))
    good = path.read_bytes()
    for bad in (good[:-7], good[:40] + bytes([good[40] ^ 1]) + good[41:]):
        path.write_bytes(bad)
        with pytest.raises(ValueError, match="damaged"):
            EXPERIMENT.load()
    path.write_bytes(good)
    record = path.with_suffix(".json")
    record.write_text(record.read_text()[:-20])
    with pytest.raises(ValueError, match="unreadable"):
        EXPERIMENT.load()


def array_lost(content):
    """A bit flipped in the archive's directory, after which NumPy reads it without its second array, silently."""
    for place in range(len(content) - 8, 0, -1):
        flipped = bytes([*content[:place], content[place] ^ 1, *content[place + 1 :]])
        try:
            if set(files.unpack(flipped)) == {"value"}:
                return flipped
        except Exception:
            continue
    raise AssertionError("no such bit in this archive")


class InProcess:
    """Stands in for the process pool, so that the parts a run asks for can be watched."""

    def __init__(self, *_, **__):
        pass

    def shutdown(self, **_):
        pass

    def submit(self, function, *arguments):
        future = processes.Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


@pytest.mark.parametrize("damage", [lambda content: content[:-3], array_lost])
def test_an_interrupted_run_goes_on_where_it_stopped(checkout, monkeypatch, damage):
    asked, broken = [], True

    def run(config, seed):
        asked.append(seed)
        if broken and seed == 5:
            raise RuntimeError("power cut")
        return run_part(config, seed)

    experiment = dataclasses.replace(EXPERIMENT, run=run)
    monkeypatch.setattr(stored, "experiments", lambda: {"doubling": experiment})
    monkeypatch.setattr(processes, "ProcessPoolExecutor", InProcess)
    with pytest.raises(RuntimeError, match="power cut"):
        long_run.run("doubling")
    assert not [file for file in (checkout / "book/results").rglob("*") if file.is_file()]
    broken = False
    (kept,) = (checkout / "_build/stored/doubling").glob("*/seed-4.npz")
    kept.write_bytes(damage(kept.read_bytes()))  # a damaged part is run again
    asked.clear()
    long_run.run("doubling")
    assert set(asked) == {4, 5}
    found = EXPERIMENT.load()
    assert np.array_equal(found["value"], [6.0, 8.0, 10.0])
    times = found.provenance["processor_seconds"]
    assert list(times) == ["seed-3", "seed-4", "seed-5", "assemble"] and min(times.values()) >= 0


def test_an_unknown_experiment_or_device_is_one_clear_sentence(checkout, monkeypatch):
    monkeypatch.setattr(stored, "experiments", lambda: {"doubling": EXPERIMENT})
    with pytest.raises(ValueError, match="no experiment 'dubling' \\(did you mean 'doubling'"):
        long_run.run("dubling")
    with pytest.raises(ValueError, match="offers no choice of device"):
        long_run.run("doubling", device="cuda")


def test_parts_with_the_same_arguments_are_refused(checkout, monkeypatch):
    twice = dataclasses.replace(EXPERIMENT, config=Config(seeds=(3,)), parts=lambda _: {"one": (3,), "other": (3,)})
    monkeypatch.setattr(stored, "experiments", lambda: {"doubling": twice})
    with pytest.raises(ValueError, match="Two parts of doubling have the same arguments: one, other"):
        long_run.run("doubling")


def test_parts_of_other_arguments_are_not_taken_up(checkout):
    folders = {
        long_run._parts_folder(dataclasses.replace(EXPERIMENT, parts=lambda _, seed=seed: {"one": (seed,)}))
        for seed in (3, 4, 4)
    }
    assert len(folders) == 2


def test_every_stored_file_belongs_to_a_declared_experiment_and_loads():
    found = stored.experiments()
    files = {file.name for file in (paths.require_project_root() / "book/results").glob("*/stored-*.npz")}
    assert files == {f"stored-{name}.npz" for name in found}
    for experiment in found.values():
        assert experiment.load().config is experiment.config
        parts = experiment.parts(experiment.config)
        assert len(set(parts.values())) == len(parts)
