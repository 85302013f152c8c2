"""Results that are not those of a chapter's last execution are named, once each, and stop the build."""

from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

from offconvex.book.execution import checksums
from offconvex.book.publication import catalog

LOGGER = logging.getLogger(__name__)


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", check)


def check(app: Sphinx) -> None:
    root = Path(app.srcdir)
    for chapter in catalog.chapters(root):
        for sentence in checksums.faults(chapter.name, root):
            LOGGER.warning(sentence)
