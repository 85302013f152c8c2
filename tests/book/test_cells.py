"""What the cells of a chapter are for, by whatever name their calls go."""

import pytest

from offconvex.book.reading import cells

BEGIN = "from offconvex import chapter, claims, figures, motion\nrt = chapter.begin('a')"


def purpose(*code):
    """Purpose of the last of these cells."""
    return cells.purposes([BEGIN, *code])[-1]


def test_the_cell_that_opens_the_chapter():
    assert [each.begins for each in cells.purposes(["seed = 0", BEGIN, "x = 1"])] == [False, True, False]
    assert cells.purposes(["import offconvex.chapter\noffconvex.chapter.begin('a')"])[0].begins


@pytest.mark.parametrize(
    ("code", "checks", "controls"),
    [
        ("claims.check('a.one', 3)", ("a.one",), ()),
        ("claims.check('a.one', 3)\nclaims.control('a.one', 4)", ("a.one",), ("a.one",)),
        ("from offconvex.claims import check\ncheck('a.one', 3)", ("a.one",), ()),
        ("from offconvex.claims import check as judge\njudge('a.one', 3)", ("a.one",), ()),
        ("import offconvex.claims as c\nc.control('a.one', 3)", (), ("a.one",)),
        ("import offconvex\noffconvex.claims.check(id='a.one', observed=3)", ("a.one",), ()),
        ("for k in range(3):\n    claims.check('a.one', k)", ("a.one",), ()),
        ("check('a.one', 3)", (), ()),  # some other function of that name
        ("from other import claims\nclaims.check('a.one', 3)", (), ()),
    ],
)
def test_checks_and_controls(code, checks, controls):
    found = purpose(code)
    assert (found.checks, found.controls) == (checks, controls)


def test_an_import_of_an_earlier_cell_counts():
    assert purpose("from offconvex.claims import check", "check('a.one', 1)").checks == ("a.one",)


def test_figures_and_names():
    found = purpose(
        "fig, (left, right) = figures.new('double')\nn: int = 3\nfor k in range(2):\n    x = k\n"
        "motion.save(fig, 'fig-a', draw, [])\nfigures.save(fig, 'fig-a', {'x': left})"
    )
    assert found.figures == ("fig-a",)
    assert found.names == ("fig", "left", "right", "n")
    assert found.checks == found.controls == () and not found.begins
