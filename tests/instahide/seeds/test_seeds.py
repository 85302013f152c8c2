"""The search through all seeds: the engine against NumPy's own generator, and the study around it."""

import importlib.util
import tomllib

import numpy as np
import pytest
import scipy.spatial

from offconvex import paths, stored
from offconvex.instahide import prng
from offconvex.instahide.keys import BreakableReleasedKeys
from offconvex.instahide.scheme import inside, release
from offconvex.instahide.seeds import study, theory, twister
from offconvex.instahide.theory import accepted_share

SMALL = study.SeedSpace(seed=0, space=2**18, block=2**16, system=2**16, drawn=512)
PLANTED = 2**31 + 123_456_789
engine = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None,
    reason="Numba is not installed: `pip install numba==0.68.1` tries the search through all seeds.",
)


@pytest.fixture(scope="module")
def data():
    return study.owner(SMALL)


@pytest.fixture(scope="module")
def published(data):
    return study.released(SMALL, data, BreakableReleasedKeys(PLANTED))


@pytest.fixture(scope="module")
def labels(published):
    return twister.read(published)


@pytest.fixture(scope="module")
def useless(data):
    """A seed above the planted one whose first six rows no label shows."""
    return next(seed for seed in range(PLANTED, 2**32) if study.is_useless(SMALL, data, seed))


def test_every_label_of_two_classes_is_read_and_its_neighborhood_is_on_the_map(published, labels):
    two = (published.labels > 0).sum(1) == 2
    assert len(labels.sums) == two.sum() and (np.diff(labels.sums) >= 0).all()
    assert np.allclose(np.sort(published.labels.double().sum(1)[two].numpy()), labels.sums, atol=1e-7)
    bits = np.unpackbits(labels.map.astype("<u4").view(np.uint8), bitorder="little")
    for part in np.linspace(-1, 1, 23):
        assert bits[((labels.sums + part * 1e-6) * twister.CELLS).astype(int)].all()
    assert bits.mean() < 0.02


def test_a_true_seed_hits_by_numpy_and_its_neighbors_do_not(published, labels):
    met = twister.search_by_numpy(labels, range(PLANTED - 20, PLANTED + 20))
    assert met.hits.tolist() == prng.search(published, range(PLANTED, PLANTED + 1)) == [PLANTED]
    below, true, above = study.agreement(published, np.arange(PLANTED - 1, PLANTED + 2, dtype=np.uint32))
    assert true == 100 and max(below, above) < 12  # each of the others' rows is near some sum with chance 0.02


def test_near_rows_are_those_that_counting_finds(labels):
    seeds, sums = range(300), labels.sums
    rows = np.abs([BreakableReleasedKeys(seed).normal(6, 6) for seed in seeds])
    total = (rows[..., :2].sum(2) / rows.sum(2)).reshape(-1, 1)
    assert twister.search_by_numpy(labels, seeds).near.tolist() == [(np.abs(total - sums) <= 1e-6).sum()]


def test_useless_rows_are_seen_by_their_owner_and_found_by_other_rows(data, useless):
    labels = twister.read(study.released(SMALL, data, BreakableReleasedKeys(useless)))
    assert twister.search_by_numpy(labels, [useless]).hits.tolist() == []
    assert twister.search_by_numpy(labels, [useless], twister.SECOND).hits.tolist() == [useless]
    assert not study.is_useless(SMALL, data, PLANTED)


def test_what_cannot_be_searched_is_said(data, labels, monkeypatch):
    odd = release(data.private, data.labels, inside(3), None, 1, study.rng.generator(0, "odd"))[0]
    with pytest.raises(ValueError, match="even number"):
        twister.read(odd)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    for seeds in (range(100), range(0, 2**17, 2), range(2**32, 2**32 + 2**16)):
        with pytest.raises(ValueError, match="whole number of slices"):
            twister.search(labels, seeds)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    extras = tomllib.loads((paths.require_project_root() / "pyproject.toml").read_text())["project"]
    (pin,) = extras["optional-dependencies"]["seeds"]
    for attempt in (lambda: twister.search(labels, range(2**16)), lambda: study.run_block(SMALL, "first", 0)):
        with pytest.raises(ValueError, match=f"pip install {pin}"):
            attempt()


