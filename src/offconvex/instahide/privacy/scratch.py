"""A network trained from scratch with differential privacy: a stored experiment that needs Opacus."""

import importlib.util
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from offconvex import datasets, rng, runtime
from offconvex.files import Arrays
from offconvex.stored import StoredExperiment, stack

PACKAGE = "opacus"


@dataclass(frozen=True)
class PrivateTraining:
    """Settings of the comparison on Fashion-MNIST, 10,000 training images.

    Attributes:
        budgets: privacy budgets epsilon at `delta`; 0 stands for training without privacy.
        delta: of the guarantee.
        seeds: of starts, batches and noise.
        images: private images, the first of the training set.
        epochs: expected passes over them.
        batch: expected images a step, each drawn independently.
        clip: bound on the norm of an image's gradient.
        rate: learning rate.
    """

    budgets: tuple[float, ...] = (8.0, 0.0, 1.0)
    delta: float = 1e-5
    seeds: tuple[int, ...] = (600, 601, 602, 603, 604)
    images: int = 10_000
    epochs: int = 5
    batch: int = 250
    clip: float = 1.0
    rate: float = 0.5


def require_opacus() -> None:
    """Say how to get Opacus if it is absent.

    Raises:
        ValueError: if it is.
    """
    if importlib.util.find_spec(PACKAGE) is None:
        raise ValueError(
            "Private training needs Opacus, which is not installed; expected opacus 1.6.0 and opt-einsum 3.4.0: "
            "pip install --no-deps opacus==1.6.0 opt-einsum==3.4.0."
        )


def network(seed: int, *stream: str | int) -> nn.Module:
    """Two convolutions and a small hidden layer with tanh, 26,000 parameters, no batch statistics."""
    layers = nn.Sequential(
        nn.Conv2d(1, 16, 8, 2, padding=3, device="cpu"), nn.Tanh(), nn.MaxPool2d(2, 1),
        nn.Conv2d(16, 32, 4, 2, device="cpu"), nn.Tanh(), nn.MaxPool2d(2, 1),
        nn.Flatten(), nn.Linear(512, 32, device="cpu"), nn.Tanh(), nn.Linear(32, 10, device="cpu"),
    )  # fmt: skip
    generator = rng.generator(seed, *stream, "start")
    with torch.no_grad():
        for parameter in layers.parameters():
            fan = parameter[0].numel() if parameter.dim() > 1 else 0
            drawn = torch.randn(parameter.shape, generator=generator, device="cpu")
            parameter.copy_(drawn * fan**-0.5 if fan else torch.zeros_like(parameter))
    return layers


def parts(config: PrivateTraining) -> dict[str, tuple[float, int]]:
    """Every budget with every seed."""
    return {f"budget-{budget}-seed-{seed}": (budget, seed) for budget in config.budgets for seed in config.seeds}


def run_private(config: PrivateTraining, budget: float, seed: int) -> Arrays:
    """One budget and seed.

    Returns:
        "accuracy" () on the full test set; "spent" (), the epsilon that Opacus's accountant reports at the end.

    Raises:
        ValueError: if Opacus is not installed.
    """
    require_opacus()
    from opacus import PrivacyEngine

    # Opacus warns that a seeded generator is no secure one, and of its grid of orders: an experiment, not a deployment.
    warnings.filterwarnings("ignore", module=PACKAGE)
    rt = runtime.resolve("cpu", torch.float32)
    train, test = (datasets.fashion_mnist(split, full=True, rt=rt) for split in ("train", "test"))
    pixels, labels = 2 * train.pixels[: config.images, None] - 1, train.labels[: config.images]
    model = network(seed, "private", str(budget))
    optimizer = torch.optim.SGD(
        model.parameters(), lr=config.rate if budget else config.rate / 5, momentum=0.0 if budget else 0.9
    )
    data = torch.utils.data.TensorDataset(pixels, labels)
    draws = rng.generator(seed, "private", str(budget), "batches")
    loader = torch.utils.data.DataLoader(data, batch_size=config.batch, shuffle=True, generator=draws)
    engine = None
    if budget:
        engine = PrivacyEngine(accountant="rdp")
        model, optimizer, loader = engine.make_private_with_epsilon(
            module=model, optimizer=optimizer, data_loader=loader, target_epsilon=budget, target_delta=config.delta,
            epochs=config.epochs, max_grad_norm=config.clip, noise_generator=rng.generator(seed, "private", "noise"),
        )  # fmt: skip
    for _ in range(config.epochs):
        for images, classes in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), classes).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        logits = torch.cat([model(part) for part in (2 * test.pixels[:, None] - 1).split(1000)])
    accuracy = (logits.argmax(1) == test.labels).double().mean().item()
    return {"accuracy": np.array(accuracy), "spent": np.array(engine.get_epsilon(config.delta) if engine else np.inf)}


def assemble(config: PrivateTraining, results: Mapping[tuple, Arrays]) -> Arrays:
    """Arrays of all runs, budget first, then seed."""
    shape = (len(config.budgets), len(config.seeds))
    return {name: array.reshape(shape) for name, array in stack(config, results).items()}


SCRATCH = StoredExperiment("instahide-private", "private-learning", PrivateTraining(), parts, run_private, assemble)
