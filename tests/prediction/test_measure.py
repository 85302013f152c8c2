"""What is read from the stored pool, on a made-up one; and the long experiment at tiny sizes."""

import dataclasses

import numpy as np
import pytest
import torch

from offconvex import datasets, rng, runtime, stored
from offconvex.prediction import collapse, experiments, live, measure, theory
from offconvex.prediction.classifiers import Member, standardize

RT = runtime.resolve("cpu", torch.float32)
TINY = experiments.Study(
    training=1200, poison=(0, 60), families=("mlp", "cnn"), recipes=("plain",), longest=2, gans=1, lengths=(1, 2),
    samples=1000, kept=500, compared=1000,
)  # fmt: skip


@pytest.fixture(scope="module")
def pool(found):
    return measure.pool(found)


@pytest.fixture(scope="module")
def both(pool, again):
    return measure.together([pool, measure.pool(again)])


def test_predictions_survive_packing():
    classes = rng.numpy_generator(0, "pack").integers(0, 10, (3, 2, 100)).astype(np.uint8)
    assert experiments.packed(classes).shape == (3, 2, 50)
    assert np.array_equal(experiments.unpacked(experiments.packed(classes)), classes)


def test_the_pool_is_a_grid_with_twins(pool):
    assert len(pool.members) == len(set(pool.members)) == 96 and pool.config.gans == 3
    rows = live.twin_rows(pool.config)
    assert rows.shape == (2, 16)
    for place, twin in enumerate(experiments.twins(pool.config)):
        first = dataclasses.replace(twin, twin=0)
        assert rows[:, place].tolist() == [pool.members.index(first), 96 + place]
    assert len(set(experiments.parts(pool.config))) == 3 + 16 + 2


def test_bad_sizes_are_refused():
    with pytest.raises(ValueError, match="feature network"):
        experiments.Study(training=9000)
    with pytest.raises(ValueError, match="multiple"):
        experiments.Study(samples=1234)


def test_conditional_tau_and_its_samples(pool):
    network, knob = pool.gans[0], -pool.values("poison")
    assert measure.inside(pool, network) > 0.7 and measure.inside(pool, knob) == 0
    assert abs(measure.inside(pool, pool.baselines["mixup"])) < 0.3
    counts = measure.resamples(pool, 50, 0)
    for value in pool.config.poison:
        assert (counts[:, pool.values("poison") == value].sum(1) == 24).all()
    fast = measure.inside_samples(pool, network, counts)
    slow = [theory.kendall(network, pool.test, pool.strata, c) for c in counts]
    assert np.allclose(fast, slow)
    assert np.allclose(measure.inside_samples(pool, network, np.ones((1, 96))), measure.inside(pool, network))
    assert not measure.inside_samples(pool, knob, counts).any()
    finer = theory.same_stratum(pool.values("poison"), pool.values("recipe"))
    assert measure.inside(pool, network, "recipe") == theory.kendall(network, pool.test, finer)


def test_pairs_of_two_studies_are_counted_within_each(pool, both):
    """Every pair that may count, one by one."""
    network, poison, recipe, study_of = both.gans[1], both.values("poison"), both.values("recipe"), both.studies
    sums = {"inside": [0, 0, 0], "finer": [0, 0, 0], "whole": [0, 0, 0]}
    for i in range(192):
        for j in range(i):
            if study_of[i] != study_of[j]:
                continue
            x, y = np.sign(network[i] - network[j]), np.sign(both.test[i] - both.test[j])
            equal = poison[i] == poison[j]
            for name, counts in (("whole", True), ("inside", equal), ("finer", equal and recipe[i] == recipe[j])):
                if counts:
                    sums[name] = [a + b for a, b in zip(sums[name], (x * y, x * x, y * y))]
    tau = {name: total / (one * other) ** 0.5 for name, (total, one, other) in sums.items()}
    assert measure.inside(both, network) == pytest.approx(tau["inside"])
    assert measure.inside(both, network, "recipe") == pytest.approx(tau["finer"])
    assert measure.whole(both, network) == pytest.approx(tau["whole"])
    assert measure.inside(pool, pool.gans[1]) != pytest.approx(tau["inside"])


def test_a_second_study_adds_pairs_and_none_across(pool, found, both):
    """A copy of a pool under another name changes no value, wherever its accuracies lie."""
    twice = measure.together(
        [pool, measure.pool(dataclasses.replace(found, config=dataclasses.replace(found.config, seed=1)))]
    )
    moved = dataclasses.replace(twice, test=twice.test - 0.2 * (twice.studies == 1))
    network, knob = moved.gans[0], -moved.values("poison").astype(float)
    for f in (measure.inside, measure.whole, measure.competition):
        assert f(moved, network) == pytest.approx(f(pool, pool.gans[0]))
    assert measure.inside(moved, knob) == 0 and measure.error(twice, network) == measure.error(pool, pool.gans[0])
    assert measure.families(moved, network) == pytest.approx(measure.families(pool, pool.gans[0]))
    counts = measure.resamples(both, 20, 0)
    for seed in (0, 1):
        for value in both.config.poison:
            assert (counts[:, (both.studies == seed) & (both.values("poison") == value)].sum(1) == 24).all()
    slow = [theory.kendall(both.gans[2], both.test, both.strata, c) for c in counts]
    assert np.allclose(measure.inside_samples(both, both.gans[2], counts), slow)


