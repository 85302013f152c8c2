"""The scheme and its keys against the definition written out, and against the law of the coefficients."""

import dataclasses
import inspect

import numpy as np
import pytest
import torch
from scipy import integrate

from offconvex import rng, runtime
from offconvex.instahide import attack, scheme, theory
from offconvex.instahide.assign import assign
from offconvex.instahide.keys import BreakableReleasedKeys, SeededKeysForExperiments, SystemKeys

RT = runtime.resolve("cpu")
SCHEMES = [scheme.inside(2), scheme.inside(4), scheme.cross(4), scheme.cross(6), scheme.mixup(3), scheme.Scheme(1, 3)]
SOURCES = [SystemKeys(), SeededKeysForExperiments(0, "test"), BreakableReleasedKeys(7)]


@pytest.fixture(scope="module")
def data():
    return attack.data_of(40, RT, 0)


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("kind", SCHEMES, ids=str)
def test_an_encryption_is_the_written_one(data, kind, source):
    images, labels, key = scheme.encrypt(data.private, data.labels, kind, data.public, keys=source)
    for row in range(0, 40, 7):
        mixed, label = torch.zeros(28, 28, dtype=RT.dtype, device="cpu"), torch.zeros(10, dtype=RT.dtype, device="cpu")
        for slot in range(kind.images):
            place, weight = int(key.partners[row, slot]), key.coefficients[row, slot]
            mixed += weight * (data.private if slot < kind.private else data.public)[place]
            if slot < kind.private:
                label[data.labels[place]] += weight
        if kind.flip:
            mixed *= torch.as_tensor(1.0 - 2.0 * key.mask[row], device="cpu").view(28, 28)
        assert torch.allclose(images[row], mixed, atol=1e-12)
        assert torch.allclose(labels[row], label, atol=1e-12)
    assert (key.partners[:, 0] == np.arange(40)).all()
    for slot in range(1, kind.private):
        assert sorted(key.partners[:, slot]) == list(range(40))
    assert np.allclose(key.coefficients.sum(1), 1)
    assert scheme.acceptable(kind, key.coefficients).all()


def test_coefficients_are_drawn_as_by_the_released_loop():
    """All rows first, then each bad row again until it is good: written as the released code writes it."""
    kind, legacy = scheme.cross(6), np.random.RandomState(11)
    expected = np.abs(legacy.normal(0, 1, (200, 6)))
    expected /= expected.sum(1, keepdims=True)
    for row in range(200):
        while expected[row].max() > kind.upper or expected[row, :2].sum() < kind.dominant:
            again = np.abs(legacy.normal(0, 1, (1, 6)))[0]
            expected[row] = again / again.sum()
    keys = BreakableReleasedKeys(11)
    found, drawn = scheme.draw_coefficients(kind, 200, keys)
    assert np.array_equal(found, expected)
    assert drawn > 300
    assert np.array_equal(keys.normal(3, 2), legacy.normal(0, 1, (3, 2))), "both used equally many numbers"


def test_released_masks_are_torch_randint():
    expected = torch.randint(2, (3, 784), generator=torch.Generator(device="cpu").manual_seed(5), device="cpu")
    assert np.array_equal(BreakableReleasedKeys(5).bits(3 * 784).reshape(3, 784), expected.numpy())


def test_the_default_keys_come_from_the_operating_system(data, monkeypatch):
    called = []
    real = scheme.SystemKeys
    monkeypatch.setattr(scheme, "SystemKeys", lambda: called.append(1) or real())
    first, second = (scheme.encrypt(data.private, data.labels, scheme.cross(4), data.public)[2] for _ in range(2))
    assert len(called) == 2
    assert not np.array_equal(first.mask, second.mask)
    scheme.encrypt(data.private, data.labels, scheme.cross(4), data.public, keys=SeededKeysForExperiments(0, "x"))
    assert len(called) == 2


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: type(s).__name__)
def test_sources_draw_what_they_say(source):
    normal = source.normal(20_001, 3)
    assert normal.shape == (20_001, 3)
    # Five standard errors of mean, variance and fourth moment.
    count = normal.size
    assert abs(normal.mean()) < 5 / count**0.5
    assert abs(normal.var() - 1) < 5 * (2 / count) ** 0.5
    assert abs((normal**4).mean() - 3) < 5 * (96 / count) ** 0.5
    assert sorted(source.permutation(100)) == list(range(100))
    assert source.permutation(100).dtype == np.int64
    bits = source.bits(100_003)
    assert len(bits) == 100_003 and set(bits) == {0, 1}
    assert abs(bits.mean() - 0.5) < 2.5 / 100_003**0.5


