"""The built page on performance shows every row of the committed record, and the machine stands there alone."""

import pytest

from offconvex.book.publication import performance

pytestmark = pytest.mark.site


def straight(node):
    """Text with the apostrophes that were typed."""
    return node.get_text().strip().replace("’", "'")


@pytest.fixture(scope="module")
def page(html, pages):
    return pages[html / "book" / "performance.html"].select_one("article")


@pytest.fixture(scope="module")
def record():
    return performance.load()


def test_every_comparison_has_its_table(page, record):
    tables = page.select("table.methods")
    assert len(tables) == len(record.comparisons) > 0
    for table, row in zip(tables, record.comparisons):
        shown = [[straight(cell) for cell in line.select("th, td")] for line in table.select("tbody tr")]
        assert [line[1] for line in shown] == [performance.duration(m.milliseconds) for m in row.methods]
        assert all(line[0].startswith(method.name) for line, method in zip(shown, row.methods))


def test_every_growth_has_its_line(page, record):
    lines = page.select("table.growth tbody tr")
    assert len(lines) == len(record.growth) > 0
    for line, row in zip(lines, record.growth):
        cells = [cell.get_text() for cell in line.select("th, td")]
        assert f"{row.measured:.2f}" in cells[1] and f"{row.predicted:.2f}" in cells[2]


def test_what_did_not_run_and_where_the_rest_ran_is_said(page, record):
    text = straight(page)
    assert all(row.reason in text for row in record.skipped)
    assert record.machine["cpu"] in text and record.machine["commit"][:10] in text
    assert record.machine["dirty"] is False, "run `make bench` from a clean commit"


def test_the_processor_is_named_on_this_page_and_that_of_runs_alone(pages, html, record):
    naming = {file.relative_to(html).as_posix() for file, other in pages.items() if record.machine["cpu"] in str(other)}
    assert naming <= {"book/performance.html", "book/status.html"}
