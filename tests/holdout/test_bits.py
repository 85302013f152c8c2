"""Bits in machine words, against the same counts one by one."""

import numpy as np
import pytest

from offconvex import rng
from offconvex.holdout import bits


@pytest.mark.parametrize("size", [1, 63, 64, 65, 130])
def test_packing_is_undone_by_unpacking(size):
    flags = rng.numpy_generator(0, "flags").random((3, 2, size)) < 0.5
    assert np.array_equal(bits.unpack(bits.pack(flags), size), flags)


@pytest.mark.parametrize("size", [5, 64, 100])
def test_random_bits_are_fair_and_end_where_they_should(size):
    drawn = bits.random(rng.numpy_generator(0, "coins"), 2000, size=size)
    assert np.array_equal(bits.pack(bits.unpack(drawn, size).astype(bool)), drawn)
    assert abs(bits.ones(drawn).sum() / (2000 * size) - 0.5) < 5 * 0.5 / np.sqrt(2000 * size)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 26, 27, 28, 100])
def test_column_sums_are_the_sums_of_columns(count):
    drawn = bits.random(rng.numpy_generator(1, "columns"), 2, count, size=70)
    expected = bits.unpack(drawn, 70).astype(int).sum(1) if count else np.zeros((2, 70), dtype=int)
    assert np.array_equal(bits.column_sums(drawn, 70), expected)
