"""Rank correlation, the competition's score and the birthday test's formulas, by enumeration; NumPy and SciPy only."""

from itertools import permutations

import numpy as np
from jaxtyping import Bool, Float, Shaped


def pair_signs(values: Shaped[np.ndarray, "*any n"]) -> Float[np.ndarray, "*any n n"]:
    """Sign of values[..., i] - values[..., j], shape (..., n, n) (elementary)."""
    values = np.asarray(values, dtype=float)
    return np.sign(values[..., :, None] - values[..., None, :])


def same_stratum(*labels: Shaped[np.ndarray, " n"]) -> Bool[np.ndarray, "n n"]:
    """Which pairs (n, n) of items agree in all the labels (n,) given (elementary)."""
    arrays = [np.asarray(values) for values in labels]
    agree = np.ones((len(arrays[0]),) * 2, dtype=bool)
    for values in arrays:
        agree &= values[:, None] == values[None, :]
    return agree


def kendall(
    x: Shaped[np.ndarray, " n"],
    y: Shaped[np.ndarray, " n"],
    pairs: Shaped[np.ndarray, "n n"] | None = None,
    counts: Shaped[np.ndarray, " n"] | None = None,
) -> float:
    """Kendall's tau-b of x and y, over the pairs of items that `pairs` admits (kendall1938new).

    tau_b = sum sign(x_i - x_j) sign(y_i - y_j) / sqrt(pairs untied in x * pairs untied in y), which is the mean over
    pairs of the product of signs where nothing is tied. Restricted to pairs inside strata it is the conditional tau: a
    variable that is constant in each stratum has none.

    Args:
        x: (n,) predictions.
        y: (n,) what they predict.
        pairs: (n, n) admitted pairs; by default all.
        counts: (n,) how often each item was drawn, in a bootstrap sample; by default once.

    Returns:
        The value; NaN where no admitted pair is untied in x, or none in y.
    """
    first, second = pair_signs(x), pair_signs(y)
    weights = np.ones(first.shape) if pairs is None else np.asarray(pairs, dtype=float)
    if counts is not None:
        weights = weights * np.multiply.outer(counts, counts)
    norm = np.sqrt((weights * first**2).sum() * (weights * second**2).sum())
    return float((weights * first * second).sum() / norm) if norm > 0 else float("nan")


def mutual_information(table: Shaped[np.ndarray, "2 2"]) -> tuple[float, float]:
    """Mutual information I(V; M) and entropy H(V) in bits of a table of counts (2, 2), V the row.

    Elementary: by their definitions.
    """
    joint = np.asarray(table, dtype=float)
    joint = joint / joint.sum()
    rows, columns = joint.sum(1), joint.sum(0)
    independent = np.outer(rows, columns)
    full = joint > 0
    information = float((joint[full] * np.log2(joint[full] / independent[full])).sum())
    entropy = float(-(rows[rows > 0] * np.log2(rows[rows > 0])).sum())
    return information, entropy


