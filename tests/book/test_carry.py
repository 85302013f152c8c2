"""Seed records go over to other code only if both gave the same bytes, and nothing is changed otherwise."""

import json
import shutil

import pytest
import tiny_project

from offconvex import paths
from offconvex.book.command_line import main
from offconvex.book.execution import carry, checksums, code, execute, sweep

RECORD = {"claims": {"tiny.slope": {"observed": 2.0}}, "error": "", "seconds": 1.0, "date": "2031-02-03"}


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Folder of two checkouts in which the chapter was executed: `now`, and `earlier`, in other words."""
    folder = tmp_path_factory.mktemp("checkouts")
    for name in ("now", "earlier"):
        root = tiny_project.make(folder / name)
        source = root / "book/sources/tiny.md"
        if name == "earlier":
            source.write_text(source.read_text().replace("slope * x)", "x * slope)"))
            copy = root / "src/offconvex"
            shutil.copytree(paths.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OFFCONVEX_ROOT", str(root))
            (job,) = execute.plan(["tiny"], given=[], profile=None, device=None)
            assert execute.execute(job).error == ""
    return folder


@pytest.fixture
def now(executed, tmp_path, monkeypatch):
    """This checkout, with two seeds by the earlier code and one by code that nobody knows."""
    for name in ("now", "earlier"):
        shutil.copytree(executed / name, tmp_path / name, ignore=shutil.ignore_patterns("_build"))
    monkeypatch.setenv("OFFCONVEX_ROOT", str(tmp_path / "earlier"))
    old = code.version("tiny")
    monkeypatch.setenv("OFFCONVEX_ROOT", str(tmp_path / "now"))
    assert code.version("tiny") != old
    sweep.save("tiny", {seed: RECORD | {"code": old if seed < 2 else "unknown"} for seed in range(3)})
    return tmp_path / "now"


@pytest.fixture
def earlier(now):
    """The checkout that the records are carried over from."""
    return now.parent / "earlier"


def reseal(root, name, change):
    """Change a JSON file of the chapter's results, and vouch for it."""
    file = root / "book/results/tiny" / name
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    checksums.write("tiny", root)


def test_records_of_the_earlier_code_become_those_of_this_one(now, earlier, monkeypatch, capsys):
    before = sweep.load("tiny")
    assert main(["carry", "tiny", "--from", str(earlier)]) == 0
    assert capsys.readouterr().out == "tiny: 2 records carried over, 1 left as they are (2 files are equal)\n"
    after = sweep.load("tiny")
    step = {"from": before[0]["code"], "equal": 2}
    assert after[0] == before[0] | {"code": code.version("tiny"), "carried": [step]}
    assert after[1] == after[0] and after[2] == before[2]
    monkeypatch.setattr(sweep, "_here", lambda chapter, seeds, workers: ((seed, None) for seed in seeds))
    assert sweep.run("tiny", range(2)) == {0: after[0], 1: after[1]}
    assert carry.carry(["tiny"], earlier) == ["tiny: 0 records carried over, 3 left as they are (2 files are equal)"]
    assert sweep.load("tiny") == after


def test_a_record_carried_over_twice_tells_both(now, earlier):
    record = sweep.load("tiny")[0] | {"carried": [{"from": "first", "equal": 9}]}
    sweep.save("tiny", {0: record})
    carry.carry([], earlier)
    assert [step["from"] for step in sweep.load("tiny")[0]["carried"]] == ["first", record["code"]]


def test_the_earlier_code_may_lie_where_it_once_lay_and_not_have_been_noted(now, earlier):
    book = earlier / "src/offconvex/book"
    (book / "execution/code.py").rename(book / "code.py")
    reseal(earlier, "provenance.json", lambda run: {name: run[name] for name in run if name != "code"})
    (line,) = carry.carry(["tiny"], earlier)
    assert line.startswith("tiny: 2 records carried over")


