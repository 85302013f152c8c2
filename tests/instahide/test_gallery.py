"""Scores of candidates against the density written out, ranks against counting, and galleries in which nothing is."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from offconvex import datasets, rng, runtime
from offconvex.instahide import attack, decode
from offconvex.instahide.gallery import cost, scan, study
from offconvex.instahide.scheme import Scheme, cross

RT = runtime.resolve("cpu", torch.float32)


@pytest.fixture(scope="module")
def images():
    return 2 * datasets.fashion_mnist("train", rt=RT).pixels - 1


@pytest.fixture(scope="module")
def found(images):
    return study.scanned(cross6(), images[:2000], images[8000:], 30, 300, 400, RT, 0, "test")


class Blind:
    """A similarity that knows nothing."""

    def all_codes(self, images):
        return RT.normal(rng.generator(0, "codes"), len(images), 30)


def cross6(**changes):
    return study.Arm(cross(6), **changes)


def test_a_score_is_the_log_density_written_out(images):
    candidates, rest = images[:3], scan.rest_of(images[8000:8200])
    encryption = RT.normal(rng.generator(0, "encryption"), 28, 28) / 3
    found = scan.scores(encryption, scan.places(scan.gray_levels(candidates)), rest)
    y = encryption.abs().flatten().double()
    for value, candidate in zip(found, candidates.flatten(1).double()):
        sums = []
        for share in scan.SHARES:
            middle = share * candidate + (1 - share) * rest.mean
            deviation = (0.34 * (1 - share) ** 2 * rest.variance + 1e-3).sqrt()
            terms = [torch.exp(-(((y + sign * middle) / deviation) ** 2) / 2) / deviation for sign in (1, -1)]
            sums.append((sum(terms) + 1e-300).log().sum())
        assert float(value) == pytest.approx(float(max(sums)), abs=0.02)


def test_signs_do_not_matter(images):
    gallery, rest = scan.places(scan.gray_levels(images[:50])), scan.rest_of(images[8000:8200])
    encryption = RT.normal(rng.generator(1, "encryption"), 28, 28) / 3
    flipped = encryption * RT.normal(rng.generator(2, "signs"), 28, 28).sign()
    assert torch.equal(scan.scores(encryption, gallery, rest), scan.scores(flipped, gallery, rest))


def test_gray_levels_are_the_data_s_own(images):
    assert torch.equal(scan.gray_levels(images[:20]), ((images[:20] + 1) * 127.5).round().to(torch.uint8))
    assert scan.gray_levels(torch.tensor([[[-1.2, 1.2, 0.0]]], device="cpu")).tolist() == [[[0, 255, 128]]]


def test_the_rest_of_another_kind_lies_between_both(images):
    own, other = images[:100], images[100:200] / 2
    mixed = scan.rest_of(own, other, part=0.25)
    assert torch.allclose(mixed.mean, own.flatten(1).mean(0) / 4 + 3 * other.flatten(1).mean(0) / 4)
    assert torch.equal(scan.rest_of(own, other, part=1).variance, scan.rest_of(own).variance)


def test_mixed_images_come_first_far_more_often_than_chance(found):
    chances = study.first(found, 300)
    assert chances.sum(1).mean() > 0.5  # by chance: 6 of 300
    assert chances[found.coefficients < 0.1].mean() < 0.05
    assert found.others == 1994 and found.decoys.shape == (30, 6)
    assert abs(chances.sum(1).mean() - found.right.mean()) < 0.2  # other images beside the mixed ones


def test_nothing_is_found_in_encrypted_noise(images):
    arm = cross6(noise=True)
    found = study.scanned(arm, images[:2000], images[8000:], 30, 300, 400, RT, 0, "test")
    assert study.first(found, 300).sum(1).mean() < 0.2 and found.right.mean() < 0.2


def test_the_chance_to_be_first_is_that_of_a_random_gallery():
    others, size = 12, 5
    ranks = np.array([[0, 4], [3, 1], [12, 9], [2, 2]])
    lead = -ranks - np.array([0.0, 0.5])  # of two that tie, the first is the higher
    found = study.Scanned(np.zeros((4, 2)), ranks, lead, *[np.zeros((4, 1))] * 3, others)
    chances = study.first(found, size)
    for row, (rank, best) in enumerate([(0, 0), (1, 1), (9, 1), (2, 0)]):
        exact = math.comb(others - rank, size - 2) / math.comb(others, size - 2)
        assert chances[row, best] == pytest.approx(exact) and chances[row, 1 - best] == 0
    whole = study.first(found, others + 2)
    assert whole.sum(1).tolist() == [1, 0, 0, 0]
    shares = study.shares_first(found, (2, others + 2)), study.shares_first(found, (2, others + 2), 1)
    assert shares[0].tolist() == [1, 0.25] and shares[1].tolist() == [0.5, 0.25]
    found = dataclasses.replace(found, coefficients=np.array([[0.3, 0.1], [0.1, 0.4], [0.1, 0.3], [0.1, 0.4]]))
    by_coefficient = study.first_by_coefficient(found, 2, np.array([0.0, 0.2, 0.35, 0.5, 0.6]))
    assert by_coefficient[:3].tolist() == [0.25, 1, 0.5]
    assert math.isnan(by_coefficient[3])
    with pytest.raises(ValueError, match="up to 12 others; got 15"):
        study.first(found, others + 3)


def test_an_alarm_is_judged_on_other_encryptions():
    draws = rng.numpy_generator(0, "margins")
    decoys = draws.exponential(size=(400, 9))
    found = study.Scanned(*[np.zeros((400, 2))] * 3, decoys[:, 0] + 2, decoys, np.arange(400) % 4 > 0, 100)
    told = study.alarm(found)
    assert told.threshold == pytest.approx(math.log(20), abs=0.2) and told.false == pytest.approx(0.05, abs=0.005)
    assert told.raised == pytest.approx(math.exp(2) / 20, abs=0.07) and 0.6 < told.right < 0.9
    silent = study.alarm(study.Scanned(*[np.zeros((400, 2))] * 3, np.zeros(400), decoys, np.ones(400), 100))
    assert silent.raised == 0 and math.isnan(silent.right)


@pytest.mark.parametrize("changes", [{"photographed": True}, {"changing": True}, {"pooled": 4}])
def test_every_arm_runs(images, changes):
    arm = cross6(**changes)
    found = study.scanned(arm, images[:900], images[8000:], 5, 200, 300, RT, 1, "test")
    assert found.above.shape == (5, 2 if arm.photographed else 6) and np.isfinite(found.lead).all()
    shown = study.view_of(arm, images[8000:])(images[:3])
    if arm.pooled == 4:
        assert torch.allclose(shown[0, 0, 0], images[0, :4, :4].mean())
    elif arm.changing:
        assert shown.shape[:2] == (3, 1) and 300 < shown.shape[2] < 784


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="Arms are k4, k6"):
        study.Galleries(arms=("k5",))
    with pytest.raises(ValueError, match="more candidates"):
        study.Galleries(candidates=4000)
    assert all(isinstance(arm.scheme, Scheme) and arm.scheme.images <= study.WIDEST for arm in study.ARMS.values())


def test_a_stored_arm_comes_back_as_it_was(images, monkeypatch):
    config = study.Galleries(("k6", "photo6"), encryptions=4, candidates=700, known=300, size=200, public=200)
    monkeypatch.setattr(
        study.datasets, "fashion_mnist", lambda *_, **__: datasets.Images((images[:1000] + 1) / 2, None)
    )
    monkeypatch.setattr(study, "SIZES", (100, 700))
    parts = {arguments: study.run_arm(config, *arguments) for arguments in study.parts(config).values()}
    stored = study.Stored(study.GALLERY.assemble(config, parts), config, {})
    assert stored["seconds"].shape == (2, 3) and (stored["seconds"] > 0).all()
    for name, count in (("k6", 6), ("photo6", 2)):
        again = study.of_arm(stored, name)
        direct = study.scanned(
            study.ARMS[name], 2 * ((images[:700] + 1) / 2) - 1, images[700:1000], 4, 200, 200, RT, 600, name
        )
        assert again.above.shape == (4, count) and again.others == 700 - count
        assert np.array_equal(again.above, direct.above) and np.allclose(again.margin, direct.margin, rtol=1e-5)


def test_pictures_of_what_ranks_first(images):
    pictures, mixed = study.named(cross6(), 2, 4, RT, 0)
    assert pictures.shape == (2, 6, 28, 28) and mixed.shape == (2, 4) and mixed.any()
    assert torch.allclose(pictures[:, 1], 2 * pictures[:, 0].abs() - 1)
    assert study.live(cross6(), 2, RT, 0).others == 7994


def test_costs_are_counted():
    data = attack.data_of(20, RT, 0)
    seconds, gain = cost.broken(data, 6, 10, Blind(), decode.prior_of(data.kin), 0)
    assert seconds > 0 and -2 < gain < 4
    # Ten times the subsets, divided by as many: the extrapolated time is the same, but for the clock.
    few, many = (cost.all_subsets(data, 6, tried, RT, 0) for tried in (2000, 20_000))
    assert few / 10 < many < few * 10 and many > 3600 * 100


def test_the_right_subset_leaves_nothing(images):
    public, coefficients = images[:6].flatten(1), torch.tensor([0.3, 0.2], device="cpu")
    private = 0.5 * images[7].flatten()
    observed = (private + 0.3 * public[4] + 0.2 * public[1]).abs()
    subsets = torch.tensor([[4, 1], [1, 4], [0, 2]], device="cpu")
    left = cost.residuals(observed, private, public, subsets, coefficients)
    assert left[0] < 1e-12 and left[1:].min() > 1e-3
    assert left[2] == pytest.approx(
        float((((private + 0.3 * public[0] + 0.2 * public[2]).abs() - observed) ** 2).mean())
    )
