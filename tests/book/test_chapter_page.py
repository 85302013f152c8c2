"""A small chapter made into its page: code folded, verdicts in place, and an opening from the committed data."""

import io
import json
import re

import pytest
import small_book
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import docutils_namespace

from offconvex import paths
from offconvex.book.execution import sweep

CLAIM = """
["{id}"]
chapter = "one"
kind = "{kind}"
sentence = 'It grows like $x^{{2}}$.'
source = "nobody2020nothing, Theorem 1"
scale = "{scale}"
figure = ""
reason = "it does"
uses = {uses}
measures = [
  {{name = "a", quantity = 'distance from $x$', at_most = 0.5{luck}}},
  {{name = "b", quantity = "share", at_least = 0.25}},
]
"""
OPENINGS = """
["one"]
question = "Does it hold?"
answer = "It does, like $x^2$."
figure = "fig-one-a"
not_shown = "The rest."
before = "Nothing."
["two"]
question = "And this?"
answer = "Too."
figure = "fig-two-only"
not_shown = "More."
before = "The first."
"""
SENTENCES = """
["room.differs"]
text = "nobody2020nothing"
place = "Section 2"
says = 'It falls.'
verdict = "differs"
claims = ["one.first"]
because = 'It grows like $x^2$.'
"""
BIBLIOGRAPHY = """@article{nobody2020nothing, author = {No Body}, title = {Nothing}, year = {2020}, journal = {J}}\n"""
BEGIN = "import numpy as np\nfrom offconvex import chapter, claims, figures\nrt = chapter.begin('one')"
HEAD = "(one)=\n# Chapter one\n\nAn introduction."


def text(source):
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def cell(source, printed="", *, tags=(), figure=None):
    metadata, outputs = {"tags": list(tags)}, []
    if printed:
        outputs.append({"output_type": "stream", "name": "stdout", "text": printed})
    if figure:
        metadata["mystnb"] = {"figure": {"name": figure, "caption": "It grows. More."}, "image": {"alt": "A curve."}}
        data = {"image/png": PNG}
        outputs.append({"output_type": "display_data", "data": data, "metadata": {}})
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": outputs, "execution_count": 1}


# One white pixel.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAG7buVgAAAABJRU5ErkJggg=="
CELLS = (
    text(HEAD),
    cell("seed = 0", tags=["parameters"]),
    text("Double precision."),
    cell(BEGIN),
    text("## The phenomenon in a few lines"),
    cell("w = 1.0\nprint(w)", "1.0\n", tags=["model"]),
    text("A run, then a figure."),
    cell("run = np.ones(3)"),
    cell("figures.save(fig, 'fig-one-a', {'x': run})", figure="fig-one-a"),
    text("A check under another name, and a control in a later cell."),
    cell("from offconvex.claims import check as judge\njudge('one.first', {'a': 1, 'b': 2})", "✓ one.first\n"),
    text("Later."),
    cell("claims.control('one.first', {'a': 3})", "✓ one.first fails on its control\n"),
    text("Both in one cell."),
    cell(
        "claims.check('one.second', x)\nclaims.control('one.second', y)",
        "✓ one.second\n✓ one.second fails on its control\n",
    ),
    text("```{bibliography}\n```"),
)


def observed(a=0.25, b=0.5, **more):
    values = {"observed": {"a": a, "b": b}, "bound": {"a": "≤ 0.5", "b": "≥ 0.25"}, "holds": a <= 0.5 and b >= 0.25}
    return values | {"figure": "", "kind": "claim", "scale": "reduced", "seed": 0} | more


