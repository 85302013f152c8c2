"""A chapter for many seeds: every seed once, nothing lost, and a missed claim hides no other."""

import json
import os
import time

import distributed
import psutil
import pytest

from offconvex import claims, files
from offconvex.book.command_line import main
from offconvex.book.execution import code, sweep

SECOND_CLAIM = """
["tiny.size"]
chapter = "tiny"
kind = "claim"
sentence = "There are five points."
source = "nobody, nowhere"
scale = "exact"
figure = "fig-tiny-line"
reason = "they are five"
measures = [{quantity = "points", at_least = 5, at_most = 5}]
"""


@pytest.fixture
def chapter(tiny):
    """A chapter whose slope misses its bound at seed 1 and whose first cell fails at seed 9."""
    with open(tiny / "book/claims.toml", "a") as file:
        file.write(SECOND_CLAIM)
    source = tiny / "book/sources/tiny.md"
    text = source.read_text().replace('check("tiny.slope", slope)', 'check("tiny.slope", slope + (seed == 1))')
    text = text.replace(
        'control("tiny.slope", slope + 1)', 'control("tiny.slope", slope + 1)\nclaims.check("tiny.size", size)'
    )
    source.write_text(text.replace("x = np.arange", "assert seed != 9\nx = np.arange"))
    return tiny


def kept(root):
    return {seed: record for seed, record in _content(root).items() if seed != files.SEAL}


def _content(root):
    return json.loads((root / "book/results/tiny/sweep.json").read_text())


def test_a_missed_claim_is_counted_and_the_others_are_measured(chapter, capsys):
    assert main(["sweep", "tiny", "--seeds", "0:2"]) == 1
    said = capsys.readouterr().out
    assert "seed 1: not shown: tiny.slope" in said and "seed 0: every claim keeps its bounds" in said
    assert [line.split() for line in said.splitlines()[-2:]] == [
        ["tiny.slope", "1", "of", "2"],
        ["tiny.size", "2", "of", "2"],
    ]
    assert kept(chapter)["1"]["claims"] == {
        "tiny.size": {"observed": 5.0},
        "tiny.slope": {"observed": 3.0, "control": 3.0},
    }
    assert sorted(p.name for p in (chapter / "book/results/tiny").iterdir()) == ["sweep.json"]
    assert not list((chapter / "_build/runs/tiny").glob("sweep*"))


def test_seeds_already_run_by_this_code_are_not_run_again(chapter, monkeypatch):
    sweep.run("tiny", range(1))
    first = kept(chapter)
    monkeypatch.setattr(sweep, "_here", lambda chapter, seeds, workers: ((s, None) for s in seeds))
    assert set(sweep.run("tiny", range(1))) == {0}
    assert kept(chapter) == first
    source = chapter / "book/sources/tiny.md"
    source.write_text(source.read_text().replace("seed == 1", "seed == 2"))
    with pytest.raises(TypeError):  # now the seed is handed out again
        sweep.run("tiny", range(1))


def test_a_seed_whose_run_breaks_counts_as_not_shown_and_is_tried_again(chapter, monkeypatch):
    record = sweep.run("tiny", range(9, 10))[9]
    assert "AssertionError" in record["error"]
    assert sweep.missed(claims.load(chapter / "book/claims.toml"), "tiny", record) == ["tiny.slope", "tiny.size"]
    repaired = record | {"error": "", "claims": {"tiny.size": {"observed": 5.0}}}
    monkeypatch.setattr(sweep, "_here", lambda chapter, seeds, workers: ((seed, repaired) for seed in seeds))
    assert sweep.run("tiny", range(9, 10)) == {9: repaired}


