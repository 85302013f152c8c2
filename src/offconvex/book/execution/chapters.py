"""What chapters there are, and the parameters a reader may set in each."""

import ast
import difflib
from collections.abc import Iterable
from pathlib import Path

import yaml

from offconvex import paths

PARAMETERS_TAG = "parameters"


def names() -> list[str]:
    """All chapters, in the order of `_toc.yml`; those not listed there yet come last."""
    root = paths.require_project_root()
    sources = {path.stem for path in (root / "book" / "sources").glob("*.md")}
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    files = [Path(entry["file"]) for part in toc.get("parts", []) for entry in part["chapters"]]
    listed = [file.stem for file in files if file.parent.name == "chapters" and file.stem in sources]
    return listed + sorted(sources - set(listed))


def source_path(chapter: str) -> Path:
    """MyST source of a chapter: what people edit."""
    return paths.require_project_root() / "book" / "sources" / f"{chapter}.md"


def notebook_path(chapter: str) -> Path:
    """Committed notebook of a chapter, with outputs: what the executor writes."""
    return paths.require_project_root() / "book" / "chapters" / f"{chapter}.ipynb"


def require(chapter: str) -> str:
    """The chapter's name.

    Raises:
        ValueError: if there is no such chapter; the message names the nearest ones.
    """
    known = names()
    if chapter not in known:
        raise ValueError(f"unknown chapter {chapter!r}{nearest(chapter, known)}; chapters are: {', '.join(known)}.")
    return chapter


def default_parameters(notebook) -> dict[str, object]:
    """Names and default values assigned in a notebook's parameters cell.

    Raises:
        ValueError: if the notebook does not have exactly one such cell, or it holds more than literals,
            because a reader must be able to set every name in it.
    """
    cells = [cell for cell in notebook.cells if PARAMETERS_TAG in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise ValueError(f"a chapter needs exactly one cell tagged 'parameters'; found {len(cells)}.")
    defaults = {}
    for statement in ast.parse(cells[0].source).body:
        try:
            (target,) = statement.targets
            defaults[target.id] = ast.literal_eval(statement.value)
        except (AttributeError, ValueError):
            text = ast.unparse(statement)
            raise ValueError(f"the parameters cell may only assign literals to names; found `{text}`.") from None
    return defaults


def read_parameters(chapter: str, defaults: dict[str, object], given: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Values of parameters given as text, each with the type of its default.

    Raises:
        ValueError: if a name is unknown, a value has another type than the default, or the profile is among them, whose
            sizes would stay those of the default.
    """
    values = {}
    for name, text in given:
        if name == "profile":
            raise ValueError(
                f"a profile sets sizes as well as its name: write --profile {text}, not -p profile {text}."
            )
        if name not in defaults:
            hint = nearest(name, defaults)
            raise ValueError(f"{chapter} has no parameter {name!r}{hint}; it has: {', '.join(defaults)}.")
        values[name] = _typed(chapter, name, text, defaults[name])
    return values


def profile_parameters(chapter: str, profile: str, defaults: dict[str, object]) -> dict[str, object]:
    """Values that a profile sets for a chapter.

    Raises:
        ValueError: if the chapter has no such profile, or the file sets something the chapter does not know.
    """
    folder = paths.require_project_root() / "book" / "profiles"
    path = folder / profile / f"{chapter}.yaml"
    if not path.exists():
        known = sorted(p.parent.name for p in folder.glob(f"*/{chapter}.yaml"))
        raise ValueError(f"{chapter} has no profile {profile!r}; it has: {', '.join(known) or 'none'}.")
    values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    unknown = set(values) - set(defaults)
    if unknown:
        raise ValueError(f"profile {profile}/{chapter}.yaml sets {sorted(unknown)}, which the chapter does not know.")
    return values


def nearest(name: str, known: Iterable[str]) -> str:
    """' (did you mean ...?)' when a known name is close, else nothing."""
    close = difflib.get_close_matches(name, list(known), n=2, cutoff=0.6)
    return f" (did you mean {' or '.join(repr(c) for c in close)}?)" if close else ""


def _typed(chapter: str, name: str, text: str, default: object) -> object:
    if isinstance(default, str):
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = None
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(default):
        wanted = {int: "an integer", float: "a number", bool: "True or False"}.get(type(default), "a list")
        raise ValueError(f"{chapter}: parameter {name!r} takes {wanted}, such as {default!r}; got {text!r}.")
    return value
