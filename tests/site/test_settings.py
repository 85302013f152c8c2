"""The book built with other settings and with gaps: addresses and buttons are right, gaps are said plainly."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import page_checks
import pytest
import yaml

from offconvex import paths
from offconvex.book.execution import checksums
from offconvex.book.publication import catalog

pytestmark = pytest.mark.site

SITE, DOI, REPOSITORY = "https://book.example.org/convex", "10.5555/example", "https://github.com/example/convex"


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A copy of the book with every address set, and without the results of its last chapter."""
    root, copy = paths.require_project_root(), tmp_path_factory.mktemp("book")
    shutil.copytree(root / "book", copy / "book", ignore=shutil.ignore_patterns("mathjax", "sources"))
    shutil.copy(root / "_toc.yml", copy)
    config = yaml.safe_load((root / "_config.yml").read_text())
    config["repository"]["url"] = REPOSITORY
    config["sphinx"]["config"] |= {"offconvex_site_url": SITE, "offconvex_doi": DOI}
    (copy / "_config.yml").write_text(yaml.safe_dump(config))
    shutil.rmtree(copy / "book" / "results" / catalog.chapters()[-1].name)
    build(copy, "--all")
    return copy


def build(root, *options):
    program = str(Path(sys.executable).with_name("jupyter-book"))
    command = [program, "build", str(root), "-W", "-n", "--keep-going", "--quiet", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def page(root, name):
    return page_checks.load(root / "_build" / "html")[root / "_build" / "html" / f"{name}.html"]


def test_buttons_lead_to_the_notebook_in_the_repository(other):
    chapter = catalog.chapters()[0]
    links = {a["href"] for a in page(other, chapter.page).select(".article-header-buttons a[href]")}
    notebook = f"{chapter.page}.ipynb"
    assert f"https://colab.research.google.com/github/example/convex/blob/main/{notebook}" in links
    assert f"https://mybinder.org/v2/gh/example/convex/main?urlpath=lab/tree/{notebook}" in links
    assert REPOSITORY in links
    assert any(link.startswith(f"{REPOSITORY}/issues/new") for link in links)
    assert f"../../_sources/{notebook}" in links


def test_entries_name_the_permanent_address(other):
    figure = next(iter(catalog.figures().values()))
    links = page(other, f"book/chapters/{figure.chapter}").select_one(f"figure#{figure.id}").find_next_sibling("div")
    assert f"url = {{{SITE}/book/chapters/{figure.chapter}.html#{figure.id}}}" in links.select_one("pre").get_text()
    assert f"doi = {{{DOI}}}" in links.select_one("pre").get_text()


def test_missing_results_are_said(other):
    chapter = catalog.chapters()[-1]
    claims = page(other, "book/claims").select_one(f"#chapter-{chapter.name}").get_text()
    assert "has not been executed yet" in claims and "not measured yet" in claims
    assert "not executed yet" in page(other, "book/status").get_text()
    assert "not stored yet" in page(other, chapter.page).get_text()


def test_pages_follow_new_results_without_a_full_build(other):
    chapter = catalog.chapters()[0]
    file = other / "book" / "results" / chapter.name / "claims.json"
    stored = json.loads(file.read_text())
    id = next(iter(stored))
    file.write_text(json.dumps(stored | {id: stored[id] | {"holds": False}}))
    checksums.write(chapter.name, other)
    assert page(other, "book/claims").select_one(".claim-misses") is None
    build(other)
    assert page(other, "book/claims").select_one(".claim-misses code").get_text() == id
    assert "; 1 not within bounds" in page(other, "book/index").select_one(".scoreboard-line").get_text()
