"""The stored pool -> rank correlations within strata, scores and errors, with bootstrap samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Shaped

from offconvex import rng
from offconvex.prediction import theory
from offconvex.prediction.baselines import BASELINES
from offconvex.prediction.classifiers import Member
from offconvex.prediction.experiments import KINDS, Study, members, unpacked
from offconvex.stored import Stored

GANS = "GAN"  # predictors of the networks are called "GAN 1", "GAN 2", ...
INTERVAL = (0.025, 0.975)  # quantiles of bootstrap samples


@dataclass(frozen=True)
class Pool:
    """What the long experiment says of its n classifiers.

    Attributes:
        config: its settings.
        studies: (n,) the seed of the study that each classifier belongs to; pairs are of one study.
        members: (n,) what each classifier is.
        test: (n,) accuracy on the 10,000 test images.
        fit: (n,) accuracy on the clean training images.
        lengths: (gans, lengths, n) accuracy on the samples of each network after each number of steps.
        simple: by name, (n,) accuracy on the samples of the simpler generators.
        baselines: by name, (n,), larger where a better test accuracy is promised.
    """

    config: Study
    studies: np.ndarray
    members: list[Member]
    test: np.ndarray
    fit: np.ndarray
    lengths: np.ndarray
    simple: Mapping[str, np.ndarray]
    baselines: Mapping[str, np.ndarray]

    def values(self, name: str) -> Shaped[np.ndarray, " {len(self.members)}"]:
        """A setting of every member."""
        return np.array([getattr(member, name) for member in self.members])

    @property
    def settings(self) -> dict[str, Shaped[np.ndarray, " {len(self.members)}"]]:
        """The grid of hyper-parameters that the competition's score conditions on."""
        return {name: self.values(name) for name in ("poison", "family", "wide", "recipe")}

    @property
    def gans(self) -> Float[np.ndarray, "gans {len(self.members)}"]:
        """Accuracy on the samples of each network at its final length."""
        return self.lengths[:, -1]

    @property
    def strata(self) -> Bool[np.ndarray, "n n"]:
        """Pairs of members of one study and equal poison."""
        return theory.same_stratum(self.studies, self.values("poison"))

    @property
    def predictors(self) -> dict[str, Float[np.ndarray, " {len(self.members)}"]]:
        """Every predictor by name: networks, simpler generators, baselines."""
        named = {f"{GANS} {place + 1}": score for place, score in enumerate(self.gans)}
        return named | dict(self.simple) | dict(self.baselines)


@dataclass(frozen=True)
class Table:
    """Every predictor's ranks and scores; arrays are in the order of the n names.

    Attributes:
        names: of the predictors, the knob last.
        inside: (n,) conditional tau, pairs of one study and equal poison.
        limits: (n, 2) 95 percent bootstrap interval of it, over classifiers.
        finer: (n,) tau over pairs of equal poison and recipe.
        whole: (n,) tau over all pairs of one study.
        score: (n,) the competition's score in percent.
        score_limits: (n, 2) its interval.
        samples: (n, count) conditional tau of the bootstrap samples.
    """

    names: list[str]
    inside: np.ndarray
    limits: np.ndarray
    finer: np.ndarray
    whole: np.ndarray
    score: np.ndarray
    score_limits: np.ndarray
    samples: np.ndarray

    def rows(self, kind: str) -> list[int]:
        """Places of the networks (kind GANS), of the simpler generators ("simple"), or of the baselines."""
        simple = [*KINDS]
        belongs = {
            GANS: lambda name: name.startswith(GANS),
            "simple": simple.__contains__,
            "baselines": BASELINES.__contains__,
        }[kind]
        return [place for place, name in enumerate(self.names) if belongs(name)]

    def lead(self) -> float:
        """Mean conditional tau of the networks minus the largest one of the baselines."""
        return float(self.inside[self.rows(GANS)].mean() - self.inside[self.rows("baselines")].max())

    def separable(self, rows: Sequence[int] | None = None) -> int:
        """Baselines that the mean of `rows`, by default the networks, exceeds in all but 2.5 percent of the samples."""
        own = self.samples[self.rows(GANS) if rows is None else rows].mean(0)
        lead = own - self.samples[self.rows("baselines")]
        return int((np.quantile(lead, INTERVAL[0], axis=1) > 0).sum())

    def score_ratio(self) -> float:
        """Mean competition's score of the networks over the largest one of the baselines."""
        return float(self.score[self.rows(GANS)].mean() / self.score[self.rows("baselines")].max())

    @property
    def columns(self) -> dict[str, object]:
        """What a figure of the table is made of, by name, each of length n."""
        return {
            "predictor": self.names, "inside": self.inside, "low": self.limits[:, 0], "high": self.limits[:, 1],
            "equal recipe": self.finer, "all pairs": self.whole, "score": self.score,
            "score low": self.score_limits[:, 0], "score high": self.score_limits[:, 1],
        }  # fmt: skip


