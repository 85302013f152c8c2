"""Settings that follow from others, and parts of the theme that the book does without."""

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config


def setup(app: Sphinx) -> None:
    app.connect("config-inited", drop_thebe)
    app.connect("config-inited", launch_buttons)
    app.connect("config-inited", templates)
    app.connect("html-page-context", valid_pages)


def drop_thebe(app: Sphinx, _config: Config) -> None:
    # Jupyter Book always loads sphinx-thebe, whose script declares its constants twice (an error on every page) and
    # names an off-host address. The book does not use it, so none of its handlers may run.
    for listeners in app.events.listeners.values():
        listeners[:] = [entry for entry in listeners if not entry.handler.__module__.startswith("sphinx_thebe")]
    app.registry.css_files = [file for file in app.registry.css_files if "thebe" not in file[0]]


def launch_buttons(app: Sphinx, config: Config) -> None:
    # One setting decides: with an address every button is there and right, without one there is no dead button.
    options = config.html_theme_options
    if options.get("repository_url"):
        options |= {"use_repository_button": True, "use_issues_button": True}
        app.tags.add("repository")
    else:
        options["launch_buttons"] = {}


def templates(_app: Sphinx, config: Config) -> None:
    config.templates_path.append(str(Path(__file__).parent / "templates"))


def valid_pages(_app: Sphinx, _page: str, _template: str, context: dict, _document) -> None:
    # sphinx-proof gives every theorem the same id, to which nothing links; docutils gives the bibliography roles that
    # accessibility standards have withdrawn, or that do not fit its content.
    unwanted = r' id="proof(-content)?"| role="doc-(biblioentry|backlink)"| role="list"(?= class="citation-list")'
    if "body" in context:
        context["body"] = re.sub(unwanted, "", context["body"])
