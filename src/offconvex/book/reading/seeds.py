"""What the seeds of a sweep say about a claim: nothing, where a number is the same at every one of them."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path

from offconvex import claims, paths
from offconvex.book.execution import sweep
from offconvex.book.reading import stored


def values(claim: claims.Claim, records: Sequence[sweep.SeedRecord]) -> dict[str, list[float]]:
    """What each measure of a claim was at the seeds that measured it, in the order of the records."""
    entries = [record["claims"].get(claim.id, {}) for record in records]
    observed = [claims.as_mapping(entry["observed"]) for entry in entries if "observed" in entry]
    return {m.name: [each[m.name] for each in observed if m.name in each] for m in claim.measures}


def varying(claim: claims.Claim, records: Sequence[sweep.SeedRecord]) -> set[str]:
    """Names of the measures that are not the same at all seeds."""
    return {name for name, found in values(claim, records).items() if len(set(found)) > 1}


def basis(
    claim: claims.Claim, records: Sequence[sweep.SeedRecord], root: Path | None = None, *, measure: str | None = None
) -> str:
    """What stands behind a claim, or behind one of its measures, beside the committed run.

    Args:
        claim: an entry of claims.toml.
        records: its chapter's sweep.
        root: top of the book's checkout; by default the one this package was imported from.
        measure: name of one measure; by default all of them together.

    Returns:
        "seeds" if it differs between seeds, so that each is a trial; "stored" if it does not, and its cell computes it
        from a stored experiment, which has seeds of its own; "exact" if it does not and every run computes it anew; ""
        if the chapter was not swept.
    """
    if not records:
        return ""
    differing = varying(claim, records)
    if differing if measure is None else measure in differing:
        return "seeds"
    notebook = (root or paths.require_project_root()) / "book" / "chapters" / f"{claim.chapter}.ipynb"
    rest = _stored(notebook, notebook.stat().st_mtime_ns).get(claim.id, set())
    return "stored" if rest and (measure is None or rest & {measure, stored.ALL}) else "exact"


@functools.cache
def _stored(notebook: Path, _changed: int) -> dict[str, set[str]]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return stored.measures(["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"])
