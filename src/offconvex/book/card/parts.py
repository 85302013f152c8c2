"""The parts of a measurement on a graphics card, in their order: a further one is a line in this list."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from offconvex.book.card import chapters as here
from offconvex.book.execution import chapters, code

SMOKE, ENGINE = 90, 60
DEFAULT = {
    "locality": 270,
    "hierarchical-tensor-factorization": 240,
    "predicting-generalization": 240,
    "instahide": 240,
}
"""Seconds of each chapter that runs at its committed sizes."""


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        name: it is kept under this name.
        function: device -> what was found, as JSON has it; an entry "stopped" says why it did not come to its end. A
            function of a module, or a `functools.partial` of one, since it is called in another process.
        seconds: its budget: it is not begun with less, and ended after so many.
        chapter: whose code decides it; "" if the function's module and what that imports do.
        together: whether it may run beside others, where jobs are asked for.
    """

    name: str
    function: Callable[[str], Mapping[str, object]]
    seconds: float
    chapter: str = ""
    together: bool = False

    def version(self, known: dict[Path, str]) -> str:
        """Hash of the code that decides what is found; `known` are versions of modules already read."""
        if self.chapter:
            return here.version(self.chapter, known)
        module = inspect.getfile(getattr(self.function, "func", self.function))
        return code.module_version(Path(module), known)[:16]


def versions(parts: Iterable[Part]) -> dict[str, str]:
    """Hash of the present code of each part, by its name."""
    known: dict[Path, str] = {}
    return {part.name: part.version(known) for part in parts}


def of_chapter(chapter: str, profile: str, seconds: float) -> Part:
    """A chapter's cells at a profile."""
    name = chapter if profile == "default" else f"{profile} of {chapter}"
    return Part(name, functools.partial(here.run, chapter=chapter, profile=profile), seconds, chapter, together=True)


def listed() -> list[Part]:
    """All parts."""
    from offconvex.book.card import engines  # takes torch with it

    return [
        *(of_chapter(chapter, "smoke", SMOKE) for chapter in chapters.names()),
        *(Part(f"engine: {name}", functools.partial(engines.measure, engine=name), ENGINE) for name in engines.ENGINES),
        *(of_chapter(chapter, "default", seconds) for chapter, seconds in DEFAULT.items()),
    ]
