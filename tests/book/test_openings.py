"""The openings of chapters: what is read, and that what does not fit is said in one sentence."""

import pytest
import small_book

from offconvex.book.reading import openings

GOOD = """
["one"]
question = 'Why $x^2$?'
answer = '''It's
so.'''
figure = "fig-one-second"
not_shown = "The rest."
before = "Nothing."

["two"]
question = "And then?"
answer = "Then."
figure = "fig-two-only"
not_shown = "More."
before = "The first."
"""


@pytest.fixture
def root(tmp_path):
    return small_book.make(tmp_path / "small")


def write(root, text):
    (root / "book/openings.toml").write_text(text, encoding="utf-8")
    return root


def test_openings_are_read_in_order_on_one_line_each(root):
    told = openings.load(write(root, GOOD))
    assert list(told) == ["one", "two"]
    assert told["one"] == openings.Opening("Why $x^2$?", "It's so.", "fig-one-second", "The rest.", "Nothing.")
    assert openings.faults(root) == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("question = 'Why", "question = 'Why", None),
        ("before =", "before_ =", "openings.toml, one: missing fields ['before'], unknown fields ['before_']."),
        ('answer = "Then."', "", "openings.toml, two: missing fields ['answer'], unknown fields []."),
        ('"The rest."', '" "', "openings.toml, one: not_shown must be a text; got ' '."),
        ('"The rest."', "3", "openings.toml, one: not_shown must be a text; got 3."),
        ('["two"]', '["two"', "openings.toml cannot be read: "),
        ('["one"]', "three = 3\n[one]", "openings.toml, three: expected a table with question, answer"),
    ],
)
def test_a_file_that_means_nothing_is_refused(root, old, new, sentence):
    assert old in GOOD
    write(root, GOOD.replace(old, new, 1))
    if sentence is None:
        openings.load(root)
        return
    with pytest.raises(ValueError) as refused:
        openings.load(root)
    assert str(refused.value).startswith(sentence) and "\n" not in str(refused.value)


def test_a_missing_file_is_one_sentence(root):
    with pytest.raises(ValueError, match="openings.toml cannot be read"):
        openings.load(root)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('["two"]', '["three"]', "openings.toml: no entry for the chapter two."),
        ('["two"]', '["three"]', "openings.toml, three: no such chapter in _toc.yml."),
        ("fig-two-only", "fig-one-first", "openings.toml, two: the figure 'fig-one-first' is not in the chapter."),
    ],
)
def test_an_opening_that_does_not_fit_the_book_is_found(root, old, new, fault):
    assert fault in openings.faults(write(root, GOOD.replace(old, new)))
