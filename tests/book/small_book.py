"""A book of two small chapters, written by hand, for tests of what reads the committed files."""

import base64
import json
from pathlib import Path

COMMIT = "abcdef0123456789abcdef0123456789abcdef01"
PIXEL = base64.b64encode(b"\x89PNG small").decode()

CONFIG = """\
title: A Small Book
author: The authors of A Small Book
sphinx:
  config:
    offconvex_site_url: "{site}"
    offconvex_doi: "{doi}"
"""

TOC = """\
format: jb-book
root: book/index
parts:
  - caption: First part
    numbered: true
    chapters:
      - file: book/chapters/one
      - file: book/chapters/two
  - caption: About
    chapters:
      - file: book/claims
"""

CLAIM = """\
["{id}"]
chapter = "{chapter}"
kind = "claim"
sentence = "It holds."
source = "nobody2020nothing"
scale = "exact"
figure = ""
reason = "it does"
measures = [{{quantity = "it", at_most = 1}}]
"""


def make(root: Path, *, site: str = "", doi: str = "") -> Path:
    """Write the book: chapter "one" has two figures, chapter "two" one."""
    (root / "book" / "chapters").mkdir(parents=True)
    (root / "_toc.yml").write_text(TOC)
    (root / "_config.yml").write_text(CONFIG.format(site=site, doi=doi))
    write_chapter(root, "one", {"fig-one-first": "Five values rise. Then more.", "fig-one-second": "Second."})
    write_chapter(root, "two", {"fig-two-only": "A rate of $a_1. B$ & 50% of {cite:t}`smith2020title`. More."})
    write_claims(root, ("one.holds", "one"), ("two.holds", "two"), ("later.holds", "later"))
    return root


def write_chapter(root: Path, name: str, figures: dict[str, str]) -> None:
    """Write an executed notebook with one cell per figure, and where it was executed."""
    cells = [{"cell_type": "markdown", "metadata": {}, "source": f"({name})=\n# Chapter {name}"}]
    for id, caption in figures.items():
        options = {"figure": {"name": id, "caption": caption}, "image": {"alt": f"Alt of {id}"}}
        outputs = [{"output_type": "display_data", "data": {"image/png": PIXEL}, "metadata": {}}]
        cells.append({"cell_type": "code", "metadata": {"mystnb": options}, "source": "draw()", "outputs": outputs})
    (root / "book" / "chapters" / f"{name}.ipynb").write_text(json.dumps({"cells": cells}))
    results = root / "book" / "results" / name
    results.mkdir(parents=True, exist_ok=True)
    record = {"date": "2031-02-03T04:05:06+00:00", "version": "1.2.3", "commit": COMMIT, "dirty": False}
    record |= {"duration_seconds": 66.4, "seed": 0, "cpu": "A CPU", "system": "A system", "python": "3.99.0"}
    (results / "provenance.json").write_text(json.dumps(record))


def write_claims(root: Path, *claims: tuple[str, str]) -> None:
    """Write a registry of (id, chapter)."""
    (root / "book" / "claims.toml").write_text("\n".join(CLAIM.format(id=id, chapter=name) for id, name in claims))
