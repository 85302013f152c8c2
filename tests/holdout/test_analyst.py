"""Analysts, leaderboards and the demonstration, against slow and plain versions of themselves."""

import numpy as np
import pytest

from offconvex import rng
from offconvex.fits import largest_z_score
from offconvex.holdout import analyst, bits, feature_selection, leaderboard, theory


def plain_free_ladder(submissions: np.ndarray, labels: np.ndarray) -> list[float]:
    """The parameter-free Ladder on unpacked bits, one submission at a time, as its authors' code has it."""
    best, leader, reports = np.inf, None, []
    for submission in submissions:
        losses = (submission != labels).astype(float)
        spread = (losses if leader is None else losses - leader).std(ddof=1)
        if losses.mean() < best - spread / np.sqrt(len(labels)):
            best, leader = losses.mean(), losses
        reports.append(best)
    return reports


def test_the_free_ladder_is_its_plain_version():
    draws = rng.numpy_generator(0, "ladder")
    labels, submitted = bits.random(draws, 3, size=90), bits.random(draws, 3, 60, size=90)
    # Improve some, so that there is something to report.
    submitted[:, 20] = labels ^ bits.pack(draws.random((3, 90)) < 0.2)
    submitted[:, 40] = labels ^ bits.pack(draws.random((3, 90)) < 0.1)
    reports, accepted = leaderboard.free_ladder(submitted, labels, 90)
    for r in range(3):
        plain = plain_free_ladder(bits.unpack(submitted[r], 90), bits.unpack(labels[r], 90))
        assert reports[r] == pytest.approx(plain, abs=1e-12)
    assert accepted[:, [0, 20]].all() and 2 <= accepted.sum(1).min()


def test_the_fixed_ladder_reports_multiples_of_its_step_and_ignores_less():
    reports, accepted = leaderboard.ladder(np.array([[0.52, 0.48, 0.44, 0.35, 0.5]]), 0.1)
    assert reports[0] == pytest.approx([0.5, 0.5, 0.5, 0.4, 0.4]) or reports[0] == pytest.approx(
        [0.5, 0.5, 0.5, 0.3, 0.3]
    )
    assert accepted[0].tolist() == [True, False, False, True, False]
    with pytest.raises(ValueError, match="step"):
        leaderboard.ladder(np.array([[0.5]]), 0.0)


def test_thresholdout_answers_from_train_until_it_is_contradicted():
    draws = rng.numpy_generator(0, "gate")
    train, held_out = np.array([0.6, 0.6]), np.array([0.59, 0.2])
    answers = leaderboard.thresholdout(train, held_out, 0.1, 1e-6, draws)
    assert answers[0] == 0.6 and answers[1] == pytest.approx(0.2, abs=1e-4) and answers[1] != 0.2


@pytest.mark.parametrize("flip", [False, True])
def test_the_vote_has_its_exact_expectation_and_no_worth_on_fresh_labels(flip):
    config = analyst.Boosting(300, (7, 60, 200), 400, flip=flip, fresh=True)
    run = analyst.boost(config, 0, "test", str(flip))
    exact = np.array([theory.vote_loss(k, 300, flip=flip) for k in config.checkpoints])
    assert largest_z_score(run["loss"], exact) < 5 and largest_z_score(run["fresh"], 0.5) < 5
    assert largest_z_score(run["loss"], exact + 0.02) > 5
    assert np.all(np.diff(run["least"], axis=1) <= 0)


def test_noise_rounding_and_given_labels_have_their_expectations():
    exact = [theory.vote_loss(100, 300, noise=0.05)]
    assert largest_z_score(analyst.boost(analyst.Boosting(300, (100,), 400, noise=0.05), 0, "n")["loss"], exact) < 5
    exact = [theory.vote_loss(100, 300, digits=1)]
    assert largest_z_score(analyst.boost(analyst.Boosting(300, (100,), 400, digits=1), 0, "d")["loss"], exact) < 5
    labels = np.arange(300) % 2 == 0
    run = analyst.boost(analyst.Boosting(300, (100,), 400, fresh=True), 0, "l", labels=(labels, labels))
    assert largest_z_score(run["loss"], [theory.vote_loss(100, 300)]) < 5
    assert largest_z_score(run["fresh"], 0.5) < 5


def test_climbing_three_boards_reports_what_the_boards_would():
    found = analyst.climb(analyst.Leaderboards(400, (50, 300), 12, 0.1), 0, "boards")
    assert found["naive"].vote.shape == (12, 2) and found["free"].changes.min() >= 1
    exact = np.array([theory.vote_loss(k, 400) for k in (50, 300)])
    assert largest_z_score(found["naive"].vote, exact) < 5
    assert np.array_equal(found["naive"].report, np.minimum(found["naive"].report, found["naive"].vote[:, -1]))
    assert np.abs(found["fixed"].report / 0.1 - np.round(found["fixed"].report / 0.1)).max() < 1e-9
    assert found["free"].report.min() > 0.3


def test_the_analyst_of_pairs_follows_her_law_unless_the_step_is_fixed():
    at = (500, 2000)
    free = analyst.pairs_attack(400, at, 30, 0)
    assert np.abs(free.mean(0) - theory.pairs_loss(np.array(at), 400)).max() < 0.03
    assert np.ptp(analyst.pairs_attack(400, at, 30, 0, step=0.1), axis=1).max() == 0


def plain_demonstration(config: feature_selection.Demonstration, draws: np.random.Generator) -> dict[str, float]:
    """Standard arm with the whole feature matrices, for the largest number of features."""
    n, d, most = config.size, config.features, config.chosen[-1]
    mean = np.zeros(d)
    mean[: config.informative] = config.strength / np.sqrt(n)
    sets = {name: mean + draws.normal(size=(n, d)) for name in feature_selection.SETS}
    a, h = sets["train"].mean(0), sets["held out"].mean(0)
    kept = np.flatnonzero((np.abs(a) > n**-0.5) & (np.abs(h) > n**-0.5) & (a * h > 0))
    best = kept[np.argsort(-np.abs(a[kept]))][:most]
    return {name: ((x[:, best] * np.sign(a[best])).sum(1) > 0).mean() for name, x in sets.items()}


@pytest.mark.parametrize("informative", [0, 10])
def test_the_demonstration_without_features_is_the_one_with_them(informative):
    config = feature_selection.Demonstration(300, 400, informative, chosen=(10, 15), repetitions=300)
    fast = feature_selection.run(config, 0)
    draws = rng.numpy_generator(1, "plain")
    plain = [plain_demonstration(config, draws) for _ in range(150)]
    for name in feature_selection.SETS:
        slow = np.array([row[name] for row in plain])
        quick = fast[f"standard {name}"][:, -1]
        spread = np.sqrt(slow.var() / len(slow) + quick.var() / len(quick))
        assert abs(slow.mean() - quick.mean()) < 5 * spread, name


@pytest.mark.parametrize(
    "make",
    [
        lambda: analyst.Boosting(size=1),
        lambda: analyst.Boosting(checkpoints=(5, 5)),
        lambda: feature_selection.Demonstration(informative=20_000),
        lambda: feature_selection.Demonstration(chosen=()),
    ],
)
def test_bad_settings_are_refused(make):
    with pytest.raises(ValueError):
        make()
