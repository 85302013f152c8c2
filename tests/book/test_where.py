"""The way from a chapter to its code, as README tells it, is the way that the chapter's imports take."""

import ast
import re
from pathlib import Path

import pytest

from offconvex import paths
from offconvex.book.execution import chapters, convert

ROOT = paths.require_project_root()
ROW = re.compile(r"^\| `(?P<chapter>[\w-]+)` \| `(?P<room>[\w/]+)/`", re.MULTILINE)
TOLD = {row["chapter"]: Path(row["room"]) for row in ROW.finditer((ROOT / "README.md").read_text(encoding="utf-8"))}


def imported_modules(chapter):
    """Files of the package that a chapter's cells import, below the package's folder."""
    code = "\n".join(cell.source for cell in convert.to_notebook(chapter).cells if cell.cell_type == "code")
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "offconvex":
            base = paths.PACKAGE.joinpath(*node.module.split(".")[1:])
            inside = [base / f"{alias.name}.py" for alias in node.names]
            found = [file for file in inside if file.exists()] or [base.with_suffix(".py")]
            assert all(file.exists() for file in found), f"{chapter} imports {node.module}, which is nowhere"
            yield from (file.relative_to(paths.PACKAGE) for file in found)


def test_every_chapter_is_told():
    assert list(TOLD) == chapters.names()


@pytest.mark.parametrize("chapter", chapters.names())
def test_a_chapter_has_its_code_where_it_is_told(chapter):
    room, modules = TOLD[chapter], list(imported_modules(chapter))
    assert room / "plots.py" in modules
    for module in modules:
        shared = room.is_relative_to(module.parent)  # the instruments, and what a room's folder holds for several
        assert shared or module.is_relative_to(room), f"{module} is neither in {room} nor shared"


def test_what_the_readme_names_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8") + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    places = set(re.findall(r"`((?:src|book|tests|benchmarks)/[\w./-]*)`", text))
    assert len(places) > 12
    drafts = {"book/drafts/"}  # there only while a chapter is being written
    assert [place for place in sorted(places - drafts) if not (ROOT / place).exists()] == []
