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
    assert run["object"] == {"@id": "book/sources/one.md"}
    assert {part["@id"] for part in run["result"]} == {
        "book/chapters/one.ipynb",
        "book/results/one/fig-one-first.pdf",
        "book/results/one/fig-one-second.pdf",
    }
    assert entities["./"]["creator"] == {"@id": "#author-0"} and len(entities["./"]["license"]) == 2
    commit = history.git(root, "rev-parse", "HEAD")
    assert entities["./"]["identifier"] == f"swh:1:rev:{commit}"


def test_the_description_keeps_to_the_profile_of_runs(root):
    """What the Process Run Crate asks of a crate and of each run (https://w3id.org/ro/wfrun/process/0.5)."""
    described = release.describe(root, small_book.COMMIT)
    entities = {entity["@id"]: entity for entity in described["@graph"]}
    main, about = entities["./"], entities["ro-crate-metadata.json"]
    assert about["conformsTo"]["@id"] == "https://w3id.org/ro/crate/1.1" and about["about"] == {"@id": "./"}
    assert entities[main["conformsTo"]["@id"]] == {
        "@id": "https://w3id.org/ro/wfrun/process/0.5",
        "@type": "CreativeWork",
        "name": "Process Run Crate",
        "version": "0.5",
    }
    assert main["mentions"] == [{"@id": "#run-one"}, {"@id": "#run-two"}]
    for run in (entities[mention["@id"]] for mention in main["mentions"]):
        assert run["@type"] == "CreateAction" and run["name"] and run["description"]
        assert (run["startTime"], run["endTime"]) == ("2031-02-03T04:03:59+00:00", "2031-02-03T04:05:06+00:00")
        assert run["actionStatus"] == "http://schema.org/CompletedActionStatus"
        assert entities[run["agent"]["@id"]]["@type"] == "Organization"
        assert entities[run["instrument"]["@id"]] == {
            "@id": f"swh:1:rev:{small_book.COMMIT}",
            "@type": "SoftwareSourceCode",
            "name": "offconvex",
            "version": "1.2.3",
        }
        parts = {part["@id"] for part in main["hasPart"]}
        assert {file["@id"] for file in [run["object"], *run["result"]]} <= parts
    for entity in entities.values():  # JSON-LD: a single value is no list, and what is pointed at is there
        for name, value in entity.items():
            if name not in ("@type", "hasPart", "keywords"):
                assert not (isinstance(value, list) and len(value) == 1), (entity["@id"], name)
                for pointed in value if isinstance(value, list) else [value]:
                    assert not isinstance(pointed, dict) or pointed["@id"] in entities or "://" in pointed["@id"]


def test_a_chapter_that_was_not_executed_has_no_run(root):
    (root / "book" / "results" / "two" / "provenance.json").unlink()
    entities = {entity["@id"]: entity for entity in release.describe(root, small_book.COMMIT)["@graph"]}
    assert "#run-two" not in entities and entities["./"]["mentions"] == {"@id": "#run-one"}


@pytest.mark.parametrize("change", [(f'"{small_book.COMMIT}"', "null"), ("false", "true")])
def test_a_run_of_no_commit_is_still_described(root, change):
    for name in ("one", "two"):
        file = root / "book" / "results" / name / "provenance.json"
        file.write_text(file.read_text().replace(*change))
    entities = {entity["@id"]: entity for entity in release.describe(root, small_book.COMMIT)["@graph"]}
    assert entities["#run-one"]["instrument"] == {"@id": "#offconvex-1.2.3"}


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