def test_the_score_of_two_studies_is_the_enumerated_one(both):
    gap = both.fit - both.test
    for predictor in (both.gans[0], both.baselines["mixup"], -both.values("poison").astype(float)):
        slow = theory.conditional_score(gap, -predictor, both.settings, both.studies)
        assert measure.competition(both, predictor) == pytest.approx(slow, abs=1e-9)


def test_only_studies_that_differ_in_their_seeds_are_put_together(pool, found, again):
    with pytest.raises(ValueError, match="seeds alone"):
        measure.together([pool, pool])
    other = dataclasses.replace(again, config=dataclasses.replace(again.config, lengths=(1, 2, 3, 4)))
    with pytest.raises(ValueError, match="seeds alone"):
        measure.together([pool, measure.pool(other)])


def test_families_are_taken_apart(pool):
    found = measure.families(pool, pool.gans[0])
    family = pool.values("family")
    total = 0
    for name, value in found.items():
        pairs = pool.strata & np.equal.outer(family, family) & (family == name)[:, None]
        assert value == pytest.approx(theory.kendall(pool.gans[0], pool.test, pairs))
        total += np.triu(pairs, 1).sum()
    assert total == 4 * 4 * 15
    errors = measure.family_errors(pool, pool.gans[0])
    assert list(errors) == list(found) == list(pool.config.families)
    assert np.mean(list(errors.values())) == pytest.approx(measure.error(pool, pool.gans[0]))
    own = [abs(p - y) for p, y, f in zip(pool.gans[0], pool.test, family) if f == "cnn"]
    assert errors["cnn"] == pytest.approx(sum(own) / 24)


def test_the_fast_score_is_the_enumerated_one(pool):
    gap = pool.fit - pool.test
    for predictor in (pool.gans[0], pool.baselines["mixup"], -pool.values("poison").astype(float), pool.test):
        slow = theory.conditional_score(gap, -predictor, pool.settings)
        assert measure.competition(pool, predictor) == pytest.approx(slow, abs=1e-9)
    assert measure.competition(pool, pool.gans[0]) > 3 * measure.competition(pool, pool.baselines["mixup"])
    ones = measure.competition_samples(pool, pool.gans[0], np.ones((1, 96)))
    assert ones == pytest.approx(measure.competition(pool, pool.gans[0]))


def test_the_table_holds_what_single_functions_give(pool):
    found = measure.table(pool, 40, 3, 0)
    assert found.names == [*pool.predictors, "poison"] and all(
        len(v) == len(found.names) for v in found.columns.values()
    )
    counts = measure.resamples(pool, 40, 0)
    for place, (_, predictor) in enumerate(pool.predictors.items()):
        assert found.inside[place] == measure.inside(pool, predictor)
        assert found.score[place] == measure.competition(pool, predictor)
        drawn = measure.inside_samples(pool, predictor, counts)
        assert np.allclose(found.limits[place], np.quantile(drawn, (0.025, 0.975)))
    assert found.inside[-1] == 0 and found.whole[-1] == theory.kendall(-pool.values("poison"), pool.test)
    networks, baselines = found.inside[:3], found.inside[5:-1]
    assert [len(found.rows(kind)) for kind in ("GAN", "simple", "baselines")] == [3, 2, 9]
    assert found.lead() == pytest.approx(networks.mean() - max(baselines)) and found.separable() == 9
    swapped = dataclasses.replace(found, samples=-found.samples)
    assert swapped.separable() == 0 == found.separable([len(found.names) - 1])
    assert found.score_ratio() == pytest.approx(found.score[:3].mean() / found.score[5:-1].max())


def test_permuted_labels_rank_nothing(both, found, again):
    taus = measure.shuffled(both, [found, again], 60, 0)
    assert abs(taus.mean()) < 5 * taus.std() / 60**0.5 and taus.std() > 0


def test_known_images_follow_the_law(both, found, again):
    errors, ranks = measure.small_supports(both, [found, again], (100, 1000), 40, 0)
    law = theory.known_images_error(both.test, np.array([100, 1000]), 10_000)
    assert np.allclose(errors.mean(1), law, rtol=0.1)
    assert ranks[1].mean() > ranks[0].mean() > 0


def test_duplicates_are_the_close_pairs():
    points = rng.numpy_generator(0, "points").normal(size=(150, 4))
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    expected = np.argwhere(np.triu(distance < 1, 1))
    found = collapse.duplicates(points, 1.0, chunk=40)
    assert np.array_equal(found.pairs[np.lexsort(found.pairs.T[::-1])], expected)
    assert found.support == pytest.approx(150 * 149 / 2 / len(expected))
    curve = collapse.supports(points, np.array([1e-9, 1.0, 100.0]), chunk=40)
    assert np.isinf(curve[0]) and curve[1] == pytest.approx(found.support) and curve[2] == 1


