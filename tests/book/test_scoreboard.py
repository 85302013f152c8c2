"""Pages that judge claims, built from a small book with one claim of every kind and verdict."""

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import small_book
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from offconvex import claims, files
from offconvex.book.execution import code, compare, sweep
from offconvex.book.publication import published

ROOT = Path(__file__).parents[2]

# id -> chapter, kind, scale
CLAIMS = {
    "one.holds": ("one", "claim", "paper"),
    "one.refuted": ("one", "refuted", "reduced"),
    "one.lost": ("one", "unreproduced", "reduced"),
    "one.found": ("one", "finding", "exact"),
    "two.misses": ("two", "refuted", "paper"),
    "two.open": ("two", "refuted", "reduced"),
}
OBSERVED = {"one.holds": 0.5, "one.refuted": 0.25, "one.lost": 0.125, "one.found": 0.75, "two.misses": 3.0}
CONTROLLED = "one.refuted"

ENTRY = """
["{id}"]
chapter = "{chapter}"
kind = "{kind}"
sentence = 'A sentence on $\\sigma_1$ by {id}.'
source = "nobody2020nothing, Theorem 1"
scale = "{scale}"
figure = ""
reason = "a reason"
measures = [{{quantity = 'distance of $\\sigma$', at_most = 1}}]
"""

BIBLIOGRAPHY = """
@misc{nobody2020nothing, title = {Nothing at All}, author = {Nobody, Ann}, year = {2020}}
@misc{smith2020title, title = {A Title}, author = {Smith, Jo}, year = {2020}}
"""

PAGE = """# Page

```{scoreboard-line}
```

```{scoreboard}
```

```{texts}
smith2020title: [nobody2020nothing]
```

```{findings}
```

```{law-map}
- id: law
  law: A law
  statement: It holds.
  places:
    one.holds: $x$
    one.refuted: $y$
```

```{bibliography}
```
"""


def stored(id):
    _, kind, scale = CLAIMS[id]
    entry = {"kind": kind, "scale": scale, "observed": OBSERVED[id], "bound": "≤ 1", "holds": OBSERVED[id] <= 1}
    return entry | {"figure": "", "seed": 0} | ({"control": 2.0, "control_fails": True} if id == CONTROLLED else {})


