"""Whether a claim's verdict depends on the seed, read off the records of its chapter's sweep."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from offconvex import claims
from offconvex.book.execution import sweep
from offconvex.book.publication import catalog


def values(claim: claims.Claim, records: Iterable[sweep.SeedRecord]) -> dict[str, list[float]]:
    """What each measure of a claim was at the seeds that measured it, in the order of the records."""
    entries = [record["claims"].get(claim.id, {}) for record in records]
    observed = [claims.as_mapping(entry["observed"]) for entry in entries if "observed" in entry]
    return {m.name: [each[m.name] for each in observed if m.name in each] for m in claim.measures}


def varying(claim: claims.Claim, records: Iterable[sweep.SeedRecord]) -> set[str]:
    """Names of the measures that are not the same at all seeds."""
    return {name for name, found in values(claim, records).items() if len(set(found)) > 1}


def basis(claim: claims.Claim, records: Mapping[int, sweep.SeedRecord], root: Path | None = None) -> str:
    """What stands behind a claim beside its committed run.

    Args:
        claim: an entry of claims.toml.
        records: its chapter's sweep, by seed.
        root: top of the book's checkout; by default the one this package was imported from.

    Returns:
        "seeds" if a measure differs between seeds, so that each is a trial of its own; "stored" if none does and the
        chapter's stored experiments decide; "exact" if no seed enters; "" if the chapter was not swept.
    """
    if not records:
        return ""
    if varying(claim, records.values()):
        return "seeds"
    stored = any(catalog.results(claim.chapter, root).glob("stored-*.npz"))
    return "stored" if stored and claim.scale != "exact" else "exact"
