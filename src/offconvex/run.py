"""The open run: which chapter is being executed, and where its claims and figures belong."""

from dataclasses import dataclass
from pathlib import Path

PROFILES = ("default", "smoke", "paper")


@dataclass(frozen=True)
class Run:
    """The chapter being executed.

    Attributes:
        chapter: its name, as in `_toc.yml`.
        seed: the seed its parameters cell was given.
        profile: "default", "smoke" (tiny sizes: claims are recorded, not judged) or "paper".
        output: folder that claims and figures are written to.
    """

    chapter: str
    seed: int
    profile: str
    output: Path


_active: Run | None = None


def activate(run: Run) -> None:
    """Make a run the open one, in the place of any other."""
    global _active
    _active = run


def active_run() -> Run:
    """The run opened by `chapter.begin`.

    Raises:
        RuntimeError: if no chapter is open, because claims and figures would not know where they belong.
    """
    if _active is None:
        raise RuntimeError("No chapter is open: call chapter.begin('<chapter>', seed=...) first.")
    return _active