def conditional_score(
    gap: Shaped[np.ndarray, " n"],
    complexity: Shaped[np.ndarray, " n"],
    settings: dict[str, Shaped[np.ndarray, " n"]],
    strata: Shaped[np.ndarray, " n"] | None = None,
) -> float:
    """The competition's score of a complexity measure, in percent (jiang2020neurips), by enumeration of its cells.

    For ordered pairs of models V = [gap_i > gap_j] and M = [complexity_i > complexity_j]. For each two of the settings,
    the pairs are split into cells by the values of both settings in both models; the score of the two is the mean over
    cells of I(V; M) over the mean of H(V), every combination of values counting as a cell, and the whole is the minimum
    over the twos. Self pairs are left out; cells without a pair count as zero in both means, which leaves the quotient
    unchanged; the score of two settings is 0 where no cell has entropy.

    Mutual information is blind to signs: a measure that is always wrong scores as much as one that is always right.

    Args:
        gap: (n,) training minus test accuracy.
        complexity: (n,) higher should mean a larger gap.
        settings: by name, (n,) discrete values of at least two hyper-parameters.
        strata: (n,) discrete values; pairs across them are left out, and each has cells of its own. By default one.

    Raises:
        ValueError: for fewer than two settings.
    """
    if len(settings) < 2:
        raise ValueError(f"The score conditions on two hyper-parameters; got {len(settings)}: {', '.join(settings)}.")
    worse = np.greater.outer(gap, gap)
    larger = np.greater.outer(complexity, complexity)
    strata = np.zeros(len(gap)) if strata is None else np.unique(strata, return_inverse=True)[1]
    distinct = same_stratum(strata) & ~np.eye(len(gap), dtype=bool)
    codes = {name: np.unique(values, return_inverse=True)[1] for name, values in settings.items()}
    scores = []
    for first, second in permutations(codes, 2):
        both = codes[first] * (codes[second].max() + 1) + codes[second]
        both = both + (both.max() + 1) * strata
        information, entropy = 0.0, 0.0
        for one in np.unique(both):
            for other in np.unique(both):
                cell = distinct & np.logical_and.outer(both == one, both == other)
                if not cell.any():
                    continue
                table = np.bincount(2 * worse[cell] + larger[cell], minlength=4).reshape(2, 2)
                found = mutual_information(table)
                information, entropy = information + found[0], entropy + found[1]
        scores.append(information / entropy if entropy > 0 else 0.0)
    return 100 * min(scores)


def birthday_chance(draws: int, support: float) -> float:
    """Chance that `draws` uniform draws from `support` items hold a pair of equal ones, exactly.

    1 - prod_{i < draws} (1 - i / support); about 1 - exp(-draws^2 / (2 support)) (arora2018gans).
    """
    if draws > support:
        return 1.0
    return float(-np.expm1(np.log1p(-np.arange(draws) / support).sum()))


def birthday_chance_approximate(
    draws: Shaped[np.ndarray, "*any"] | float, support: Shaped[np.ndarray, "*#any"] | float
) -> Float[np.ndarray, "..."] | float:
    """1 - exp(-s (s - 1) / (2 m)) for s draws from m items: collisions as a Poisson variable (elementary)."""
    draws = np.asarray(draws, dtype=float)
    return -np.expm1(-draws * (draws - 1) / (2 * np.asarray(support, dtype=float)))


def effective_support(
    collisions: Shaped[np.ndarray, "*any"] | float, items: Shaped[np.ndarray, "*any"] | float
) -> Float[np.ndarray, "..."] | float:
    """One over the chance that two draws collide: pairs s (s - 1) / 2 of s items over their collisions (elementary).

    A uniform distribution on m items has effective support m; any other on m items has less.
    """
    items = np.asarray(items, dtype=float)
    with np.errstate(divide="ignore"):
        return items * (items - 1) / 2 / np.asarray(collisions, dtype=float)


def birthday_size(support: float) -> int:
    """Fewest draws with a chance of at least one half for a collision, exactly; about 1.18 support^(1/2).

    Elementary.
    """
    draws = 1
    while birthday_chance(draws, support) < 0.5:
        draws += 1
    return draws


def known_images_error(
    accuracy: Float[np.ndarray, " n"], known: Shaped[np.ndarray, " k"], total: int
) -> Float[np.ndarray, " k"]:
    """Mean over classifiers of the expected |accuracy on m images - accuracy on the others|, (m values,).

    m of `total` images are drawn without replacement; the difference has the variance
    a (1 - a) N / (N - 1) (1/m + 1/(N - m)), and is normal for the m of interest, so that its mean absolute value is
    (2 / pi)^(1/2) times the deviation.
    Elementary: sampling without replacement.

    Args:
        accuracy: (n,) of the classifiers on all images.
        known: (k,) values of m, below `total`.
        total: N.
    """
    known = np.asarray(known, dtype=float)
    spread = accuracy * (1 - accuracy) * total / (total - 1)
    variance = spread * (1 / known + 1 / (total - known))[:, None]
    return np.sqrt(2 / np.pi * variance).mean(1)
