"""What privacy costs a learner on features fixed beforehand: by budget, features, size and accounting."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from offconvex import datasets, rng, runtime
from offconvex.files import Arrays
from offconvex.instahide.classifier import ClassifierTraining, ConvolutionalClassifier, train
from offconvex.instahide.privacy import features, learner, theory
from offconvex.instahide.privacy.learner import PrivateDescent
from offconvex.instahide.utility import centered
from offconvex.runtime import Runtime
from offconvex.stored import StoredExperiment, stack

OPEN = PrivateDescent(steps=400, rate=40.0, clip=float("inf"))
"""Open training of the same model, longer than the private one: it ended best among the settings tried."""
UNCLIPPED = PrivateDescent(clip=float("inf"))
"""Private training without its clip, to see what clipping alone costs."""
LONG = PrivateDescent(steps=400, rate=20.0)
"""Private training as long as the open one, for large budgets."""
NEIGHBOURS = {"add or remove": 1.0, "replace": 2.0}
"""How far one example moves the sum of gradients, in units of the clip, by what counts as a neighboring data set."""


@dataclass(frozen=True)
class PrivateLearning:
    """Settings of the comparison on Fashion-MNIST.

    Attributes:
        budgets: epsilons at `delta`.
        delta: of the guarantee.
        seeds: of noise, random features, permuted labels and networks.
        arms: ways to train, and how many of the seeds each has.
        images: private images, the first of the training set.
        descent: private training; rate and steps were chosen on other images (`CHOICE`).
        public: public images of classes 5 to 9, the first of these beyond the private ones.
        epochs: of training on public images.
    """

    budgets: tuple[float, ...] = (0.1, 1.0, 3.0, 8.0, 15.0, 30.0, 60.0)
    delta: float = 1e-5
    seeds: tuple[int, ...] = tuple(range(600, 610))
    arms: tuple[tuple[str, int], ...] = (
        ("fixed", 10), ("long", 3), ("random", 3), ("few", 5), ("permuted", 2), ("raw", 2), ("pretrained", 2)
    )  # fmt: skip
    images: int = 10_000
    descent: PrivateDescent = PrivateDescent()
    public: int = 20_000
    epochs: int = 5


@dataclass(frozen=True)
class Sets:
    """Features of private images and of test images, with their labels.

    Attributes:
        private: (n, d).
        labels: (n,).
        test: (m, d).
        truth: (m,).
    """

    private: torch.Tensor
    labels: torch.Tensor
    test: torch.Tensor
    truth: torch.Tensor

    def accuracies(
        self, noise: list[float], settings: PrivateDescent, rt: Runtime, seed: int, *stream: str | int
    ) -> Float[np.ndarray, " R"]:
        """Test accuracy after training with each noise multiplier."""
        weights = learner.train(self.private, self.labels, rt.tensor(noise), settings, rt, seed, *stream)
        return learner.accuracy(weights, self.test, self.truth).double().cpu().numpy()


@cache
def _loaded(rt: Runtime, full: bool) -> tuple[datasets.Images, datasets.Images]:
    return datasets.fashion_mnist("train", full=full, rt=rt), datasets.fashion_mnist("test", full=full, rt=rt)


def shown_sets(rt: Runtime, images: int, make: Callable[[Tensor], Tensor], *, full: bool = True) -> Sets:
    """The first `images` training images and the test images, as `make` shows them."""
    known, test = _loaded(rt, full)
    return Sets(make(known.pixels[:images]), known.labels[:images], make(test.pixels), test.labels)


@cache
def fixed_sets(rt: Runtime, images: int, *, full: bool = True) -> Sets:
    """The same as fixed orientations; made once for all parts of a study."""
    return shown_sets(rt, images, features.orientations, full=full)


def noises(config: PrivateLearning, settings: PrivateDescent) -> list[float]:
    """Noise multiplier for each budget."""
    return [theory.noise_multiplier(epsilon, config.delta, settings.steps) for epsilon in config.budgets]


def public_network(config: PrivateLearning, rt: Runtime, seed: int) -> Callable[[Tensor], Float[Tensor, "n 128"]]:
    """Last hidden layer, scaled to unit norm, of a network trained openly on public images of five classes."""
    data, _ = _loaded(rt, True)
    pixels, labels = data.pixels[config.images :], data.labels[config.images :]
    rows = (labels >= 5).nonzero()[: config.public, 0]
    images, targets = centered(pixels[rows]), rt.eye(10)[labels[rows]]
    settings = ClassifierTraining(epochs=config.epochs)
    network = train(lambda epoch: (images, targets), settings, rt, seed, "private", "public").classifier
    return lambda shown: hidden(network, centered(shown))


def hidden(network: ConvolutionalClassifier, images: Float[Tensor, "n 28 28"]) -> Float[Tensor, "n 128"]:
    """Hidden layer of a classifier at images (n, 28, 28), each scaled to unit norm."""
    with torch.no_grad():
        return functional.normalize(torch.cat([network.hidden(part) for part in images.split(2000)]))


def show(arm: str, config: PrivateLearning, rt: Runtime, seed: int) -> Callable[[Tensor], Tensor]:
    """What an arm without fixed orientations is given of images."""
    if arm in ("random", "few"):
        count = {"random": features.SIZE, "few": 39}[arm]
        return lambda pixels: features.random_relu(pixels, count, rt, seed, "private", arm)
    if arm == "pretrained":
        return public_network(config, rt, seed)
    return features.raw


def permuted(labels: Int[Tensor, " n"], rt: Runtime, seed: int) -> Int[Tensor, " n"]:
    """The labels in another order, so that they belong to other images."""
    return labels[rt.permutation(rng.generator(seed, "private", "labels"), len(labels))]


def arm_parts(config: PrivateLearning) -> dict[str, tuple[str, int]]:
    """Every arm with each of its seeds."""
    return {f"{arm}-{seed}": (arm, seed) for arm, count in config.arms for seed in config.seeds[:count]}


def run_arm(config: PrivateLearning, arm: str, seed: int) -> Arrays:
    """One arm and seed.

    Returns:
        "accuracy" (2 + budgets,) on the full test set: open, clipped without noise, then with each budget's noise. Open
        training that is the same for all seeds stands with the first; where it is not there is NaN.
    """
    rt = runtime.resolve("cpu", torch.float32)
    fixed = arm in ("fixed", "long", "permuted")
    sets = fixed_sets(rt, config.images) if fixed else shown_sets(rt, config.images, show(arm, config, rt, seed))
    if arm == "permuted":
        sets = replace(sets, labels=permuted(sets.labels, rt, seed))
    settings = LONG if arm == "long" else config.descent
    own = arm in ("random", "few", "pretrained") or (arm in ("fixed", "raw") and seed == config.seeds[0])
    opened = sets.accuracies([0.0], OPEN, rt, seed, "private", arm) if own else [np.nan]
    private = sets.accuracies([0.0, *noises(config, settings)], settings, rt, seed, "private", arm)
    return {"accuracy": np.append(opened, private)}


def assemble_arms(config: PrivateLearning, results: Mapping[tuple, Arrays]) -> Arrays:
    """For each arm "arm" (its seeds, 2 + budgets)."""
    arms = dict.fromkeys(arm for arm, _ in results)
    return {arm: np.stack([part["accuracy"] for (name, _), part in results.items() if name == arm]) for arm in arms}


LEARNING = StoredExperiment(
    "private-learning", "private-learning", PrivateLearning(), arm_parts, run_arm, assemble_arms
)


# --- elsewhere: fewer images, smaller delta, the other neighbors ------------------------------------------------------


@dataclass(frozen=True)
class Elsewhere:
    """One departure from the comparison's conditions.

    Attributes:
        images: private images.
        delta: of the guarantee.
        neighbours: key of `NEIGHBOURS`.
    """

    images: int = 10_000
    delta: float = 1e-5
    neighbours: str = "add or remove"


@dataclass(frozen=True)
class PrivateElsewhere:
    """Settings of the attempts to make private learning on fixed features fail.

    Attributes:
        budgets: epsilons.
        seeds: of the noise.
        descent: private training.
        cases: departures, the first being none.
    """

    budgets: tuple[float, ...] = (1.0, 8.0)
    seeds: tuple[int, ...] = tuple(range(610, 620))
    descent: PrivateDescent = PrivateDescent()
    cases: tuple[Elsewhere, ...] = (
        Elsewhere(),
        Elsewhere(delta=1e-6),
        Elsewhere(delta=1e-8),
        Elsewhere(neighbours="replace"),
        Elsewhere(images=5000),
        Elsewhere(images=2000),
        Elsewhere(images=1000),
    )


def elsewhere_parts(config: PrivateElsewhere) -> dict[str, tuple[int]]:
    """One part for each departure, by its number."""
    return {f"case-{case}": (case,) for case in range(len(config.cases))}


def run_elsewhere(config: PrivateElsewhere, case: int) -> Arrays:
    """One departure.

    Returns:
        "open" () accuracy of open training on as many images; "accuracy" (budgets, seeds).
    """
    here, settings = config.cases[case], config.descent
    rt = runtime.resolve("cpu", torch.float32)
    sets = fixed_sets(rt, here.images)
    reach = NEIGHBOURS[here.neighbours]
    noise = [reach * theory.noise_multiplier(epsilon, here.delta, settings.steps) for epsilon in config.budgets]
    found = [sets.accuracies(noise, settings, rt, seed, "private", "elsewhere") for seed in config.seeds]
    return {"open": sets.accuracies([0.0], OPEN, rt, 0, "open")[0], "accuracy": np.stack(found, axis=1)}


ELSEWHERE = StoredExperiment(
    "private-elsewhere", "private-learning", PrivateElsewhere(), elsewhere_parts, run_elsewhere
)


# --- the choice of rate and steps -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PrivateChoice:
    """Settings tried on images that are neither private nor tested.

    Attributes:
        steps: of private descent.
        rates: of private descent.
        budgets: epsilons at `delta`.
        delta: of the guarantee.
        seed: of the noise.
        first: where the training images tried on begin in the training set; as many that are tested follow.
        images: how many.
    """

    steps: tuple[int, ...] = (30, 100, 200, 400)
    rates: tuple[float, ...] = (5.0, 10.0, 20.0, 40.0)
    budgets: tuple[float, ...] = (1.0, 8.0)
    delta: float = 1e-5
    seed: int = 500
    first: int = 20_000
    images: int = 10_000


def choice_parts(config: PrivateChoice) -> dict[str, tuple[int, float]]:
    """Every number of steps with every rate."""
    return {f"{steps}-{rate}": (steps, rate) for steps in config.steps for rate in config.rates}


def run_choice(config: PrivateChoice, steps: int, rate: float) -> Arrays:
    """One setting: "accuracy" (1 + budgets,), without noise and with each budget's."""
    rt = runtime.resolve("cpu", torch.float32)
    data = datasets.fashion_mnist("train", full=True, rt=rt)
    parts = [slice(config.first + i * config.images, config.first + (i + 1) * config.images) for i in range(2)]
    shown = [features.orientations(data.pixels[part]) for part in parts]
    sets = Sets(shown[0], data.labels[parts[0]], shown[1], data.labels[parts[1]])
    noise = [theory.noise_multiplier(epsilon, config.delta, steps) for epsilon in config.budgets]
    found = sets.accuracies([0.0, *noise], PrivateDescent(steps, rate), rt, config.seed, "private", "choice")
    return {"accuracy": found}


def assemble_choice(config: PrivateChoice, results: Mapping[tuple, Arrays]) -> Arrays:
    """Accuracies (steps, rates, 1 + budgets)."""
    found = stack(config, results)["accuracy"]
    return {"accuracy": found.reshape(len(config.steps), len(config.rates), -1)}


CHOICE = StoredExperiment(
    "private-choice", "private-learning", PrivateChoice(), choice_parts, run_choice, assemble_choice
)
