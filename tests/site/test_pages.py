"""Every built page: links, anchors, images, figures, and that generated pages are complete."""

import re

import page_checks
import pytest
import yaml

from offconvex import claims, paths
from offconvex.book.publication import api, catalog, cite, moved, origins, published

pytestmark = pytest.mark.site

CHECKS = (
    page_checks.broken_links,
    page_checks.remote_resources,
    page_checks.missing_alternatives,
    page_checks.machine_traces,
    page_checks.unparsed_markup,
    page_checks.bare_pages,
    page_checks.figure_faults,
)

MARKS = {"unreproduced": "≠", "refuted": "⊘"}


def anchor(claim_id):
    return "claim-" + re.sub(r"[^a-z0-9]+", "-", claim_id)


@pytest.fixture(scope="module")
def book(html, pages):
    """Page name, as in `_toc.yml` -> its content."""
    return {str(file.relative_to(html).with_suffix("")): page for file, page in pages.items()}


@pytest.fixture(scope="module")
def registry():
    here = {chapter.name for chapter in catalog.chapters()}
    return [claim for claim in claims.load().values() if claim.chapter in here]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_no_faults(check, pages, html):
    assert check(pages, html) == []


def test_every_address_means_one_place(pages, html):
    # The theme's own search page has its search field twice.
    own = {file: page for file, page in pages.items() if file != html / "search.html"}
    assert page_checks.repeated_ids(own, html) == []


def test_every_page_is_built(book):
    assert set(catalog.pages()) <= set(book)


def test_top_leads_to_the_first_page(book):
    assert "url=book/index.html" in book["index"].select_one("meta[http-equiv=refresh]")["content"]


def test_every_figure_is_in_its_chapter_and_in_the_gallery(book):
    shown = {a["href"] for a in book["book/figures"].select("article a[href]")}
    for chapter in catalog.chapters():
        ids = [node["id"] for node in book[chapter.page].select("figure[id^=fig-]")]
        assert ids == [figure.id for figure in chapter.figures]
        assert {f"chapters/{chapter.name}.html#{id}" for id in ids} <= shown


def test_figures_carry_the_entry_that_the_command_line_prints(book):
    for figure in catalog.figures().values():
        page = book[f"book/chapters/{figure.chapter}"]
        links = page.select_one(f"figure#{figure.id}").find_next_sibling(class_="figure-links")
        assert links.select_one("pre").get_text().strip() == cite.bibtex(figure.id).strip()
        number = page.select_one(f"figure#{figure.id} .caption-number").get_text()
        assert number.split() == ["Fig.", figure.number]


def test_figures_lead_to_the_functions_that_make_them(book):
    for figure in catalog.figures().values():
        page, made = book[f"book/chapters/{figure.chapter}"], origins.origin(figure.cells)
        links = page.select_one(f"figure#{figure.id}").find_next_sibling(class_="figure-links")
        lines = {line.get_text().split(" by")[0]: line for line in links.select("details.code p")}
        assert lines.keys() == {"Computed", *(["Drawn"] if "plots." in figure.code else [])}, figure.id
        shown = [a["href"] for line in lines.values() for a in line.select("a") if a.code]
        assert shown == [f"../api/{api.places()[n].part}.html#{n}" for n in (*made.drawn, *made.computed)]


def test_every_claim_is_on_the_page_of_claims_with_its_numbers(book, registry):
    for claim in registry:
        row = book["book/claims"].select_one(f"#{anchor(claim.id)}")
        assert row is not None, claim.id
        verdict = f"claim-{claim.kind}" if claim.kind in MARKS else "claim-holds"
        assert row["class"][:2] == ["claim", verdict], f"{claim.id} does not hold, or was not measured"
        assert len(row.select("table.measures tbody tr")) == len(claim.measures)
        # What is arithmetic says so in its quantity.
        assert "not measured" not in row.get_text().replace(", not measured", "")


