"""Sparse problems: their law, their streams, and what is refused."""

import numpy as np
import pytest

from offconvex.bias import entries
from offconvex.bias.diagonal import model


@pytest.mark.parametrize("law", entries.LAWS)
def test_problems_are_sparse_and_without_noise(law):
    problems = model.SparseLaw(50, 60, 4, law).draw(0, "test", 20)
    assert problems.X.shape == (20, 50, 60)
    assert np.array_equal(np.sort(np.abs(problems.target), axis=-1)[:, -4:], np.ones((20, 4)))
    assert np.count_nonzero(problems.target) == 80
    assert np.allclose(np.einsum("bnd,bd->bn", problems.X, problems.target), problems.y)
    assert problems.X.mean() == pytest.approx(0, abs=0.03)
    assert problems.X.var() == pytest.approx(1, abs=0.05)


def test_more_problems_keep_the_first():
    law = model.SparseLaw()
    few, many = law.draw(3, "test", 2), law.draw(3, "test", 4)
    assert np.array_equal(few.X, many[:2].X)
    assert np.array_equal(few[1].target, many[1].target)
    assert not np.array_equal(few.X[0], few.X[1])
    assert not np.array_equal(few.X[0], law.draw(3, "other", 1).X[0])


def test_batches_join_and_problems_are_picked():
    first, second = model.SparseLaw().draw(0, "test", 2), model.SparseLaw(law="uniform").draw(0, "test", 1)
    joined = model.join([first, second])
    assert np.array_equal(joined[2].X, second[0].X)
    assert np.array_equal(joined[:2].y, first.y)
    assert np.array_equal(joined[2][None].target, second.target)
    assert np.array_equal(joined.support, joined.target != 0)


def test_bad_laws_are_said():
    with pytest.raises(ValueError, match="Laws are out of gaussian, uniform, student; got cauchy"):
        model.SparseLaw(law="cauchy")
    with pytest.raises(ValueError, match="1 <= examples <= weights"):
        model.SparseLaw(examples=50)
    with pytest.raises(ValueError, match="one or more at a time; got 0"):
        model.SparseLaw().draw(0, "test", 0)
    with pytest.raises(ValueError, match="got none"):
        entries.require(())
