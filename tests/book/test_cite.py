"""The catalog of figures, the citations made from it, and the archive of one figure."""

import json
import re
import zipfile
from pathlib import Path

import pytest
import small_book
from pybtex.database import parse_string

from offconvex.book.publication import bundle, catalog, cite


@pytest.fixture
def root(tmp_path):
    return small_book.make(tmp_path)


def entry(text):
    return next(iter(parse_string(text, "bibtex").entries.values()))


def test_figures_are_numbered_as_the_pages_number_them(root):
    found = catalog.figures(root)
    assert {id: figure.number for id, figure in found.items()} == {
        "fig-one-first": "1.1",
        "fig-one-second": "1.2",
        "fig-two-only": "2.1",
    }
    assert found["fig-two-only"].chapter == "two"
    assert found["fig-two-only"].alt == "Alt of fig-two-only"
    assert found["fig-two-only"].image == b"\x89PNG small"


def test_chapters_in_order_with_titles(root):
    assert [(c.name, c.number, c.title) for c in catalog.chapters(root)] == [
        ("one", "1", "Chapter one"),
        ("two", "2", "Chapter two"),
    ]
    assert catalog.pages(root) == ["book/index", "book/chapters/one", "book/chapters/two", "book/claims"]


def test_chapter_without_notebook_has_no_figures(root):
    (root / "book" / "chapters" / "one.ipynb").unlink()
    assert catalog.chapters(root)[0].figures == ()
    assert catalog.figures(root)["fig-two-only"].number == "2.1"


def test_two_figures_with_one_id_are_refused(root):
    small_book.write_chapter(root, "two", {"fig-one-first": "Again."})
    with pytest.raises(ValueError, match="used twice: fig-one-first"):
        catalog.figures(root)


def test_entry_without_site(root):
    fields = entry(cite.bibtex("fig-one-first", root=root)).fields
    assert fields["title"] == "{A Small Book}, Figure 1.1: Five values rise"
    assert fields["year"] == "2031" and fields["version"] == "1.2.3"
    assert fields["note"] == "Figure fig-one-first, version 1.2.3, commit abcdef012345"
    assert fields["swhid"] == f"swh:1:rev:{small_book.COMMIT}"
    assert "url" not in fields and "doi" not in fields


def test_entry_with_site_and_doi(tmp_path):
    root = small_book.make(tmp_path, site="https://book.example.org/x/", doi="10.5555/12345")
    fields = entry(cite.bibtex("fig-two-only", root=root)).fields
    assert fields["url"] == "https://book.example.org/x/book/chapters/two.html#fig-two-only"
    assert fields["doi"] == "10.5555/12345"


def test_author_is_one_name(root):
    (author,) = entry(cite.bibtex("fig-one-first", root=root)).persons["author"]
    assert str(author) == "{The authors of A Small Book}"


def test_caption_becomes_latex(root):
    title = entry(cite.bibtex("fig-two-only", root=root)).fields["title"]
    assert title.endswith(r"Figure 2.1: A rate of $a_1. B$ \& 50\% of Smith (2020)")


def test_uncommitted_changes_are_said(root):
    file = root / "book" / "results" / "one" / "provenance.json"
    file.write_text(file.read_text().replace("false", "true"))
    for style in cite.FORMATS.values():
        assert "commit abcdef012345 with uncommitted changes" in style("fig-one-first", root=root)
        assert "swh:" not in style("fig-one-first", root=root)  # what was not committed has no such identifier


def test_figure_without_provenance_still_has_an_entry(root):
    (root / "book" / "results" / "one" / "provenance.json").unlink()
    fields = entry(cite.bibtex("fig-one-first", root=root)).fields
    assert "year" not in fields and "commit" not in fields["note"] and "swhid" not in fields


@pytest.mark.parametrize("commit", [None, "", "abcdef012345", "A" * 40, "0" * 64, f"{'0' * 40}\n"])
def test_only_a_whole_commit_has_an_identifier(commit):
    assert cite.swhid(commit) == ""
    assert cite.swhid("0" * 40) == f"swh:1:rev:{'0' * 40}"


