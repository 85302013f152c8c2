"""The benchmarks' record: measured in turn, written whole or not at all, damage named, every benchmark registered."""

import ast
import dataclasses
import importlib.util
import io
import json
import sys

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from offconvex import paths
from offconvex.book.publication import performance
from offconvex.book.publication.performance import Comparison, CostGrowth, Method, Skipped

ROOT = paths.require_project_root()
FOLDER = ROOT / "benchmarks"
ROWS = [
    Comparison(
        "an engine",
        "two sizes",
        "step",
        (
            Method("ours", 2.0, 1.0),
            Method("bare products", 1.0, 0.5, 0.6, "a bound", True),
            Method("plain", 9.0, 4.5, 4.0),
            Method("plainer", 20.0, 10.0),
        ),
    ),
    CostGrowth("an engine", "size n", "depth 3", "step", (2, 4, 8), (1.0, 4.0, 16.0), (8.0, 64.0, 512.0), "n³"),
    Skipped("another", "it is not here."),
]
MACHINE = {
    "date": "2031-02-03T04:05:06+00:00",
    "commit": "abcdef0123456789",
    "dirty": False,
    "cpu": "a processor",
    "cores": 2,
    "memory_gib": 7.5,
    "system": "a system",
    "python": "3.11.0",
    "packages": {"torch": "2.0"},
    "seconds": 90.0,
    "processor_seconds": 60.0,
}
FAKE = """
from offconvex.book.publication.performance import Skipped

def rows():
    {body}
    return [Skipped("{name}", "so")]
"""


@pytest.fixture
def benchmarks(monkeypatch):
    """The collector of the benchmarks, with their folder on the path as for `python benchmarks`."""
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("benchmarks_main", FOLDER / "__main__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def timing(benchmarks, monkeypatch):
    """The shared module, with a clock that only `advance` moves."""
    import timing

    now = [0.0]
    monkeypatch.setattr(timing.time, "process_time", lambda: now[0])
    timing.advance = lambda seconds: now.__setitem__(0, now[0] + seconds)
    return timing


@pytest.fixture
def record(tmp_path):
    """A committed record in a folder of its own."""
    performance.save(performance.collect(MACHINE, ROWS), tmp_path)
    return tmp_path


def test_every_file_of_the_folder_is_registered_and_says_its_rows(benchmarks):
    assert sorted(file.stem for file in FOLDER.glob("*.py")) == sorted((*benchmarks.ALL, *benchmarks.SHARED))
    for name in benchmarks.ALL:
        syntax = ast.parse((FOLDER / f"{name}.py").read_text())
        assert ast.get_docstring(syntax), name
        assert "rows" in {node.name for node in syntax.body if isinstance(node, ast.FunctionDef)}, name


@pytest.mark.parametrize(
    "name", sorted(file.stem for file in FOLDER.glob("*.py") if file.stem not in ("__main__", "timing"))
)
def test_every_benchmark_still_runs(benchmarks, monkeypatch, name):
    # Each way once, each growth at its smallest size: engines change, and a benchmark must not be left behind.
    import timing

    ran = []

    def compare(engine, problem, unit, contestants, **_):
        ran.extend(contestant.run() for contestant in contestants)
        return timing.comparison(engine, problem, unit, {contestant.name: 1.0 for contestant in contestants})

    def grow(knob, **_):
        ran.append(knob.build(knob.sizes[0])(1))
        return CostGrowth(knob.engine, knob.name, knob.setting, knob.unit, (1, 2), (1.0, 2.0), (1.0, 2.0), knob.count)

    monkeypatch.setattr(timing, "compare", compare)
    monkeypatch.setattr(timing, "grow", grow)
    rows = importlib.import_module(name).rows()
    assert rows and (ran or name in ("norms_completion", "sampling_blackjax"))


def test_contestants_take_turns_and_their_medians_are_per_unit(timing):
    calls = []

    def contestant(name, times, count):
        waiting = list(times)

        def run():
            calls.append(name)
            timing.advance(waiting.pop(0))

        return timing.Contestant(name, run, count, 1.5, "why", name == "other")

    # The first call of each is the one that is not counted.
    row = timing.compare(
        "e", "p", "u", [contestant("engine", (9, 1, 8, 2), 2), contestant("other", (9, 4, 1, 3), 0.5)], rounds=3
    )
    assert calls == ["engine", "other"] * 4
    assert row == Comparison(
        "e", "p", "u", (Method("engine", 1000, 1, 1.5, "why"), Method("other", 6000, 6, 1.5, "why", True))
    )
    assert row.gain is None, "a reference is no other way to the same result"


def test_a_growth_gives_the_exponent_of_its_times_and_of_its_count(timing):
    turns = []

    def build(size):
        def run(count):
            turns.append(size)
            timing.advance(count * 1e-5 * size**2)

        return run

    knob = timing.Knob("e", "size", "", "unit", (10, 20, 40), build, lambda n: 5 * n**3, "5 n³")
    row = timing.grow(knob, rounds=2, least=0.1)
    assert turns[-6:] == [10, 20, 40] * 2
    assert row.milliseconds == pytest.approx([1, 4, 16])
    assert (row.measured, row.predicted) == pytest.approx((2, 3))


def test_a_short_unit_is_repeated_until_it_can_be_timed(timing):
    counts = []

    def run(count):
        counts.append(count)
        timing.advance(count * 1e-4)

    assert timing._enough(run, 0.02) >= 199  # 200 units take 0.02 s, up to rounding
    assert counts[:2] == [1, 1]


@pytest.mark.parametrize(
    ("sizes", "costs"), [((1,), (1.0,)), ((2, 2), (1.0, 2.0)), ((1, 2), (1.0, 0.0)), ((1, 2, 3), (1.0, 2.0))]
)
def test_a_slope_needs_two_sizes_and_positive_costs(sizes, costs):
    with pytest.raises(ValueError, match="two different positive sizes"):
        performance.slope(sizes, costs)


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0.0123, "12.3 µs"),
        (1.0, "1.00 ms"),
        (999.9, "1,000 ms"),
        (2500, "2.50 s"),
        (180_000, "3.00 min"),
        (9e6, "2.50 h"),
    ],
)
def test_times_have_three_digits_and_a_unit(milliseconds, words):
    assert performance.duration(milliseconds) == words


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0"), (0.01234, "0.0123"), (1.5, "1.50"), (99.96, "100"), (45_612, "45,600"), (64, "64.0")]
)
def test_numbers_have_three_digits(value, words):
    assert performance.digits(value) == words


