"""The sentences of the texts: what is read, and that what does not fit is said in one sentence."""

import json

import pytest
import small_book

from offconvex.book.reading import sentences

GOOD = """
["room.first"]
text = "nobody2020nothing"
place = "Theorem 1"
says = 'It is
$x$.'''
verdict = "qualified"
claims = ["one.holds", "two.holds"]
because = "only here"

["room.second"]
text = "nobody2020nothing"
place = "Theorem 2"
says = "It is."
verdict = "holds"
claims = ["two.holds"]

["room.third"]
text = "nobody2020nothing"
place = "Section 3"
says = "It will be."
verdict = "untested"
because = "nobody has the data"
""".replace("'It is\n", "'''It is\n")


@pytest.fixture
def root(tmp_path):
    root = small_book.make(tmp_path / "small")
    (root / "book/references.bib").write_text("@article{nobody2020nothing,\n title = {Nothing}}\n")
    return root


def write(root, text):
    (root / "book/sentences.toml").write_text(text, encoding="utf-8")
    return root


def test_sentences_are_read_in_order_on_one_line_each(root):
    rows = sentences.load(write(root, GOOD))
    assert list(rows) == ["room.first", "room.second", "room.third"]
    assert rows["room.first"].says == "It is $x$." and rows["room.first"].claims == ("one.holds", "two.holds")
    assert rows["room.third"].claims == () and rows["room.second"].because == ""
    assert sentences.faults(root) == []


def test_what_differs_is_found_with_the_claims_of_the_chapter(root):
    write(root, GOOD)
    ((row, (claim,)),) = sentences.differing("one", root)
    assert (row.id, claim.id) == ("room.first", "one.holds")
    ((row, (claim,)),) = sentences.differing("two", root)  # the second row simply holds
    assert (row.id, claim.id) == ("room.first", "two.holds")
    assert sentences.differing("three", root) == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('place = "Theorem 2"\n', "", "sentences.toml, room.second: missing fields ['place'], unknown fields []."),
        ('place = "Theorem 2"', 'at = "a"', "room.second: missing fields ['place'], unknown fields ['at']."),
        ('"Theorem 2"', "2", "room.second: place must be a text; got 2."),
        ('"It is."', '""', "room.second: says must be a text; got ''."),
        ('verdict = "holds"', 'verdict = "true"', "verdict must be one of holds, qualified, differs, refuted"),
        ('claims = ["two.holds"]', 'claims = "two.holds"', "room.second: claims must be a list of claim ids; got"),
        ('claims = ["two.holds"]', "claims = []", "the verdict 'holds' needs the claims that decide it."),
        (
            'verdict = "untested"',
            'verdict = "untested"\nclaims = ["one.holds"]',
            "the verdict 'untested' needs no claims.",
        ),
        ('because = "only here"', "", "the verdict 'qualified' needs a because."),
        ('claims = ["two.holds"]', 'claims = ["two.holds"]\nbecause = "b"', "the verdict 'holds' needs no because."),
        ('because = "only here"', "because = 3", "room.first: because must be a text; got 3."),
        ('["room.first"]', "other = 3\n[room]", "sentences.toml, other: expected a table with text, place, says"),
        ('["room.second"]', '["room.second"', "sentences.toml cannot be read: "),
    ],
)
def test_a_row_that_is_incomplete_or_contradicts_itself_is_refused(root, old, new, sentence):
    assert old in GOOD
    write(root, GOOD.replace(old, new, 1))
    with pytest.raises(ValueError) as refused:
        sentences.load(root)
    assert sentence in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('["two.holds"]', '["two.falls"]', "sentences.toml, room.second: no such claim: two.falls."),
        ('text = "nobody2020nothing"', 'text = "other"', "room.first: the text 'other' is not in the bibliography."),
    ],
)
def test_a_row_that_does_not_fit_the_book_is_found(root, old, new, fault):
    assert any(fault in sentence for sentence in sentences.faults(write(root, GOOD.replace(old, new, 1))))


@pytest.mark.parametrize("kind", ["unreproduced", "refuted"])
def test_a_sentence_cannot_hold_against_its_claim(root, kind):
    write(root, GOOD)
    registry = root / "book/claims.toml"
    text = registry.read_text()
    second = text.index('["two.holds"]')
    registry.write_text(text[:second] + text[second:].replace('kind = "claim"', f'kind = "{kind}"', 1))
    assert sentences.faults(root) == [f"sentences.toml, room.second: it cannot hold, since two.holds is {kind}."]


def test_a_sentence_cannot_hold_if_its_claim_misses(root):
    write(root, GOOD)
    (root / "book/results/two/claims.json").write_text(json.dumps({"two.holds": {"holds": False}}))
    (fault,) = sentences.faults(root)
    assert fault == "sentences.toml, room.second: it cannot hold, since two.holds is not within its bounds."
