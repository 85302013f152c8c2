"""The book's public address and DOI: two settings, empty until they exist."""

from sphinx.application import Sphinx
from sphinx.config import Config


def setup(app: Sphinx) -> None:
    # Read where they are used (offconvex.book.publication.cite), so that the command line sees the same values.
    app.add_config_value("offconvex_site_url", "", "env", types=(str,))
    app.add_config_value("offconvex_doi", "", "env", types=(str,))
    app.connect("config-inited", canonical)


def canonical(_app: Sphinx, config: Config) -> None:
    if config.offconvex_site_url:
        config.html_baseurl = config.offconvex_site_url.rstrip("/") + "/"
