"""Stored results of the chapters: made with the declared settings, which are told in one level."""

import dataclasses
import json

import numpy as np
import pytest

from offconvex import configs, paths, stored
from offconvex.locality.pairs import study as pair_study
from offconvex.locality.pathfinder import study as path_study

CHAPTERS = ("locality", "locality-tried")
EXPERIMENTS = [e for name, e in sorted(stored.experiments().items()) if e.chapter in CHAPTERS]


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_a_stored_result_loads_with_the_declared_settings_part_by_part(experiment):
    found = experiment.load()
    assert found.config is experiment.config and all(np.size(array) for array in found.arrays.values())
    record = json.loads((paths.committed_results(experiment.chapter) / f"stored-{experiment.name}.json").read_text())
    # Byte for byte, so that a new run under the same settings writes the same.
    assert json.dumps(record["config"]) == json.dumps(stored.settings(experiment.config))
    parts = experiment.parts(experiment.config)
    assert len(set(parts.values())) == len(parts)
    spent = list(record["provenance"].get("processor_seconds", [*parts, "assemble"]))
    assert spent == [*parts, "assemble"]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_all_stored_results_are_declared(chapter):
    kept = {file.stem for file in paths.committed_results(chapter).glob("stored-*.json")}
    assert kept == {f"stored-{experiment.name}" for experiment in EXPERIMENTS if experiment.chapter == chapter}


@pytest.mark.parametrize("experiment", [pair_study.STUDY, path_study.PATHFINDER, path_study.APART_STUDY])
def test_a_setting_that_is_not_told_because_all_have_it_is_told_where_it_departs(experiment):
    rate = configs.varied(experiment.config, base={"schedule": {"final": 0.5}})
    assert stored.settings(rate) == stored.settings(experiment.config) | {"base.schedule.final": 0.5}
    with pytest.raises(ValueError, match=r"other settings \(base.schedule.final\)"):
        experiment.load(rate)
    with pytest.raises(ValueError, match=r"other settings \(seed\)"):
        experiment.load(dataclasses.replace(experiment.config, seed=77))
