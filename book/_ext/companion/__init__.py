"""What the book's pages need beyond Jupyter Book: generated pages, links under figures, a quiet offline house."""

from sphinx.application import Sphinx

from . import addresses, cards, claim_cells, damage, figure_links, house, interface, provenance, scoreboard, texts


def setup(app: Sphinx) -> dict:
    """Register the extension with Sphinx."""
    for module in (
        house,
        damage,
        addresses,
        claim_cells,
        figure_links,
        scoreboard,
        texts,
        cards,
        provenance,
        interface,
    ):
        module.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
