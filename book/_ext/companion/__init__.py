"""What the book's pages need beyond Jupyter Book: generated pages, links under figures, a quiet offline house."""

from sphinx.application import Sphinx

from . import (
    addresses,
    cards,
    claim_cells,
    damage,
    figure_links,
    house,
    interface,
    law_map,
    performance,
    provenance,
    scoreboard,
    texts,
)

PARTS = (
    house,
    damage,
    addresses,
    claim_cells,
    figure_links,
    scoreboard,
    texts,
    law_map,
    cards,
    provenance,
    performance,
    interface,
)


def setup(app: Sphinx) -> dict:
    """Register the extension with Sphinx."""
    for module in PARTS:
        module.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
