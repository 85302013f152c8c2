"""MovieLens-100k by biases, soft-impute and the ratio. The data come with an optional package and are never kept."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from offconvex import rng, runtime
from offconvex.factorizations.penalties.dynamics import Schedule, fit
from offconvex.factorizations.penalties.model import PENALTIES
from offconvex.factorizations.penalties.proximal import soft_impute
from offconvex.files import Arrays
from offconvex.stored import StoredExperiment

SHAPE = (943, 1682)
COUNTS = (6110, 11370, 27145, 34174, 21201)
"""Users and items, and how many ratings of 1, 2, 3, 4, 5 there are: what the file must hold."""


@dataclass(frozen=True)
class Ratings:
    """Random splits into training, validation and test part, 81, 9 and 10 percent.

    Attributes:
        splits: number of splits.
        dampings: of the biases, tried on the validation part.
        thresholds: tau of soft-impute, tried on the validation part.
        weights: lambda of the ratio, tried on the validation part.
        rate: of Adam.
        steps: of Adam.
        every: steps between looks at the validation part.
        seed: of the splits.
    """

    splits: int = 3
    dampings: tuple[float, ...] = (2.0, 5.0, 10.0, 20.0)
    thresholds: tuple[float, ...] = (20.0, 14.0, 10.0, 7.0)
    weights: tuple[float, ...] = (0.1, 2.0)
    rate: float = 1e-2
    steps: int = 100
    every: int = 5
    seed: int = 0


def load() -> Float[np.ndarray, "100000 3"]:
    """Ratings (100000, 3): user and item, counted from zero, and stars.

    Raises:
        ValueError: if the package that ships the file is not installed, or the file is not the data set.
    """
    found = importlib.util.find_spec("recbole")  # locates it; importing it would need all that it depends on
    remedy = "install it with `pip install --no-deps recbole==1.2.1`."
    if found is None or not found.submodule_search_locations:
        raise ValueError(f"MovieLens-100k comes with the optional package recbole, which is not installed; {remedy}")
    file = Path(found.submodule_search_locations[0]) / "dataset_example" / "ml-100k" / "ml-100k.inter"
    try:
        rows = np.loadtxt(file.read_text().splitlines()[1:] or ["nothing"], delimiter="\t", usecols=(0, 1, 2))
    except (OSError, ValueError, IndexError):
        raise ValueError(f"The file {file.name} of the package recbole is missing or unreadable; {remedy}") from None
    stars = rows[:, 2] if rows.ndim == 2 else np.zeros(0)
    if tuple(np.bincount(stars.astype(int), minlength=6)[1:]) != COUNTS:
        raise ValueError(f"The file {file.name} does not hold the 100,000 ratings of MovieLens-100k; {remedy}")
    return rows - [1, 1, 0]


def ratings_parts(config: Ratings) -> dict[str, tuple[int]]:
    """One part per split."""
    return {f"split-{k}": (k,) for k in range(config.splits)}


def run_split(config: Ratings, split: int) -> Arrays:
    """Root mean square errors on the test part of every method, each chosen on the validation part alone."""
    rt = runtime.resolve("cpu")
    return compare(config, load(), SHAPE, rt, split)


def compare(
    config: Ratings, rows: Float[np.ndarray, "N 3"], shape: tuple[int, int], rt: runtime.Runtime, split: int
) -> Arrays:
    """Errors of all methods on one split of ratings (N, 3).

    Returns:
        "mean", "biases", "soft-impute", "ratio": test errors () at the choices made on the validation part;
        "steps" (T,), "validation" and "test" (weights, T): the ratio's errors along its runs; "stopped" (): its step;
        "path" (thresholds,): soft-impute's test errors; "ranks" (2,): effective ranks of ratio and soft-impute.
    """
    order = rng.numpy_generator(config.seed, "ratings", split).permutation(len(rows))
    held, checked = len(rows) // 10, int(0.09 * len(rows))
    test, validation, train = np.split(rows[order], [held, held + checked])
    mean = train[:, 2].mean()
    offsets = [biases(train, shape, damping) for damping in config.dampings]
    base = min(offsets, key=lambda table: rmse(table, validation))
    target, mask = rt.zeros(1, *shape), rt.zeros(1, *shape)
    users, items = train[:, 0].astype(int), train[:, 1].astype(int)
    target[0, users, items] = rt.tensor(train[:, 2] - base[users, items])
    mask[0, users, items] = 1
    convex = soft_impute(target, mask, list(config.thresholds), tolerance=1e-2, iterations=20)
    completed = [base + product[0].cpu().numpy() for product in convex.products]
    best = min(range(len(completed)), key=lambda k: rmse(completed[k], validation))
    looks = tuple(range(0, config.steps, config.every))
    runs = [
        fit(target, mask, (target,), Schedule("Adam", config.steps), rate=config.rate, penalty=PENALTIES["ratio"],
            weight=weight, keep=looks).products[:, 0]
        for weight in config.weights
    ]  # fmt: skip
    errors = {
        name: np.array([[rmse(base + w.cpu().numpy(), part) for w in run] for run in runs])
        for name, part in (("validation", validation), ("test", test))
    }
    row, column = np.unravel_index(errors["validation"].argmin(), errors["validation"].shape)
    chosen = torch.stack([runs[row][column], convex.products[best, 0]])
    values = torch.linalg.svdvals(chosen)
    shares = values / values.sum(1, keepdim=True)
    return {
        "mean": rmse(np.full(shape, mean), test),
        "biases": rmse(base, test),
        "soft-impute": rmse(completed[best], test),
        "ratio": errors["test"][row, column],
        "steps": np.array(looks),
        "stopped": looks[column],
        "weight": config.weights[row],
        "threshold": config.thresholds[best],
        "path": np.array([rmse(table, test) for table in completed]),
        "ranks": torch.special.entr(shares).sum(1).exp().cpu().numpy(),
        **errors,
    }


def biases(
    train: Float[np.ndarray, "N 3"], shape: tuple[int, int], damping: float, sweeps: int = 10
) -> Float[np.ndarray, "{shape[0]} {shape[1]}"]:
    """Mean + user offset + item offset (users, items), each offset a sum of residuals over count + damping."""
    users, items, stars = train[:, 0].astype(int), train[:, 1].astype(int), train[:, 2]
    mean, user, item = stars.mean(), np.zeros(shape[0]), np.zeros(shape[1])
    for _ in range(sweeps):
        item = _offsets(items, stars - mean - user[users], shape[1], damping)
        user = _offsets(users, stars - mean - item[items], shape[0], damping)
    return mean + user[:, None] + item


def rmse(table: Float[np.ndarray, "users items"], part: Float[np.ndarray, "N 3"]) -> float:
    """Root mean square error of predictions (users, items), clipped to one to five stars, on ratings (N, 3)."""
    predicted = table[part[:, 0].astype(int), part[:, 1].astype(int)].clip(1, 5)
    return float(np.sqrt(np.mean((predicted - part[:, 2]) ** 2)))


def _offsets(index: np.ndarray, residual: np.ndarray, size: int, damping: float) -> np.ndarray:
    return np.bincount(index, residual, size) / (np.bincount(index, minlength=size) + damping)


RATINGS = StoredExperiment("penalties-ratings", "explicit-penalties", Ratings(), ratings_parts, run_split)
