"""What can be wrong with built pages, each as a function: pages -> sentences that say what is wrong."""

import re
import zipfile
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

Pages = dict[Path, BeautifulSoup]

RESOURCES = (("img", "src"), ("script", "src"), ("source", "src"), ("iframe", "src"))
MACHINE = re.compile(r"(?<![\w./:-])/(home|root|tmp|Users|work|mnt)/\w|\b(localhost|127\.0\.0\.1)\b|file://")
UNPARSED = re.compile(r"\{[a-z]+(:[a-z]+)?\}`|^```|^:::|\$\$|\$[^$\n]+\$|\[@\w+\]", flags=re.MULTILINE)


def load(folder: Path) -> Pages:
    """Every HTML page below a folder."""
    files = [file for file in sorted(folder.rglob("*.html")) if "_static" not in file.relative_to(folder).parts]
    return {file: BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser") for file in files}


def broken_links(pages: Pages, folder: Path) -> list[str]:
    """Links inside the book whose file or anchor does not exist."""
    anchors = {file: {node["id"] for node in page.select("[id]")} for file, page in pages.items()}
    found = []
    for file, page in pages.items():
        for link in page.select("a[href], link[href], img[src], script[src], source[src]"):
            address = urlsplit(link.get("href") or link.get("src") or "")
            if address.scheme or address.netloc:
                continue
            target = (file.parent / unquote(address.path)).resolve() if address.path else file
            if target.is_dir():
                target /= "index.html"
            where = f"{file.relative_to(folder)} -> {address.geturl()}"
            if not target.is_relative_to(folder.resolve()) or not target.exists():
                found.append(f"{where}: no such file")
            elif address.fragment and target in anchors and unquote(address.fragment) not in anchors[target]:
                found.append(f"{where}: no such place on the page")
    return found


def remote_resources(pages: Pages, folder: Path) -> list[str]:
    """Scripts, styles and images that another host would have to deliver."""
    found = []
    for file, page in pages.items():
        addresses = [node.get(name, "") for tag, name in RESOURCES for node in page.select(f"{tag}[{name}]")]
        addresses += [node["href"] for node in page.select("link[href]") if node.get("rel") != ["canonical"]]
        remote = [address for address in addresses if urlsplit(address).netloc]
        found += [f"{file.relative_to(folder)}: {address}" for address in remote]
    return found


def missing_alternatives(pages: Pages, folder: Path) -> list[str]:
    """Images without words for those who do not see them."""
    found = []
    for file, page in pages.items():
        for image in page.select("img"):
            # The logo stands beside the book's title, so that its words would only be read twice.
            decorative = "logo__image" in image.get("class", [])
            if not image.get("alt", "").strip() and not (decorative and image.has_attr("alt")):
                found.append(f"{file.relative_to(folder)}: image {image.get('src')} has no alternative text")
    return found


def repeated_ids(pages: Pages, folder: Path) -> list[str]:
    """Ids that stand twice on a page: an address must mean one place."""
    found = []
    for file, page in pages.items():
        counts = Counter(node["id"] for node in page.select("[id]"))
        found += [f"{file.relative_to(folder)}: id {id!r} {n} times" for id, n in counts.items() if n > 1]
    return found


def machine_traces(pages: Pages, folder: Path) -> list[str]:
    """Paths and host names of the machine that built the pages."""
    texts = {file: str(page) for file, page in pages.items()}
    texts |= {file: file.read_text(encoding="utf-8") for file in sorted(folder.rglob("searchindex.js"))}
    found = []
    for file, text in texts.items():
        for match in MACHINE.finditer(text):
            near = text[max(match.start() - 30, 0) : match.end() + 30]
            found.append(f"{file.relative_to(folder)}: {near!r}")
    return found


def unparsed_markup(pages: Pages, folder: Path) -> list[str]:
    """Markdown that reached the reader as it was typed."""
    found = []
    for file, page in pages.items():
        article = BeautifulSoup(str(page.select_one("article") or ""), "html.parser")
        for node in article.select("pre, code, script, .math, .api-signature"):
            node.decompose()
        for match in UNPARSED.finditer(article.get_text()):
            found.append(f"{file.relative_to(folder)}: {match.group()!r}")
    return found


def bare_pages(pages: Pages, folder: Path) -> list[str]:
    """Pages without a language, a title or exactly one main heading."""
    found = []
    for file, page in pages.items():
        name = file.relative_to(folder)
        if not page.html.get("lang") or not page.title or not page.title.get_text(strip=True):
            found.append(f"{name}: no language or no title")
        # The page at the top only leads to the first page of the book.
        if file.parent != folder and len(page.select("article h1")) != 1:
            found.append(f"{name}: {len(page.select('article h1'))} main headings")
    return found


def figure_faults(pages: Pages, folder: Path) -> list[str]:
    """Figures without number, vector file, data, archive, or a BibTeX entry that names them."""
    found = []
    for file, page in pages.items():
        for figure in page.select("figure[id^=fig-]"):
            where, id = f"{file.relative_to(folder)}, {figure['id']}", figure["id"]
            links = figure.find_next_sibling(class_="figure-links")
            if figure.select_one(".caption-number") is None:
                found.append(f"{where}: no number")
            if links is None:
                found.append(f"{where}: no links below it")
                continue
            files = {Path(a["href"]).suffix: file.parent / a["href"] for a in links.select("a[download]")}
            if not _is_pdf(files.get(".pdf")):
                found.append(f"{where}: no vector file")
            data = files.get(".csv") or files.get(".npz")
            if data is None or not data.exists() or not data.stat().st_size:
                found.append(f"{where}: no data")
            entry = links.select_one("details.cite pre")
            if entry is None or not entry.get_text().startswith("@") or id not in entry.get_text():
                found.append(f"{where}: no BibTeX entry that names it")
            if ".ris" not in files or not files[".ris"].exists():
                found.append(f"{where}: no RIS record")
            if ".zip" not in files or not _has_vector_file(files[".zip"], id):
                found.append(f"{where}: no archive with its vector file")
    return found


def _is_pdf(file: Path | None) -> bool:
    return file is not None and file.exists() and file.read_bytes().startswith(b"%PDF")


def _has_vector_file(file: Path, id: str) -> bool:
    if not file.exists() or not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return f"{id}/{id}.pdf" in archive.namelist()
