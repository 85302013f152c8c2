"""The copies to take along: the PDF has every page and every figure as a vector file, the archive opens anywhere."""

import zipfile
from pathlib import Path

import browser_checks
import pikepdf
import pytest
from bs4 import BeautifulSoup

from offconvex.book.publication import catalog, offline, one_page, printed


@pytest.fixture(scope="module")
def book(html):
    """The printed book."""
    if printed.browser() is None:
        pytest.skip("no browser found: the book is not printed")
    with pikepdf.open(html / printed.NAME) as opened:
        yield opened


@pytest.mark.browser
def test_print_holds_every_figure_as_vectors(book):
    vectors = [figure for figure in catalog.figures().values() if _vector(figure).exists()]
    assert len(vectors) == len(catalog.figures())
    objects = [each for page in book.pages for each in page.resources.get("/XObject", {}).values()]
    drawn = [each for each in objects if each.Subtype == "/Form"]  # the others are images
    assert len(drawn) == len(vectors)
    boxes = sorted(round(float(v), 1) for form in drawn for v in form.BBox)
    assert boxes == sorted(round(float(v), 1) for figure in vectors for v in _box(_vector(figure)))
    links = [str(link.get("/A", {}).get("/URI", "")) for page in book.pages for link in page.obj.get("/Annots", [])]
    assert not [address for address in links if address.startswith((one_page.FIGURE, "http://127.0.0.1", "file:"))]


@pytest.mark.browser
def test_print_has_titles_outline_and_right_page_numbers(book):
    number = {page.objgen: i for i, page in enumerate(book.pages, start=1)}
    begins = {name: number[place[0].objgen] for name, place in book.Root.Dests.items()}
    starts = [begins["/" + one_page.anchor(name)] for name in one_page.pages()[1:]]
    assert starts == sorted(set(starts)) and starts[0] > 2
    assert str(book.docinfo["/Title"]) == catalog.setting("title") and book.Root.MarkInfo.Marked
    with book.open_outline() as outline:
        titles = [entry.title for entry in _flat(outline.root)]
    for chapter in catalog.chapters():
        assert f"{chapter.number}. {chapter.title}" in titles, chapter.title


@pytest.mark.site
def test_first_page_links_both_copies(html):
    page = BeautifulSoup((html / "book" / "index.html").read_text(encoding="utf-8"), "html.parser")
    linked = [link["href"] for link in page.select(".offline-copies a")]
    expected = [offline.ARCHIVE] if printed.browser() is None else [printed.NAME, offline.ARCHIVE]
    assert linked == [f"../{name}" for name in expected]
    # Hosts of static pages, GitHub's among them, take files of up to 100 MB.
    assert all(1e6 < (html / name).stat().st_size < 100e6 for name in expected)


@pytest.mark.browser
def test_archive_opens_from_a_folder(browser, html, tmp_path):
    with zipfile.ZipFile(html / offline.ARCHIVE) as archive:
        archive.extractall(tmp_path)
    top = tmp_path / Path(offline.ARCHIVE).stem
    assert {file.name for file in top.iterdir()} >= {"index.html", "book", "_static", "_images"}
    tab = browser.new_context().new_page()
    witness = browser_checks.Witness(tab, tmp_path.as_uri())
    tab.goto((top / "index.html").as_uri())
    tab.wait_for_url("**/book/index.html")
    chapter = next(chapter for chapter in catalog.chapters() if chapter.figures)
    tab.click(f".chapter-card a[href*='{chapter.name}'] >> nth=0")
    browser_checks.open_page(tab, tab.url)
    assert browser_checks.formulas(tab) == []
    drawn = tab.eval_on_selector_all("figure img", "images => images.map(i => i.naturalWidth)")
    assert len(drawn) == len(chapter.figures) and min(drawn) > 0
    assert [fault for fault in witness.take() if fault.startswith(("script error", "request to another host"))] == []
    tab.context.close()


def _vector(figure: catalog.Figure) -> Path:
    return catalog.results(figure.chapter) / f"{figure.id}.pdf"


def _box(file: Path) -> list[float]:
    with pikepdf.open(file) as figure:
        return [float(value) for value in figure.pages[0].mediabox]


def _flat(entries):
    for entry in entries:
        yield entry
        yield from _flat(entry.children)
