"""The examples on the interface pages are run, and print what they say."""

import doctest
import re

import pytest

from offconvex import paths
from offconvex.book.publication import api, catalog

PAGES = sorted((paths.require_project_root() / "book/api").glob("*.md"))
FENCE = re.compile(r"^```\{code-block\} pycon\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def examples(text):
    """Every example of a page in one namespace, as one test; its line numbers are those of the page."""
    found = []
    for block in FENCE.finditer(text):
        before = text[: block.start(1)].count("\n")
        for example in doctest.DocTestParser().get_examples(block[1]):
            example.lineno += before
            found.append(example)
    return found


def failures(text, name="page"):
    runner = doctest.DocTestRunner(verbose=False)
    report = []
    runner.run(doctest.DocTest(examples(text), {}, name, name, 0, text), out=report.append)
    return "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_print_what_the_page_says(page):
    text = page.read_text(encoding="utf-8")
    assert len(examples(text)) >= 2, "a page without examples"
    assert failures(text) == ""


def test_a_wrong_example_is_found():
    assert "Expected" in failures("```{code-block} pycon\n>>> 1 + 1\n3\n```\n")
    assert failures("```{code-block} pycon\n>>> 1 + 1\n2\n```\n") == ""


def test_every_part_of_the_package_has_a_page_in_the_contents():
    assert [page.removeprefix("book/api/") for page in catalog.pages() if page.startswith("book/api/")] == sorted(
        api.parts(), key=lambda part: (part == "book", part != api.INSTRUMENTS, part)
    )
    for page in PAGES:
        assert f"```{{interface}} {page.stem}\n" in page.read_text(encoding="utf-8")


def test_a_docstring_is_cut_into_its_pieces():
    text = "Sum of x_i^2.\n\nMore\nof it.\n\nArgs:\n    x: (n,) first,\n        and more.\n    *rest: others."
    text += "\n\nReturns:\n    A number:\n    one."
    assert api.sections(text) == [
        ("", ["Sum of x_i^2."]),
        ("", ["More of it."]),
        ("Args", [("x", "(n,) first, and more."), ("*rest", "others.")]),
        ("Returns", [("", "A number: one.")]),
    ]
    with pytest.raises(ValueError, match="no part 'room'; the parts are: instruments, book, factorizations"):
        api.modules("room")


def test_every_public_name_has_a_docstring():
    missing = [
        entry.name
        for part in api.parts()
        for module in api.modules(part)
        for top in module.entries
        for entry in (top, *top.members)
        if not entry.doc
    ]
    assert missing == []
