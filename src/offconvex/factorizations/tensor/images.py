"""Fashion-MNIST as completion of a tensor of order 784, and two randomized variants of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import datasets, rng, runtime
from offconvex.factorizations.tensor.fit import FitSettings, fit, mean_error
from offconvex.runtime import Runtime
from offconvex.stored import StoredExperiment

VARIANTS = ("original", "random labels", "random images")
DESIGNS = {"pictures": ("original", "random labels"), "noise": ("random images",)}
"""Variants by the inputs that they share: all predictors on one design are fitted in the same matrix products."""

POSITIVE = 2.0
"""Target of the images of the chosen class; the others have target 0. Errors are divided by its square."""

PUBLISHED_RANKS = (1, 2, 4, 8, 15)
PUBLISHED = {
    "train": {
        "original": (0.0335, 0.027, 0.019, 0.012, 0.009),
        "random labels": (0.0885, 0.083, 0.0735, 0.056, 0.0345),
        "random images": (0.0885, 0.081, 0.0655, 0.041, 0.0145),
    },
    "test": {
        "original": (0.037, 0.037, 0.043, 0.052, 0.0565),
        "random labels": (0.0925, 0.0995, 0.113, 0.135, 0.148),
        "random images": (0.093, 0.100, 0.1275, 0.143, 0.1525),
    },
}
"""Means read off the figure in razin2021post, which has no table; good to about 3 %."""

TRIVIAL = 0.09
"""Error of always answering the share of the chosen class, one tenth: the variance of the label."""


@dataclass(frozen=True)
class ImageFits:
    """Ranks, labels and steps of the figure on Fashion-MNIST (razin2021implicit, Fig. 5).

    The images, their order, the tensor's order and the ranks are the source's; five of the ten labels are taken, and a
    fit takes 3,000 steps where the source takes 120,000.

    Attributes:
        ranks: numbers of components.
        labels: classes told from the rest, one predictor each.
        full: the full set, or the 10,000 and 2,000 images inside the package.
        fit: settings of the optimizer.
        slice: settings of a shorter fit of rank one on the images inside the package, small enough to be repeated live.
        seed: of the random variants, the starts and the order of the images.
        device: where to run.
    """

    ranks: tuple[int, ...] = (1, 2, 4, 8, 15)
    labels: tuple[int, ...] = (0, 2, 5, 6, 9)
    full: bool = True
    fit: FitSettings = field(default_factory=FitSettings)
    slice: FitSettings = field(default_factory=lambda: FitSettings(log_steps=80, factor_steps=40))
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self):
        if not self.ranks or min(self.ranks) < 1:
            raise ValueError(f"`ranks` must be one or more positive integers; got {self.ranks}.")
        if not self.labels or not set(self.labels) <= set(range(10)):
            raise ValueError(f"`labels` must be one or more of 0..9; got {self.labels}.")


@dataclass(frozen=True)
class Split:
    """Binary images of one split and the targets of one predictor per label and variant.

    Attributes:
        inputs: (n, 784) zeros and ones, uint8.
        targets: (n, P), 2 for the chosen class and 0 for the others, variant by variant.
    """

    inputs: torch.Tensor
    targets: torch.Tensor


def binary_split(config: ImageFits, design: str, split: str, rt: Runtime) -> Split:
    """One split with the inputs of a design: pixels above one half, or fair coins in their place.

    Random labels are the labels of the same split in another order, so the classes keep their sizes.

    Raises:
        ValueError: if the design is unknown.
    """
    if design not in DESIGNS:
        raise ValueError(f"`design` must be one of {', '.join(DESIGNS)}; got {design!r}.")
    images = datasets.fashion_mnist(split, full=config.full, rt=rt)
    chosen = torch.tensor(config.labels, device=rt.device)
    targets = POSITIVE * (images.labels[:, None] == chosen).to(rt.dtype)
    if design == "noise":
        coins = rng.numpy_generator(config.seed, "images", "pixels", split)
        bits = coins.integers(0, 2, size=(len(targets), images.pixels[0].numel()), dtype=np.uint8)
        return Split(torch.as_tensor(bits, device=rt.device), targets)
    shuffled = targets[rt.permutation(rng.generator(config.seed, "images", "labels", split), len(targets))]
    return Split((images.pixels.flatten(1) > 0.5).to(torch.uint8), torch.cat((targets, shuffled), 1))


def fit_design(
    config: ImageFits, design: str, components: int, settings: FitSettings
) -> tuple[Float[Tensor, "P {components} 2 N"], dict[str, Float[np.ndarray, "_ {len(config.labels)}"]]]:
    """Weights (P, R, 2, 784) of all labels and variants of a design, and their errors.

    Returns:
        Weights, and {"train", "test"}: (V, labels) errors in units of the squared positive target, so that always
        answering the share of the class gives its variance, about 0.09. Test errors count at most 1 an image.
    """
    rt = runtime.resolve(config.device, torch.float32)
    train, test = (binary_split(config, design, split, rt) for split in ("train", "test"))
    stream = ("images", design, components)
    weights = fit(
        train.inputs,
        train.targets,
        components=components,
        settings=settings,
        start=rng.generator(config.seed, *stream, "start"),
        order=rng.generator(config.seed, *stream, "order"),
        rt=rt,
    )
    unit = POSITIVE**2
    errors = {
        "train": mean_error(weights, train.inputs, train.targets) / unit,
        "test": mean_error(weights, test.inputs, test.targets, cap=unit) / unit,
    }
    variants = len(DESIGNS[design])
    return weights, {name: e.view(variants, -1).cpu().numpy() for name, e in errors.items()}


def fit_slice(config: ImageFits) -> dict[str, Float[np.ndarray, "3 {len(config.labels)}"]]:
    """Short fits of rank one on the images inside the package, {"train", "test"}: (3, labels) errors, as `VARIANTS`."""
    small = ImageFits(ranks=(1,), labels=config.labels, full=False, seed=config.seed, device=config.device)
    errors = [fit_design(small, design, 1, config.slice)[1] for design in DESIGNS]
    return {name: np.concatenate([e[name] for e in errors]) for name in ("train", "test")}


def errors_inside_package(
    config: ImageFits, weights: Float[np.ndarray, "labels R 2 N"]
) -> dict[str, Float[np.ndarray, " labels"]]:
    """Errors (labels,) of stored weights (labels, R, 2, 784) on the original images inside the package."""
    rt = runtime.resolve(config.device, torch.float32)
    small = ImageFits(labels=config.labels, full=False, seed=config.seed, device=config.device)
    unit, count = POSITIVE**2, len(config.labels)
    errors = {}
    for name, cap in (("train", np.inf), ("test", unit)):
        split = binary_split(small, "pictures", name, rt)
        errors[name] = (mean_error(rt.tensor(weights), split.inputs, split.targets[:, :count], cap=cap) / unit).cpu()
    return {name: e.numpy() for name, e in errors.items()}


def parts(config: ImageFits) -> dict[str, tuple]:
    """One part per design and rank, the longest first, and the slice that the chapter repeats."""
    ranks = sorted(config.ranks, reverse=True)
    return {f"{design}-{rank}": (design, rank) for rank in ranks for design in DESIGNS} | {"slice": ()}


def run_part(config: ImageFits, *which: str | int) -> dict[str, Float[np.ndarray, "..."]]:
    """Errors of a design and rank, or of the slice.

    For the original images also the weights, and their errors on images inside the package.
    """
    if not which:
        return fit_slice(config)
    design, rank = which
    weights, errors = fit_design(config, design, rank, config.fit)
    if design == "pictures":
        kept = weights[: len(config.labels)].cpu().numpy()
        inside = errors_inside_package(config, kept)
        errors |= {"weights": kept} | {f"inside_{name}": e for name, e in inside.items()}
    return errors


def assemble(
    config: ImageFits, results: Mapping[tuple, dict[str, Float[np.ndarray, "..."]]]
) -> dict[str, Float[np.ndarray, "..."]]:
    """Everything stored: errors (ranks, variants, labels), weights of the original fits, the slice."""

    def errors(name: str, rank: int) -> np.ndarray:
        return np.concatenate([results[design, rank][name] for design in DESIGNS])

    stored = {name: np.stack([errors(name, rank) for rank in config.ranks]) for name in ("train", "test")}
    for name in ("inside_train", "inside_test"):
        stored[name] = np.stack([results["pictures", rank][name] for rank in config.ranks])
    stored |= {f"weights_{rank}": results["pictures", rank]["weights"] for rank in config.ranks}
    return stored | {f"slice_{name}": value for name, value in results[()].items()}


IMAGES = StoredExperiment("tensor-images", "tensor-factorization", ImageFits(), parts, run_part, assemble)