def test_every_claim_is_checked_at_its_address_in_the_chapter(book, registry):
    for claim in registry:
        place = book[f"book/chapters/{claim.chapter}"].select_one(f"#{anchor(claim.id)}")
        assert place is not None, f"{claim.id}: no place in {claim.chapter} has its address"
        cell = place if "cell" in place.get("class", []) else place.find_parent(class_="cell")
        assert claim.id in cell.select_one(".cell_input").get_text()


def test_verdicts_lead_to_the_claim_with_its_mark(book, registry):
    for claim in registry:
        card = book[f"book/chapters/{claim.chapter}"].select_one(f".verdict-card#{anchor(claim.id)}")
        assert card.get_text().strip().startswith(MARKS.get(claim.kind, "✓"))
        assert f"../claims.html#{anchor(claim.id)}" in [a["href"] for a in card.select("a")]


def test_every_run_is_on_the_page_of_runs(book):
    text = book["book/status"].select_one("article").get_text()
    for chapter in catalog.chapters():
        record = catalog.record(chapter.name, "provenance.json")
        assert record["date"][:10] in text and (record["commit"] or "–")[:10] in text
    assert "not executed yet" not in text


def test_published_addresses_exist(book):
    published_ids = published.read()
    assert published_ids, "book/published_ids.txt lists nothing"
    assert published.missing() == []
    for kind, id in (line.split(":", 1) for line in published_ids):
        if kind == "page":
            assert id in book
        elif kind == "figure":
            assert any(page.select_one(f"figure#{id}") for page in book.values()), id
        else:
            assert book["book/claims"].select_one(f"#{anchor(id)}"), id


def test_everything_in_the_book_is_published():
    assert set(published.current()) <= set(published.read()), "run `offconvex publish`"


def test_every_name_of_the_package_has_its_address_and_those_it_had(book):
    ids = {part: {node["id"] for node in book[f"book/api/{part}"].select("[id]")} for part in api.parts()}
    assert [name for name, place in api.places().items() if name not in ids[place.part]] == []
    assert [old for old in moved.targets(moved.read()) if old not in ids[moved.part_of(old)]] == []


def test_every_chapter_can_be_downloaded_as_a_notebook(book, html):
    for chapter in catalog.chapters():
        links = [a["href"] for a in book[chapter.page].select("a[href$='.ipynb']")]
        assert links == [f"../../_sources/{chapter.page}.ipynb"]


def test_no_dead_button_without_a_repository(pages):
    config = yaml.safe_load((paths.require_project_root() / "_config.yml").read_text())
    if config["repository"]["url"]:
        pytest.skip("this copy of the book names its repository")
    hosts = ("colab.research", "mybinder", "github.com", "gitlab.com")
    buttons = [a["href"] for page in pages.values() for a in page.select(".article-header-buttons a[href]")]
    assert [href for href in buttons if any(host in href for host in hosts)] == []


def test_every_claim_stands_under_a_text_and_every_finding_on_its_page(book, registry):
    def listed(page):
        return {a["href"].partition("#")[2] for a in book[page].select(".claim-list a[href*='claims.html#']")}

    own = {anchor(claim.id) for claim in registry if claim.kind == "finding"}
    assert listed("book/findings") == own | {anchor(claim.id) for claim in registry if claim.kind == "refuted"}
    missing = {anchor(claim.id) for claim in registry} - listed("book/texts")
    assert missing <= own, "a claim that a text makes must name the text, or the paper behind it, as its source"


def test_every_mark_of_the_map_leads_to_a_check_of_its_law(book, registry):
    page, chapter_of = book["book/map"], {claim.id: claim.chapter for claim in registry}
    told = {link.get_text(strip=True) for link in page.select("table.law-forms td:last-child a")}
    marks = page.select("table.law-map a[href*='#claim-']")
    named = [mark.select_one(".visually-hidden").get_text(strip=True).split(", ") for mark in marks]
    assert {id for ids in named for id in ids} == told <= set(chapter_of)
    for mark, ids in zip(marks, named, strict=True):
        assert mark["href"] == f"chapters/{chapter_of[ids[0]]}.html#{anchor(ids[0])}"
        assert len({chapter_of[id] for id in ids}) == 1
    assert {chapter_of[id] for id in told} == set(chapter_of.values()), "a chapter that no law of the map reaches"
