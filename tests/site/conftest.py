"""The built book, and one browser for all tests that need one."""

import functools
import http.server
import threading
from pathlib import Path

import page_checks
import pytest

from offconvex import paths
from offconvex.book.publication import printed


@pytest.fixture(scope="session")
def html() -> Path:
    """Folder of the built pages."""
    folder = paths.build_folder() / "html"
    if not (folder / "book" / "index.html").exists():
        pytest.fail("These tests look at the built pages, and there are none in _build/html: run `make html` first.")
    return folder


@pytest.fixture(scope="session")
def pages(html) -> page_checks.Pages:
    """Every built page."""
    return page_checks.load(html)


@pytest.fixture(scope="session")
def browser():
    """A real browser without a window."""
    program = printed.browser()
    if program is None:
        pytest.skip(f"no browser found (looked for {', '.join(printed.BROWSERS)}): pages are not checked in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=list(printed.QUIET))
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def serve():
    """Serves a folder on this machine: folder -> its address."""
    servers = []

    def start(folder: Path) -> str:
        handler = functools.partial(_Silent, directory=str(folder))
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()


class _Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Keep requests out of the test report."""
