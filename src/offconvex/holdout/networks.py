"""Small classifiers of Fashion-MNIST, many trained at once on a replica axis. Float32: networks, not theorems."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from offconvex import rng
from offconvex.runtime import Runtime

SIDE = 14  # pixels of a side after averaging 2 x 2 blocks
FAMILIES = ("linear", "mlp", "deep", "cnn")
CHOICES = {
    "width": (32, 64),
    "activation": ("relu", "tanh"),
    "norm": (False, True),
    "rate": (0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    "momentum": (0.0, 0.9),
    "decay": (0.0, 1e-4, 1e-3),
    "batch": (50, 100, 200),
    "epochs": (3, 6),
    "cosine": (False, True),
    "shift": (False, True),
}
"""Values that a hyper-parameter may take, round numbers as people choose them."""


@dataclass(frozen=True)
class Trial:
    """Architecture and hyper-parameters of one network.

    Attributes:
        family: "linear"; "mlp", one hidden layer; "deep", two; "cnn", two 3 x 3 convolutions of stride 2.
        width: hidden units; a cnn has width / 8 channels, then twice as many.
        activation: "relu" or "tanh".
        norm: batch normalization after each hidden layer.
        rate: first learning rate.
        momentum: of gradient descent.
        decay: of the weights, added to the gradient.
        batch: images a step.
        epochs: passes over the training images.
        cosine: the rate falls to zero along half a cosine.
        shift: each batch is moved by a random pixel or none in both directions.
    """

    family: str = "mlp"
    width: int = 64
    activation: str = "relu"
    norm: bool = False
    rate: float = 0.1
    momentum: float = 0.0
    decay: float = 0.0
    batch: int = 100
    epochs: int = 6
    cosine: bool = False
    shift: bool = False

    def __post_init__(self):
        if self.family not in FAMILIES:
            raise ValueError(f"`family` must be one of {', '.join(FAMILIES)}; got {self.family!r}.")
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"`{name}` must be one of {', '.join(map(str, allowed))}; got {getattr(self, name)}.")

    @property
    def shape(self) -> tuple:
        """What must be equal for trials to train together: all but rate, momentum and decay."""
        return (
            self.family, self.width, self.activation, self.norm, self.batch, self.epochs, self.cosine, self.shift
        )  # fmt: skip


def shrink(pixels: Float[Tensor, "n 28 28"]) -> Float[Tensor, "n 14 14"]:
    """Images (n, 28, 28) averaged over 2 x 2 blocks, (n, 14, 14), shifted and scaled to mean 0 and deviation 1."""
    small = functional.avg_pool2d(pixels[:, None], 2)[:, 0]
    return (small - MEAN) / DEVIATION


# Of the averaged pixels of the first 10,000 training images; fixed numbers, so that no test image enters.
MEAN, DEVIATION = 0.286, 0.333


def train(
    trials: Sequence[Trial],
    images: Float[Tensor, "n 14 14"],
    labels: Int[Tensor, " n"],
    rt: Runtime,
    seed: int,
    *stream: str | int,
) -> "Networks":
    """Networks of equal shape after stochastic gradient descent on the cross-entropy.

    All trials see the same batches; starts are independent, He's with deviation (2 / fan-in)^(1/2), last layer
    (1 / fan-in)^(1/2), and offsets zero. A start is drawn from the stream of its own place, the first after `stream`.

    Args:
        trials: settings of one shape.
        images: (n, 14, 14) training images.
        labels: (n,) their classes.
        rt: device and precision.
        seed: of starts, batches and shifts.
        stream: name of the use.

    Raises:
        ValueError: if the trials differ in shape.
    """
    first = trials[0]
    if len({trial.shape for trial in trials}) > 1:
        raise ValueError("Networks that train together must agree in all but rate, momentum and decay.")
    starts = [_start(first, rt, rng.generator(seed, *stream, "start", place)) for place, _ in enumerate(trials)]
    weights = [torch.stack(group).requires_grad_() for group in zip(*starts)]
    velocity = [torch.zeros_like(w) for w in weights]
    rate, momentum, decay = (
        rt.tensor([getattr(trial, name) for trial in trials]) for name in ("rate", "momentum", "decay")
    )
    order = rng.generator(seed, *stream, "order")
    steps = len(images) // first.batch
    for epoch in range(first.epochs):
        rows = rt.permutation(order, len(images))
        moves = torch.randint(-1, 2, (steps, 2), generator=order, device="cpu").tolist()
        for step in range(steps):
            batch = rows[step * first.batch : (step + 1) * first.batch]
            seen = images[batch]
            if first.shift:
                seen = _moved(seen, *moves[step])
            logits = _forward(first, weights, seen)
            target = labels[batch].expand(len(trials), -1)
            loss = functional.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="sum") / first.batch
            gradients = torch.autograd.grad(loss, weights)
            part = (epoch + step / steps) / first.epochs
            angle = torch.tensor(torch.pi * part, dtype=rt.dtype, device="cpu")  # where a number costs no transfer
            factor = 0.5 * (1 + torch.cos(angle)) if first.cosine else 1.0
            with torch.no_grad():
                for w, v, g in zip(weights, velocity, gradients):
                    across = (-1, *(1,) * (w.dim() - 1))
                    v.mul_(momentum.view(across)).add_(g + decay.view(across) * w)
                    w -= (factor * rate).view(across) * v
    return Networks(first, [w.detach() for w in weights], images[:STATISTICS])


STATISTICS = 2000  # training images whose statistics a normalized layer uses at test time


@dataclass(frozen=True)
class Networks:
    """Trained networks of one shape.

    Attributes:
        trial: one of their settings; shape and family are common.
        weights: per layer, (R, ...) over replicas.
        typical: training images that give the statistics of normalized layers.
    """

    trial: Trial
    weights: list[torch.Tensor]
    typical: torch.Tensor

    def predict(self, images: Float[Tensor, "n 14 14"], *, chunk: int = 2000) -> Int[Tensor, "R n"]:
        """Classes (R, n) of images (n, 14, 14)."""
        with torch.no_grad():
            statistics: list = []
            if self.trial.norm:
                _forward(self.trial, self.weights, self.typical, record=statistics)
            parts = [
                _forward(self.trial, self.weights, images[i : i + chunk], use=statistics).argmax(-1)
                for i in range(0, len(images), chunk)
            ]
        return torch.cat(parts, dim=1)


def _start(trial: Trial, rt: Runtime, generator: torch.Generator) -> list[torch.Tensor]:
    channels, pixels = trial.width // 8, SIDE * SIDE
    if trial.family == "cnn":
        shapes = [(channels, 1, 3, 3), (2 * channels, channels, 3, 3), (32 * channels, 10)]
        fans = [9, 9 * channels, 32 * channels]
    else:
        hidden = {"linear": [], "mlp": [trial.width], "deep": [trial.width] * 2}[trial.family]
        sizes = [pixels, *hidden, 10]
        shapes, fans = list(zip(sizes, sizes[1:])), sizes[:-1]
    gains = [2.0] * (len(shapes) - 1) + [1.0]
    start = []
    for shape, fan, gain in zip(shapes, fans, gains):
        start.append(rt.normal(generator, *shape) * (gain / fan) ** 0.5)
        start.append(rt.zeros(shape[0] if len(shape) == 4 else shape[1]))
    return start


def _forward(trial, weights, images, *, record: list | None = None, use: Sequence = ()) -> torch.Tensor:
    """Logits (R, B, 10); `record` collects the statistics of normalized layers, `use` gives them."""
    replicas, size = len(weights[0]), len(images)
    last = len(weights) // 2 - 1
    hidden = images[:, None] if trial.family == "cnn" else images.flatten(1).expand(replicas, -1, -1)
    for layer in range(last + 1):
        kernel, offset = weights[2 * layer], weights[2 * layer + 1]
        if trial.family == "cnn" and layer < last:
            # Replicas are groups of channels; the first convolution has one input for all of them.
            groups = 1 if layer == 0 else replicas
            hidden = functional.conv2d(
                hidden, kernel.flatten(0, 1), offset.flatten(), stride=2, padding=1, groups=groups
            )
        else:
            if trial.family == "cnn":
                hidden = hidden.view(size, replicas, -1).transpose(0, 1)
            hidden = torch.baddbmm(offset[:, None], hidden, kernel)
        if layer < last:
            if trial.norm:
                # The batch and, in a convolution, the places: all but replica and unit.
                over = (0, 2, 3) if trial.family == "cnn" else (1,)
                if use:
                    mean, variance = use[layer]
                else:
                    variance, mean = torch.var_mean(hidden, over, keepdim=True, correction=0)
                if record is not None:
                    record.append((mean, variance))
                hidden = (hidden - mean) * (variance + 1e-5).rsqrt()
            hidden = hidden.relu() if trial.activation == "relu" else hidden.tanh()
    return hidden


def _moved(images: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """Images moved by at most one pixel, the background's value coming in."""
    background = -MEAN / DEVIATION
    padded = functional.pad(images, (1, 1, 1, 1), value=background)
    return padded[:, 1 - down : 1 - down + SIDE, 1 - right : 1 - right + SIDE]
