"""Checks in chapters: their addresses, and the lines that they print."""

import re

LINE = re.compile(
    r"[✓✗] (?P<claim>[\w.-]+)"
    r"(?:(?P<control> fails on its control| does not break its bound on its control)| misses its bound)?"
)


def anchor(claim: str) -> str:
    """HTML id of a claim, on the page of claims and in its chapter alike."""
    return "claim-" + re.sub(r"[^a-z0-9]+", "-", claim.lower()).strip("-")
