"""Figures that move, in a real browser: by button and by keyboard, without a kernel, and the still where none moves."""

import json

import browser_checks
import numpy as np
import pytest

from offconvex.book.publication import catalog

MOVING = [
    (figure, file)
    for chapter in catalog.chapters()
    for figure in chapter.figures
    if (file := catalog.results(chapter.name) / f"{figure.id}.frames.json").exists()
]
LARGEST = 300_000
"""Bytes of one sheet of frames: no more than a photograph."""

every_motion = pytest.mark.parametrize("figure, file", MOVING, ids=lambda value: getattr(value, "id", ""))

PIXELS = """box => {
  const canvas = box.querySelector("canvas");
  return Array.from(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data);
}"""


class Player:
    """One moving figure on an open page."""

    def __init__(self, tab, figure):
        self.tab, self.figure = tab, tab.locator(f"figure[id='{figure.id}']")
        self.still, self.canvas = self.figure.locator("img"), self.figure.locator("canvas")
        self.box = self.figure.locator(".motion-player")
        self.button, self.slider = self.box.locator("button"), self.box.locator("input")

    def moment(self):
        return self.box.locator(".motion-moment").inner_text()

    def pixels(self):
        return np.array(self.figure.evaluate(PIXELS), dtype=np.uint8)

    def until(self, text):
        self.box.locator(".motion-moment", has_text=text).wait_for()

    def until_it_moves(self):
        """Wait for the first frame, and for another one after it."""
        self.canvas.wait_for(state="visible")
        self.tab.wait_for_function("([box, old]) => box.innerText != old", arg=[self.shown(), self.moment()])

    def shown(self):
        return self.box.locator(".motion-moment").element_handle()


@pytest.fixture(scope="module")
def home(html, serve):
    return serve(html)


@pytest.fixture
def visit(browser, home):
    """Opens a figure's page: (figure, options of the browser) -> its player and what the page has asked for."""
    contexts = []

    def go(figure, address=home, **options):
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 900}, **options))
        contexts[-1].set_default_timeout(60_000)
        tab = contexts[-1].new_page()
        asked, witness = [], browser_checks.Witness(tab, address)
        tab.on("request", lambda request: asked.append(request.url))
        browser_checks.open_page(tab, f"{address}/book/chapters/{figure.chapter}.html")
        player = Player(tab, figure)
        player.figure.scroll_into_view_if_needed()
        return player, asked, witness

    yield go
    for context in contexts:
        context.close()


@pytest.mark.browser
@every_motion
def test_the_page_opens_with_the_still_and_frames_come_when_they_are_wanted(visit, figure, file):
    about = json.loads(file.read_text())
    player, asked, witness = visit(figure)
    assert player.still.is_visible() and player.still.get_attribute("alt") == figure.alt
    assert not player.canvas.is_visible() and player.moment() == f"{about['count']} frames"
    assert not [url for url in asked if url.endswith(".webp")]
    before = len(asked)
    player.button.click()
    player.until_it_moves()
    assert player.moment() in about["moments"] and not player.still.is_visible()
    # All that playing asks for is one file of this book: no kernel, no other host.
    assert [url.split("/")[-1] for url in asked[before:]] == [f"{figure.id}.webp"]
    player.button.click()
    assert browser_checks.overflow(player.tab) == []
    # The theme's way back to the top, which shows on a page that has been scrolled, has colors of its own.
    player.tab.evaluate("document.getElementById('pst-back-to-top')?.remove()")
    assert browser_checks.barriers(player.tab) == []
    assert witness.take() == []


@pytest.mark.browser
@every_motion
def test_keys_are_enough(visit, figure, file):
    moments = json.loads(file.read_text())["moments"]
    player, _, _ = visit(figure)
    player.button.focus()
    player.tab.keyboard.press("Enter")
    player.until_it_moves()
    assert player.button.inner_text() == "Pause"
    player.tab.keyboard.press("Space")
    assert player.button.inner_text() == "Play"
    rest = player.moment()
    player.tab.wait_for_timeout(400)
    assert player.moment() == rest
    # The slider is the next stop, and its keys go through the frames.
    player.tab.keyboard.press("Tab")
    player.tab.keyboard.press("Home")
    assert player.moment() == player.slider.get_attribute("aria-valuetext") == moments[0]
    first = player.pixels()
    player.tab.keyboard.press("ArrowRight")
    assert player.moment() == moments[1]
    player.tab.keyboard.press("End")
    assert player.moment() == player.slider.get_attribute("aria-valuetext") == moments[-1]
    last = player.pixels()
    # Both are drawings, not blanks, and not the same one.
    assert min(first.std(), last.std()) > 5 and (first != last).any()


@pytest.mark.browser
@every_motion
def test_who_asked_for_less_motion_steps_by_hand(visit, figure, file):
    moments = json.loads(file.read_text())["moments"]
    player, _, _ = visit(figure, reduced_motion="reduce")
    assert not player.button.is_visible() and player.slider.is_visible()
    player.slider.focus()
    player.tab.keyboard.press("ArrowRight")
    player.until(moments[1])
    player.tab.wait_for_timeout(400)
    assert player.moment() == moments[1]


@pytest.mark.browser
@every_motion
def test_print_has_the_still_alone(visit, figure, file):
    player, _, _ = visit(figure)
    player.button.click()
    player.canvas.wait_for(state="visible")
    player.tab.emulate_media(media="print")
    assert player.still.is_visible()
    assert not player.canvas.is_visible() and not player.box.is_visible()


@pytest.mark.browser
def test_a_figure_out_of_sight_stands_still(visit):
    player, _, _ = visit(MOVING[0][0])
    player.button.click()
    player.canvas.wait_for(state="visible")
    player.tab.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    player.box.locator("button", has_text="Play").wait_for(state="attached", timeout=10_000)


@pytest.mark.browser
def test_without_script_there_is_the_still_and_no_dead_button(browser, home):
    figure = MOVING[0][0]
    page = f"{home}/book/chapters/{figure.chapter}.html"
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(page)
    assert tab.locator(f"figure[id='{figure.id}'] img").is_visible()
    assert not tab.locator(".motion-player").first.is_visible()
    context.close()


@pytest.mark.browser
def test_frames_play_from_a_file(visit, html):
    player, _, witness = visit(MOVING[0][0], address=html.as_uri())
    player.button.click()
    player.canvas.wait_for(state="visible")
    assert not [fault for fault in witness.take() if fault.startswith("script error")]


@pytest.mark.browser
def test_frames_that_do_not_come_are_said_so(visit):
    player, _, _ = visit(MOVING[0][0])
    player.tab.route("**/*.webp", lambda route: route.abort())
    player.button.click()
    player.until("could not be loaded")
    assert player.still.is_visible() and player.button.inner_text() == "Play"


@pytest.mark.site
def test_a_box_waits_below_each_moving_figure_and_nowhere_else(html, pages):
    boxes = {box["data-figure"]: (page, box) for page, soup in pages.items() for box in soup.select(".motion-player")}
    assert MOVING and set(boxes) == {figure.id for figure, _ in MOVING}
    for figure, file in MOVING:
        page, box = boxes[figure.id]
        assert json.loads(box["data-about"]) == json.loads(file.read_text())
        sheet = (page.parent / box["data-frames"]).resolve()
        assert sheet.is_file() and sheet.stat().st_size < LARGEST
        assert box.has_attr("hidden")