class Book:
    """A book of one chapter that can be changed and built."""

    def __init__(self, root):
        self.root, self.chapter = small_book.make(root), root / "book/chapters/one.ipynb"
        self.results = root / "book/results/one"
        self.claims()
        self.store({"one.first": observed(control={"a": 2.0}, control_fails=True)})
        self.write("book/references.bib", BIBLIOGRAPHY)
        self.write("book/openings.toml", OPENINGS)
        self.write("book/sentences.toml", SENTENCES)
        self.cells(*CELLS)

    def write(self, name, content):
        (self.root / name).write_text(content, encoding="utf-8")

    def cells(self, *cells):
        language = {"name": "python", "pygments_lexer": "ipython3"}
        content = {"cells": cells, "metadata": {"language_info": language}, "nbformat": 4, "nbformat_minor": 4}
        self.chapter.write_text(json.dumps(content), encoding="utf-8")

    def claims(self, kind="claim", scale="reduced", luck="", uses=()):
        first = CLAIM.format(id="one.first", kind=kind, scale=scale, luck=luck, uses=json.dumps(list(uses)))
        self.write(
            "book/claims.toml", first + CLAIM.format(id="one.second", kind="claim", scale=scale, luck="", uses="[]")
        )

    def store(self, first, **more):
        second = {"one.second": observed(control={"a": 2.0, "b": 0.125}, control_fails=True)}
        self.write("book/results/one/claims.json", json.dumps(second | first | more))

    def seeds(self, monkeypatch, *values):
        monkeypatch.setattr(sweep, "place", lambda chapter: self.results / "sweep.json")
        record = {"error": "", "code": "0", "seconds": 1.0, "date": "2031-02-03"}
        first = [{"claims": {"one.first": {"observed": {"a": a, "b": 0.5}}}} for a in values]
        sweep.save("one", {seed: record | each for seed, each in enumerate(first)})

    def build(self):
        """The page, and the warnings."""
        said = io.StringIO()
        settings = {
            "extensions": ["myst_nb", "sphinxcontrib.bibtex", "_chapter_page"],
            "include_patterns": ["book/chapters/one.ipynb"],
            "root_doc": "book/chapters/one",
            "source_suffix": {".ipynb": "myst-nb"},  # its own: extensions write into it, and the default is shared
            "bibtex_bibfiles": ["book/references.bib"],
            "myst_enable_extensions": ["dollarmath"],
            "nb_execution_mode": "off",
            "suppress_warnings": ["bibtex.key_not_found", "bibtex.missing_field", "myst.header"],
        }
        folders = (self.root, None, self.root / "out", self.root / "trees")
        with docutils_namespace():
            Sphinx(*folders, "html", settings, status=None, warning=said, freshenv=True).build()
        page = (self.root / "out/book/chapters/one.html").read_text(encoding="utf-8")
        return BeautifulSoup(page, "html.parser").select_one("div.body"), said.getvalue()


PARTS = """from companion import folding, opening, verdicts

def setup(app):
    for part in (verdicts, folding, opening):
        part.setup(app)
"""


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(paths.require_project_root() / "book" / "_ext"))
    made = Book(tmp_path / "small")
    made.write("_chapter_page.py", PARTS)
    monkeypatch.syspath_prepend(str(made.root))
    return made


def plain(node):
    return " ".join(node.get_text().split())


def test_code_lies_in_folds_below_what_it_made(book):
    page, warnings = book.build()
    assert warnings == ""
    folds = [plain(fold.summary) for fold in page.select("details")]
    card = "reduced scale · why this bound"
    assert folds == [
        "Set-up: parameters, precision, imports",
        "Code of this run: run",
        "Code of Fig. 1.1",
        f"{card} (one.first)",
        "Code of this check: one.first",
        "Code of this control: one.first",
        f"{card} (one.second)",
        "Code of this check: one.second",
    ]
    set_up = page.select_one("details.fold-set-up")
    assert len(set_up.select("div.cell")) == 2 and "Double precision." in plain(set_up)
    (shown,) = [box for box in page.select("div.cell_input") if not box.find_parent("details")]
    assert plain(shown) == "w = 1.0 print(w)"
    figure = page.select_one("figure")
    assert figure.find_next("details") is page.select("details")[2]


def test_a_chapter_that_is_opened_in_another_section_keeps_its_code_in_folds(book):
    cells = list(CELLS)
    cells.insert(2, text("## Another section"))
    book.cells(*cells)
    page, _ = book.build()
    assert page.select("details.fold-set-up") == []
    assert [box for box in page.select("div.cell_input") if not box.find_parent("details")] == [
        page.select_one(".tag_model div.cell_input")
    ]


