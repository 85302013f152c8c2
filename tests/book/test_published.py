"""What has been published stays."""

import pytest
import small_book

from offconvex.book.execution import chapters
from offconvex.book.publication import published

EVERYTHING = [
    "page:book/index",
    "page:book/chapters/one",
    "page:book/chapters/two",
    "page:book/claims",
    "figure:fig-one-first",
    "figure:fig-one-second",
    "figure:fig-two-only",
    "claim:one.holds",
    "claim:two.holds",
]


@pytest.fixture
def root(tmp_path):
    return small_book.make(tmp_path)


def test_current_lists_pages_figures_and_claims_of_its_chapters(root):
    assert published.current(root) == EVERYTHING


def test_nothing_is_published_before_the_first_time(root):
    assert published.read(root) == []
    assert published.missing(root) == []


def test_publishing_twice_adds_nothing(root):
    assert published.append_new(root) == EVERYTHING
    before = (root / "book" / "published_ids.txt").read_bytes()
    assert published.append_new(root) == []
    assert (root / "book" / "published_ids.txt").read_bytes() == before


def test_new_ids_are_appended_and_old_lines_keep_their_place(root):
    published.append_new(root)
    figures = {"fig-one-first": "First.", "fig-one-between": "New.", "fig-one-second": "Second."}
    small_book.write_chapter(root, "one", figures)
    assert published.append_new(root) == ["figure:fig-one-between"]
    assert published.read(root) == [*EVERYTHING, "figure:fig-one-between"]


def test_a_vanished_figure_and_claim_are_found(root):
    published.append_new(root)
    small_book.write_chapter(root, "one", {"fig-one-first": "First."})
    small_book.write_claims(root, ("two.holds", "two"))
    assert published.missing(root) == ["figure:fig-one-second", "claim:one.holds"]


def test_publishing_does_not_hide_what_vanished(root):
    published.append_new(root)
    (root / "book" / "chapters" / "two.ipynb").unlink()
    with pytest.raises(ValueError, match="gone now: figure:fig-two-only"):
        published.append_new(root)
    assert published.read(root) == EVERYTHING


# Figures and claims that stand in another chapter today, by the chapter in which they were published.
LEFT = {
    "instahide": ("fig-instahide-dp", "claim-instahide-dp"),
    "locality": (
        *(f"fig-locality-{name}" for name in ("tried", "later", "paths", "apart")),
        *(f"claim-locality-{name}" for name in ("again", "largest-gap")),
        *(f"claim-locality-pathfinder-{name}" for name in ("anywhere", "regularized")),
    ),
}


@pytest.mark.parametrize("chapter", LEFT)
def test_what_moved_to_another_chapter_leaves_its_old_address(chapter):
    text = chapters.source_path(chapter).read_text(encoding="utf-8")
    assert [id for id in LEFT[chapter] if text.count(f'<a id="{id}"></a>') != 1] == []
