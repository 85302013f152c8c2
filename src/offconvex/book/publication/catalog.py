"""What the book shows, read from its committed files: chapters in order, figures with their numbers."""

import base64
import functools
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from offconvex import paths

IMAGE = "image/png"


@dataclass(frozen=True)
class Figure:
    """One figure of the book.

    Attributes:
        id: its stable name, "fig-...": it is cited.
        chapter: name of the chapter that draws it.
        number: as printed, such as "2.3".
        caption: MyST text; its first sentence is the finding.
        alt: the finding in words, for those who do not see the image.
        image: PNG.
        cells: code of its chapter up to and with the cell that draws it.
    """

    id: str
    chapter: str
    number: str
    caption: str
    alt: str
    image: bytes = field(repr=False)
    cells: tuple[str, ...] = field(repr=False)

    @property
    def code(self) -> str:
        """Source of the cell that draws it."""
        return self.cells[-1]


@dataclass(frozen=True)
class Chapter:
    """One chapter with code.

    Attributes:
        name: its file name without suffix.
        page: its document, such as "book/chapters/norms".
        number: as printed, such as "2"; "" in a part without numbers.
        title: its first heading.
        part: caption of its part of the book.
        figures: in order of appearance.
    """

    name: str
    page: str
    number: str
    title: str
    part: str
    figures: tuple[Figure, ...]


def pages(root: Path | None = None) -> list[str]:
    """Every page, as a path without suffix, in the order of `_toc.yml`."""
    toc = _yaml(root, "_toc.yml")
    return [toc["root"], *(entry["file"] for part in toc["parts"] for entry in part["chapters"])]


def chapters(root: Path | None = None) -> list[Chapter]:
    """Chapters with code in the order of `_toc.yml`; one not executed yet has no figures.

    Raises:
        ValueError: if two figures share an id, because an address must mean one figure.
    """
    root = root or paths.require_project_root()
    found, number = [], 0
    for part in _yaml(root, "_toc.yml")["parts"]:
        for entry in part["chapters"]:
            number += bool(part.get("numbered"))
            if Path(entry["file"]).parent.name == "chapters":
                found.append(_chapter(root, entry["file"], str(number) if part.get("numbered") else "", part))
    ids = [figure.id for chapter in found for figure in chapter.figures]
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise ValueError(f"figure ids must be unique in the book; used twice: {', '.join(twice)}.")
    return found


def figures(root: Path | None = None) -> dict[str, Figure]:
    """Every figure by id, in the order of the book."""
    return {figure.id: figure for chapter in chapters(root) for figure in chapter.figures}


def results(chapter: str, root: Path | None = None) -> Path:
    """Folder of a chapter's committed results; it need not exist."""
    return (root or paths.require_project_root()) / "book" / "results" / chapter


def record(chapter: str, name: str, root: Path | None = None) -> dict:
    """Content of a chapter's claims.json or provenance.json; empty if the chapter was not executed yet.

    Raises:
        ValueError: if the file is damaged.
    """
    file = results(chapter, root) / name
    return _json(file, chapter) if file.exists() else {}


def setting(name: str, root: Path | None = None) -> str:
    """A top-level text of `_config.yml` (title, author), or one of its Sphinx values (offconvex_site_url)."""
    config = _yaml(root, "_config.yml")
    values = config | (config.get("sphinx", {}).get("config") or {})
    return str(values.get(name) or "").strip().rstrip("/")


def first_sentence(text: str) -> str:
    """The first sentence of a caption, on one line; a full stop inside a formula does not end it."""
    text = " ".join(text.split())
    for end in re.finditer(r"[.!?](?=\s+[A-Z$`{*\d]|$)", text):
        before = text[: end.end()]
        if before.count("$") % 2 == 0 and not re.search(r"\b(e\.g|i\.e|cf|vs|Fig|Eq|et al)\.$", before):
            return before
    return text


def _chapter(root: Path, page: str, number: str, part: dict) -> Chapter:
    path = root / f"{page}.ipynb"
    name = path.stem
    if not path.exists():
        return Chapter(name, page, number, name, part.get("caption", ""), ())
    title, drawn = _read(path, path.stat().st_mtime_ns)
    numbered = tuple(
        Figure(id, name, f"{number}.{i}".lstrip("."), *rest) for i, (id, *rest) in enumerate(drawn, start=1)
    )
    return Chapter(name, page, number, title or name, part.get("caption", ""), numbered)


@functools.lru_cache(maxsize=64)
def _read(path: Path, _modified: int) -> tuple[str, list[tuple[str, str, str, bytes, tuple[str, ...]]]]:
    cells = _json(path, path.stem).get("cells", [])
    text = "\n\n".join(_joined(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    heading = re.search(r"^# (.+)$", text, flags=re.MULTILINE)
    drawn, code = [], []
    for cell in cells:
        if cell["cell_type"] != "code":
            continue
        code.append(_joined(cell["source"]))
        options = cell["metadata"].get("mystnb", {})
        if "name" not in options.get("figure", {}):
            continue
        images = [output["data"][IMAGE] for output in cell.get("outputs", []) if IMAGE in output.get("data", {})]
        image = base64.b64decode(_joined(images[0])) if images else b""
        alt = " ".join(str(options.get("image", {}).get("alt", "")).split())
        caption = str(options["figure"].get("caption", ""))
        drawn.append((options["figure"]["name"], caption, alt, image, tuple(code)))
    return (heading.group(1).strip() if heading else ""), drawn


def _json(file: Path, chapter: str) -> dict:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict):
        raise ValueError(
            f"{file.name} of {chapter} is unreadable; take it back from the repository, or run "
            f"`offconvex execute {chapter}`."
        )
    return content


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _yaml(root: Path | None, name: str) -> dict:
    return yaml.safe_load(((root or paths.require_project_root()) / name).read_text(encoding="utf-8"))