def test_unknown_figure_names_near_ones(root):
    with pytest.raises(ValueError, match=re.escape("unknown figure 'fig-one-frist' (did you mean 'fig-one-first'")):
        cite.bibtex("fig-one-frist", root=root)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two.", "One."),
        ("Only one", "Only one"),
        ("At $x = 0.5$ it turns. Then", "At $x = 0.5$ it turns."),
        ("In $f. G$ it stays. Then", "In $f. G$ it stays."),
        ("Some, e.g. This, count. Then", "Some, e.g. This, count."),
        ("As in Fig. 2 it\n  rises. Then", "As in Fig. 2 it rises."),
        ("Why? Because.", "Why?"),
    ],
)
def test_first_sentence(text, expected):
    assert catalog.first_sentence(text) == expected


def test_latex_escapes_what_bibtex_would_trip_over():
    text = cite.latex("*a*_b & 5% of {x} # {numref}`fig-a` {cite:p}`smith2020a`")
    assert text == r"a\_b \& 5\% of x \# fig-a"


def records(text):
    pairs = [line.split("  - ", 1) for line in text.splitlines()]
    assert pairs[0][0] == "TY" and pairs[-1] == ["ER", ""]
    return dict(pairs)


def test_ris_and_plain_text_say_what_the_entry_says(tmp_path):
    root = small_book.make(tmp_path, site="https://book.example.org", doi="10.5555/12345")
    found = records(cite.ris("fig-two-only", root=root))
    assert found["TI"] == "A Small Book, Figure 2.1: A rate of a₁. B & 50% of Smith (2020)"
    assert found["UR"].endswith("#fig-two-only") and found["DO"] == "10.5555/12345" and found["PY"] == "2031"
    assert found["AN"] == f"swh:1:rev:{small_book.COMMIT}"
    line = cite.text("fig-two-only", root=root)
    assert line.startswith("The authors of A Small Book (2031). A Small Book, Figure 2.1: A rate of a₁. B & 50%")
    state = f"fig-two-only, version 1.2.3, commit abcdef012345. swh:1:rev:{small_book.COMMIT}"
    assert line.endswith(f"{state} https://doi.org/10.5555/12345")


def test_without_site_no_format_holds_an_address(root):
    assert not {"UR", "DO"} & set(records(cite.ris("fig-one-first", root=root)))
    assert "http" not in cite.text("fig-one-first", root=root)


@pytest.mark.parametrize("style", cite.FORMATS.values())
def test_every_format_names_near_figures(root, style):
    with pytest.raises(ValueError, match="did you mean 'fig-one-first'"):
        style("fig-one-frist", root=root)


def test_a_bundle_holds_everything_and_equal_bytes(root, tmp_path):
    results = root / "book" / "results" / "one"
    (results / "fig-one-first.csv").write_text("a\n1\n")
    (results / "fig-one-first.pdf").write_bytes(b"%PDF")
    (results / "fig-one-firstly.csv").write_text("another figure's\n")
    (results / "claims.json").write_text('{"one.holds": {"figure": "fig-one-first"}, "one.other": {"figure": ""}}')
    figure = catalog.figures(root)["fig-one-first"]
    for name in ("a.zip", "b.zip"):
        bundle.write(figure, tmp_path / name, root=root)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        files = {Path(name).name: archive.read(name) for name in archive.namelist()}
        assert all(name.startswith("fig-one-first/") for name in archive.namelist())
    own = {f"fig-one-first.{suffix}" for suffix in ("csv", "pdf", "png", "py")}
    assert set(files) == own | {"claims.json", "provenance.json", "README.txt", "cite.bib", "cite.ris", "cite.txt"}
    assert files["fig-one-first.py"] == b"draw()\n" and files["fig-one-first.png"] == figure.image
    assert list(json.loads(files["claims.json"])) == ["one.holds"]
    assert files["cite.bib"].decode().strip() == cite.bibtex("fig-one-first", root=root)
    assert b"offconvex execute one" in files["README.txt"]