def test_a_verdict_shows_sentence_values_bounds_and_controls(book):
    page, _ = book.build()
    first, second = page.select(".verdict-card:not(.verdict-card-control)")
    assert (first["id"], second["id"]) == ("claim-one-first", "claim-one-second")
    assert plain(first.select_one(".claim-sentence")) == r"✓Holds: It grows like \(x^{2}\)."
    assert [plain(line) for line in first.select(".measure")] == [
        r"distance from \(x\): 0.25 ≤ 0.5 control 2 breaks it",
        "share: 0.5 ≥ 0.25",
    ]
    assert [plain(broken) for broken in second.select(".broken")] == ["control 2 breaks it", "control 0.125 breaks it"]
    (line,) = page.select(".verdict-card-control")  # the other control is in its claim's card
    assert plain(line) == "✓one.first breaks without its hypothesis, as it must: 2 against ≤ 0.5."
    why = plain(first.select_one(".fold-why"))
    assert "Why this bound: it does Source" in why and "Source: Body [Bod20], Theorem 1." in why
    assert first.select(".fold-why a")[-1]["href"] == "../claims.html#claim-one-first"


@pytest.mark.parametrize(
    ("kind", "stored", "mark", "words"),
    [
        ("finding", {}, "✓Holds:", "our finding · reduced scale"),
        ("unreproduced", {}, "≠Not reproduced:", "not reproduced · reduced scale"),
        ("refuted", {}, "⊘Refuted:", "refuted · reduced scale"),
        ("claim", {"a": 0.75}, "✗Misses:", "reduced scale"),
        ("refuted", {"a": 0.75}, "✗Misses:", "refuted · reduced scale"),
        ("claim", {"bound": {"a": "≤ 0.6", "b": "≥ 0.25"}}, "○Not measured yet:", "reduced scale"),
        ("claim", {"control": {"a": 0.125}, "control_fails": False}, "✗Misses:", "reduced scale"),
    ],
)
def test_the_mark_of_a_verdict_is_that_of_the_values(book, kind, stored, mark, words):
    book.claims(kind=kind)
    book.store({"one.first": observed(**stored)})
    page, _ = book.build()
    card = page.select_one("#claim-one-first")
    assert plain(card).startswith(mark)
    assert plain(card.summary).startswith(words)
    missed = [plain(value) for value in card.select(".missed")]
    assert missed == (["0.75"] if "a" in stored else [])
    if not stored.get("control_fails", True):
        assert plain(card.select_one(".broken")) == "control 0.125 keeps it"
        assert "✗one.first holds without its hypothesis: 0.125 against ≤ 0.5." in plain(page)


def test_a_claim_that_is_not_stored_is_open_and_one_without_its_line_has_an_address(book):
    stored = json.loads((book.results / "claims.json").read_text())
    del stored["one.first"]
    (book.results / "claims.json").write_text(json.dumps(stored))
    cells = list(CELLS)
    cells[-2] = cell("claims.check('one.second', x)")
    book.cells(*cells)
    page, _ = book.build()
    card = page.select_one("#claim-one-first")
    assert plain(card).startswith("○Not measured yet:")
    assert [plain(value) for value in card.select(".value")] == ["not measured yet"] * 2
    arrived = page.select_one("#claim-one-second")
    assert "verdict-card" not in arrived.get("class", []) and "one.second" in plain(
        arrived.find_next(class_="cell_input")
    )


def test_a_printed_miss_has_its_card_too(book):
    cells = list(CELLS)
    cells[10] = cell("claims.check('one.first', {'a': 1, 'b': 2})", "✗ one.first misses its bound\n")
    book.cells(*cells)
    book.store({"one.first": observed(a=0.75)})
    page, _ = book.build()
    assert plain(page.select_one("#claim-one-first")).startswith("✗Misses:")