def pool(found: Stored[Study]) -> Pool:
    """The stored experiment as a pool, without its twins."""
    config = found.config
    own = members(config)
    count = len(own)
    return Pool(
        config=config,
        studies=np.full(count, config.seed),
        members=own,
        test=found["test accuracy"][:count],
        fit=found["measures"][:count, 1 + BASELINES.index("training accuracy")],
        lengths=found["scores"][..., :count],
        simple=dict(zip(KINDS, found["simple scores"][:, :count])),
        baselines=dict(zip(BASELINES, found["measures"][:count, 1:].T)),
    )


def together(pools: Sequence[Pool]) -> Pool:
    """Pools of several studies as one, in which each network's predictions go on with those of its namesakes.

    Raises:
        ValueError: if the studies differ in anything but their seeds, or not in these.
    """
    first, seeds = pools[0].config, {each.config.seed for each in pools}
    if len(seeds) < len(pools) or any(replace(each.config, seed=first.seed) != first for each in pools):
        raise ValueError("Pools that are put together must come from studies that differ in their seeds alone.")
    return Pool(
        config=first,
        studies=np.concatenate([each.studies for each in pools]),
        members=[member for each in pools for member in each.members],
        test=np.concatenate([each.test for each in pools]),
        fit=np.concatenate([each.fit for each in pools]),
        lengths=np.concatenate([each.lengths for each in pools], axis=-1),
        simple={name: np.concatenate([each.simple[name] for each in pools]) for name in KINDS},
        baselines={name: np.concatenate([each.baselines[name] for each in pools]) for name in BASELINES},
    )


def inside(pool: Pool, predictor: Shaped[np.ndarray, " {len(pool.fit)}"], *equal: str) -> float:
    """Kendall's tau-b with test accuracy over pairs of one study and equal poison; 0 for a predictor constant there.

    `equal` names further settings in which a pair must agree.
    """
    pairs = pool.strata & theory.same_stratum(pool.studies, *(pool.values(name) for name in equal))
    found = theory.kendall(predictor, pool.test, pairs)
    return 0.0 if np.isnan(found) else found


def whole(pool: Pool, predictor: Shaped[np.ndarray, " {len(pool.fit)}"]) -> float:
    """Kendall's tau-b with test accuracy over all pairs of one study."""
    return theory.kendall(predictor, pool.test, theory.same_stratum(pool.studies))


def error(pool: Pool, predictor: Shaped[np.ndarray, " {len(pool.fit)}"]) -> float:
    """Mean absolute difference to test accuracy."""
    return float(np.abs(predictor - pool.test).mean())


def families(pool: Pool, predictor: Shaped[np.ndarray, " {len(pool.fit)}"]) -> dict[str, float]:
    """Tau-b of each family, over pairs of one study and equal poison."""
    result = {}
    for name in pool.config.families:
        own = pool.values("family") == name
        result[name] = theory.kendall(predictor[own], pool.test[own], pool.strata[np.ix_(own, own)])
    return result


def family_errors(pool: Pool, predictor: Shaped[np.ndarray, " {len(pool.fit)}"]) -> dict[str, float]:
    """Mean absolute difference to test accuracy of each family."""
    gaps, family = np.abs(predictor - pool.test), pool.values("family")
    return {name: float(gaps[family == name].mean()) for name in pool.config.families}


def resamples(pool: Pool, count: int, seed: int) -> Float[np.ndarray, "{count} {len(pool.fit)}"]:
    """How often each member occurs in bootstrap samples, drawn among those of its study and poison."""
    draws = rng.numpy_generator(seed, "bootstrap")
    result = np.zeros((count, len(pool.members)))
    for stratum in np.unique(pool.strata, axis=0):
        rows = np.flatnonzero(stratum)
        result[:, rows] = draws.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=count)
    return result


def inside_samples(
    pool: Pool,
    predictor: Shaped[np.ndarray, " {len(pool.fit)}"],
    counts: Float[np.ndarray, "count {len(pool.fit)}"],
) -> Float[np.ndarray, " count"]:
    """`inside` of each bootstrap sample, copies of one member being no pair."""
    first, second = theory.pair_signs(predictor), theory.pair_signs(pool.test)

    def total(signs: np.ndarray) -> np.ndarray:
        return ((counts @ (pool.strata * signs)) * counts).sum(1)

    norm = np.sqrt(total(first**2) * total(second**2))
    return np.divide(total(first * second), norm, out=np.zeros(len(counts)), where=norm > 0)


