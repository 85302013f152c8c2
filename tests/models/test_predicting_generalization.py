"""Poor samples that judge well: the book's one Gaussian and its rank correlation on the cell's own things."""

import numpy as np
import torch
from model_cells import run, vary

from offconvex import rng, runtime
from offconvex.prediction import theory
from offconvex.prediction.collapse import duplicates
from offconvex.prediction.mixture import Mixture, fit_class

CHAPTER = "predicting-generalization"
POOL = [(junk, looks) for junk in (0, 100, 200, 400) for looks in (8, 4)]
MADE = "made = couples.mean(0) + draw.normal(size=(100, 200)) @ (couples - couples.mean(0)) / 200**0.5"
ROUNDED = ("mean():7.0%", "mean():8.4%")


def table(printed: str) -> tuple[np.ndarray, float]:
    """Errors (8, 3) on the training set, made and fresh things, and that of the classifier of made things."""
    rows = [
        [float(word.rstrip("%")) / 100 for word in line.split() if "%" in word] for line in printed.splitlines()[1:]
    ]
    return np.array(rows[:-1]), rows[-1][0]


def over_seeds(*changes: tuple[str, str], count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Both of `table` for several seeds, without rounding."""
    found = [
        table(vary(CHAPTER, ("default_rng(21)", f"default_rng({seed})"), ROUNDED, *changes)[1]) for seed in range(count)
    ]
    return tuple(np.array(part) for part in zip(*found))


def engine(model: dict, kind: int):
    """The book's simpler generator with one Gaussian, fitted to the training things of a kind."""
    rt = runtime.resolve("cpu", torch.float64)
    own = torch.as_tensor(model["couples"].reshape(200, 2, 8)[:, kind].reshape(200, 2, 4))  # pictures of 2 by 4
    return fit_class(Mixture(components=8, gaussians=1, rounds=3), own, rng.generator(0, "test"), rt), rt


def test_the_generator_is_the_books_one_gaussian():
    model = run(CHAPTER)[0]
    moves = (model["couples"] - model["couples"].mean(0)) / 200**0.5
    for kind in (0, 1):
        fitted = engine(model, kind)[0]
        own = moves.reshape(200, 2, 8)[:, kind]
        np.testing.assert_allclose(model["couples"].reshape(200, 2, 8)[:, kind].mean(0), fitted.center, atol=1e-12)
        covariance = (fitted.basis * fitted.variances[0]) @ fitted.basis.T
        np.testing.assert_allclose(own.T @ own, covariance, atol=1e-12)
        np.testing.assert_allclose(fitted.residuals, 0, atol=1e-12)


def test_the_books_samples_are_judged_alike():
    """Errors on 200 things that the engine draws have the standard error of 200 things, as those of the cell."""
    model, printed = run(CHAPTER)
    drawn = np.empty((200, 8))
    for kind in (0, 1):
        fitted, rt = engine(model, kind)
        drawn[kind::2] = fitted.draw(100, rng.generator(1, "test", kind), rt)
    before = vary(CHAPTER, ("known, answers = made, kinds", "pass"))[0]  # the last two lines replace what was learned
    for (junk, looks), error in zip(POOL, table(printed)[0][:, 1]):
        memory = before["known"][: 400 + junk, :looks]
        nearest = ((drawn[:, None, :looks] - memory) ** 2).sum(2).argmin(1)
        own = (before["answers"][nearest] != before["kinds"][:200]).mean()
        spread = (own * (1 - own) + error * (1 - error)) / 200
        assert abs(own - error) < 5.5 * (spread + 1e-3) ** 0.5


def test_what_is_said_of_the_print():
    errors, alone = table(run(CHAPTER)[1])
    on_training, on_made, on_fresh = errors.T
    assert not on_training.any()
    assert np.abs(on_made - on_fresh).max() <= 0.03 + 1e-9
    assert on_fresh[0] == 0.11 and alone == 0.16
    exact = table(vary(CHAPTER, ROUNDED)[1])[0]
    agreed = theory.kendall(exact[:, 1], exact[:, 2])
    assert round((agreed + 1) / 2 * 28) == 27
    strata = theory.same_stratum(np.array([junk for junk, _ in POOL]))
    assert theory.kendall(exact[:, 1], exact[:, 2], strata) == 1
    assert np.abs(exact[:, 1:] * 1000 % 10 - 5).min() > 0.5  # of a thousand things, none alone decides a percentage


def test_made_things_repeat():
    model = run(CHAPTER)[0]
    made = duplicates(model["made"], 0.7).support
    assert 200 < made < 250  # two hundred groups of five, and pairs within a group
    assert duplicates(model["fresh"], 0.7).support > 100 * made


def test_the_prediction_holds_for_other_seeds():
    errors, alone = over_seeds()
    _, on_made, on_fresh = errors.transpose(2, 0, 1)
    ranks = [theory.kendall(*each) for each in zip(on_made, on_fresh)]
    assert np.mean(ranks) > 0.8
    assert np.abs(on_made - on_fresh).mean() < 0.05
    loss = alone - on_fresh[:, 0]
    assert loss.mean() > 0.02 and loss.mean() > 4 * loss.std(ddof=1) / len(loss) ** 0.5


def test_a_generator_that_copies_predicts_nothing():
    errors, _ = over_seeds((MADE, "made = couples[:100]"), count=2)
    assert errors[:, :, 1].max() < 0.01 < 0.1 < errors[:, 1:, 2].min()


def test_a_generator_of_another_world_predicts_little():
    """Gaussians without the training things' directions: level and order are lost."""
    errors, _ = over_seeds((MADE, "made = draw.normal(size=(100, 16))"), count=6)
    _, on_made, on_fresh = errors.transpose(2, 0, 1)
    assert on_made.mean() > 0.4 and np.abs(on_made - on_fresh).mean() > 0.1
    assert np.mean([theory.kendall(*each) for each in zip(on_made, on_fresh)]) < 0.5
