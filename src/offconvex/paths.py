"""Where the book's files are, whether the package runs from a checkout or was installed alone."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def project_root() -> Path | None:
    """Top of the checkout this package was imported from; None for a package installed alone.

    The environment variable OFFCONVEX_ROOT names another checkout to work on.

    Raises:
        ValueError: if what it names is none.
    """
    named = os.environ.get("OFFCONVEX_ROOT")
    root = Path(named or PACKAGE.parent.parent).resolve()
    if (root / "_toc.yml").exists() and (root / "book").is_dir():
        return root
    if named:
        raise ValueError(f"OFFCONVEX_ROOT is {named!r}, which is no checkout of the book; correct or unset it.")
    return None


def require_project_root() -> Path:
    """Top of the checkout.

    Raises:
        ValueError: if there is none, since executing and building need the book's sources.
    """
    root = project_root()
    if root is None:
        raise ValueError(
            "this command needs the book's checkout, but the package was installed without it; "
            "get the repository and run `pip install -e .` in it."
        )
    return root


def book_file(name: str) -> Path:
    """A registry such as claims.toml: the checkout's, or the copy shipped inside the package."""
    root = project_root()
    return root / "book" / name if root else PACKAGE / "_book" / name


def build_folder() -> Path:
    """Folder for everything that is not committed: `_build` in the checkout, or in the current folder."""
    return (project_root() or Path.cwd()) / "_build"


def live_results(chapter: str) -> Path:
    """Where a chapter run by anyone but the executor writes its results."""
    return build_folder() / "live" / chapter


def committed_results(chapter: str) -> Path:
    """Where a chapter's committed results and stored experiments lie."""
    return book_file("results") / chapter
