"""One page of many, and copies refused where there is nothing to copy."""

import pytest
import small_book
from bs4 import BeautifulSoup

from offconvex.book.command_line import main
from offconvex.book.publication import offline, one_page, printed

PAGE = """<html><head><link rel="stylesheet" href="../_static/a.css"><script>let other = 1</script>
<script>window.MathJax = {{}}</script></head><body><article>
<h1 id="top">{title}<a class="headerlink" href="#top">#</a></h1>
<p class="offline-copies"></p>{body}</article></body></html>"""
ONE = """<p><a href="two.html#there">there</a> <a href="../results/one.csv">data</a> <a href="#top">up</a>
<a href="https://example.org/">away</a></p>
<details class="fold fold-code"><summary>Code</summary><pre>draw()</pre></details>
<details class="fold fold-why"><summary>Why</summary><p>It does.</p></details>
<figure id="fig-one-first"><a href="../../_images/x.png"><img src="../../_images/x.png" alt="It falls."></a></figure>
<figure id="fig-other"><img src="../../_images/y.png" alt="It rises."></figure>"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A small book whose pages are built."""
    root = small_book.make(tmp_path / "small")
    for name in one_page.catalog.pages(root):
        file = root / "_build" / "html" / f"{name}.html"
        file.parent.mkdir(parents=True, exist_ok=True)
        body = ONE if file.stem == "one" else '<p id="there">Here.</p>'
        file.write_text(PAGE.format(title=f"Page {file.stem}", body=body))
    monkeypatch.setenv("OFFCONVEX_ROOT", str(root))
    return root


def test_links_lead_inside_and_figures_leave_their_place(root):
    text = one_page.assemble(root / "_build" / "html", sizes={"fig-one-first": (300.0, 100.0)}, state="v1", root=root)
    page = BeautifulSoup(text, "html.parser")
    ids = [element["id"] for element in page.find_all(id=True)]
    assert len(ids) == len(set(ids)) and "two--there" in ids and "page-one" in ids
    inside = page.find(id="page-one")
    assert [a["href"] for a in inside.p.find_next_sibling("p").find_all("a")] == [
        "#two--there",
        "#one--top",
        "https://example.org/",
    ]
    place, image = inside.find("a", class_="vector"), inside.find_all("img")
    assert place["href"] == "https://figure.invalid/fig-one-first" and "300 / 100" in place.img["style"]
    assert image[0]["alt"] == "It falls." and image[1]["src"] == "_images/y.png"
    assert "other = 1" not in text and "window.MathJax" in text and "headerlink" not in text
    assert [leaf["data-page"] for leaf in page.select(".leaf")] == [
        one_page.anchor(name) for name in one_page.pages(root)[1:]
    ]


def test_print_leaves_out_code_opens_other_folds_and_says_so(root):
    text = one_page.assemble(root / "_build" / "html", sizes={}, state="v1", root=root)
    page = BeautifulSoup(text, "html.parser")
    (fold,) = page.select("details")
    assert fold.has_attr("open") and fold.p.get_text() == "It does."
    assert "draw()" not in page.get_text()
    assert page.select_one(".contents .note").get_text() == one_page.NOTE  # the page after the cover


def test_a_missing_page_is_named(root):
    (root / "_build" / "html" / "book" / "chapters" / "two.html").unlink()
    with pytest.raises(ValueError, match="book/chapters/two is not there; run `make html` first"):
        one_page.assemble(root / "_build" / "html", sizes={}, state="", root=root)


def test_without_a_browser_there_is_an_archive_and_no_dead_link(root, monkeypatch, capsys):
    monkeypatch.setattr(printed, "browser", lambda: None)
    html = root / "_build" / "html"
    (html / printed.NAME).write_bytes(b"an earlier build's")
    assert main(["offline"]) == 0
    assert "no PDF: printing needs a browser" in capsys.readouterr().out
    links = BeautifulSoup((html / "book" / "index.html").read_text(), "html.parser").select(".offline-copies a")
    assert [link["href"] for link in links] == [f"../{offline.ARCHIVE}"]
    assert not (html / printed.NAME).exists()
    with pytest.raises(ValueError, match="install Chromium"):
        printed.make(root=root)
    first = (html / offline.ARCHIVE).read_bytes()
    assert main(["offline"]) == 0  # links of the first time are replaced, not doubled
    links = BeautifulSoup((html / "book" / "index.html").read_text(), "html.parser").select(".offline-copies a")
    assert len(links) == 1 and first


def test_without_pages_there_is_nothing_to_copy(root, capsys):
    (root / "_build" / "html" / "book" / "index.html").unlink()
    assert main(["offline"]) == 2
    assert "run `make html` first" in capsys.readouterr().err
