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


def test_docstrings_are_cut_into_their_pieces():
    found = {entry.name: entry for module in api.modules("book") for entry in module.every_entry().values()}
    entry = found["offconvex.book.publication.cite.bibtex"]
    assert entry.signature == "(figure_id: str, *, root: Path | None = None) -> str"
    assert entry.arguments == ("figure_id", "root")
    assert [label for label, _ in entry.doc] == ["", "", "Arguments", "Raises"]
    assert entry.doc[0] == ("", (("", "BibTeX entry of a figure, ready to paste."),))
    assert entry.doc[2][1][1][0] == "root" and entry.doc[2][1][1][1].endswith("was imported from.")
    assert entry.doc[3][1][0] == ("ValueError", "if there is no such figure; the message names the nearest ones.")
    source = (paths.PACKAGE.parent / "offconvex/book/publication/cite.py").read_text(encoding="utf-8").splitlines()
    assert source[entry.line - 1].startswith("def bibtex(")
    with pytest.raises(ValueError, match="no part 'room'; the parts are: instruments, bias, book, factorizations"):
        api.modules("room")


def test_modules_of_sub_rooms_stand_under_theirs():
    names = [module.name.removeprefix("offconvex.factorizations.") for module in api.modules("factorizations")]
    tensor = [name for name in names if name.split(".")[0] == "tensor"]
    assert names.index("theory") < names.index("tensor") and tensor[0] == "tensor" and tensor[-1] == "tensor.plots"


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
