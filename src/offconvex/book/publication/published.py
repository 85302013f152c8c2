"""What has been published: every page, figure and claim that somebody may cite, and that must not disappear.

`book/published_ids.txt` has one line each, "page:book/index", "figure:fig-...", "claim:...". Lines are only ever added.
`codecheck.yml` tells those who check the book from outside which files they should be able to make again. Its format is
CODECHECK's, in version 1.0 of its specification: 2.0 asks for every author's ORCID, and who stand behind one name have
none.
"""

from pathlib import Path

import yaml

from offconvex import claims, files, paths
from offconvex.book.publication import catalog, cite

FILE = "published_ids.txt"
HEADER = (
    "# Addresses that are cited: pages, figures and claims. A line is never removed or changed.\n"
    "# An address that has to move keeps a page that says where its content went.\n"
)

MANIFEST = "codecheck.yml"
MANIFEST_HEADER = """\
%YAML 1.1
---
# What an independent check has to make again: `make book` does, in minutes. Written by `offconvex publish`.
"""


def read(root: Path | None = None) -> list[str]:
    """Published ids, in the order of the file."""
    file = _file(root)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [line for line in lines if line and not line.startswith("#")]


def current(root: Path | None = None) -> list[str]:
    """Ids of everything the book has now: its pages, its figures, the claims of its chapters."""
    root = root or paths.require_project_root()
    chapters = catalog.chapters(root)
    names = {chapter.name for chapter in chapters}
    registry = claims.load(root / "book" / "claims.toml").values()
    return [
        *(f"page:{page}" for page in catalog.pages(root)),
        *(f"figure:{figure.id}" for chapter in chapters for figure in chapter.figures),
        *(f"claim:{claim.id}" for claim in registry if claim.chapter in names),
    ]


def missing(root: Path | None = None) -> list[str]:
    """Published ids that the book no longer has; there must be none."""
    here = set(current(root))
    return [id for id in read(root) if id not in here]


def append_new(root: Path | None = None) -> list[str]:
    """Append what the book has and the file lacks, and return it.

    Raises:
        ValueError: if something published has disappeared, since adding lines would hide that.
    """
    gone = missing(root)
    if gone:
        raise ValueError(f"published before, and gone now: {', '.join(gone)}; cited addresses must stay.")
    old = read(root)
    new = [id for id in current(root) if id not in set(old)]
    files.replace(_file(root), HEADER + "".join(f"{id}\n" for id in [*old, *new]))
    return new


def manifest(root: Path | None = None) -> str:
    """Text of `codecheck.yml`: each chapter's measured values and figures, and whatever a codechecker has added."""
    root = root or paths.require_project_root()
    file = root / MANIFEST
    known = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else {}
    citation = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    described = {
        "version": "https://codecheck.org.uk/spec/config/1.0/",
        "paper": {"title": citation["title"], "authors": [{"name": author["name"]} for author in citation["authors"]]},
        "manifest": [entry for chapter in catalog.chapters(root) if chapter.figures for entry in _made(chapter)],
    }
    return MANIFEST_HEADER + yaml.safe_dump(known | described, sort_keys=False, allow_unicode=True, width=120)


def write_manifest(root: Path | None = None) -> Path:
    """Write `codecheck.yml` at the top of the checkout, where its format wants it; return its path."""
    root = root or paths.require_project_root()
    return files.replace(root / MANIFEST, manifest(root))


def _made(chapter: catalog.Chapter) -> list[dict[str, str]]:
    told = {"claims.json": f"Chapter {chapter.number}: measured values of its claims"} | {
        f"{figure.id}.pdf": f"Figure {figure.number}: {cite.plain(catalog.first_sentence(figure.caption))}"
        for figure in chapter.figures
    }
    return [{"file": f"book/results/{chapter.name}/{name}", "comment": comment} for name, comment in told.items()]


def _file(root: Path | None) -> Path:
    return (root or paths.require_project_root()) / "book" / FILE
