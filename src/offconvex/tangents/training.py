"""Taylorized training: a network and its Taylor models by stochastic gradient descent from one start."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from offconvex import datasets, rng
from offconvex.files import Arrays
from offconvex.runtime import Runtime
from offconvex.tangents.series import network, taylor


@dataclass(frozen=True)
class TaylorTraining:
    """Stochastic gradient descent on the cross-entropy of Fashion-MNIST, without offsets: bai2020taylorized in small.

    Attributes:
        widths: hidden widths, or channels.
        activation: "relu", "tanh" or "softplus".
        rate: learning rate, divided by ten after one half and again after three quarters of the epochs.
        epochs: passes over the training images.
        batch: images a step.
        count: training images, the first of the set.
        clip: largest norm of a replica's gradient.
        replicas: independent starts, trained together on the same batches.
        records: times at which test logits are compared, evenly spaced in the square root of time.
        gain: variance of a weight times its fan-in, but for the last layer, where it is 1.
        convolutional: hidden layers are 3 x 3 convolutions of the whole image without padding, then an average.
    """

    widths: tuple[int, ...] = (32, 32, 32, 32, 32)
    activation: str = "softplus"
    rate: float = 0.04
    epochs: int = 6
    batch: int = 100
    count: int = 10_000
    clip: float = 5.0
    replicas: int = 8
    records: int = 24
    gain: float = 2.0
    convolutional: bool = False

    @property
    def steps(self) -> int:
        """Steps of a run."""
        return self.epochs * (self.count // self.batch)


def source(epochs: int) -> TaylorTraining:
    """The thin convolutional network of bai2020taylorized on our images: four layers of 128 channels, ReLU."""
    return TaylorTraining(
        (128,) * 4, "relu", rate=0.1, epochs=epochs, batch=256, replicas=1, gain=1.0, convolutional=True
    )


def fashion(
    rt: Runtime, split: str, count: int, *, whole: bool = False
) -> tuple[Float[Tensor, "{count} ..."], Int[Tensor, " {count}"]]:
    """The first `count` images of the part inside the package, standardized, and their labels.

    They are averaged to 14 x 14 pixels and flat, (n, 196), or `whole`, (n, 1, 28, 28).
    """
    images = datasets.fashion_mnist(split, rt=rt)
    pixels = images.pixels[:count, None]
    pixels = pixels if whole else functional.avg_pool2d(pixels, 2)[:, 0].flatten(1)
    return (pixels - 0.286) / 0.333, images.labels[:count]


def record_steps(config: TaylorTraining) -> Int[np.ndarray, " T"]:
    """Steps after which test logits are compared, the last step last."""
    return np.unique(np.ceil(config.steps * np.linspace(0, 1, config.records + 1)[1:] ** 2).astype(int))


def draw_start(
    config: TaylorTraining, rt: Runtime, seed: int, *stream: str | int
) -> list[Float[Tensor, "{config.replicas} ..."]]:
    """Normal weights, one per layer, (R, out, in) or (R, out, in, 3, 3)."""
    sizes = (1 if config.convolutional else 196, *config.widths, 10)
    draw, last, start = rng.generator(seed, *stream, "start"), len(sizes) - 2, []
    for layer, (fan, out) in enumerate(zip(sizes, sizes[1:])):
        window = (3, 3) if config.convolutional and layer < last else ()
        gain = config.gain if layer < last else 1.0
        start.append(rt.normal(draw, config.replicas, out, fan, *window) * (gain / (fan * 3 ** len(window))) ** 0.5)
    return start


def train(
    config: TaylorTraining, orders: Sequence[int], rt: Runtime, seed: int, *stream: str | int, steps: int | None = None
) -> Arrays:
    """Train the network (order 0 stands for it) and its Taylor models side by side, on the same batches.

    Returns:
        "steps" (T,), and (models, R, T): "loss" on the first 1000 training images, "accuracy" on the test images,
        "cosine" between the test logits and those of the first model in `orders`; "travel" (models, R), the distance of
        all weights from the start over the norm of the start.
    """
    images, labels = fashion(rt, "train", config.count, whole=config.convolutional)
    test, test_labels = fashion(rt, "test", 2000, whole=config.convolutional)
    start = draw_start(config, rt, seed, *stream)
    moves = [[torch.zeros_like(w).requires_grad_() for w in start] for _ in orders]
    marks, shuffle = record_steps(config), rng.generator(seed, *stream, "order")
    marks = marks[marks <= (steps or config.steps)]
    kept, done = [], 0
    while done < marks[-1]:
        rows = rt.permutation(shuffle, config.count)[: config.count // config.batch * config.batch]
        for chosen in rows.view(-1, config.batch):
            share = done / config.steps
            rate = config.rate * (1.0 if share < 0.5 else 0.1 if share < 0.75 else 0.01)
            for order, move in zip(orders, moves):
                step(config, start, move, images[chosen], labels[chosen], order, rate)
            done += 1
            if done in marks:
                kept.append(_record(config, orders, start, moves, (images[:1000], labels[:1000]), (test, test_labels)))
            if done >= marks[-1]:
                break
    size = torch.stack([w.square().flatten(1).sum(1) for w in start]).sum(0)
    travel = [(torch.stack([v.detach().square().flatten(1).sum(1) for v in m]).sum(0) / size).sqrt() for m in moves]
    arrays = {key: np.stack([k[key] for k in kept], axis=-1) for key in kept[0]}
    return {"steps": marks, **arrays, "travel": torch.stack(travel).cpu().numpy()}


def value(
    config: TaylorTraining,
    start: Sequence[Float[Tensor, "R ..."]],
    move: Sequence[Float[Tensor, "R ..."]],
    inputs: Float[Tensor, "images ..."],
    order: int,
) -> Float[Tensor, "R images 10"]:
    """Logits of the Taylor model of that order, or of the network for order 0."""
    if order == 0:
        return network([w + v for w, v in zip(start, move)], inputs, config.activation)
    return taylor(start, move, inputs, order, config.activation)


def step(
    config: TaylorTraining,
    start: Sequence[Float[Tensor, "R ..."]],
    move: Sequence[Float[Tensor, "R ..."]],
    inputs: Float[Tensor, "images ..."],
    labels: Int[Tensor, " images"],
    order: int,
    rate: float,
) -> None:
    """One step of gradient descent on `move`, in place; the gradient of each replica is clipped on its own."""
    logits = value(config, start, move, inputs, order)
    target = labels.expand(len(logits), -1)
    loss = functional.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="sum") / len(labels)
    gradients = torch.autograd.grad(loss, move)
    with torch.no_grad():
        norm = torch.stack([g.square().flatten(1).sum(1) for g in gradients]).sum(0).sqrt()
        scale = rate * (config.clip / norm).clamp_max(1.0)
        for v, g in zip(move, gradients):
            v -= scale.view(-1, *(1,) * (g.dim() - 1)) * g


def _record(config: TaylorTraining, orders, start, moves, train_set, test_set) -> Arrays:
    kept: dict[str, list] = {"loss": [], "accuracy": [], "cosine": []}
    reference = None
    for order, move in zip(orders, moves):
        with torch.no_grad():
            seen, logits = (value(config, start, move, x, order) for x in (train_set[0], test_set[0]))
        reference = logits if reference is None else reference
        target = train_set[1].expand(len(seen), -1)
        loss = functional.cross_entropy(seen.transpose(1, 2), target, reduction="none").mean(1)
        kept["loss"].append(loss)
        kept["accuracy"].append((logits.argmax(2) == test_set[1]).to(logits.dtype).mean(1))
        kept["cosine"].append(functional.cosine_similarity(logits.flatten(1), reference.flatten(1), dim=1))
    return {key: torch.stack(rows).double().cpu().numpy() for key, rows in kept.items()}
