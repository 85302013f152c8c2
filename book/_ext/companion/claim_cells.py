"""Gives the code cell that checks a claim the address `#claim-<id>`."""

import re

from docutils import nodes
from sphinx.application import Sphinx

CHECK = re.compile(r"""claims\.check\(\s*["']([\w.-]+)["']""")


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", name_cells)


def anchor(claim: str) -> str:
    """HTML id of a claim, on the page of claims and in its chapter alike."""
    return "claim-" + re.sub(r"[^a-z0-9]+", "-", claim.lower()).strip("-")


def name_cells(_app: Sphinx, document: nodes.document) -> None:
    seen: set[str] = set()
    for cell in document.findall(nodes.container):
        if cell.get("nb_element") != "cell_code":
            continue
        source = "".join(block.astext() for block in cell.findall(nodes.literal_block))
        for claim in CHECK.findall(source):
            if claim not in seen:
                cell["ids"].append(anchor(claim))
                seen.add(claim)
