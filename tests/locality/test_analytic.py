"""Functions whose dependence is known: separable ones have surrogate one, bilinear ones their closed form."""

import pytest

from offconvex.locality import analytic, theory


@pytest.mark.parametrize("name", analytic.SEPARABLE)
def test_a_separable_function_has_surrogate_one(rt, name):
    assert analytic.measure(analytic.SEPARABLE[name], 200, rt, 0, name).largest <= 1e-12


@pytest.mark.parametrize("rank", [1, 2, 3, 8])
def test_an_isotropic_bilinear_function_has_its_closed_form(rt, rank):
    found = analytic.measure(analytic.bilinear(rank), 20_000, rt, 0, rank)
    error = max(found.error, 1e-12)
    assert abs(found.mean - theory.isotropic_similarity(rank)) <= 4.5 * error
    if rank > 1:
        assert abs(found.mean - theory.isotropic_similarity(2 * rank)) > 10 * error
    with pytest.raises(ValueError, match="rank"):
        analytic.bilinear(17)
