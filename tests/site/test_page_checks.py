"""The checks of pages themselves: each finds the fault it is there for, and nothing on a sound page."""

import zipfile

import page_checks
import pytest

SOUND = """<!doctype html><html lang="en"><head><title>T</title></head><body><article><h1 id="top">T</h1>
<p>See <a href="#fig-a">the figure</a>, <a href="other.html#there">there</a>, <a href="https://example.org">out</a>.</p>
<figure id="fig-a"><img src="a.png" alt="A line."><figcaption><span class="caption-number">Fig. 1</span></figcaption>
</figure><div class="figure-links"><a href="a.pdf" download>PDF</a><a href="a.csv" download>Data</a>
<a href="a.zip" download>All</a><details class="cite"><summary>Cite</summary><pre>@misc{a, note = {fig-a}}</pre>
<a href="a.ris" download>RIS</a></details></div>
</article></body></html>"""
OTHER = """<!doctype html><html lang="en"><head><title>O</title></head>
<body><article><h1 id="there">O</h1></article></body></html>"""

FAULTS = [
    ("broken_links", 'href="#fig-a"', 'href="#fig-b"'),
    ("broken_links", "other.html#there", "other.html#here"),
    ("broken_links", "other.html#there", "gone.html"),
    ("broken_links", 'src="a.png"', 'src="b.png"'),
    ("broken_links", 'href="a.pdf"', 'href="../../../outside.pdf"'),
    ("remote_resources", 'src="a.png"', 'src="https://example.org/a.png"'),
    ("remote_resources", "</title>", '</title><script src="//example.org/a.js"></script>'),
    ("missing_alternatives", 'alt="A line."', ""),
    ("missing_alternatives", 'alt="A line."', 'alt=" "'),
    ("repeated_ids", 'id="fig-a"', 'id="top"'),
    ("machine_traces", "See ", "See /" + "home/someone/book "),
    ("machine_traces", "See ", "See http://localhost:8000 "),
    ("unparsed_markup", "See ", "See {numref}`fig-a` "),
    ("unparsed_markup", "See ", "$$ x "),
    ("unparsed_markup", "See ", "the rate $x^2$ "),
    ("bare_pages", ' lang="en"', ""),
    ("bare_pages", "<h1", "<h2"),
    ("figure_faults", "caption-number", "other"),
    ("figure_faults", "figure-links", "other"),
    ("figure_faults", 'href="a.pdf"', 'href="a.png"'),
    ("figure_faults", 'href="a.csv"', 'href="b.csv"'),
    ("figure_faults", "note = {fig-a}", ""),
    ("figure_faults", 'href="a.zip"', 'href="a.pdf"'),
    ("figure_faults", 'href="a.ris"', 'href="b.ris"'),
]


def check(name, folder):
    function = getattr(page_checks, name)
    pages = page_checks.load(folder)
    return function(pages, folder)


def write(folder, text):
    (folder / "book").mkdir()
    for name, content in (("page.html", text), ("other.html", OTHER), ("a.pdf", "%PDF-1.4"), ("a.csv", "x\n1\n")):
        (folder / "book" / name).write_text(content)
    (folder / "book" / "a.png").write_bytes(b"\x89PNG")
    (folder / "book" / "a.ris").write_text("TY  - FIGURE\nID  - fig-a\n")
    with zipfile.ZipFile(folder / "book" / "a.zip", "w") as archive:
        archive.writestr("fig-a/fig-a.pdf", "%PDF-1.4")


@pytest.mark.parametrize("name", sorted({name for name, _, _ in FAULTS}))
def test_sound_page_has_no_faults(tmp_path, name):
    write(tmp_path, SOUND)
    assert check(name, tmp_path) == []


@pytest.mark.parametrize(("name", "old", "new"), FAULTS)
def test_fault_is_found(tmp_path, name, old, new):
    assert old in SOUND
    write(tmp_path, SOUND.replace(old, new, 1))
    assert len(check(name, tmp_path)) == 1
