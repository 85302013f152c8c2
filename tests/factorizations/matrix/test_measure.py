"""Measures of matrices against hand-made ones."""

import torch

from offconvex.factorizations.matrix import measure as matrix_measure


def test_projections_are_those_on_the_singular_vectors():
    product = torch.diag(torch.tensor([3.0, 2.0], dtype=torch.float64, device="cpu"))[None]
    gradient = torch.tensor([[[-0.5, 9.0], [9.0, 0.25]]], dtype=torch.float64, device="cpu")
    growth = matrix_measure.growth_projections(product, gradient, 2)
    assert growth["norms"].tolist() == [[3.0, 2.0]]
    torch.testing.assert_close(growth["projections"], torch.tensor([[0.5, -0.25]], dtype=torch.float64, device="cpu"))