def competition(
    pool: Pool,
    predictor: Shaped[np.ndarray, " {len(pool.fit)}"],
    counts: Float[np.ndarray, " {len(pool.fit)}"] | None = None,
) -> float:
    """`theory.conditional_score` of a promise of accuracy, studies as strata, by one count of all cells.

    Of a bootstrap sample if its `counts` are given; copies of one member are no pair.
    """
    gap, studies = pool.fit - pool.test, np.unique(pool.studies, return_inverse=True)[1]
    one, other = np.nonzero(theory.same_stratum(studies) & ~np.eye(len(gap), dtype=bool))
    greater = 2 * (gap[one] > gap[other]) + (predictor[one] < predictor[other])
    weights = None if counts is None else counts[one] * counts[other]
    codes = [np.unique(values, return_inverse=True)[1] for values in pool.settings.values()]
    scores = []
    for place, first in enumerate(codes):
        for second in codes[place + 1 :]:
            both = (studies * (first.max() + 1) + first) * (second.max() + 1) + second
            cells = (both[one] * (both.max() + 1) + both[other]) * 4 + greater
            tables = np.bincount(cells, weights).astype(float)
            tables = np.pad(tables, (0, -len(tables) % 4)).reshape(-1, 2, 2)
            tables = tables[tables.sum((1, 2)) > 0]
            tables = tables / tables.sum((1, 2), keepdims=True)
            rows = _entropy(tables.sum(2)).sum()
            information = rows + _entropy(tables.sum(1)).sum() - _entropy(tables.reshape(-1, 4)).sum()
            scores.append(information / rows if rows > 0 else 0.0)
    return 100 * float(min(scores))


def competition_samples(
    pool: Pool,
    predictor: Shaped[np.ndarray, " {len(pool.fit)}"],
    counts: Float[np.ndarray, "count {len(pool.fit)}"],
) -> Float[np.ndarray, " count"]:
    """`competition` of each bootstrap sample."""
    return np.array([competition(pool, predictor, each) for each in counts])


def table(pool: Pool, samples: int, scored: int, seed: int) -> Table:
    """All predictors and the knob, with `samples` bootstrap samples of the rank and `scored` of the score."""
    named = pool.predictors | {"poison": -pool.values("poison").astype(float)}
    counts = resamples(pool, samples, seed)
    drawn = np.array([inside_samples(pool, each, counts) for each in named.values()])
    redrawn = np.array([competition_samples(pool, each, counts[:scored]) for each in named.values()])
    return Table(
        names=list(named),
        inside=np.array([inside(pool, each) for each in named.values()]),
        limits=np.quantile(drawn, INTERVAL, axis=1).T,
        finer=np.array([inside(pool, each, "recipe") for each in named.values()]),
        whole=np.array([whole(pool, each) for each in named.values()]),
        score=np.array([competition(pool, each) for each in named.values()]),
        score_limits=np.quantile(redrawn, INTERVAL, axis=1).T,
        samples=drawn,
    )


def shuffled(pool: Pool, found: Sequence[Stored], repetitions: int, seed: int) -> Float[np.ndarray, " {repetitions}"]:
    """`inside` of the samples of each study's first network whose labels were permuted."""
    predictions = _of_members(pool, [unpacked(each["predictions"][0]) for each in found])
    labels = np.arange(predictions.shape[1]) % 10
    draws = rng.numpy_generator(seed, "shuffled")
    return np.array(
        [inside(pool, (predictions == draws.permutation(labels)).mean(1)) for _ in range(repetitions)]
    )  # fmt: skip


def small_supports(
    pool: Pool, found: Sequence[Stored], supports: tuple[int, ...], repetitions: int, seed: int
) -> tuple[Float[np.ndarray, "{len(supports)} {repetitions}"], Float[np.ndarray, "{len(supports)} {repetitions}"]]:
    """A perfect generator that knows m real images only: mean absolute error and `inside`.

    Its m images are test images drawn at random; it is judged on the others.
    """
    right = _of_members(pool, [np.unpackbits(each["test right"], axis=1) for each in found]).astype(float)
    draws = rng.numpy_generator(seed, "supports")
    errors, ranks = np.empty((2, len(supports), repetitions))
    for row, support in enumerate(supports):
        for column in range(repetitions):
            order = draws.permutation(right.shape[1])
            known, rest = (right[:, rows].mean(1) for rows in (order[:support], order[support:]))
            errors[row, column] = np.abs(known - rest).mean()
            ranks[row, column] = theory.kendall(known, rest, pool.strata)
    return errors, ranks


def _of_members(pool: Pool, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of the members among stored arrays, one array a study: (members and twins, ...) -> (n, ...)."""
    count = len(pool.members) // len(arrays)
    return np.concatenate([each[:count] for each in arrays])


def _entropy(shares: np.ndarray) -> np.ndarray:
    """Entropy in bits over the last axis."""
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return -(shares * logs).sum(-1)
