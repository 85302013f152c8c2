"""The release archive: a commit's files, its pages, and a description of both; refused where it would lie."""

import json
import zipfile

import history
import pytest
import small_book

from offconvex.book.command_line import main
from offconvex.book.publication import release

CITATION = """\
cff-version: 1.2.0
title: A Small Book
abstract: Two chapters.
version: 1.2.3
date-released: "2031-02-03"
authors: [{name: The authors of A Small Book}]
keywords: [small]
license: [MIT, CC-BY-4.0]
"""


def make(place):
    """A small book under version control, with one built page."""
    root = small_book.make(place)
    for name, ids in (("one", ("fig-one-first", "fig-one-second")), ("two", ("fig-two-only",))):
        for id in ids:
            (root / "book" / "results" / name / f"{id}.pdf").write_bytes(b"%PDF")
        (root / "book" / "sources").mkdir(exist_ok=True)
        (root / "book" / "sources" / f"{name}.md").write_text("# A chapter\n")
    (root / "src").mkdir()
    (root / "src" / "code.py").touch()
    (root / "CITATION.cff").write_text(CITATION)
    (root / ".gitignore").write_text("_build/\n")
    (root / "_build" / "html" / "book").mkdir(parents=True)
    (root / "_build" / "html" / "book" / "index.html").write_text("<h1>A small book</h1>")
    history.begin(root)
    return root


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The same, which the package takes for its checkout."""
    root = make(tmp_path / "small")
    monkeypatch.setenv("OFFCONVEX_ROOT", str(root))
    return root


def test_an_archive_holds_commit_pages_and_their_description(root):
    file = release.make()
    assert file.parent == root / "_build" / "release"
    with zipfile.ZipFile(file) as archive:
        names = {name.partition("/")[2] for name in archive.namelist()}
        described = json.loads(archive.read(f"{file.stem}/ro-crate-metadata.json"))
    assert {"html/book/index.html", "book/chapters/one.ipynb", "src/code.py", "CITATION.cff"} <= names
    entities = {entity["@id"]: entity for entity in described["@graph"]}
    files = {id for id, entity in entities.items() if "File" in entity["@type"] and id.startswith("book/")}
    assert files == {part["@id"] for part in entities["./"]["hasPart"]} - {"src/"} and files <= names
    assert entities["book/results/two/fig-two-only.pdf"]["description"] == "A rate of a₁. B & 50% of Smith (2020)."
    run = entities["#run-one"]
    assert run["endTime"] == "2031-02-03T04:05:06+00:00" and run["object"] == {"@id": "book/sources/one.md"}
    assert {part["@id"] for part in run["result"]} == {
        "book/chapters/one.ipynb",
        "book/results/one/fig-one-first.pdf",
        "book/results/one/fig-one-second.pdf",
    }
    assert entities["./"]["creator"] == [{"@id": "#author-0"}] and len(entities["./"]["license"]) == 2


def test_the_same_commit_gives_the_same_files(root):
    first = release.make().read_bytes()
    with zipfile.ZipFile(release.make()) as archive:
        again = {name: archive.read(name) for name in archive.namelist() if not name.endswith("metadata.json")}
    (root / "first.zip").write_bytes(first)
    with zipfile.ZipFile(root / "first.zip") as archive:
        assert again == {name: archive.read(name) for name in again}
        assert len(again) == len(archive.namelist()) - 1


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda root: (root / "src" / "code.py").write_text("x = 1\n"), "commit or remove first: M src/code.py"),
        (lambda root: (root / "new.txt").touch(), "commit or remove first: ?? new.txt"),
        (lambda root: (root / "_build/html/book/index.html").unlink(), "run `make html` first"),
        (lambda root: (root / ".git").rename(root.parent / "git"), "needs git and the book's repository"),
    ],
)
def test_what_is_no_commit_with_pages_is_refused_in_one_sentence(root, damage, words, capsys):
    damage(root)
    assert main(["release"]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert not list(root.glob("_build/release/*.zip"))
