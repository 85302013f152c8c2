"""What the pages of chapters add for readers: an opening, the model in view, code in folds, verdicts with numbers."""

import re

import nbformat
import pytest

from offconvex import claims
from offconvex.book.execution import chapters, sweep
from offconvex.book.publication import catalog
from offconvex.book.reading import openings, seeds, sentences

pytestmark = pytest.mark.site

CHAPTERS = [chapter.name for chapter in catalog.chapters()]


def anchor(claim_id):
    return "claim-" + re.sub(r"[^a-z0-9]+", "-", claim_id)


@pytest.fixture(scope="module")
def article(html, pages):
    """Content of a chapter's page: name -> element."""
    return lambda chapter: pages[html / f"book/chapters/{chapter}.html"].select_one("article")


@pytest.fixture(scope="module")
def registry():
    return claims.load()


def tags(cell):
    return set(cell.metadata.get("tags", ()))


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_check_shows_its_numbers(article, chapter):
    page, stored = article(chapter), catalog.record(chapter, "claims.json")
    cards = {card["id"]: card for card in page.select(".verdict-card:not(.verdict-card-control)")}
    assert sorted(cards) == sorted(map(anchor, stored))
    for id, entry in stored.items():
        lines = cards[anchor(id)].select("p.measure")
        assert len(lines) == len(claims.as_mapping(entry["observed"]))
        assert all(re.search(r"\d", line.select_one(".value").get_text()) for line in lines)
        assert all(len(line.select("svg.gauge[aria-hidden=true] .g-value")) == 1 for line in lines)
    assert [box for box in page.select("pre") if re.match(r"\s*[✓✗] ", box.get_text())] == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_control_is_shown_once(article, chapter):
    page = article(chapter)
    for id, entry in catalog.record(chapter, "claims.json").items():
        inside = page.select_one(f"#{anchor(id)}").select(".broken .label")
        control = claims.as_mapping(entry.get("control", {}))
        assert len(inside) == len(control), id
    for line in page.select(".verdict-card-control"):  # of a control in a later cell than its claim
        assert line.select_one("a")["href"] in {f"#{anchor(id)}" for id in catalog.record(chapter, "claims.json")}
        assert " against " in line.get_text()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_seeds_are_counted_only_where_they_differ(article, registry, chapter):
    records = list(sweep.load(chapter).values())
    for claim in (claim for claim in registry.values() if claim.chapter == chapter):
        label = article(chapter).select_one(f"#{anchor(claim.id)} details.fold-why > summary").get_text()
        counted = re.search(r"\d+ of \d+ seeds", label) is not None
        assert counted == bool(seeds.varying(claim, records)), claim.id


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_only_the_model_is_in_view_and_all_code_is_on_the_page(article, chapter):
    page, notebook = article(chapter), nbformat.read(chapters.notebook_path(chapter), as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = page.select("div.cell_input")
    assert [re.sub(r"\s", "", box.get_text()) for box in shown] == [re.sub(r"\s", "", cell.source) for cell in cells]
    for box, cell in zip(shown, cells):
        folds = box.find_parents("details")
        assert len(folds) == (0 if "model" in tags(cell) else 1)
        if folds and "fold-set-up" not in folds[0]["class"]:  # below what it made
            assert folds[0].find_next_sibling() is None and folds[0].parent["class"][0] == "cell"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_set_up_is_one_fold_at_its_place(article, chapter):
    (fold,) = article(chapter).select("details.fold-set-up")
    first, *_, last = fold.select("div.cell_input")
    assert first.find_parent(class_="tag_parameters") is not None and "chapter.begin(" in last.get_text()
    assert fold.find_previous("div", class_="cell_input") is None, "code before the set-up"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_fold_says_what_it_holds_and_no_two_say_the_same(article, chapter):
    folds = article(chapter).select("details")
    names = [" ".join(fold.find("summary", recursive=False).get_text().split()) for fold in folds]
    assert all(names) and len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
    for figure in article(chapter).select("figure[id^=fig-]"):
        fold = figure.find_next("details", class_="fold-code")
        number = figure.select_one(".caption-number").get_text().strip()
        assert fold.find("summary").get_text().startswith(f"Code of {number}"), figure["id"]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_opens_in_one_minute(article, chapter):
    (box,) = article(chapter).select(".one-minute")
    labels = [label.get_text() for label in box.select("p > .label")]
    assert labels == ["Question", "Answer", "Not shown", "You need", "Checked"]
    assert box.select_one(".minute-figure a")["href"] == f"#{openings.load()[chapter].figure}"
    assert f"{len(catalog.record(chapter, 'claims.json'))} claims" in box.get_text()
    assert box.find_previous("h1") is not None and box.find_previous("div", class_="cell_input") is None


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_where_text_and_run_differ_is_said_after_the_introduction(article, chapter):
    page, rows = article(chapter), sentences.differing(chapter)
    pairs = page.select(".text-and-run .pair")
    assert len(pairs) == len(rows)
    for pair, (_, decided) in zip(pairs, rows):
        assert [a["href"] for a in pair.select(".finds .decided a")] == [f"#{anchor(claim.id)}" for claim in decided]
        assert pair.select_one(".says a"), "no link to the text"
        assert pair.find_previous(class_="one-minute") and pair.find_previous("div", class_="cell_input") is None


@pytest.mark.parametrize("page", ["book/index", "book/claims", *(f"book/chapters/{name}" for name in CHAPTERS)])
def test_formulas_of_claims_and_boxes_are_formulas(html, pages, page):
    for box in pages[html / f"{page}.html"].select(".verdict-card, .claim, .one-minute, .text-and-run, .chapter-card"):
        assert "$" not in box.get_text(), box.get_text()[:200]


def test_cards_of_the_first_page_ask_what_the_chapters_ask(html, pages):
    cards = pages[html / "book/index.html"].select(".chapter-card")
    told = openings.load()
    assert [card.select_one(".card-title a")["href"] for card in cards] == [f"chapters/{c}.html" for c in CHAPTERS]
    assert [card.select_one("a")["href"] for card in cards] == [f"chapters/{c}.html#{told[c].figure}" for c in CHAPTERS]
