"""The explorer and the calculator in a real browser, by keyboard alone: every control is reached, shown and works."""

import browser_checks
import pytest

pytestmark = pytest.mark.browser

EXPLORER = ["pe-family", "pe-N", "pe-loss", "pe-w1", "pe-w2", "pe-handle"]
CALCULATOR = ["rc-text", "rc-error", "rc-size", "rc-delta"]
NAME_OF_FOCUSED = "document.activeElement.id || document.activeElement.className"
OUTLINE = "getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).boxShadow"


@pytest.fixture(scope="module")
def visit(browser, html, serve):
    """Opens a chapter: name -> tab."""
    home, context = serve(html), browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)

    def go(chapter):
        tab = context.new_page()
        browser_checks.open_page(tab, f"{home}/book/chapters/{chapter}.html")
        return tab

    yield go
    context.close()


def tab_to(tab, name):
    """Press Tab until a control has the focus."""
    for _ in range(12):
        tab.keyboard.press("Tab")
        if tab.evaluate(NAME_OF_FOCUSED) == name:
            return
    raise AssertionError(f"{name} is not reached by Tab")


def focus_before(tab, box):
    """Put the focus where Tab leads into the box."""
    tab.evaluate(
        """box => { const start = document.createElement("span"); start.tabIndex = -1;
        document.getElementById(box).before(start); start.focus(); }""",
        box,
    )


def order(tab, count):
    """Names of the next controls that Tab reaches, each with a sign of its focus."""
    names = []
    for _ in range(count):
        tab.keyboard.press("Tab")
        names.append(tab.evaluate(NAME_OF_FOCUSED))
        assert tab.evaluate(OUTLINE) != "nonenone", f"{names[-1]}: its focus does not show"
    return names


def test_explorer(visit):
    tab = visit("parameterizations")
    focus_before(tab, "parameterization-explorer")
    assert order(tab, len(EXPLORER)) == EXPLORER

    def read():
        tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        tab.wait_for_timeout(400)  # the sentence waits until the hand rests
        return tab.inner_text("#pe-readout")

    before, label = read(), tab.get_attribute(".pe-handle", "aria-label")
    tab.keyboard.press("Shift+ArrowRight")
    assert tab.get_attribute(".pe-handle", "aria-label") != label and (moved := read()) != before
    focus_before(tab, "parameterization-explorer")
    tab_to(tab, "pe-family")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("Enter")
    assert tab.input_value("#pe-family") == "exp" and (other := read()) != moved
    tab.keyboard.press("ArrowUp")
    tab_to(tab, "pe-N")
    value = tab.inner_text("#pe-N-value")
    tab.keyboard.press("Home")
    assert tab.inner_text("#pe-N-value") != value and read() != other
    tab_to(tab, "pe-w1")
    tab.keyboard.press("Control+A")
    tab.keyboard.type("5")
    assert "5.000" in tab.get_attribute(".pe-handle", "aria-label")
    tab.close()


def test_calculator(visit):
    tab = visit("meta-overfitting")
    focus_before(tab, "razor-calculator")
    assert order(tab, len(CALCULATOR)) == CALCULATOR
    before = tab.inner_text("#rc-bounds")
    focus_before(tab, "razor-calculator")
    tab_to(tab, "rc-size")
    tab.keyboard.press("Control+A")
    tab.keyboard.type("50000")
    assert tab.inner_text("#rc-bounds") != before
    focus_before(tab, "razor-calculator")
    tab_to(tab, "rc-text")
    tab.keyboard.press("Control+A")
    tab.keyboard.type("graph: nonsense")
    assert tab.get_attribute("#rc-text", "aria-invalid") == "true" and tab.inner_text("#rc-bounds") == ""
    assert "nonsense" in tab.inner_text("#rc-message")
    tab.close()
