"""Every built page in a real browser: light, dark, on a telephone, from a file, without script."""

import browser_checks
import pytest

from offconvex.book.publication import catalog

pytestmark = pytest.mark.browser

DESKTOP, TELEPHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
EVERY_PAGE = [*catalog.pages(), "search"]


@pytest.fixture(scope="module")
def home(html, serve):
    """Address of the built book."""
    return serve(html)


@pytest.fixture(scope="module")
def context(browser):
    opened = browser.new_context(viewport=DESKTOP)
    opened.set_default_timeout(120_000)  # a busy machine is slow, not broken
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def visit(context, home):
    """Opens a page of the book in the one tab: (name, scheme) -> tab and its witness."""
    tab = context.new_page()
    witness = browser_checks.Witness(tab, home)

    def go(name, scheme="light", size=DESKTOP):
        tab.set_viewport_size(size)
        tab.emulate_media(color_scheme=scheme)
        witness.take()
        browser_checks.open_page(tab, f"{home}/{name}.html")
        assert tab.evaluate("document.documentElement.dataset.theme") == scheme
        return tab, witness

    return go


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_page_in_light(visit, name):
    tab, witness = visit(name, "light")
    assert browser_checks.formulas(tab) == []
    tab.set_viewport_size(TELEPHONE)
    assert browser_checks.overflow(tab) == []
    tab.set_viewport_size(DESKTOP)
    assert browser_checks.barriers(tab) == []
    assert witness.take() == []


@pytest.mark.parametrize("name", EVERY_PAGE)
def test_page_in_dark(visit, name):
    tab, witness = visit(name, "dark")
    assert browser_checks.formulas(tab) == []
    assert browser_checks.barriers(tab) == []
    assert witness.take() == []


def test_dark_figures_keep_their_colors(visit):
    chapter = next(chapter for chapter in catalog.chapters() if chapter.figures)
    tab, _ = visit(chapter.page, "dark")
    filters = tab.eval_on_selector_all("figure img", "images => images.map(i => getComputedStyle(i).filter)")
    grounds = tab.eval_on_selector_all("figure img", "images => images.map(i => getComputedStyle(i).backgroundColor)")
    assert len(filters) == len(chapter.figures)
    assert set(filters) == {"none"} and set(grounds) == {"rgb(255, 255, 255)"}


def test_telephone_has_no_barriers(visit):
    for name in ("book/index", "book/claims", catalog.chapters()[0].page):
        tab, _ = visit(name, size=TELEPHONE)
        assert browser_checks.barriers(tab) == []


def test_search_finds_a_chapter(visit, home):
    chapter = catalog.chapters()[0]
    tab, witness = visit("search")
    browser_checks.open_page(tab, f"{home}/search.html?q={chapter.name.split('-')[0]}")
    tab.wait_for_selector(f"#search-results a[href*='{chapter.page}']", timeout=5000)
    assert witness.take() == []


def test_pages_work_from_a_file(context, html):
    chapter = next(chapter for chapter in catalog.chapters() if chapter.figures)
    tab = context.new_page()
    witness = browser_checks.Witness(tab, html.as_uri())
    browser_checks.open_page(tab, (html / f"{chapter.page}.html").as_uri())
    assert browser_checks.formulas(tab) == []
    assert tab.locator("mjx-container").count() > 0
    # A browser may refuse web fonts to pages without a server, and says so; the text then has one of the system's.
    assert [fault for fault in witness.take() if fault.startswith(("script error", "request to another host"))] == []
    # Results are found in the index; only their excerpts have to be fetched, which a file may not do.
    browser_checks.open_page(tab, (html / "search.html").as_uri() + f"?q={chapter.name.split('-')[0]}")
    tab.wait_for_selector(f"#search-results a[href*='{chapter.page}']", timeout=5000)
    tab.close()


def test_cite_opens_by_keyboard_and_without_script(browser, html):
    chapter = next(chapter for chapter in catalog.chapters() if chapter.figures)
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((html / f"{chapter.page}.html").as_uri())
    cite = tab.locator("details.cite").first
    assert not cite.locator("pre").is_visible()
    cite.locator("summary").focus()
    tab.keyboard.press("Enter")
    cite.locator("pre").wait_for(state="visible", timeout=2000)
    assert cite.locator("pre").inner_text().startswith("@misc{")
    context.close()


def test_a_printed_chapter_shows_reasons_and_no_code_and_is_then_as_before(visit):
    chapter = next(chapter for chapter in catalog.chapters() if chapter.figures)
    tab, witness = visit(chapter.page)
    tab.locator("details.fold-why summary").first.click()  # one that the reader has opened stays open
    count = tab.locator("details.fold-why").count()
    assert count > 1
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    tab.emulate_media(media="print")
    assert tab.locator("details.fold-why > p:visible").count() >= count
    assert tab.locator("details.fold-code").count() > 1 and tab.locator("details.fold-code:visible").count() == 0
    tab.emulate_media(media="screen")
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.locator("details.fold-why[open]").count() == 1
    assert witness.take() == []


def test_folds_open_by_keyboard_and_without_script(browser, html):
    chapter = next(chapter for chapter in catalog.chapters() if chapter.figures)
    with browser.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto((html / f"{chapter.page}.html").as_uri())
        for name, inside in (("fold-set-up", "pre"), ("fold-code", "pre"), ("fold-why", "p")):
            fold = tab.locator(f"details.{name}").last
            assert not fold.locator(inside).first.is_visible()
            fold.locator("> summary").focus()
            tab.keyboard.press("Enter")
            fold.locator(inside).first.wait_for(state="visible", timeout=2000)


FAULTY = """<!doctype html><html lang="en"><head><title>T</title></head><body><article>
<p style="color:#aaa;background:#fff">pale</p><p>raw \\(x\\)</p><span class="math">x</span>
<div style="width:2000px">wide</div><img src="https://example.invalid/a.png" alt="a">
<script>console.error("wrong"); undefined_name();</script></article></body></html>"""


def test_checks_find_the_faults_of_a_faulty_page(browser, tmp_path):
    (tmp_path / "faulty.html").write_text(FAULTY)
    context = browser.new_context(viewport=TELEPHONE)
    tab = context.new_page()
    witness = browser_checks.Witness(tab, tmp_path.as_uri())
    browser_checks.open_page(tab, (tmp_path / "faulty.html").as_uri())
    assert [sentence.split(":")[0] for sentence in browser_checks.formulas(tab)] == [
        "raw formula",
        "formula not typeset",
    ]
    assert any("color-contrast" in sentence for sentence in browser_checks.barriers(tab))
    assert len(browser_checks.overflow(tab)) == 1
    kinds = {sentence.split(":")[0] for sentence in witness.take()}
    assert {"request to another host", "request failed", "console", "script error"} <= kinds
    context.close()
