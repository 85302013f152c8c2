"""The published numbers: complete, plausible, and read as they are described."""

import numpy as np
import pytest

from offconvex.holdout import evidence


def test_tables_have_their_sizes_and_ranges():
    names, cifar = evidence.cifar()
    assert len(set(names)) == 30 and cifar.shape == (30, 2) and np.all((cifar > 0.6) & (cifar < 1))
    names, imagenet = evidence.imagenet()
    assert imagenet.shape == (335, 2) and len(names) == 335 and np.all((imagenet > 0) & (imagenet < 1))
    for precision in ("highacc", "lowacc"):
        for board in ("Kaggle", "Ladder"):
            table = evidence.kaggle(precision, board)
            assert table[:, 0].tolist() == list(range(10, 401, 10)) and np.all(
                (table[:, 1] > 0.4) & (table[:, 1] < 0.51)
            )
    assert evidence.photo().shape == (50, 2) and np.all(np.diff(evidence.photo()[:, 1]) >= 0)


def test_a_known_model_has_its_known_accuracy():
    names, cifar = evidence.cifar()
    row = cifar[names.index("shake_shake_26_2x64d_SSI_cutout16")]
    assert row == pytest.approx([9711 / 10_000, 1879 / 2021])


def test_every_table_names_repository_and_commit():
    sources = evidence._read()["sources"]
    for name, source in sources.items():
        cited = source["what"] if name != "photo" else sources["kaggle"]["what"]
        assert "github.com/" in cited and "commit " in cited


def test_a_line_is_found():
    old = np.linspace(0.6, 0.9, 20)
    found = evidence.compare(np.stack([old, 1.5 * old - 0.5], axis=1))
    assert (found.slope, found.intercept, found.rank) == pytest.approx((1.5, -0.5, 1.0))
    assert found.drop == pytest.approx((old - (1.5 * old - 0.5)).mean())