def test_what_has_arrived_stays_when_a_sweep_is_interrupted(chapter, monkeypatch):
    here = sweep._here

    def interrupted(*arguments):
        yield next(here(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "_here", interrupted)
    assert main(["sweep", "tiny", "--seeds", "2:4", "--jobs", "1"]) == 130
    assert list(kept(chapter)) == ["2"]


def test_bounds_are_those_of_today(chapter):
    claim = claims.load(chapter / "book/claims.toml")["tiny.slope"]

    def shows(**values):
        return sweep.shows(claim, {"claims": {"tiny.slope": values}})

    assert shows(observed=2.0) and shows(observed=2.0, control=3.0)
    assert not shows(observed=3.0) and not shows(observed=2.0, control=2.0) and not shows(observed={"other": 2.0})
    assert not sweep.shows(claim, {"claims": {}})


def test_other_code_is_refused(chapter, monkeypatch):
    foreign = {"code": "0", "claims": {}, "error": "", "seconds": 1.0, "date": ""}
    monkeypatch.setattr(sweep, "_here", lambda *_: (pair for pair in [(0, foreign)]))
    with pytest.raises(ValueError, match="other code"):
        sweep.run("tiny", range(1))
    assert sweep.load("tiny") == {}


def test_fresh_seeds_are_printed_stored_and_run_again_by_number(chapter, capsys, monkeypatch):
    assert main(["sweep", "tiny", "--seeds", "random:2"]) == 0
    said = capsys.readouterr().out
    first, second = (int(seed) for seed in kept(chapter))
    assert said.startswith(f"2 fresh seeds; to go on: offconvex sweep tiny --seeds {first},{second}\n")
    assert said.index("fresh") < said.index(f"tiny, seed {first}") and first != second
    assert first in sweep.FRESH and second in sweep.FRESH
    assert ["tiny.slope", "2", "of", "2"] in [line.split() for line in said.splitlines()]
    # Their numbers are enough: the records are there, and nothing runs again.
    monkeypatch.setattr(sweep, "_here", lambda chapter, seeds, workers: ((s, None) for s in seeds))
    assert main(["sweep", "tiny", "--seeds", f"{second},{first}"]) == 0
    assert f"tiny, seed {first}" not in capsys.readouterr().out


def test_a_large_seed_reaches_the_chapter_as_it_is(chapter):
    source = chapter / "book/sources/tiny.md"
    text = source.read_text().replace('claims.check("tiny.size", size)', 'claims.check("tiny.size", seed % 1000)')
    source.write_text(
        text.replace("rt = chapter.begin", "from offconvex import rng\nrng.generator(seed, 'x')\nrt = chapter.begin")
    )
    largest = sweep.FRESH.stop - 1
    record = sweep.run("tiny", [largest])[largest]
    assert record["error"] == "" and record["claims"]["tiny.size"]["observed"] == largest % 1000
    assert set(sweep.load("tiny")) == {largest}


def test_an_interrupted_sweep_of_fresh_seeds_says_how_to_go_on(chapter, capsys, monkeypatch):
    here = sweep._here

    def interrupted(chapter, seeds, workers):
        yield next(here(chapter, seeds[:1], workers))
        raise KeyboardInterrupt

    monkeypatch.setattr(sweep, "_here", interrupted)
    assert main(["sweep", "tiny", "--seeds", "random:2"]) == 130
    (done,), said = kept(chapter), capsys.readouterr()
    command = said.err.strip().splitlines()[0]
    assert command in said.out and command.startswith("to go on: offconvex sweep tiny --seeds ")
    monkeypatch.setattr(sweep, "_here", here)
    before = kept(chapter)[done]
    assert main(command.split()[4:]) == 0
    assert len(kept(chapter)) == 2 and kept(chapter)[done] == before


def test_fresh_seeds_are_new_and_different(monkeypatch):
    drawn = iter([0, 0, 1, 7, 2])
    monkeypatch.setattr(sweep.secrets, "randbelow", lambda size: next(drawn))
    start = sweep.FRESH.start
    assert sweep.fresh_seeds(3, kept=[start + 1, 3]) == (start, start + 2, start + 7)
    monkeypatch.undo()
    many = sweep.read_seeds("random:1000")
    assert len(set(many)) == 1000 and all(seed in sweep.FRESH for seed in many) and min(many) > 999
    assert not set(many) & set(sweep.read_seeds("random:1000", many))


@pytest.mark.parametrize("count", ["", "0", "1001", "-1", "1.5", "x", "1:2"])
def test_an_impossible_number_of_fresh_seeds_is_one_clear_sentence(chapter, capsys, count):
    assert main(["sweep", "tiny", f"--seeds=random:{count}"]) == 2
    said = capsys.readouterr()
    assert "random:N draws N fresh seeds, with N from 1 to 1000; got" in said.err and said.out == ""


def test_seeds_are_numbers_with_commas_too():
    assert sweep.read_seeds("7") == (7,) and sweep.read_seeds("9,0,9") == (9, 0)
    assert sweep.read_seeds("0:3") == range(3)


@pytest.mark.parametrize(
    "seeds", ["", "3:3", "5:2", "-1:4", "a", "0:b", "1.5", "1,", "1,a", "1,2:3", "2147483649", "0:2147483649"]
)
def test_impossible_seeds_are_one_clear_sentence(chapter, capsys, seeds):
    assert main(["sweep", "tiny", f"--seeds={seeds}"]) == 2
    assert "such as 0:16" in capsys.readouterr().err


def test_damaged_records_and_a_silent_scheduler_are_one_clear_sentence(chapter, capsys, monkeypatch):
    file = chapter / "book/results/tiny/sweep.json"
    file.parent.mkdir()
    for content in ("[", "[1]", '{"x": {}}'):
        file.write_text(content)
        assert main(["sweep", "tiny", "--seeds", "0"]) == 2
        assert "sweep.json of tiny is unreadable" in capsys.readouterr().err
        assert file.read_text() == content
    file.unlink()
    monkeypatch.setattr(distributed, "Client", _silent)
    assert main(["sweep", "tiny", "--seeds", "0", "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "no Dask scheduler answers at 'tcp://127.0.0.1:9'" in capsys.readouterr().err


def _silent(*_arguments, **_options):
    raise OSError


def test_a_killed_worker_of_a_cluster_loses_and_doubles_nothing(chapter):
    source = chapter / "book/sources/tiny.md"
    source.write_text(source.read_text().replace("x = np.arange", "import time; time.sleep(1)\nx = np.arange"))
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        victim = cluster.workers[0].pid
        arrived = []
        here = sweep._on_cluster("tiny", list(range(2, 6)), cluster.scheduler_address)
        for seed, record in here:
            arrived.append(seed)
            assert record["error"] == "" and record["code"] == code.version("tiny")
            if len(arrived) == 1:
                _kill_at_work(victim)
        assert sorted(arrived) == [2, 3, 4, 5]
        assert sweep.run("tiny", range(6, 7), scheduler=cluster.scheduler_address)[6]["error"] == ""
    assert list(kept(chapter)) == ["6"]


def _kill_at_work(pid):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not psutil.Process(pid).children(recursive=True):
        time.sleep(0.05)
    os.kill(pid, 9)
