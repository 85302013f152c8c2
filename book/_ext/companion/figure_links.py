"""Under each figure: its vector file, its data, all in one archive, the functions that make it, and how to cite it."""

import json
import shutil
from html import escape
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

from offconvex.book.publication import api, bundle, catalog, cite, origins

LOGGER = logging.getLogger(__name__)
DATA = ("csv", "npz")
COPIED = ("fig-*.pdf", "fig-*.csv", "fig-*.npz", "fig-*.webp", "claims.json", "provenance.json")


def setup(app: Sphinx) -> None:
    app.connect("doctree-resolved", add_links)
    app.connect("build-finished", copy_results)


def add_links(app: Sphinx, document: nodes.document, page: str) -> None:
    root = Path(app.srcdir)
    if Path(page).parent.name != "chapters":
        return
    known = catalog.figures(root)
    for node in list(document.findall(nodes.figure)):
        ids = [id for id in node["ids"] if id in known]
        if ids:
            check_number(app, page, known[ids[0]])
            place = node.parent.index(node) + 1
            below = [*links(root, known[ids[0]], code(app, page, known[ids[0]])), *player(root, known[ids[0]])]
            node.parent[place:place] = below


def check_number(app: Sphinx, page: str, figure: catalog.Figure) -> None:
    printed = app.env.toc_fignumbers.get(page, {}).get("figure", {}).get(figure.id, ())
    if ".".join(map(str, printed)) != figure.number:
        LOGGER.warning("%s: the page prints Fig. %s, its citation Figure %s", figure.id, printed, figure.number)


def player(root: Path, figure: catalog.Figure) -> list[nodes.Node]:
    """Where the page's script puts the controls of a figure that moves; hidden without script."""
    about = catalog.results(figure.chapter, root) / f"{figure.id}.frames.json"
    if not about.exists():
        return []
    content = escape(json.dumps(json.loads(about.read_text(encoding="utf-8"))), quote=True)
    frames = f"../results/{figure.chapter}/{figure.id}.webp"
    data = f'data-figure="{figure.id}" data-frames="{frames}" data-about="{content}"'
    return [nodes.raw("", f'<div class="motion-player" {data} hidden></div>', format="html")]


def code(app: Sphinx, page: str, figure: catalog.Figure) -> str:
    """The functions that draw a figure and compute what it shows, in a fold that opens without script."""
    found = origins.origin(figure.cells)
    lists = {"Drawn by": found.drawn, "Computed by, the nearest first": found.computed}
    items = "".join(
        f"<p>{label}: {', '.join(function(app, page, name) for name in names)}</p>\n"
        for label, names in lists.items()
        if names
    )
    summary = f'<summary>Functions<span class="visually-hidden"> of figure {figure.number}</span></summary>'
    return f'<details class="code">{summary}\n{items}</details>' if items else ""


def function(app: Sphinx, page: str, name: str) -> str:
    """Link to a function's place on the interface pages; also to its source, if the book has a repository."""
    place = api.places()[name]
    uri = f"{app.builder.get_relative_uri(page, f'book/api/{place.part}')}#{name}"
    link = f'<a href="{uri}"><code>{name.removeprefix("offconvex.")}</code></a>'
    options = app.config.html_theme_options
    if not options.get("repository_url"):
        return link
    source = f"{options['repository_url']}/blob/{options.get('repository_branch')}/src/{place.file}#L{place.line}"
    return f'{link} (<a href="{escape(source)}">source<span class="visually-hidden"> of {name}</span></a>)'


def links(root: Path, figure: catalog.Figure, code: str) -> list[nodes.Node]:
    """Links and a "Cite" that opens without script."""
    folder = catalog.results(figure.chapter, root)
    of = f'<span class="visually-hidden"> of figure {figure.number}</span>'
    found = [
        f'<a href="../results/{figure.chapter}/{figure.id}.{suffix}" download>{label}{of}</a>'
        for suffix, label in (("pdf", "PDF"), *((name, f"Data ({name})") for name in DATA), ("webp", "Frames (webp)"))
        if (folder / f"{figure.id}.{suffix}").exists()
    ]
    if found:
        found.append(f'<a href="../results/{figure.chapter}/{figure.id}.zip" download>All (zip){of}</a>')
    stored = "\n".join(found) or "<span>PDF and data: not stored yet, execute the chapter.</span>"
    entry = cite.bibtex(figure.id, root=root)
    place = cite.address(figure, root) or f"book/chapters/{figure.chapter}.html#{figure.id}"
    opening = (
        f'<div class="figure-links">\n{stored}\n{code}\n<details class="cite">'
        f'<summary>Cite<span class="visually-hidden"> figure {figure.number}</span></summary>\n'
        f'<p>Its address: <a href="#{figure.id}"><code>{escape(place)}</code></a></p>\n'
        f"<p>{escape(cite.text(figure.id, root=root))}</p>\n"
    )
    ris = f'<p><a href="../results/{figure.chapter}/{figure.id}.ris" download>RIS record{of}</a></p></details></div>'
    return [
        nodes.raw("", opening, format="html"),
        nodes.literal_block(entry, entry, language="bibtex", linenos=False),
        nodes.raw("", ris, format="html"),
    ]


def copy_results(app: Sphinx, failure: Exception | None) -> None:
    # Beside the pages under their own names, so that a figure's file has an address that does not change.
    if failure or app.builder.format != "html":
        return
    for chapter in catalog.chapters(Path(app.srcdir)):
        source = catalog.results(chapter.name, Path(app.srcdir))
        target = Path(app.outdir) / "book" / "results" / chapter.name
        shutil.rmtree(target, ignore_errors=True)
        for file in sorted(file for pattern in COPIED for file in source.glob(pattern)):
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target / file.name)
        for figure in chapter.figures:
            target.mkdir(parents=True, exist_ok=True)
            (target / f"{figure.id}.ris").write_text(cite.ris(figure.id, root=Path(app.srcdir)), encoding="utf-8")
            bundle.write(figure, target / f"{figure.id}.zip", root=Path(app.srcdir))
