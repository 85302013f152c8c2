"""Alternating least squares and the rank estimate: against TensorLy, dense least squares and tensors of known rank."""

import numpy as np
import pytest
import tensorly
from tensorly.decomposition import parafac
from tensorly.tenalg import khatri_rao

from offconvex import rng
from offconvex.factorizations.tensor import rank as tensor_rank


def draw(name, shape):
    return rng.numpy_generator(0, "test tensor rank", name).normal(size=shape)


def random_tensor(name, shape, rank):
    factors = [draw(f"{name} {n}", (size, rank)) for n, size in enumerate(shape)]
    return tensor_rank.khatri_rao(factors).sum(-1).reshape(shape)


def starts(count):
    return [rng.numpy_generator(1, "starts", k) for k in range(count)]


def test_khatri_rao_and_unfoldings_against_tensorly():
    factors = [draw(n, (size, 4)) for n, size in enumerate((2, 3, 5))]
    np.testing.assert_allclose(tensor_rank.khatri_rao(factors), khatri_rao(factors))
    tensor = draw("unfold", (2, 3, 5))
    for n, matrix in enumerate(tensor_rank.unfoldings(tensor)):
        np.testing.assert_array_equal(matrix, tensorly.unfold(tensor, n))


@pytest.mark.parametrize("rank", [2, 4])
def test_the_fit_is_as_good_as_tensorlys(rank):
    tensor = random_tensor("fit", (5, 6, 7), 6)
    ours = min(tensor_rank.fit_error(tensor, rank, g, sweeps=300) for g in starts(4))
    theirs = []
    for seed in range(4):
        cp = parafac(tensor, rank, n_iter_max=300, init="random", random_state=seed, tol=0)
        theirs.append(((tensorly.cp_to_tensor(cp) - tensor) ** 2).mean())
    # Both are local searches from four starts; the better one may win by a little.
    assert ours == pytest.approx(min(theirs), rel=0.02)


@pytest.mark.parametrize("shape, rank", [((6, 6, 6), 1), ((6, 6, 6), 4), ((4, 4, 4, 4), 3)])
def test_a_known_rank_is_found(shape, rank):
    tensor = random_tensor("known", shape, rank)
    assert tensor_rank.tensor_rank(tensor, starts(3), tolerance=1e-6) == rank


def test_a_matrix_has_the_rank_that_its_spectrum_leaves_above_the_tolerance():
    left, right = np.linalg.qr(draw("l", (6, 6)))[0], np.linalg.qr(draw("r", (6, 6)))[0]
    tensor = left @ np.diag([1, 0.5, 0.1, 1e-2, 1e-3, 1e-4]) @ right
    # Mean squared error of the best rank-r matrix: the dropped squares over 36 entries.
    for tolerance, rank in ((1e-3, 2), (1e-5, 3), (1e-7, 4), (0.5, 0)):
        assert tensor_rank.tensor_rank(tensor, starts(1), tolerance=tolerance) == rank


def test_more_terms_than_entries_do_not_break_the_normal_equations():
    tensor = draw("full", (3, 3, 3))
    assert tensor_rank.fit_error(tensor, 9, starts(1)[0], tolerance=1e-12, sweeps=200) < 1e-12


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="two axes"):
        tensor_rank.fit_error(np.ones(3), 1, starts(1)[0])
    with pytest.raises(ValueError, match="positive tolerance"):
        tensor_rank.tensor_rank(np.ones((2, 2)), starts(1), tolerance=0.0)
    with pytest.raises(ValueError, match="at least one generator"):
        tensor_rank.tensor_rank(np.ones((2, 2)), [])