@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_density_of_coefficients_integrates_to_one(k):
    def density(*free):
        rest = 1 - sum(free)
        return theory.coefficient_density(np.array([*free, rest]))

    limits = [lambda *later: (0, 1 - sum(later))] * (k - 1)
    total, _ = integrate.nquad(density, limits, opts={"epsabs": 1e-6, "epsrel": 1e-6})
    assert total == pytest.approx(1, abs=1e-4)


def test_acceptance_has_a_closed_form_for_two_and_agrees_with_sampling():
    closed = 2 / np.pi * (np.arctan(0.65 / 0.35) - np.arctan(0.35 / 0.65))
    assert theory.accepted_share(2, 0.65, 0) == pytest.approx(closed, abs=1e-5)
    draws = np.abs(rng.numpy_generator(0, "acceptance").standard_normal((400_000, 6)))
    draws /= draws.sum(1, keepdims=True)
    for k, dominant in ((6, 0.0), (6, 0.3), (3, 0.3), (4, 0.3)):
        rows = draws[:, :k] / draws[:, :k].sum(1, keepdims=True)
        share = ((rows.max(1) <= 0.65) & (rows[:, :2].sum(1) >= dominant)).mean()
        assert abs(theory.accepted_share(k, 0.65, dominant) - share) < 5 * (share * (1 - share) / 400_000) ** 0.5 + 1e-4
    with pytest.raises(ValueError, match="one half"):
        theory.accepted_share(4, 0.4, 0)


def test_moments_are_those_of_symmetry():
    assert theory.coefficient_moments(6, 1.0, 0.0).private == pytest.approx(1 / 3, abs=2e-4)
    assert theory.coefficient_moments(4, 0.65, 0.0).private == pytest.approx(1 / 2, abs=2e-4)


def test_overlap_of_absolute_values():
    draws = rng.numpy_generator(0, "overlap").standard_normal((2, 400_000))
    for r in (0.0, 0.5, -0.9):
        u, v = draws[0], r * draws[0] + (1 - r**2) ** 0.5 * draws[1]
        product = np.abs(u * v)
        assert abs(product.mean() - theory.folded_overlap(r)) < 5 * product.std() / 400_000**0.5
        assert theory.overlap_of(theory.folded_overlap(r)) == pytest.approx(abs(r), abs=1e-6)
    with pytest.raises(ValueError, match="2/pi"):
        theory.overlap_of(0.5)


def test_a_release_shows_no_more_than_it_should(data):
    order = rng.generator(0, "order")
    published, truth = scheme.release(data.private, data.labels, scheme.cross(4), data.public, 3, order)
    assert {f.name for f in dataclasses.fields(published)} == {"images", "labels", "scheme", "size"}
    assert list(inspect.signature(assign).parameters) == ["published", "similarity", "draws"]
    assert list(inspect.signature(attack.attack).parameters) == ["published", "similarity", "prior", "seed"]
    assert len(published.images) == 120
    assert not torch.equal(truth.owners[:40, 0], torch.arange(40, device="cpu")), "shuffled"
    assert torch.bincount(truth.owners.flatten(), minlength=40).eq(6).all(), "2 T encryptions of each image"
    assert torch.allclose(published.labels.sum(1), truth.coefficients[:, :2].sum(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scheme": scheme.cross(4), "public": None}, "public images"),
        ({"labels": torch.zeros(3, dtype=torch.int64, device="cpu")}, "labels"),
        ({"images": torch.zeros(3, 4, device="cpu")}, "height"),
    ],
)
def test_bad_input_is_refused(data, change, message):
    given = {"images": data.private, "labels": data.labels, "scheme": scheme.inside(2), "public": data.public} | change
    with pytest.raises(ValueError, match=message):
        scheme.encrypt(**given)


def test_bad_schemes_and_seeds_are_refused(data):
    for wrong in ({"private": 0}, {"upper": 0.1}, {"dominant": 1.0}, {"private": 1, "public": 0}):
        with pytest.raises(ValueError):
            scheme.Scheme(**wrong)
    with pytest.raises(ValueError, match="2\\^32"):
        BreakableReleasedKeys(2**32)
    with pytest.raises(ValueError, match="epoch"):
        scheme.release(data.private, data.labels, scheme.inside(2), None, 0, rng.generator(0, "order"))
    with pytest.raises(ValueError, match="private half"):
        attack.data_of(6000, RT, 0)