def test_the_parts_cover_the_space_once():
    config = study.SeedSpace()
    found = study.parts(config).values()
    for search in ("first", "second") if study.needs_second(config) else ("first",):
        numbers = [number for kind, number in found if kind == search]
        assert numbers == list(range(64)) and len(numbers) * config.block == 2**32
    assert 2**31 <= study.true_seed(config) < 2**32
    assert study.parts(config)["shifted"] == ("shifted", study.true_seed(config) // config.block)


def test_accidents_and_useless_rows_come_as_often_as_theory_says(data, labels):
    draws = np.abs(study.rng.numpy_generator(0, "rows").standard_normal((400_000, 6)))
    pair = draws[:, :2] / draws.sum(1, keepdims=True)
    points = scipy.spatial.cKDTree(np.stack([labels.sums, labels.largest], axis=1))
    wide = 3e-4
    met = points.query_ball_point(np.stack([pair.sum(1), pair.max(1)], axis=1), wide, p=np.inf, return_length=True)
    expected = theory.accidents(labels.sums, labels.largest, 6, 1, wide)
    assert abs(met.mean() - expected) < 4.5 * met.std() / len(met) ** 0.5 < 0.1 * expected
    useless = np.mean([study.is_useless(SMALL, data, seed, 2) for seed in range(1500)])
    count = np.bincount(data.labels.numpy(), minlength=10)
    share = theory.useless_share(accepted_share(6, 0.65, 0.3), count[data.labels.numpy()[:2]] / 100)
    assert abs(useless - share) < 4.5 * (share / 1500) ** 0.5


def test_a_stored_search_is_looked_at_again(data):
    true = study.true_seed(SMALL)
    labels = twister.read(study.released(SMALL, data, BreakableReleasedKeys(true)))
    begin = true - true % twister.SLICE
    met = twister.search_by_numpy(labels, range(begin, begin + twister.SLICE))
    near = np.where(np.arange(4) == begin // twister.SLICE, met.near, 0)
    hits = np.array([true, (true + 1) % SMALL.space], dtype=np.uint32)
    agreed, counts = np.array([100, 3], dtype=np.uint8), np.array([2, 0])
    again = study.look_again(
        stored.Stored({"near": near, "hits": hits, "agreement": agreed, "counts": counts}, SMALL, {})
    )
    assert (again.near, again.strange) == (0, 1) and again.known > 90 and abs(again.shifted) > 2
    assert again.accidents == (pytest.approx(1.1e-6 * SMALL.space, rel=0.2),) and 0.005 < again.useless < 0.03
    none = study.look_again(
        stored.Stored({"near": near, "hits": hits, "agreement": agreed // 2, "counts": counts}, SMALL, {})
    )
    assert np.isnan(none.known)


@engine
def test_the_first_six_rows_are_numpy_s_for_a_thousand_seeds():
    for first in (0, 5, PLANTED, 2**32 - twister.LANES, *range(2**31, 2**31 + 4 * twister.LANES, twister.LANES)):
        found = twister.first_normals(first)[:, :36]
        expected = [np.random.RandomState(seed).normal(size=36) for seed in range(first, first + twister.LANES)]
        np.testing.assert_allclose(found, np.abs(expected), rtol=1e-14)


@engine
def test_later_rows_are_numpy_s_too():
    found = twister.first_normals(PLANTED, twister.SECOND)[:, :96]
    expected = [np.random.RandomState(seed).normal(size=96) for seed in range(PLANTED, PLANTED + twister.LANES)]
    np.testing.assert_allclose(found, np.abs(expected), rtol=1e-14)


@engine
def test_one_seed_of_four_millions_is_confirmed_and_numpy_counts_the_same(published, labels):
    begin = PLANTED - PLANTED % 2**22
    block = range(begin, begin + 2**22)
    met = twister.search(labels, block)
    assert met.hits[study.agreement(published, met.hits) == 100].tolist() == [PLANTED]
    assert len(met.near) == 64 and len(met.hits) < 30
    place = (PLANTED - block.start) // twister.SLICE
    begin = block.start + place * twister.SLICE
    again = twister.search_by_numpy(labels, range(begin, begin + twister.SLICE))
    assert again.near[0] == met.near[place]
    assert again.hits.tolist() == [seed for seed in met.hits.tolist() if begin <= seed < begin + twister.SLICE]
    assert twister.search_by_numpy(labels, met.hits).hits.tolist() == met.hits.tolist()


@engine
def test_a_small_space_is_searched_whole_with_its_controls():
    results = {part: study.run_block(SMALL, *part) for part in study.parts(SMALL).values()}
    arrays = study.assemble(SMALL, results)
    true = study.true_seed(SMALL)
    assert arrays["hits"][arrays["agreement"] == 100].tolist() == [true]
    assert arrays["near"].shape == (4,) and (arrays["seconds"] > 0).all() and arrays["again"]
    assert [arrays[kind][1] for kind in ("system", "shifted", "useful", "useless")] == [0, 0, 1, 0]
    assert 0 < arrays["share"] < 0.05 and arrays["counts"].tolist() == [len(arrays["hits"]), 0]


@engine
def test_a_seed_with_useless_rows_is_found_by_the_second_search(monkeypatch, data, useless):
    monkeypatch.setattr(study, "true_seed", lambda config: useless)
    blocks = [("first", useless // SMALL.block), ("second", useless // SMALL.block)]
    first, second = (study.run_block(SMALL, *block) for block in blocks)
    assert 100 not in first["agreement"] and second["hits"][second["agreement"] == 100].tolist() == [useless]
    kept = {(kind, 0): study.run_block(SMALL, kind, 0) for kind in ("system", "shifted")}
    drawn = {(kind, 2): study.run_block(SMALL, kind, 2) for kind in ("useful", "useless")}
    whole = study.assemble(SMALL, dict(zip(blocks, (first, second))) | kept | drawn)
    assert whole["hits"][whole["agreement"] == 100].tolist() == [useless]
    assert whole["counts"].tolist() == [len(first["hits"]), len(second["hits"])] and len(whole["seconds"]) == 2