def record(**changes):
    observed = {id: {"observed": value} for id, value in OBSERVED.items() if CLAIMS[id][0] == "one"}
    observed |= {id: {"observed": value} for id, value in changes.items()}
    return {"claims": observed, "error": "", "code": "now", "seconds": 1.0, "date": "2031-02-03T04:05:06+00:00"}


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A small book with a claim of every kind; seeds change "one.holds", which misses at one of three, and no other."""
    root = small_book.make(tmp_path / "small")
    text = "".join(ENTRY.format(id=id, chapter=c, kind=k, scale=s) for id, (c, k, s) in CLAIMS.items())
    (root / "book/claims.toml").write_text(text)
    for chapter in ("one", "two"):
        listed = {id: stored(id) for id in OBSERVED if CLAIMS[id][0] == chapter}
        files.write_json(root / "book/results" / chapter / "claims.json", listed, sort=True)
    records = {"0": record(), "1": record(), "123456789": record(**{"one.holds": 1.5})}
    files.write_sealed(root / "book/results/one/sweep.json", records)
    (root / "refs.bib").write_text(BIBLIOGRAPHY)
    (root / "index.md").write_text(PAGE)
    monkeypatch.setattr(code, "version", lambda chapter: "now")
    return root


@pytest.fixture
def build(book, monkeypatch):
    """Builds the page."""
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    monkeypatch.syspath_prepend(str(book))
    (book / "_scoreboard_page.py").write_text(
        "from companion import law_map, scoreboard, texts\n"
        "def setup(app):\n    scoreboard.setup(app), texts.setup(app), law_map.setup(app)\n"
    )
    settings = {
        "extensions": ["myst_parser", "sphinxcontrib.bibtex", "_scoreboard_page"],
        "include_patterns": ["index.md"],
        "bibtex_bibfiles": ["refs.bib"],
        "myst_enable_extensions": ["dollarmath"],
    }
    folders = (book, None, book / "out", book / "trees")

    def make():
        said = io.StringIO()
        with docutils_namespace():
            Sphinx(*folders, "pseudoxml", settings, status=None, warning=said, freshenv=True).build()
        assert said.getvalue() == ""
        return (book / "out" / "index.pseudoxml").read_text()

    return make


@pytest.fixture
def built(build):
    """The page of the book as it is."""
    return build()


def words(pseudoxml):
    """Text of a piece of the page from its first whole line on, without markup."""
    lines = (line.strip() for line in pseudoxml.splitlines()[1:])
    return " ".join(line for line in lines if not line.startswith("<")).strip()


def piece(page, id):
    """What stands in the block with an id, up to the next claim or section."""
    return re.split(r'ids="(?:claim|chapter|text|findings|law)-', page.split(f'ids="{id}"')[1])[0]


def test_the_line_counts_every_verdict(built):
    line = words(built.split('classes="scoreboard-line"')[1].split("<table")[0])
    assert line.startswith(
        "6 claims : 2 hold, 1 of them a finding of ours; 1 is refuted; 1 was not reproduced; 1 not within bounds; "
        "1 not measured yet. Of those that hold, 1 at the sources’ own scale, 1 exact; 0 beside a control"
    )


def test_the_overview_counts_every_verdict_and_only_seeds_that_matter(built):
    table = built.split('classes="overview"')[1].split("<section")[0]
    head, one, two = (words(row).split() for row in table.split("<row>")[1:])
    assert " ".join(head).replace("\u00ad", "") == (
        "Chapter Claims Hold Findings Refuted Not reproduced Own scale Exact Reduced With control Over seeds"
    )
    assert one == "Chapter one 4 2 1 1 1 1 1 2 1 2 of 3".split()
    assert two == "Chapter two 2 0 0 0 0 1 0 1 0 –".split()


def test_a_refuted_claim_has_its_mark_on_the_page_of_claims(built):
    entry = piece(built, "claim-one-refuted")
    assert words(entry).startswith("⊘ Refuted: A sentence on \\sigma_1 by one.refuted.") and "kind-refuted" in entry
    assert 'classes="claim claim-refuted"' in built
    assert "✗ Misses: " in words(piece(built, "claim-two-misses"))
    assert "○ Not measured yet: " in words(piece(built, "claim-two-open"))
    assert "≠ Not reproduced: " in words(piece(built, "claim-one-lost"))


def test_over_seeds_stands_only_where_seeds_change_a_value(built):
    holds, refuted = words(piece(built, "claim-one-holds")), words(piece(built, "claim-one-refuted"))
    assert "2 of 3 seeds" in holds and "Over 3 seeds" in holds and "0.5 … 1.5" in holds
    assert "seeds" not in refuted and " exact " in refuted
    assert "Over" not in words(piece(built, "claim-one-found"))
    assert "Run for 3 seeds; the seed matters to 1 of 4 claims." in words(built)


LOADS = 'from offconvex import claims\nclaims.check("one.refuted", LONG.load())'


def test_a_stored_value_is_called_so(book, build):
    notebook = book / "book/chapters/one.ipynb"
    loads = {"cell_type": "code", "metadata": {}, "source": LOADS, "outputs": []}
    content = json.loads(notebook.read_text())
    notebook.write_text(json.dumps({"cells": [*content["cells"], loads]}))
    assert " stored " in words(piece(build(), "claim-one-refuted"))


def test_luck_stands_under_its_measure(book, build):
    text = (book / "book/claims.toml").read_text()
    luck = 'at_most = 1, luck = {chance = 1e-6, how = "Hoeffding, $n = 400$."}}'
    (book / "book/claims.toml").write_text(text.replace("at_most = 1}", luck, 1))
    said = words(piece(build(), "claim-one-holds"))
    assert "Chance of a miss by bad luck : at most 10⁻⁶. Hoeffding, n = 400 ." in said
    assert "Chance of a miss" not in words(piece(build(), "claim-one-refuted"))


def test_what_a_claim_rests_on_is_linked(book, build):
    text = (book / "book/claims.toml").read_text()
    used = '["one.holds"]\nuses = ["one.found", "two.open"]\n'
    (book / "book/claims.toml").write_text(text.replace('["one.holds"]\n', used, 1))
    entry = piece(build(), "claim-one-holds")
    assert "Rests on: one.found , two.open" in words(entry) and 'refid="claim-two-open"' in entry


def test_a_refuted_claim_stands_under_its_text_and_among_the_findings(built):
    text = words(piece(built, "text-smith2020title"))
    assert "6 claims: 2 hold, 1 of them a finding of ours; 1 is refuted; 1 was not" in text
    assert "⊘ Refuted: A sentence on \\sigma_1 by one.refuted." in text
    findings = words(piece(built, "findings-one"))
    assert "⊘ Refuted: A sentence on \\sigma_1 by one.refuted." in findings and "by one.found." in findings
    assert "one.refuted ; distance of \\sigma : 0.25" in findings  # a formula, not its dollar signs
    assert "by one.holds." not in findings and "by one.lost." not in findings


def test_the_map_shows_the_least_favorable_mark(built):
    overview = words(built.split('classes="law-map"')[1].split("<section")[0])
    assert overview.endswith("⊘ one.holds, one.refuted")
    assert "⊘ Refuted:" in words(piece(built, "law-law"))


def test_a_card_in_a_chapter_has_the_mark_and_says_what_it_means(book, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    from companion import scoreboard, verdicts

    builder = SimpleNamespace(get_relative_uri=lambda page, target: target)
    app = SimpleNamespace(builder=builder, env=SimpleNamespace(docname="book/chapters/one"))
    claim = claims.load(book / "book/claims.toml")["one.refuted"]
    row = scoreboard.Row(claim, stored("one.refuted"), (record(),), book)
    card = verdicts.card(verdicts.Page(app, {claim.id: row}, frozenset()), row)
    assert "verdict-card-refuted" in card["classes"]
    text = " ".join(card.astext().split())
    assert text.startswith("⊘Refuted: ") and "the contrary of what the source says" in text and "seeds" not in text


def test_the_kind_goes_through_records_addresses_and_comparisons(book, tmp_path, monkeypatch):
    monkeypatch.setenv("OFFCONVEX_ROOT", str(book))
    registry = claims.load(book / "book/claims.toml")
    assert sweep.missed(registry, "one", record()) == []
    kept = "every claim keeps its bounds and every control breaks them"
    assert sweep.line("one", 3, record()) == f"one, seed 3: {kept} (1 s)"
    assert "not shown: one.refuted (1 s)" in sweep.line("one", 3, record(**{"one.refuted": 1.5}))
    assert "claim:one.refuted" in published.current(book)
    committed, fresh = book / "book/results/one", tmp_path / "fresh"
    changed = json.loads((committed / "claims.json").read_text())
    changed["one.refuted"]["kind"] = "claim"
    files.write_json(fresh / "claims.json", changed, sort=True)
    tolerances = compare.Tolerances(0.0, {}, {})
    assert compare.differences(committed, committed, tolerances) == []
    assert compare.differences(fresh, committed, tolerances) == ["claim one.refuted: kind was 'refuted', is 'claim'"]


def test_punctuation_stays_with_its_formula(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    from companion import punctuation

    def joined(*following):
        paragraph = nodes.paragraph("", "", nodes.math("x", "x"), *following)
        punctuation.join(None, paragraph)
        return [node.astext() for node in paragraph[1:]]

    assert joined(nodes.Text(". Then")) == ["\u2060. Then"] and joined(nodes.Text("; so")) == ["\u2060; so"]
    assert joined(nodes.Text(" is")) == [" is"] and joined() == []
    assert joined(nodes.emphasis("", "x"), nodes.Text(".")) == ["x", "."]
