"""Formulas of claims.toml stand between dollar signs, and everything between them can be read as plain text too."""

import re

import pytest

from offconvex import claims, plain
from offconvex.book.publication import catalog, cite

NAKED = re.compile(
    r"[\^_√∛∇∂∑∏∫∞‖⟨⟩\\{}]"  # scripts, signs of mathematics, TeX
    r"|[\u0370-\u03ff]"  # Greek
    r"|[\u00b2\u00b3\u00b9\u2070-\u209c\u1d2c-\u1d6a\u2c7c\u2c7d]"  # super- and subscripts
    r"|\b[A-Za-z]\d+\b"  # W11
)


def texts(registry):
    """(place, text) of all that is typeset."""
    for claim in registry:
        yield f"{claim.id}, sentence", claim.sentence
        yield f"{claim.id}, reason", claim.reason
        yield from ((f"{claim.id}, quantity {measure.name!r}", measure.quantity) for measure in claim.measures)


def faults(text):
    """What of a text is no formula though it should be, or no formula that can be read."""
    found = [f"{sign} outside a formula" for sign in NAKED.findall(re.sub(r"\$[^$]*\$", "", text))]
    found += [f"{number} in a formula" for number in re.findall(r"\d[eE]-?\d+", "".join(text.split("$")[1::2]))]
    try:
        written = plain.text(text)
    except ValueError as error:
        return [*found, str(error)]
    if set("$\\") & set(written) or (set("{}") & set(written) and r"\{" not in text):
        found.append(f"TeX is left in {written!r}")
    return found


@pytest.fixture(scope="module")
def found():
    """Faults by chapter."""
    registry = claims.load()
    by_chapter = {claim.chapter: [] for claim in registry.values()}
    for place, text in texts(registry.values()):
        by_chapter[registry[place.partition(",")[0]].chapter] += [f"{place}: {fault}" for fault in faults(text)]
    return by_chapter


def test_formulas_stand_between_dollar_signs(found):
    assert {chapter: listed for chapter, listed in found.items() if listed} == {}


def test_captions_can_be_read_without_tex():
    for figure in catalog.figures().values():
        assert not set("$\\") & set(cite.plain(figure.caption)), figure.id


@pytest.mark.parametrize(
    "text",
    [
        "at the rate σ",
        "at the rate w^(2)",
        "at the rate w^2",
        "the norm ℓ_p",
        "a factor √2",
        "d² samples",
        "the entry Wⱼ",
        "the entry W11",
        "the bound 1/x₂",
        r"the rate \sigma",
        r"the rate $\unknown$",
        "the rate $x",
        "at most $1e-3$",
    ],
)
def test_a_naked_or_unreadable_formula_is_found(text):
    assert faults(text)


@pytest.mark.parametrize(
    "text",
    [
        "a rate of 1e-6, worst of depths 2, 3, 4",
        r"the rate $L\,\sigma^{2-2/L}$ at $W_{11} = 3$ in float32",
        r"in the set $\{1, 2\}$, 90 % of it",
        "from (0.2, 0.1) toward (3, 6), p = 1/2 − 1/3",
    ],
)
def test_text_with_formulas_in_their_place_is_fine(text):
    assert faults(text) == []