def test_gain_is_that_of_the_fastest_other_way_and_bars_are_judged():
    row = ROWS[0]
    assert row.gain == 4.5
    assert [method.keeps_bar for method in row.methods] == [None, False, True, None]


def test_one_table_holds_comparisons_then_growth_then_what_was_skipped():
    lines = performance.text(ROWS).splitlines()
    assert [line.split()[0] for line in lines] == [
        "engine,", "an", "ours", "bare", "plain", "plainer", "engine", "an", "another:",
    ]  # fmt: skip
    assert "✗ at least 0.6; a bound" in lines[3] and "✓ at least 4" in lines[4]
    assert "2.00" in lines[7] and "3.00" in lines[7] and lines[8].endswith("skipped: it is not here.")


def test_a_record_comes_back_as_it_was_written(record):
    assert performance.load(record) == performance.collect(MACHINE, ROWS)


def test_a_missing_record_is_said_with_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"performance\.json is missing; take it back .* or run `make bench`"):
        performance.load(tmp_path)


def test_a_record_that_is_cut_anywhere_is_refused(record):
    file = performance.place(record)
    content = file.read_bytes()
    for end in range(0, len(content) - 2, 97):
        file.write_bytes(content[:end])
        with pytest.raises(ValueError, match="is unreadable; .*make bench"):
            performance.load(record)


def test_a_record_with_a_flipped_bit_is_refused_or_reads_the_same(record):
    file, whole = performance.place(record), performance.load(record)
    content = file.read_bytes()
    for place in range(0, len(content), 31):
        file.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            assert performance.load(record) == whole  # a bit of the white space
        except ValueError as error:
            assert "performance.json is " in str(error) and "make bench" in str(error)


def test_a_changed_number_is_damage(record):
    file = performance.place(record)
    file.write_text(file.read_text().replace('"ratio": 4.5', '"ratio": 45'))
    with pytest.raises(ValueError, match="is damaged: its SHA-256"):
        performance.load(record)


