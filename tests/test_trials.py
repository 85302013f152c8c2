"""What was tried: read in order, every table of the book a stored experiment, and malformed entries told by name."""

from dataclasses import dataclass

import pytest

from offconvex import paths, stored, trials


@dataclass(frozen=True)
class Schedule:
    epochs: int = 10
    rate: float = 0.1


@dataclass(frozen=True)
class Base:
    schedule: Schedule = Schedule()
    count: int = 8


TABLE = """
[first-tried]
study = "first-study"
all = {count = 16}
seed = 3
networks = [1, 2]
trials = [
    {name = "plain"},
    {name = "longer", schedule.epochs = 20, networks = [0]},
    {name = "other", schedule = {epochs = 20, rate = 1}, count = 8, seed = 4},
]
"""


@pytest.fixture
def read(tmp_path):
    def read(text, name="first-tried"):
        path = tmp_path / "trials.toml"
        path.write_text(text)
        return trials.load(name, Base(), path)

    return read


def test_trials_come_in_order_each_with_its_departures(read):
    plain, longer, other = read(TABLE)
    assert plain == trials.TriedSetting("plain", "first-study", Base(count=16), (1, 2), 3)
    assert longer == trials.TriedSetting("longer", "first-study", Base(Schedule(20), 16), (0,), 3)
    assert other == trials.TriedSetting("other", "first-study", Base(Schedule(20, 1.0), 8), (1, 2), 4)


@pytest.mark.parametrize(
    ("good", "bad", "sentence"),
    [
        ('study = "first-study"\n', "", "first-tried: `study` must be given, of type str; got None."),
        ("seed = 3", 'seed = "3"', "first-tried: `seed` must be given, of type int; got '3'."),
        (
            "seed = 3",
            "seed = 3\nseeds = 4",
            "first-tried: keys are study, all, seed, networks, trials; got study, all, ",
        ),
        (
            "all = {count = 16}",
            "all = {counts = 16}",
            "first-tried, all: Base has no 'counts'; it has schedule, count.",
        ),
        ('{name = "plain"}', '"plain"', "first-tried, trial 1: must be a table; got 'plain'."),
        ('{name = "plain"}', "{count = 3}", "first-tried, trial 1: `name` must be given, of type str; got None."),
        ("networks = [0]", "networks = 0", "trial 2 (longer): `networks` must be given, of type list; got 0."),
        ("networks = [0]", "networks = []", "trial 2 (longer): `networks` are numbers from 0, none twice; got []."),
        ("networks = [0]", "networks = [0, 0]", "trial 2 (longer): `networks` are numbers from 0, none twice; got [0"),
        ("networks = [0]", "networks = [-1]", "trial 2 (longer): `networks` are numbers from 0, none twice; got [-1]."),
        (
            "schedule.epochs = 20",
            "schedule.epoch = 20",
            "trial 2 (longer): Schedule has no 'epoch'; it has epochs, rate.",
        ),
        (
            "schedule.epochs = 20",
            "schedule.epochs = 2.5",
            "(longer): `epochs` of Schedule is of the type of 10; got 2.5.",
        ),
        ('"longer"', '"plain"', "first-tried: there must be a trial, and no two of one name; got plain, plain, other."),
        ("[first-tried]", "[second-tried]", "trials.toml knows second-tried; got 'first-tried'."),
        ("[first-tried]", "[first-tried", "trials.toml cannot be read: "),
    ],
)
def test_a_malformed_entry_is_told_by_name(read, good, bad, sentence):
    with pytest.raises(ValueError) as told:
        read(TABLE.replace(good, bad, 1))
    assert sentence in str(told.value)


def test_the_book_s_tables_and_their_studies_are_stored_experiments():
    known = stored.experiments()
    tables = {line.strip("[]\n") for line in open(paths.book_file("trials.toml")) if line.startswith("[")}
    assert len(tables) == 4
    for table in tables:
        assert known[table].config.name == table
        assert {trial.study for trial in known[table].config.trials} <= set(known) - tables
