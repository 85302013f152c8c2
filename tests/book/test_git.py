"""The book's own repository and no other: whose commit is named; and the same bytes in every checkout."""

import json
import os
import shutil
import zipfile

import history
import pytest
import small_book
import test_release as released
import tiny_project

from offconvex import paths
from offconvex.book import repository
from offconvex.book.command_line import main
from offconvex.book.execution import execute, provenance
from offconvex.book.publication import cite, printed, release

ROOT = paths.require_project_root()
UNKNOWN = {"commit": None, "dirty": None}


def state(record):
    return {name: record[name] for name in UNKNOWN}


def everywhere():
    """State of the code, as an execution and a run of the benchmarks record it."""
    records = [provenance.describe("tiny", {}, 1.0), provenance.machine()]
    assert state(records[0]) == state(records[1])
    return state(records[0])


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A repository in the folder above the project, whose hook runs what the test runs."""
    commit = history.begin(tmp_path)

    def hook():
        for name, value in (("DIR", ".git"), ("WORK_TREE", ""), ("INDEX_FILE", ".git/index")):
            monkeypatch.setenv(f"GIT_{name}", str(tmp_path / value))

    return commit, hook


@pytest.mark.parametrize("hooked", [False, True])
def test_a_book_inside_another_repository_has_no_commit(tiny, foreign, hooked, capsys):
    if hooked:
        foreign[1]()
    assert everywhere() == UNKNOWN
    assert printed._state(tiny) == f"Version {provenance.__version__}"
    pages = tiny / "_build/html/book"
    pages.mkdir(parents=True)
    (pages / "index.html").touch()
    assert main(["release"]) == 2
    assert "needs git and the book's repository" in capsys.readouterr().err
    if not hooked:
        return  # an execution asks `describe`, and takes seconds
    (job,) = execute.plan(["tiny"], given=[], profile=None, device=None)
    assert execute.execute(job).error == ""
    assert state(json.loads((tiny / "book/results/tiny/provenance.json").read_text())) == UNKNOWN
    assert "commit" not in cite.text("fig-tiny-line")


def test_a_hook_of_another_repository_does_not_change_whose_commit_is_named(tiny, foreign):
    own = history.begin(tiny)
    foreign[1]()
    assert everywhere() == {"commit": own, "dirty": False} and own != foreign[0]
    assert printed._state(tiny).endswith(f", commit {own[:12]}")
    source = tiny / "book/sources/tiny.md"
    source.write_text(source.read_text() + "\nMore.\n")
    assert provenance.describe("tiny", {}, 1.0)["dirty"] is True and provenance.machine()["dirty"] is False


def test_a_release_made_by_a_hook_of_another_repository_holds_the_books_own_files(tmp_path, foreign, monkeypatch):
    root = released.make(tmp_path / "book")
    monkeypatch.setenv("OFFCONVEX_ROOT", str(root))
    own = history.git(root, "rev-parse", "HEAD")
    foreign[1]()
    file = release.make()
    assert own[:12] in file.name
    with zipfile.ZipFile(file) as archive:
        assert f"{file.stem}/src/code.py" in archive.namelist()


def test_new_files_count_as_changes_whatever_the_reader_has_set(tiny, tmp_path, monkeypatch):
    history.begin(tiny)
    (tmp_path / "settings").write_text("[status]\n\tshowUntrackedFiles = no\n")
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    (tmp_path / "settings").rename(tmp_path / ".gitconfig")
    assert everywhere()["dirty"] is False
    (tiny / "src").mkdir()
    (tiny / "src/new.py").touch()
    assert everywhere()["dirty"] is True and repository.changes(tiny) == ["?? src/"]


@pytest.mark.parametrize("place", ["a checkout, with a comma", "linked"])
def test_every_kind_of_checkout_names_its_commit(tmp_path, place):
    first = tiny_project.make(tmp_path / "first:one")
    own = history.begin(first)
    copy = ("clone", "-q", ".") if place != "linked" else ("worktree", "add", "-q", "--detach")
    history.git(first, *copy, str(tmp_path / place))
    assert repository.commit(first) == repository.commit(tmp_path / place) == own
    assert repository.changes(tmp_path / place) == []


@pytest.mark.parametrize("broken", ["no git", "no commit", "damaged"])
def test_without_a_readable_history_commit_and_changes_are_unknown(tiny, tmp_path, monkeypatch, broken):
    if broken == "no git":
        history.begin(tiny)
        monkeypatch.setenv("PATH", str(tmp_path))
    elif broken == "no commit":
        history.git(tiny, "init", "-q")
    else:
        (tiny / ".git").mkdir()
    assert everywhere() == UNKNOWN


def test_the_device_that_computed_is_recorded(tiny, monkeypatch):
    import torch

    def device(wish):
        return provenance.describe("tiny", {"device": wish}, 1.0)["device"]

    assert device("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device("auto") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {torch.device(device).index or 0}")
    assert device("auto") == "cuda (card 0)" and device("cuda:1") == "cuda:1 (card 1)"


@pytest.mark.parametrize("setting", ["core.autocrlf=true", "core.eol=crlf"])
def test_a_clone_has_the_same_bytes_whatever_line_ends_the_reader_has_set(tmp_path, setting):
    first = tmp_path / "first"
    for name in (".gitattributes", ".ci/run", "Makefile", "src/offconvex/files.py", "book/claims.toml"):
        (first / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, first / name)
    (first / "book/chapters").mkdir()
    small_book.write_chapter(first, "one", {"fig-one": "Line.\nLine."})
    (first / "mixed.csv").write_bytes(b"x\n1\r\n2\n")
    history.begin(first)
    history.git(tmp_path, "clone", "-q", "-c", setting, "first", "clone")
    names = history.git(first, "ls-files").splitlines()
    assert len(names) == 8
    assert [name for name in names if (first / name).read_bytes() != (tmp_path / "clone" / name).read_bytes()] == []
    assert os.access(tmp_path / "clone/.ci/run", os.X_OK)
