"""Figures lead to the functions that draw and compute them, read off the chapters' code."""

import re

import pytest

from offconvex.book.execution import chapters, convert
from offconvex.book.publication import api, origins

SETUP = """
import numpy as np
from offconvex import chapter, claims, figures, rng
from offconvex.factorizations import theory
from offconvex.factorizations.matrix import laws as matrix_laws, plots
from offconvex.tangents import fresh_signs
rt = chapter.begin("norms", seed=seed)
"""
LAWS = "offconvex.factorizations.matrix.laws"
PLOTS = "offconvex.factorizations.matrix.plots"


def origin(*cells):
    found = origins.origin([SETUP, *cells])
    return found.drawn, found.computed


def figure_cells(chapter):
    """Figure ids of a chapter's source, each with the code up to its cell."""
    code, found = [], {}
    for cell in convert.to_notebook(chapter).cells:
        if cell.cell_type == "code":
            code.append(cell.source)
            options = cell.metadata.get("mystnb", {}).get("figure", {})
            if "name" in options:
                found[options["name"]] = tuple(code)
    return found


def test_names_are_followed_through_the_cells_nearest_first_and_closed_forms_last():
    cells = (
        "config = matrix_laws.GROWTH[0]\nrun = matrix_laws.measure_growth(config, rt, 0)",
        "law = theory.growth_rate(run.values, 1.0, depth=3)\nother = matrix_laws.measure_escape(config, rt, 0)",
        "fig, ax = figures.new()\nplots.growth_law(ax, run.values, law)\nfigures.save(fig, 'fig-a', {'law': law})\n"
        "claims.check('a', matrix_laws.measure_balance(config, rt, 0).slope)",
    )
    computed = (f"{LAWS}.measure_growth", "offconvex.factorizations.theory.growth_rate")
    assert origin(*cells) == ((f"{PLOTS}.growth_law",), computed)


def test_a_name_means_what_it_was_last_bound_to():
    cells = ("run = matrix_laws.measure_growth(a, rt, 0)\nrun = matrix_laws.measure_balance(a, rt, 0)", "print(run)")
    assert origin(*cells)[1] == (f"{LAWS}.measure_balance",)
    assert origin("theory = matrix_laws.measure_growth(a, rt, 0)", "print(theory.rates)")[1] == (
        f"{LAWS}.measure_growth",
    )
    assert origin("data = {}", "data |= matrix_laws.measure_growth(a, rt, 0)", "data |= {}", "print(data)")[1] == (
        f"{LAWS}.measure_growth",
    )


def test_variables_of_loops_and_comprehensions_lead_nowhere():
    earlier = (
        "for ax in axes:\n    plots.growth_law(ax, matrix_laws.measure_growth(a, rt, 0))\nc = theory.growth_rate(1)"
    )
    assert origin(earlier, "for ax in (1, 2):\n    print(ax)") == ((), ())
    assert origin(earlier, "print([c for c in (1, 2)], (lambda c: c)(1))") == ((), ())
    assert origin(earlier, "print((c := 1) + c)") == ((), ())


def test_a_stored_experiment_leads_to_the_function_that_runs_it():
    name = "offconvex.tangents.fresh_signs.run_signed"
    assert origin("kept = fresh_signs.SIGNED.load()", "print(kept['error'])") == ((), (name,))


def test_what_the_house_does_for_every_figure_is_not_named():
    assert origin("draw = rng.generator(0, 'x')", "fig, ax = figures.new()\nax.plot(draw)") == ((), ())


@pytest.mark.parametrize("chapter", chapters.names())
def test_every_figure_is_computed_by_a_function_with_an_address(chapter):
    known = api.places()
    for figure, cells in figure_cells(chapter).items():
        found = origins.origin(cells)
        assert found.computed, figure
        assert bool(found.drawn) == bool(re.search(r"plots\.\w+\(", cells[-1])), figure
        assert {*found.drawn, *found.computed} <= known.keys()
