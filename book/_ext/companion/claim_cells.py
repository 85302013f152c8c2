"""Checks in chapters: the cell that checks a claim has an address, and the lines it prints lead to the claim."""

import re
from collections.abc import Mapping
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

from offconvex import claims

from .markup import block, paragraph, span

CHECK = re.compile(r"""claims\.check\(\s*["']([\w.-]+)["']""")
LINE = re.compile(r"✓ (?P<claim>[\w.-]+)(?P<rest> fails on its control)?")


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", name_cells)


def anchor(claim: str) -> str:
    """HTML id of a claim, on the page of claims and in its chapter alike."""
    return "claim-" + re.sub(r"[^a-z0-9]+", "-", claim.lower()).strip("-")


def name_cells(app: Sphinx, document: nodes.document) -> None:
    page = app.builder.get_relative_uri(app.env.docname, "book/claims")
    registry = claims.load(Path(app.srcdir) / "book" / "claims.toml")
    seen: set[str] = set()
    for cell in document.findall(nodes.container):
        if cell.get("nb_element") != "cell_code":
            continue
        blocks = list(cell.findall(nodes.literal_block))
        for claim in CHECK.findall("\n".join(node.astext() for node in blocks)):
            if claim not in seen:
                cell["ids"].append(anchor(claim))
                seen.add(claim)
        for node in blocks:
            lines = [LINE.fullmatch(line) for line in node.astext().strip().splitlines()]
            if lines and all(lines):
                node.parent.replace(node, block(*(verdict(line, page, registry) for line in lines), classes="checks"))


def verdict(line: re.Match, page: str, registry: Mapping[str, claims.Claim]) -> nodes.paragraph:
    """One printed line, its claim linked to the number and the bound; what was not reproduced has the mark for that."""
    name = nodes.literal("", line["claim"])
    link = nodes.reference("", "", name, refuri=f"{page}#{anchor(line['claim'])}", internal=True)
    claim = registry.get(line["claim"])
    if claim is not None and claim.kind == "unreproduced" and not line["rest"]:
        return paragraph(
            span("≠", classes="verdict verdict-unreproduced"),
            " ",
            link,
            " is not reproduced; what showed keeps its bounds",
        )
    return paragraph(span("✓", classes="verdict"), " ", link, line["rest"] or "")
