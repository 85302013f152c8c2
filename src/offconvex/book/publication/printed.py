"""The whole book as one PDF: the built pages printed by a browser, their figures put in from the vector files."""

import functools
import http.server
import io
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pikepdf
from bs4 import BeautifulSoup

from offconvex import __version__, files, paths
from offconvex.book import repository
from offconvex.book.publication import catalog, one_page

NAME = "off-the-convex-path-executed.pdf"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
FOOT = """<div style="width: 100%; text-align: center; font: 8pt sans-serif; color: #55606e">
<span class="pageNumber"></span></div>"""
MARGINS = {"top": "20mm", "bottom": "20mm", "left": "24mm", "right": "24mm"}


def browser() -> str | None:
    """Path of a browser that can print, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def make(*, root: Path | None = None) -> Path:
    """Print the built book into `_build/html`; return the file's path.

    Raises:
        ValueError: if no browser is found or no pages are built.
    """
    program = browser()
    if program is None:
        raise ValueError(
            f"printing the book needs a browser, and none of {', '.join(BROWSERS)} was found; install Chromium."
        )
    root = root or paths.require_project_root()
    html = paths.build_folder() / "html"
    vectors = {
        figure.id: file
        for figure in catalog.figures(root).values()
        if (file := catalog.results(figure.chapter, root) / f"{figure.id}.pdf").exists()
    }
    sizes = {id: _size(file) for id, file in vectors.items()}
    text = one_page.assemble(html, sizes=sizes, state=_state(root), root=root)
    page = files.replace(html / "print.html", text)
    try:
        plain = _print(program, html, page.name)
    finally:
        page.unlink()
    headings = [heading.get_text() for heading in BeautifulSoup(text, "html.parser").find_all(["h1", "h2", "h3", "h4"])]
    return files.replace(html / NAME, _put_in(plain, vectors, headings, root))


def _print(program: str, html: Path, page: str) -> bytes:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, _served(html) as address:
        opened = playwright.chromium.launch(executable_path=program, args=list(QUIET))
        tab = opened.new_page()
        tab.set_default_timeout(600_000)
        tab.goto(f"{address}/{page}", wait_until="load")
        tab.evaluate("async () => { await window.MathJax?.startup?.promise; await document.fonts.ready; }")
        # Printed twice: which page a chapter begins on is known after the first time.
        for _ in range(2):
            printed = tab.pdf(
                format="A4",
                margin=MARGINS,
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=FOOT,
                print_background=True,
                outline=True,
                tagged=True,
            )
            tab.evaluate(
                "pages => { for (const leaf of document.querySelectorAll('.leaf'))"
                " leaf.textContent = pages[leaf.dataset.page] ?? ''; }",
                _page_numbers(printed),
            )
        opened.close()
        return printed


def _page_numbers(printed: bytes) -> dict[str, int]:
    with pikepdf.open(io.BytesIO(printed)) as book:
        number = {page.objgen: i for i, page in enumerate(book.pages, start=1)}
        places = {name.removeprefix("/"): place for name, place in book.Root.Dests.items()}
        return {name: number[place[0].objgen] for name, place in places.items() if name.startswith("page-")}


def _put_in(printed: bytes, vectors: dict[str, Path], headings: list[str], root: Path) -> bytes:
    # Where the browser left a place with a link to a figure, the figure's own page is drawn, scaled to the place.
    finished = io.BytesIO()
    with pikepdf.open(io.BytesIO(printed)) as book:
        for page in book.pages:
            links = list(page.obj.get("/Annots", []))
            places = [link for link in links if _figure_of(link)]
            for link in places:
                with pikepdf.open(vectors[_figure_of(link)]) as figure:
                    page.add_overlay(figure.pages[0], pikepdf.Rectangle(link.Rect))
            if places:
                page.obj.Annots = pikepdf.Array([link for link in links if not _figure_of(link)])
        _space_outline(book, headings)
        book.docinfo["/Title"] = catalog.setting("title", root)
        book.docinfo["/Author"] = catalog.setting("author", root)
        book.save(finished, object_stream_mode=pikepdf.ObjectStreamMode.generate, compress_streams=True)
    return finished.getvalue()


def _space_outline(book: pikepdf.Pdf, headings: list[str]) -> None:
    # Where a heading is broken into lines, the browser's outline joins two words.
    known = {"".join(heading.split()): " ".join(heading.split()) for heading in headings}
    front = [book.Root.Outlines] if "/Outlines" in book.Root else []
    while front:
        entry = front.pop()
        if "/Title" in entry:
            title = str(entry.Title)
            entry.Title = pikepdf.String(known.get("".join(title.split()), title))
        front += [entry[name] for name in ("/First", "/Next") if name in entry]


def _figure_of(link: pikepdf.Object) -> str:
    address = str(link.get("/A", {}).get("/URI", ""))
    return address.removeprefix(one_page.FIGURE) if address.startswith(one_page.FIGURE) else ""


def _size(file: Path) -> tuple[float, float]:
    with pikepdf.open(file) as figure:
        box = pikepdf.Rectangle(figure.pages[0].mediabox)
        return float(box.width), float(box.height)


def _state(root: Path) -> str:
    commit = repository.commit(root)
    return f"Version {__version__}" + (f", commit {commit[:12]}" if commit else "")


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    # From a file, a browser may refuse fonts.
    handler = functools.partial(_Silent, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass
