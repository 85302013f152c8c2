"""Wide two-layer networks beside their linearization and their infinite-width kernel."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from offconvex import rng
from offconvex.runtime import Runtime
from offconvex.tangents import theory
from offconvex.tangents.two_layer import TwoLayer, draw


@dataclass(frozen=True)
class Widths:
    """Full-batch gradient descent on half the sum of squares, inputs on the unit sphere, labels plus or minus one.

    Attributes:
        widths: even numbers of units.
        replicas: independent networks of each width.
        dimension: of the inputs.
        samples: training points.
        tests: test points.
        steps: of descent, each 1 / lambda_max of the infinite-width kernel.
        feature: the network is divided by (m / m_1)^(1/2), m_1 the first width, and its step multiplied by m / m_1:
            then units move as far as those of the narrowest, however wide it is, and it leaves the kernel's regime.
    """

    widths: tuple[int, ...] = (128, 256, 512, 1024, 2048)
    replicas: int = 32
    dimension: int = 10
    samples: int = 20
    tests: int = 20
    steps: int = 100
    feature: bool = False


@dataclass(frozen=True)
class Task:
    """Training and test points, labels, step, and the infinite-width kernel.

    Attributes:
        inputs: (n + t, d), the samples first.
        labels: (n,).
        kernel: (n + t, n) of infinite width.
        step: of descent.
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    kernel: np.ndarray
    step: float


def make_task(config: Widths, activation: str, rt: Runtime, seed: int) -> Task:
    """Points uniform on the sphere, fair coins as labels."""
    generator = rng.generator(seed, "wide", "task")
    points = rt.normal(generator, config.samples + config.tests, config.dimension)
    points = points / points.norm(dim=1, keepdim=True)
    labels = rt.normal(generator, config.samples).sign()
    kernel = theory.tangent_kernel(points.cpu().numpy(), points[: config.samples].cpu().numpy(), activation)
    return Task(points, labels, kernel, 1 / float(np.linalg.eigvalsh(kernel[: config.samples])[-1]))


def descend(net: TwoLayer, task: Task, steps: int) -> tuple[Float[Tensor, "R m d"], Float[Tensor, "{steps+1} R"]]:
    """Gradient descent on the movement; returns it, and the losses at all times."""
    inputs, size = task.inputs[: len(task.labels)], net.signs.shape[1]
    move, losses = torch.zeros_like(net.weights), []
    for _ in range(steps):
        units = inputs @ (net.weights + move).mT
        error = net.read(net.act.value(units)) - task.labels
        losses.append(0.5 * error.square().sum(1))
        pull = net.act.first(units) * error[..., None]
        move = move - task.step / size**0.5 * net.signs[..., None] * (pull.mT @ inputs)
    losses.append(0.5 * (net.value(move, inputs) - task.labels).square().sum(1))
    return move, torch.stack(losses)


@dataclass(frozen=True)
class WidthGaps:
    """Root mean squared differences over all points after training, (widths, R).

    Attributes:
        own: network minus its own linearization.
        kernel: network minus the kernel of infinite width.
    """

    own: np.ndarray
    kernel: np.ndarray


def gaps(config: Widths, activation: str, rt: Runtime, seed: int) -> WidthGaps:
    """Train networks of each width, and hold them against both of their limits."""
    base = make_task(config, activation, rt, seed)
    n, times = config.samples, np.array([config.steps])
    limit = rt.tensor(
        theory.kernel_descent(base.kernel[:n], base.kernel, base.labels.cpu().numpy(), base.step, times)[0]
    )
    own, kernel = [], []
    for width in config.widths:
        # Dividing the network and multiplying the labels are the same descent, seen in other units.
        unit = (width / config.widths[0]) ** 0.5 if config.feature else 1.0
        task = replace(base, labels=unit * base.labels)
        net = draw(
            rt, rng.generator(seed, "wide", activation, width), config.replicas, width, config.dimension, activation
        )
        values = net.value(descend(net, task, config.steps)[0], task.inputs)
        linear = torch.stack(
            [linear_prediction(k, task, config.steps) for k in net.tangent_kernel(task.inputs, task.inputs[:n])]
        )
        for found, other in ((own, linear), (kernel, unit * limit)):
            found.append(((values - other).square().mean(1).sqrt() / unit).cpu().numpy())
    return WidthGaps(np.stack(own), np.stack(kernel))


def linear_prediction(kernel: Float[Tensor, "points n"], task: Task, steps: int) -> Float[Tensor, " points"]:
    """What descent on the linearized network predicts, in closed form from its kernel."""
    k, y = kernel.cpu().numpy(), task.labels.cpu().numpy()
    return kernel.new_tensor(theory.kernel_descent(k[: len(y)], k, y, task.step, np.array([steps]))[0])


def linear_descent(net: TwoLayer, task: Task, steps: int) -> Float[Tensor, "R points"]:
    """The same by gradient descent on the movement of the linearized network itself."""
    inputs, size = task.inputs[: len(task.labels)], net.signs.shape[1]
    slopes, move = net.act.first(net.start(inputs)), torch.zeros_like(net.weights)
    for _ in range(steps):
        error = net.term(move, inputs, 1) - task.labels
        move = move - task.step / size**0.5 * net.signs[..., None] * ((slopes * error[..., None]).mT @ inputs)
    return net.term(move, task.inputs, 1)


def slopes(widths: tuple[int, ...], gap: Float[np.ndarray, "{len(widths)} R"]) -> tuple[float, float]:
    """Mean over replicas of the log-log slope of a gap, and half its 95 percent interval."""
    each = np.polyfit(np.log(widths), np.log(gap), 1)[0]
    return float(each.mean()), float(1.96 * each.std(ddof=1) / np.sqrt(len(each)))


@dataclass(frozen=True)
class LossDecay:
    """Training losses over those at the start.

    Attributes:
        loss: (widths, steps + 1, R).
        kernel: (steps + 1,) of the infinite-width kernel.
        least: the exponent 2 log(1 / (1 - step lambda_min)).
    """

    loss: np.ndarray
    kernel: np.ndarray
    least: float


def decay(config: Widths, activation: str, rt: Runtime, seed: int) -> LossDecay:
    """Training losses of each width, and the kernel's."""
    task = make_task(config, activation, rt, seed)
    n, labels = config.samples, task.labels.cpu().numpy()
    times = np.arange(config.steps + 1)
    kernel = theory.kernel_losses(task.kernel[:n], labels, task.step, times)
    losses = []
    for width in config.widths:
        unit = width**0.5 if config.feature else 1.0
        fitted = replace(task, labels=unit * task.labels)
        net = draw(
            rt, rng.generator(seed, "decay", activation, width), config.replicas, width, config.dimension, activation
        )
        losses.append((descend(net, fitted, config.steps)[1] / unit**2).cpu().numpy())
    least = np.linalg.eigvalsh(task.kernel[:n])[0]
    return LossDecay(np.stack(losses) / losses[0][0], kernel / kernel[0], float(-2 * np.log1p(-task.step * least)))


def rate(loss: Float[np.ndarray, "T ..."], first: int) -> Float[np.ndarray, "..."] | np.float64:
    """Mean decrease of log loss a step from step `first` to the end, of T losses on axis 0."""
    return -(np.log(loss[-1]) - np.log(loss[first])) / (len(loss) - 1 - first)
