"""The published demonstration of Thresholdout: choosing features with a held-out set, exactly but without the features.

Features are independent standard normal, labels random signs, so that only signed features g_ij = y_i x_ij matter:
normal with mean mu_j. Their column means decide which features are chosen and are independent of the deviations from
them. It is therefore exact to draw all d means first, and afterwards n deviations for the few chosen columns only.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from offconvex import rng
from offconvex.holdout.leaderboard import thresholdout

SETS = ("train", "held out", "fresh")


@dataclass(frozen=True)
class Demonstration:
    """Sizes of the demonstration; defaults are those of dwork2015reusable.

    Attributes:
        size: n, examples in each of the three sets.
        features: d.
        informative: features that carry a signal; 0 for none.
        strength: their mean, in units of n^(-1/2).
        chosen: numbers of features that the classifier uses, rising.
        repetitions: independent repetitions.
        threshold: of Thresholdout, in units of n^(-1/2).
        noise: its noise, in the same units.
    """

    size: int = 10_000
    features: int = 10_000
    informative: int = 0
    strength: float = 6.0
    chosen: tuple[int, ...] = (10, 20, 50, 100, 150, 200, 300, 400, 500)
    repetitions: int = 20
    threshold: float = 4.0
    noise: float = 1.0

    def __post_init__(self):
        if not 0 <= self.informative <= self.features or min(self.size, self.repetitions) < 2:
            raise ValueError("Informative features must not exceed features, and sizes must be at least 2.")
        if not self.chosen or self.chosen[0] < 1 or list(self.chosen) != sorted({*self.chosen}):
            raise ValueError(f"Numbers of chosen features must be positive and rise; got {self.chosen}.")


def run(config: Demonstration, seed: int) -> dict[str, Float[np.ndarray, "{config.repetitions} {len(config.chosen)}"]]:
    """Accuracies, each (repetitions, chosen): "<arm> train", "<arm> held out" as reported, "<arm> fresh".

    The standard arm reads the held-out set freely; the "thresholdout" arm gets its correlations and its final accuracy
    through the mechanism.
    """
    stream = ("demonstration", config.size, config.features, config.informative)
    draws, unit = rng.numpy_generator(seed, *stream), config.size**-0.5
    mean = np.zeros(config.features)
    mean[: config.informative] = config.strength * unit
    found = {f"{arm} {name}": [] for arm in ("standard", "thresholdout") for name in SETS}
    for _ in range(config.repetitions):
        train, held_out = mean + unit * draws.normal(size=(2, config.features))
        answers = {
            "standard": held_out,
            "thresholdout": thresholdout(train, held_out, config.threshold * unit, config.noise * unit, draws),
        }
        chosen = {arm: _select(train, answer, unit, config.chosen[-1]) for arm, answer in answers.items()}
        scores = {
            name: _accuracies(config, draws, chosen, values) for name, values in zip(SETS, (train, held_out, None))
        }
        for arm in chosen:
            accuracies = {name: scores[name][arm] for name in SETS}
            if arm == "thresholdout":
                accuracies["held out"] = thresholdout(
                    accuracies["train"], accuracies["held out"], config.threshold * unit, config.noise * unit, draws
                )
            for name in SETS:
                found[f"{arm} {name}"].append(accuracies[name])
    return {name: np.array(rows) for name, rows in found.items()}


def _select(train: np.ndarray, answer: np.ndarray, unit: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Features correlated on both sets by over a standard error with one sign, best on train first; their signs."""
    agreeing = np.flatnonzero((np.abs(train) > unit) & (np.abs(answer) > unit) & (train * answer > 0))
    order = np.argsort(-np.abs(train[agreeing]), kind="stable")[:most]
    features = agreeing[order]
    return features, np.sign(train[features])


def _accuracies(config, draws, chosen, means) -> dict[str, np.ndarray]:
    """Accuracy on one set for each arm; `means` are the set's column means, None for fresh examples."""
    most = max(len(features) for features, _ in chosen.values())
    deviations = draws.standard_normal((config.size, most), dtype=np.float32)
    if means is not None:
        deviations -= deviations.mean(0)
    accuracies = {}
    for arm, (features, signs) in chosen.items():
        center = (
            means[features]
            if means is not None
            else config.strength * config.size**-0.5 * (features < config.informative)
        )
        counts = np.minimum(config.chosen, len(features))
        ends = np.concatenate([[0], counts])
        signed = deviations[:, : len(features)] * signs.astype(np.float32)
        blocks = np.stack([signed[:, a:b].sum(1, dtype=np.float64) for a, b in zip(ends, ends[1:])], axis=1)
        shift = np.array([(center * signs)[:count].sum() for count in counts])
        accuracies[arm] = (blocks.cumsum(1) + shift > 0).mean(0)
    return accuracies
