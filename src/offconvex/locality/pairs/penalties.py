"""How loudly penalties and labels speak at the start, and how far a penalty leads that descends alone. Float64."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from offconvex import configs
from offconvex.locality import networks, regularizer
from offconvex.locality.pairs import setting as settings
from offconvex.locality.pairs.setting import PairSetting
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class PenaltyStart:
    """Networks at their starts, with pairs of their own.

    Attributes:
        gaps: between the images.
        count: pairs of each network, one batch.
        networks: how many.
        base: everything else.
    """

    gaps: tuple[int, ...] = (0, 4, 8, 12, 16)
    count: int = 32
    networks: int = 6
    base: PairSetting = PairSetting(held_out=1)

    def setting(self, gap: int) -> PairSetting:
        """One gap."""
        return configs.varied(self.base, task={"gap": gap}, count=self.count)


@dataclass(frozen=True)
class PenaltySlopes:
    """Lengths of gradients by all weights, arrays (gaps, networks).

    Attributes:
        change: mean over pairs of 1 - |cos|.
        cosine: of the mean of |cos|.
        logarithm: of the mean of -ln(1 - |cos| + FLOOR).
        loss: of the mean logistic loss.
    """

    change: np.ndarray
    cosine: np.ndarray
    logarithm: np.ndarray
    loss: np.ndarray


def slopes(config: PenaltyStart, rt: Runtime, seed: int) -> PenaltySlopes:
    """Gradients of both penalties and of the loss where training begins."""
    penalties = {"cosine": regularizer.cosine_penalty, "logarithm": regularizer.log_penalty}
    found: dict[str, list[Tensor]] = {name: [] for name in ("change", *penalties, "loss")}
    for gap in config.gaps:
        setting = config.setting(gap)
        images, labels, weights = _begin(setting, config.networks, rt, seed)
        outputs, change = _change(setting, weights, images)
        loss = functional.binary_cross_entropy_with_logits(outputs, labels, reduction="none").mean(-1)
        found["change"].append(change.detach().mean(-1))
        for name, value in [*((n, p(change)) for n, p in penalties.items()), ("loss", loss)]:
            found[name].append(_length(_gradient(value, weights)))
    return PenaltySlopes(**{name: torch.stack(rows).cpu().numpy() for name, rows in found.items()})


@dataclass(frozen=True)
class Descent:
    """Plain descent on a penalty and nothing else.

    Attributes:
        times: (T,) steps times their size.
        change: (T, R) mean over pairs of 1 - |cos|.
    """

    times: np.ndarray
    change: np.ndarray

    def wait(self, change: float) -> Float[np.ndarray, " R"]:
        """First time at which each network has a change, NaN if it never does."""
        there = self.change >= change
        return np.where(there.any(0), self.times[there.argmax(0)], np.nan)


def alone(
    config: PenaltyStart, gap: int, penalty: str, until: float, rate: float, rt: Runtime, seed: int, *, steps: int = 300
) -> Descent:
    """Descend on a penalty, without labels, from the start on.

    Args:
        config: networks and pairs.
        gap: between the images.
        penalty: a name in PENALTIES.
        until: a change; the descent ends once all networks have had it.
        rate: size of a step.
        rt: device and precision.
        seed: of pairs and starts.
        steps: at most so many.
    """
    setting = config.setting(gap)
    images, _, weights = _begin(setting, config.networks, rt, seed)
    course: list[np.ndarray] = []
    while len(course) <= steps and (not course or np.any(np.max(course, 0) < until)):
        _, change = _change(setting, weights, images)
        course.append(change.detach().mean(-1).cpu().numpy())
        gradient = _gradient(regularizer.PENALTIES[penalty](change), weights)
        weights = [(w.detach() - rate * g).requires_grad_() for w, g in zip(weights, gradient, strict=True)]
    return Descent(rate * np.arange(len(course)), np.array(course))


def _begin(setting: PairSetting, count: int, rt: Runtime, seed: int) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Images (R, N, C, H, W), labels (R, N) and weights that ask for a gradient."""
    (images, labels), _ = settings.data(setting, rt, seed, range(count))
    generators = networks.start_generators(seed, range(count), "locality")
    return images, labels, [w.requires_grad_() for w in networks.start(setting.architecture, rt, generators)]


def _change(
    setting: PairSetting, weights: list[Tensor], images: Float[Tensor, "R N C H W"]
) -> tuple[Float[Tensor, "R N"], Float[Tensor, "R N"]]:
    return regularizer.gradient_change(
        lambda x: networks.forward(setting.architecture, weights, x), images, *setting.task.patches, differentiable=True
    )


def _gradient(value: Float[Tensor, " R"], weights: list[Tensor]) -> Sequence[Tensor]:
    # Replicas share no weight, so the sum has each one's own gradient; the last offset moves no gradient by the pixels.
    return torch.autograd.grad(value.sum(), weights, retain_graph=True, materialize_grads=True)


def _length(gradient: Sequence[Float[Tensor, "R _ _"]]) -> Float[Tensor, " R"]:
    squares: Tensor = sum(g.square().sum((-2, -1)) for g in gradient)  # type: ignore[assignment]
    return squares.sqrt()
