"""What the book's pages need beyond Jupyter Book: generated pages, links under figures, a quiet offline house."""

from sphinx.application import Sphinx

from . import addresses, cards, claim_cells, figure_links, house, law_map, performance, provenance, scoreboard, texts


def setup(app: Sphinx) -> dict:
    """Register the extension with Sphinx."""
    modules = (house, addresses, claim_cells, figure_links, scoreboard, texts, law_map, cards, provenance, performance)
    for module in modules:
        module.setup(app)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