@pytest.mark.parametrize(
    ("scale", "values", "stored", "said"),
    [
        ("reduced", (0.1, 0.2, 0.75), False, "2 of 3 seeds · reduced scale"),
        ("exact", (0.1, 0.2), True, "2 of 2 seeds · exact, no scale"),
        ("reduced", (0.1, 0.1), True, "stored · reduced scale"),
        ("reduced", (0.1, 0.1), False, "exact · reduced scale"),
        ("exact", (0.1, 0.1), True, "stored · exact, no scale"),
        ("exact", (0.1, 0.1), False, "exact, no scale · why"),
    ],
)
def test_seeds_are_named_where_they_say_something(book, monkeypatch, scale, values, stored, said):
    book.claims(scale=scale)
    book.seeds(monkeypatch, *values)
    if stored:
        book.cells(*({**each, "source": each["source"].replace("'a': 1", "'a': LONG.load()")} for each in CELLS))
    page, _ = book.build()
    card = page.select_one("#claim-one-first")
    assert plain(card.summary).startswith(said)
    assert len(card.select(".g-seeds")) == (len(set(values)) > 1)  # the range over seeds, where there is one


def test_luck_and_what_a_claim_rests_on_are_in_its_fold(book):
    book.claims(luck=", luck = {chance = 2e-9, how = 'Tail of $n$ draws.'}", uses=["one.second"])
    page, _ = book.build()
    first, second = (plain(page.select_one(f"#claim-one-{name} .fold-why")) for name in ("first", "second"))
    luck = re.search(r"Chance of a miss by bad luck \(distance from \\\(x\\\)\): at most 2\s×\s10⁻⁹\.", first)
    assert luck and r"Tail of \(n\) draws." in first
    assert "Rests on: one.second. All numbers: one.first." in first
    assert "bad luck" not in second and "Rests on" not in second


def test_a_chapter_opens_in_one_minute_and_says_where_it_differs(book, monkeypatch):
    book.seeds(monkeypatch, 0.1, 0.2)
    (book.results / "provenance.json").write_text(json.dumps({"duration_seconds": 130.0}))
    page, warnings = book.build()
    assert warnings == ""
    box = page.select_one(".one-minute")
    assert [plain(line) for line in box.find_all("p")] == [
        "In one minute",
        "Question Does it hold?",
        "Fig. 1.1 It grows.",
        r"Answer It does, like \(x^2\).",
        "Not shown The rest.",
        "You need Nothing.",
        "Checked 2 claims: 2 hold; 2 beside a control that breaks them; one of them run for 2 seeds; 2 min on this "
        "book’s machine.",
    ]
    assert box.find_previous("h1") and "An introduction." in plain(box.find_next("p", string="An introduction."))
    says, finds = page.select(".text-and-run .pair > div")
    assert plain(says).startswith("The text says It falls.") and "Section 2" in plain(says)
    assert plain(finds) == r"We find: it differs It grows like \(x^2\). ✓Holds: one.first"
    assert finds.a["href"] == "#claim-one-first"


def test_where_nothing_differs_there_is_no_box(book):
    held = SENTENCES.replace("differs", "holds").replace("because = 'It grows like $x^2$.'", "")
    book.write("book/sentences.toml", held.replace("room.holds", "room.differs"))
    page, _ = book.build()
    assert page.select_one(".one-minute") and page.select(".text-and-run") == []


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("openings.toml", OPENINGS.replace("fig-one-a", "fig-other"), "the figure 'fig-other' is not in the chapter"),
        (
            "openings.toml",
            OPENINGS.replace("answer", "reply"),
            r"missing fields \['answer'\], unknown fields \['reply'\]",
        ),
        ("sentences.toml", SENTENCES.replace("one.first", "one.third"), "no such claim: one.third"),
        ("sentences.toml", SENTENCES.replace("differs", "wrong"), "verdict must be one of"),
    ],
)
def test_a_fault_in_what_the_boxes_say_stops_the_build(book, file, content, sentence):
    book.write(f"book/{file}", content)
    with pytest.raises(ExtensionError, match=sentence):
        book.build()
