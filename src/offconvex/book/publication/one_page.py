"""All pages of the built book in one, for printing: the same text, with links that lead inside it."""

import html as markup
import os
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from bs4 import BeautifulSoup, Tag

from offconvex.book.publication import catalog

FIGURE = "https://figure.invalid/"  # a link to it marks the place of a figure on the printed page
GALLERY = "book/figures"  # every figure once more, small: the printed book does without
INTERFACE = "book/api/"  # reference to look things up in, longer than all chapters: it does without these pages too
# Left out of print: signs to click on, what lies under a figure for those who can click, and the code behind figures
# and checks, which the notebooks have.
SCREEN_ONLY = (
    ".headerlink, .figure-links, .fold-code, button, script, style, .chapter-cards img, .motion-player-controls"
)
NOTE = (
    "Printed without the code behind figures and checks: each chapter's notebook has all of it. The cell that shows a "
    "chapter's model is printed, and what opens with a click on the pages is open here."
)


def assemble(html: Path, *, sizes: dict[str, tuple[float, float]], state: str, root: Path | None = None) -> str:
    """The whole book as one HTML page, to lie at the top of the built pages.

    Args:
        html: folder of the built pages.
        sizes: width and height of each figure's vector file by figure id, in points; such a figure becomes an
            empty place of that size, or as wide as the page, with a link to `FIGURE` + its id.
        state: version and commit, for the title page.
        root: top of the book's checkout; by default the one this package was imported from.

    Raises:
        ValueError: if a page of the table of contents is not built.
    """
    names = pages(root)
    articles = {name: _article(html, name) for name in names}
    first = BeautifulSoup((html / f"{names[0]}.html").read_text(encoding="utf-8"), "html.parser")
    for name, article in articles.items():
        _place_figures(article, sizes)
        _lead_inside(article, name, articles, html)
    headings = [(name, _title(article)) for name, article in articles.items()]
    body = "".join(
        f'<section class="page" id="{anchor(name)}">{a.decode_contents()}</section>' for name, a in articles.items()
    )
    title, author = catalog.setting("title", root), catalog.setting("author", root)
    return f"""<!doctype html>
<html lang="en" data-theme="light" data-mode="light"><head><meta charset="utf-8"><title>{markup.escape(title)}</title>
{_head(first)}
<link rel="stylesheet" href="_static/print.css"></head>
<body><article class="bd-article bd-content">
<header class="cover"><img src="_static/logo.svg" alt=""><p class="cover-title">{markup.escape(title)}</p>
<p>{markup.escape(author)}</p><p class="state">{markup.escape(state)}</p></header>
{_contents(headings)}
<div class="bd-article-container">{body}</div>
</article></body></html>
"""


def pages(root: Path | None = None) -> list[str]:
    """The pages that are printed, in the order of the book."""
    return [name for name in catalog.pages(root) if name != GALLERY and not name.startswith(INTERFACE)]


def anchor(page: str, target: str = "") -> str:
    """Id, in the one page, of a page of the book or of an element on it."""
    return f"{PurePosixPath(page).name}--{target}" if target else f"page-{PurePosixPath(page).name}"


def _article(html: Path, name: str) -> Tag:
    file = html / f"{name}.html"
    if not file.exists():
        raise ValueError(
            f"the printed book is made of the built pages, and {name} is not there; run `make html` first."
        )
    article = BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser").find("article")
    for element in article.select(SCREEN_ONLY):
        element.decompose()
    for fold in article.select("details"):  # reasons and asides: paper has nothing to click on
        fold["open"] = ""
    return article


def _head(page: BeautifulSoup) -> str:
    # The theme's style sheets, and the scripts that typeset formulas; nothing else of a page's behavior.
    kept = [link for link in page.find_all("link", rel="stylesheet")]
    kept += [
        script
        for script in page.find_all("script")
        if "mathjax" in script.get("src", "").lower() or "window.MathJax" in (script.string or "")
    ]
    for element in kept:
        for name in ("href", "src"):
            if element.get(name):
                element[name] = element[name].removeprefix("../")
    return "\n".join(map(str, kept))


def _place_figures(article: Tag, sizes: dict[str, tuple[float, float]]) -> None:
    for figure in article.find_all("figure", id=True):
        image = figure.find("img")
        if figure["id"] in sizes and image is not None:
            width, height = sizes[figure["id"]]
            empty = f"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:g} {height:g}'/>"
            place = BeautifulSoup(
                f'<a class="vector" href="{FIGURE}{figure["id"]}"><img alt="" src="{empty}"'
                f' style="width: {width:g}pt; aspect-ratio: {width:g} / {height:g}"></a>',
                "html.parser",
            )
            place.img["alt"] = image.get("alt", "")
            (image.find_parent("a") or image).replace_with(place)


def _lead_inside(article: Tag, name: str, articles: dict[str, Tag], html: Path) -> None:
    folder = PurePosixPath(name).parent
    for element in article.find_all(id=True):
        element["id"] = anchor(name, element["id"])
    for element in article.find_all(src=True):
        if not urlsplit(element["src"]).scheme:
            element["src"] = _normal(folder / element["src"])
    for link in article.find_all("a", href=True):
        address = urlsplit(link["href"])
        if address.scheme:
            continue
        page = _normal(folder / address.path).removesuffix(".html") if address.path else name
        if page in articles:
            link["href"] = "#" + anchor(page, address.fragment)
        else:  # a file beside the pages, or the gallery: nothing that a printed book can lead to
            link.unwrap()


def _normal(path: PurePosixPath) -> str:
    return PurePosixPath(os.path.normpath(path)).as_posix()


def _title(article: Tag) -> str:
    return " ".join(article.find("h1").get_text().split())


def _contents(headings: list[tuple[str, str]]) -> str:
    rows = [
        f'<li><a href="#{place}">{markup.escape(title)}</a><span class="leaf" data-page="{place}"></span></li>'
        for place, title in ((anchor(name), title) for name, title in headings[1:])
    ]
    note = f'<p class="note">{markup.escape(NOTE)}</p>'
    return f'<nav class="contents"><h2>Contents</h2>{note}<ol>{"".join(rows)}</ol></nav>'