def other_number(now, earlier):
    reseal(earlier, "claims.json", lambda claims: {"tiny.slope": claims["tiny.slope"] | {"observed": 2.5}})


def missing_file(now, earlier):
    (earlier / "book/results/tiny/fig-tiny-line.csv").unlink()
    checksums.write("tiny", earlier)


def damaged(now, earlier):
    with open(now / "book/results/tiny/fig-tiny-line.csv", "a") as file:
        file.write("9,9\n")


def other_seed(now, earlier):
    reseal(earlier, "provenance.json", lambda run: run | {"seed": 7})


def never_executed(now, earlier):
    shutil.rmtree(earlier / "book/results/tiny")


def changed_there(now, earlier):
    source = earlier / "book/sources/tiny.md"
    source.write_text(source.read_text().replace("slope = 2.0", "slope = 3.0"))


def changed_here(now, earlier):
    source = now / "book/sources/tiny.md"
    source.write_text(source.read_text().replace("slope = 2.0", "slope = 3.0"))


def not_noted_here(now, earlier):
    reseal(now, "provenance.json", lambda run: {name: run[name] for name in run if name != "code"})


def broken_code(now, earlier):
    (earlier / "src/offconvex/book/execution/code.py").write_text("raise RuntimeError('torn')\n")


def no_code(now, earlier):
    (earlier / "src/offconvex/book/execution/code.py").unlink()


def other_folder(now, earlier):
    shutil.rmtree(earlier / "src")


def damaged_records(now, earlier):
    file = sweep.place("tiny")
    file.write_text(file.read_text().replace("unknown", "unknowm"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (other_number, r"tiny: claims\.json differs from that in .*earlier; .* `offconvex sweep tiny`"),
        (missing_file, r"tiny: fig-tiny-line\.csv differs from that in "),
        (damaged, r"in .*now, tiny: fig-tiny-line\.csv is damaged"),
        (other_seed, r"tiny was executed with seed 7 in .*earlier and 0 here; execute it alike in both"),
        (never_executed, r"tiny was not executed in .*earlier; run `offconvex execute tiny` there"),
        (changed_there, r"the results of tiny in .*earlier were made by other code than lies there now; run"),
        (changed_here, r"the results of tiny in .*now were made by other code than lies there now; run"),
        (not_noted_here, r"the results of tiny in .*now were made by other code than lies there now; run"),
        (broken_code, r"the code in .*earlier does not tell its version \(RuntimeError: torn\)"),
        (no_code, r"the code in .*earlier does not tell its version \(ModuleNotFoundError: .*offconvex"),
        (other_folder, r"--from takes the top of another checkout of the book; got '.*earlier'"),
        (damaged_records, r"sweep\.json of tiny is damaged"),
    ],
)
def test_a_failing_proof_is_one_sentence_and_changes_nothing(now, earlier, capsys, spoil, message):
    spoil(now, earlier)
    before = sweep.place("tiny").read_bytes()
    with pytest.raises(ValueError, match=message) as error:
        carry.carry(["tiny"], earlier)
    assert "\n" not in str(error.value) and sweep.place("tiny").read_bytes() == before
    assert main(["carry", "tiny", "--from", str(earlier)]) == 2
    assert "offconvex: " in capsys.readouterr().err


def test_this_checkout_and_an_unknown_chapter_are_refused(now, earlier):
    with pytest.raises(ValueError, match="top of another checkout"):
        carry.carry(["tiny"], now)
    with pytest.raises(ValueError, match="unknown chapter 'tinny'"):
        carry.carry(["tinny"], earlier)


def test_one_chapter_that_fails_leaves_the_others_as_they_are(now, earlier):
    for root in (now, earlier):
        shutil.copy(root / "book/sources/tiny.md", root / "book/sources/untried.md")
    before = sweep.place("tiny").read_bytes()
    with pytest.raises(ValueError, match="untried was not executed"):
        carry.carry(["tiny", "untried"], earlier)
    assert sweep.place("tiny").read_bytes() == before
