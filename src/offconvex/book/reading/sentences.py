"""What became of the sentences of the twelve texts: book/sentences.toml, read and judged."""

import re
from dataclasses import dataclass
from pathlib import Path

from offconvex import claims, paths
from offconvex.book.publication import catalog
from offconvex.book.reading import tables

FILE = "sentences.toml"
VERDICTS = ("holds", "qualified", "differs", "refuted", "unreproduced", "untested")
REQUIRED = ("text", "place", "says", "verdict")


@dataclass(frozen=True)
class Sentence:
    """One checkable sentence of a text.

    Attributes:
        id: stable name.
        text: bib key of the text.
        place: section, theorem or figure of the text.
        says: the sentence, in our words (MyST).
        verdict: one of `VERDICTS`.
        claims: ids of the claims that decide it; none if it is untested.
        because: why it is not simply "holds", in one sentence; empty if it is.
    """

    id: str
    text: str
    place: str
    says: str
    verdict: str
    claims: tuple[str, ...] = ()
    because: str = ""


def load(root: Path | None = None) -> dict[str, Sentence]:
    """Sentences by id, in the order of the file.

    Raises:
        ValueError: if the file cannot be read, or a row is incomplete or contradicts itself; the message names it.
    """
    rows = tables.read(FILE, root, required=REQUIRED, optional=("claims", "because"))
    return {id: _parse(id, row) for id, row in rows.items()}


def faults(root: Path | None = None) -> list[str]:
    """Rows that do not fit the book, one sentence each: unknown texts or claims, verdicts that the claims deny."""
    root = root or paths.require_project_root()
    registry, texts = claims.load(root / "book" / "claims.toml"), _texts(root)
    stored = {c.name: catalog.record(c.name, "claims.json", root) for c in catalog.chapters(root)}
    found = []
    for row in load(root).values():
        if row.text not in texts:
            found.append(f"{FILE}, {row.id}: the text {row.text!r} is not in the bibliography.")
        found += [f"{FILE}, {row.id}: no such claim: {id}." for id in row.claims if id not in registry]
        if row.verdict == "holds":
            for claim in (registry[id] for id in row.claims if id in registry):
                holds = stored.get(claim.chapter, {}).get(claim.id, {}).get("holds", True)
                if claim.kind in ("unreproduced", "refuted") or not holds:
                    state = claim.kind if holds else "not within its bounds"
                    found.append(f"{FILE}, {row.id}: it cannot hold, since {claim.id} is {state}.")
    return found


def differing(chapter: str, root: Path | None = None) -> list[tuple[Sentence, tuple[claims.Claim, ...]]]:
    """Sentences that are not simply true, each with the claims of a chapter that decide it."""
    root = root or paths.require_project_root()
    registry = claims.load(root / "book" / "claims.toml")
    found = []
    for row in load(root).values():
        own = tuple(registry[id] for id in row.claims if id in registry and registry[id].chapter == chapter)
        if own and row.verdict != "holds":
            found.append((row, own))
    return found


def _parse(id: str, row: dict) -> Sentence:
    texts = {name: tables.text(f"{FILE}, {id}: {name}", value) for name, value in row.items() if name != "claims"}
    decided = row.get("claims", [])
    if not isinstance(decided, list) or not all(isinstance(claim, str) for claim in decided):
        raise ValueError(f"{FILE}, {id}: claims must be a list of claim ids; got {decided!r}.")
    if row["verdict"] not in VERDICTS:
        raise ValueError(f"{FILE}, {id}: verdict must be one of {', '.join(VERDICTS)}; got {row['verdict']!r}.")
    if (row["verdict"] == "untested") == bool(decided):
        wanted = "no claims" if decided else "the claims that decide it"
        raise ValueError(f"{FILE}, {id}: the verdict {row['verdict']!r} needs {wanted}.")
    if (row["verdict"] == "holds") == ("because" in row):
        wanted = "no because" if "because" in row else "a because"
        raise ValueError(f"{FILE}, {id}: the verdict {row['verdict']!r} needs {wanted}.")
    return Sentence(id=id, claims=tuple(decided), **texts)


def _texts(root: Path) -> set[str]:
    bibliography = (root / "book" / "references.bib").read_text(encoding="utf-8")
    return set(re.findall(r"^@\w+\{([^,\s]+)", bibliography, flags=re.MULTILINE))
