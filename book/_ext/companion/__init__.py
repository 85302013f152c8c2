"""What the book's pages need beyond Jupyter Book: generated pages, links under figures, a quiet offline house."""

from sphinx.application import Sphinx

from . import (
    addresses,
    cards,
    damage,
    figure_links,
    folding,
    graphics_card,
    house,
    interface,
    law_map,
    opening,
    performance,
    provenance,
    punctuation,
    scoreboard,
    texts,
    verdicts,
)

PARTS = (
    house,
    damage,
    addresses,
    verdicts,  # reads which cell checks what, so before code is moved
    folding,
    figure_links,
    scoreboard,
    texts,
    law_map,
    cards,
    opening,
    provenance,
    performance,
    graphics_card,
    interface,
    punctuation,
)


def setup(app: Sphinx) -> dict:
    """Register the extension with Sphinx."""
    for module in PARTS:
        module.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
