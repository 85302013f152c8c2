"""What only a browser can tell about a page, as functions: page -> sentences that say what is wrong."""

from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe

# Without preload: axe would fetch imported style sheets again, from addresses that do not exist.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"], "preload": False}

# Formulas that were not typeset: raw delimiters, an error of MathJax, or a formula node without its output.
FORMULAS = r"""() => {
  const found = [], article = document.querySelector("article") ?? document.body;
  const walker = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode())
    if (/\\\(|\\\[|\$\$/.test(node.data) && !node.parentElement.closest("pre, code, script"))
      found.push("raw formula: " + node.data.trim().slice(0, 60));
  for (const node of article.querySelectorAll("mjx-merror"))
    found.push("formula with an error: " + node.textContent.slice(0, 60));
  for (const node of article.querySelectorAll(".math"))
    if (!node.querySelector("mjx-container")) found.push("formula not typeset: " + node.textContent.slice(0, 60));
  return found;
}"""

# Elements wider than the window, when the page itself can be scrolled sideways.
OVERFLOW = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const wide = [...document.querySelectorAll("article *")].filter(e => e.getBoundingClientRect().right > width + 1);
  return ["scrolls sideways: " + wide.slice(0, 3).map(e => e.tagName + "." + e.className).join(", ")];
}"""

# Leaves one token of each color in the code, and no inside of formulas, which is MathJax's: the same rules are judged
# on a tenth of the elements.
THIN = """() => {
  const seen = new Set();
  for (const node of document.querySelectorAll("mjx-container")) node.remove();
  for (const node of document.querySelectorAll("pre span[class]")) {
    if (seen.has(node.className)) node.replaceWith(node.textContent);
    else seen.add(node.className);
  }
}"""


class Witness:
    """Listens to one browser page: requests to other hosts, failed requests, errors in the console."""

    def __init__(self, page, home: str):
        self.home, self.faults = home, []
        page.on("request", self._request)
        page.on("requestfailed", lambda request: self._note(f"request failed: {request.url}"))
        page.on("response", lambda r: r.status >= 400 and self._note(f"answer {r.status}: {r.url}"))
        page.on("console", lambda message: message.type == "error" and self._note(f"console: {message.text}"))
        page.on("pageerror", lambda error: self._note(f"script error: {error}"))

    def take(self) -> list[str]:
        """Faults since the last call."""
        faults, self.faults = self.faults, []
        return faults

    def _request(self, request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and not request.url.startswith(self.home):
            self._note(f"request to another host: {request.url}")

    def _note(self, sentence: str) -> None:
        self.faults.append(sentence)


def open_page(page, address: str) -> None:
    """Open a page and wait until its formulas are typeset."""
    page.goto(address, wait_until="load")
    page.evaluate("async () => { await window.MathJax?.startup?.promise; await document.fonts.ready; }")
    # The theme fades from one color mode to the other; colors are judged at rest.
    page.add_style_tag(content="*, *::before, *::after { transition: none !important; animation: none !important; }")


def formulas(page) -> list[str]:
    """Formulas that the reader would see as code."""
    return page.evaluate(FORMULAS)


def overflow(page) -> list[str]:
    """What makes the page wider than the window."""
    return page.evaluate(OVERFLOW)


def barriers(page) -> list[str]:
    """Violations of WCAG 2.1, levels A and AA. Thins the page out, so it comes last."""
    page.evaluate(THIN)
    return [
        f"{violation['id']} at {node['target']}: {node['any'][0]['message'] if node['any'] else violation['help']}"
        for violation in Axe().run(page, options=RULES).response["violations"]
        for node in violation["nodes"]
    ]
