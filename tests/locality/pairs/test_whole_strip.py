"""The map of networks that see everything: its reach, its parts, and how they are put together."""

import numpy as np
import pytest
import torch

from offconvex import runtime
from offconvex.locality.pairs import plane, whole_strip
from offconvex.locality.pairs.plane import KernelPlane
from offconvex.locality.pairs.whole_strip import WholeStrip
from offconvex.stored import Stored


def test_every_unit_sees_the_whole_strip_and_no_column_more():
    assert WholeStrip().spare == 0 and WholeStrip(gaps=(0, 16)).spare == 8
    with pytest.raises(ValueError, match="2 are missing"):
        WholeStrip(gaps=(0, 21))


def test_a_small_map_is_put_together():
    config = WholeStrip(gaps=(0, 1), blocks=8, count=8, networks=2, held_out=12)
    parts = whole_strip.parts(config)
    assert list(parts) == ["gap-0", "gap-1", "permuted-gap-0", "permuted-gap-1"]
    results = {key: whole_strip.run(config, *key) for key in parts.values()}
    whole = whole_strip.assemble(config, results)
    assert whole["test"].shape == whole["permuted test"].shape == (2, 2)
    assert np.array_equal(whole["test"][1], results[1, False]["test"])
    assert np.array_equal(whole["permuted train"][1], results[1, True]["train"])
    rt = runtime.resolve("cpu", torch.float32)
    found = plane.map_plane(KernelPlane((1,), (8,), (8,), 2, held_out=12, permuted=True), rt, config.seed)
    assert np.array_equal(whole["permuted test"][1], found.test[0, 0, 0])


def test_permuted_images_keep_their_columns(rt):
    images = torch.arange(2 * 3 * 5, dtype=rt.dtype).view(2, 3, 1, 5)
    mixed = plane.permuted(images, rt, 1)
    assert not torch.equal(mixed, images) and torch.equal(mixed, plane.permuted(images, rt, 1))
    order = mixed[0, 0, 0].long()
    assert sorted(order.tolist()) == [0, 1, 2, 3, 4] and torch.equal(mixed, images[..., order])


def test_the_fall_is_from_the_first_gap_to_the_better_of_the_last_two():
    test = np.array([[0.7, 0.9], [0.1, 0.1], [0.5, 0.5], [0.6, 0.5]])
    found = whole_strip.fall(Stored({"test": test}, WholeStrip(held_out=100), {}))
    assert (found.near, found.far) == (pytest.approx(0.8), pytest.approx(0.55))
    networks = (0.02 + 0.005) / 2  # variances 0.02 and 0.005 of two networks
    assert found.error == pytest.approx((networks + (0.8 * 0.2 + 0.55 * 0.45) / 100) ** 0.5)
