"""What has been published: every page, figure and claim that somebody may cite, and that must not disappear.

`book/published_ids.txt` has one line each, "page:book/index", "figure:fig-...", "claim:...". Lines are only ever added.
"""

from pathlib import Path

from offconvex import claims, files, paths
from offconvex.book.publication import catalog

FILE = "published_ids.txt"
HEADER = (
    "# Addresses that are cited: pages, figures and claims. A line is never removed or changed.\n"
    "# An address that has to move keeps a page that says where its content went.\n"
)


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


def _file(root: Path | None) -> Path:
    return (root or paths.require_project_root()) / "book" / FILE