@pytest.fixture
def fakes(benchmarks, tmp_path, monkeypatch):
    """Makes the collector's benchmarks two tiny ones, the second with the given body."""

    def make(body="pass"):
        folder = tmp_path / "fakes"
        folder.mkdir()
        names = ("fake_first", "fake_second")
        for name, text in zip(names, ("pass", body)):
            (folder / f"{name}.py").write_text(FAKE.format(name=name, body=text))
            monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.syspath_prepend(str(folder))
        monkeypatch.setattr(benchmarks, "ALL", names)
        return benchmarks.main

    return make


def test_a_whole_run_is_kept_with_its_machine(fakes, tmp_path, capsys):
    assert fakes()([], tmp_path) == 0
    kept = performance.load(tmp_path)
    assert [row.engine for row in kept.skipped] == ["fake_first", "fake_second"]
    assert set(kept.machine) == set(MACHINE)
    assert "fake_second: skipped: so" in capsys.readouterr().out


def test_some_benchmarks_alone_keep_nothing(fakes, record, capsys):
    before = performance.place(record).read_bytes()
    assert fakes()(["fake_second"], record) == 0
    assert performance.place(record).read_bytes() == before
    assert "fake_first" not in capsys.readouterr().out


def test_an_unknown_benchmark_is_said(fakes, record, capsys):
    assert fakes()(["fake_third"], record) == 2
    assert "No benchmark is called fake_third; there are: fake_first, fake_second." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "status"), [("raise KeyboardInterrupt", 130), ("raise AssertionError('wrong')", None)]
)
def test_an_interrupted_or_failing_run_leaves_the_record_as_it_was(fakes, record, body, status):
    before = performance.place(record).read_bytes()
    if status is None:
        with pytest.raises(AssertionError, match="wrong"):
            fakes(body)([], record)
    else:
        assert fakes(body)([], record) == status
    assert performance.place(record).read_bytes() == before
    assert [file.name for file in performance.place(record).parent.iterdir()] == [performance.FILE]


@pytest.fixture
def build(record, monkeypatch):
    """Builds a page of the given parts of the record: parts -> its text, and the warnings."""
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    (record / "_page.py").write_text("from companion import performance\nsetup = performance.setup\n")
    monkeypatch.syspath_prepend(str(record))

    def make(*parts):
        source = "".join(f"\n.. performance:: {part}\n" for part in parts)
        (record / "index.rst").write_text(f"Page\n====\n{source}")
        said = io.StringIO()
        settings = {"extensions": ["_page"], "include_patterns": ["index.rst"]}
        folders = (record, None, record / "out", record / "trees")
        with docutils_namespace():
            Sphinx(*folders, "pseudoxml", settings, status=None, warning=said, freshenv=True).build()
        return (record / "out" / "index.pseudoxml").read_text(), said.getvalue()

    return make


def test_the_page_shows_the_whole_record(build):
    text, warnings = build("summary", "comparisons", "growth", "machine")
    text = " ".join(text.split())
    assert warnings == ""
    assert "Over 1 problems" not in text and "Over one problem" in text
    assert "Of 2 bars, 1 is kept." in text
    assert "most, by 1.00, for an engine as size n grows" in text
    for words in ("An engine", "; time per step.", "plainer", "20.0 ms", "10.0", "missed", "kept", "a bound"):
        assert words in text
    for words in (
        "An engine: size n",
        "(depth 3)",
        "2, 4, 8:",
        "16.0 ms",
        "n³",
        "Not run",
        "it is not here.",
        "a processor, 2 cores",
    ):
        assert words in text
    assert "abcdef0123" in text and "uncommitted" not in text


def test_uncommitted_code_is_said(build, record):
    performance.save(dataclasses.replace(performance.load(record), machine=MACHINE | {"dirty": True}), record)
    assert "uncommitted changes" in " ".join(build("machine")[0].split())


def test_the_page_names_a_missing_or_damaged_record_and_an_unknown_part(build, record):
    assert "expected one of summary, comparisons, growth, machine; got 'other'" in build("other")[1]
    file = performance.place(record)
    content = json.loads(file.read_text())
    file.write_text(json.dumps(content | {"skipped": []}))
    assert "performance.json is damaged" in build("summary")[1]
    file.unlink()
    assert "performance.json is missing; take it back" in build("summary")[1]
