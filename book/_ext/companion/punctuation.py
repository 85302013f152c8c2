"""A line does not end between a formula and the punctuation that belongs to it."""

from docutils import nodes
from sphinx.application import Sphinx

JOINER = "\u2060"  # no sign and no width; browsers break lines at a formula's edges, but not at this
AFTER = tuple(".,;:!?)]’”…")


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", join, priority=900)  # when all other parts of the page are made


def join(_app: Sphinx, document: nodes.document) -> None:
    for formula in list(document.findall(nodes.math)):
        siblings = formula.parent
        place = siblings.index(formula) + 1
        if place < len(siblings) and isinstance(siblings[place], nodes.Text) and siblings[place].startswith(AFTER):
            siblings[place] = nodes.Text(JOINER + siblings[place])