def test_the_birthday_test_finds_a_known_support():
    """4000 items of 200 kinds: drawing without replacement is nearly drawing kinds."""
    kinds = rng.numpy_generator(0, "kinds").permutation(np.repeat(np.arange(200), 20))
    points = np.eye(200)[kinds]
    found = collapse.duplicates(points, 0.5)
    assert found.support == pytest.approx(200, rel=0.06)
    sizes = (5, 10, 15, 20, 30, 40)
    shares = collapse.birthday_test(points, 0.5, sizes, 1000, 0, "test")
    exact = np.array([theory.birthday_chance(s, found.support) for s in sizes])
    assert np.abs(shares - exact).max() < 5 * 0.5 / 1000**0.5
    assert collapse.half_size(sizes, shares) == pytest.approx(theory.birthday_size(found.support), rel=0.1)
    assert collapse.birthday_test(points, 0.5, (1, 4000), 1, 0, "test").tolist() == [0, 1]
    assert collapse.half_size((5,), shares[:1]) == np.inf


def test_half_sizes_compare_supports():
    sizes, support = (3, 6, 9, 12, 15, 18), {"real": 100, "GAN 1": 50, "GAN 2": 100, "GAN 3": 60, "mixture": 30}
    shares = {
        name: theory.birthday_chance_approximate(np.array(sizes, float), value) for name, value in support.items()
    }
    ratios = collapse.half_size_ratios(sizes, shares)
    assert list(ratios) == ["GAN 1", "GAN 2", "GAN 3"] and ratios["GAN 2"] == 1
    assert ratios["GAN 1"] == pytest.approx(2, rel=0.1) and ratios["GAN 3"] == pytest.approx(100 / 60, rel=0.1)


def test_collapse_shows_and_halves_agree(found):
    limit = collapse.threshold(found)
    assert list(collapse.feature_sets(found)) == ["real", *collapse.NAMES]
    ratios = collapse.support_ratios(found, limit)
    assert min(ratios[f"GAN {i}"] for i in (1, 2, 3)) > 2
    assert ratios["mixture"] == pytest.approx(1)


def test_real_samples_are_in_turn():
    shown = live.real_samples()
    assert shown.shape == (20, 28, 28) and shown.dtype == np.uint8


def test_the_long_experiment_at_tiny_size(monkeypatch):
    # The part inside the package in place of the full set, and few images for the feature network.
    monkeypatch.setattr(datasets, "full_arrays", datasets.subset_arrays)
    monkeypatch.setattr(experiments, "FEATURE_IMAGES", (8000, 8500))
    results = {which: experiments.run(TINY, *which) for which in experiments.parts(TINY).values()}
    arrays = experiments.assemble(TINY, results)
    found = stored.Stored(arrays, TINY, {})
    pool = measure.pool(found)
    assert pool.lengths.shape == (1, 2, 8) and arrays["alone"].shape == (3, 2)
    images, labels = experiments.real_images(TINY, RT)
    again = experiments.trained(TINY, pool.members[3], images, labels, RT)
    right, predictions = live.stored_right(found)
    assert again.epochs == arrays["measures"][3, 0]
    samples = standardize(RT.tensor(arrays["samples"]) / 255)
    assert np.array_equal(again.predict(samples).numpy(), predictions[3, :500])
    assert right[:8].mean(1) == pytest.approx(pool.test)
    part = live.retrain([pool], [found], RT, 5)
    assert part.distance() == 0 < part.distance_to_another()
    assert part.rivals.shape == (2, 2, 8) and (part.rivals == part.stored[:, :, None]).any(2).all()
    truth = part.stored
    errors = np.sqrt(2 * truth * (1 - truth) / np.array([[2000], [500]]))
    starts = np.stack([truth + [[2], [0]] * errors, truth])
    apart = dataclasses.replace(part, starts=starts)
    assert apart.distance_of_starts() == pytest.approx(2)
    assert dataclasses.replace(apart, again=truth + [[1], [-3]] * errors).distance() == pytest.approx(1.5)
    shifted = measure.pool(dataclasses.replace(found, config=dataclasses.replace(found.config, seed=1)))
    two = live.retrain([pool, shifted], [found, found], RT, 5, strata=1)
    assert two.starts.shape == (2, 2, 8) and np.array_equal(two.starts, np.tile(part.starts, 2))
    assert two.again.shape == two.stored.shape == (2, 1)
    poisoned = experiments.poisoned(TINY, labels[:1260])
    assert torch.equal(poisoned[:1200], labels[:1200]) and not torch.equal(poisoned[1200:], labels[1200:1260])
    weights = {name: array for (kind, *_), part in results.items() if kind == "pool" for name, array in part.items()}
    assert experiments.restored(Member("cnn"), weights, RT).weights[0].shape == (12, 1, 3, 3)
