"""Completion of a rank-one tensor from more and more entries: factorization against zeros in the gaps."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from offconvex import rng
from offconvex.descent import GroupRMSprop, descend
from offconvex.factorizations.tensor.model import TensorObjective, completion_loss, end_tensor, gaussian_factors
from offconvex.factorizations.tensor.rank import tensor_rank
from offconvex.runtime import Runtime


@dataclass(frozen=True)
class RankOneCompletion:
    """The source's second experiment (razin2020implicit, code); defaults are its order-3 part.

    One target and one random order of its entries: with m observations the first m of them are seen, so that tasks
    are nested. Repetitions differ in the start only.

    Attributes:
        order: number of axes, each of length `size`.
        size: their length.
        observed: numbers m of observed entries, increasing.
        stds: standard deviations of the factors' entries at the start.
        starts: repetitions.
        rate: of the adaptive step.
        floor: of the adaptive step; it bounds the step while gradients are tiny, and so sets the length of the first
            plateau, not the path.
        fit: training error at which a run has converged; three checks in a row must be below.
        check_every: steps between checks.
        steps: largest number of steps.
        tolerance: of the rank estimate, on the mean squared error.
    """

    order: int = 3
    size: int = 8
    observed: tuple[int, ...] = (50, 100, 150, 200, 250, 300, 350, 400, 450, 511)
    stds: tuple[float, ...] = (1e-2, 1e-3)
    starts: int = 5
    rate: float = 1e-2
    floor: float = 1e-6
    fit: float = 1e-6
    check_every: int = 100
    steps: int = 10_000
    tolerance: float = 1e-6

    def __post_init__(self):
        entries = self.size**self.order
        if self.order < 2 or not self.observed or min(self.observed) < 1 or max(self.observed) > entries:
            raise ValueError(
                f"Need order >= 2 and at most size^order = {entries} observed entries, at least 1; "
                f"got order {self.order} and {self.observed}."
            )
        if min(self.starts, self.check_every, self.steps) < 1 or not self.stds or not self.tolerance > 0:
            raise ValueError(
                "Need starts, check_every and steps of at least 1, a std and a positive tolerance; "
                f"got {self.starts}, {self.check_every}, {self.steps}, {self.stds}, {self.tolerance}."
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return (self.size,) * self.order

    @property
    def components(self) -> int:
        """Components of the factorization: enough for every tensor of this shape."""
        return self.size ** (self.order - 1)


def draw_target(
    config: RankOneCompletion, rt: Runtime, seed: int, target: int = 0
) -> tuple[Float[Tensor, "..."], Int[Tensor, " {config.size**config.order}"]]:
    """Rank-one tensor of norm one, with normal factors, and a random order of its entries.

    Args:
        config: shape.
        rt: device and precision.
        seed: of the run.
        target: number of the target; 0 is the one that is completed.
    """
    stream = rng.generator(seed, "norms", "tensor", config.order, target)
    tensor = rt.normal(stream, config.size)
    for _ in range(config.order - 1):
        tensor = tensor.unsqueeze(-1) * rt.normal(stream, config.size)
    return tensor / tensor.norm(), rt.permutation(stream, tensor.numel())


def observe(
    tensor: Float[Tensor, "*shape"], order: Int[Tensor, " entries"], count: int
) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Mask of the first `count` entries in the order, and the tensor with zeros elsewhere."""
    mask = torch.zeros_like(tensor).flatten()
    mask[order[:count]] = 1
    mask = mask.view_as(tensor)
    return mask, tensor * mask


@dataclass(frozen=True)
class CompletedTensors:
    """Tensors that factorizations ended with.

    Attributes:
        tensor: (starts, ...).
        fit: (starts,) the training error.
        steps: taken until all starts had converged.
    """

    tensor: np.ndarray
    fit: np.ndarray
    steps: int


def complete(config: RankOneCompletion, rt: Runtime, seed: int, *, count: int, std: float) -> CompletedTensors:
    """Factorizations trained on the first `count` entries from `starts` starts."""
    target, order = draw_target(config, rt, seed)
    mask, _ = observe(target, order, count)
    loss = completion_loss(target[None], mask[None])
    generators = [rng.generator(seed, "norms", "tensor start", config.order, k) for k in range(config.starts)]
    factors = gaussian_factors(rt, generators, shape=config.shape, components=config.components, std=std)
    run = descend(
        TensorObjective(loss),
        factors,
        steps=config.steps,
        step_size=GroupRMSprop(config.rate, floor=config.floor),
        record_every=config.check_every,
        # The rule of the source.
        stop=lambda loss: bool((loss < config.fit).all()),
        patience=3,
    )
    return CompletedTensors(end_tensor(run.parameters).cpu().numpy(), run.loss[-1].cpu().numpy(), run.steps)


def complete_and_rank(
    config: RankOneCompletion, rt: Runtime, seed: int, count: int
) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Errors and estimated ranks with `count` observed entries, of the factorization and of zeros in the gaps.

    Returns:
        "error", "rank" and "fit", each (stds, starts), and "steps" (stds,), of the factorization; "linear error" () and
        "linear rank" () of the observed entries with zeros elsewhere, which is where gradient descent on the entries
        themselves ends. Errors are Frobenius norms over all entries; the target has norm one.
    """
    target, order = draw_target(config, rt, seed)
    wanted, linear = target.cpu().numpy(), observe(target, order, count)[1].cpu().numpy()
    runs = [complete(config, rt, seed, count=count, std=std) for std in config.stds]
    return {
        "error": np.array([[np.linalg.norm(t - wanted) for t in run.tensor] for run in runs]),
        "rank": np.array([[_rank(t, config, seed) for t in run.tensor] for run in runs]),
        "fit": np.array([run.fit for run in runs]),
        "steps": np.array([run.steps for run in runs]),
        "linear error": np.array(np.linalg.norm(linear - wanted)),
        "linear rank": np.array(_rank(linear, config, seed)),
    }


def sweep(config: RankOneCompletion, rt: Runtime, seed: int) -> dict[str, Shaped[np.ndarray, "..."]]:
    """`complete_and_rank` for every number of observations, which becomes the first axis, and "observed"."""
    return collect(config, [complete_and_rank(config, rt, seed, count) for count in config.observed])


def collect(
    config: RankOneCompletion, rows: list[dict[str, Shaped[np.ndarray, "..."]]]
) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Rows of `complete_and_rank`, one per number of observations, as arrays with that axis first."""
    return {"observed": np.array(config.observed)} | {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def linear_ranks(
    config: RankOneCompletion, rt: Runtime, seed: int, count: int, targets: int
) -> Int[np.ndarray, " {targets}"]:
    """Estimated rank of `count` observed entries with zeros elsewhere for further targets, (targets,)."""
    tensors = [observe(*draw_target(config, rt, seed, 1 + k), count)[1] for k in range(targets)]
    return np.array([_rank(tensor.cpu().numpy(), config, seed) for tensor in tensors])


def rank_by_tolerance(
    tensors: Float[np.ndarray, "n ..."], tolerances: tuple[float, ...], seed: int, *, tries: int = 1
) -> Int[np.ndarray, "{len(tolerances)} n"]:
    """Estimated ranks of tensors (n, ...) for each tolerance, from `tries` starts each, (tolerances, n)."""
    return np.array([[tensor_rank(t, _starts(seed, tries), tolerance=tol) for t in tensors] for tol in tolerances])


def _rank(tensor: np.ndarray, config: RankOneCompletion, seed: int) -> int:
    return tensor_rank(tensor, _starts(seed, 1), tolerance=config.tolerance)


def _starts(seed: int, tries: int) -> list[np.random.Generator]:
    return [rng.numpy_generator(seed, "norms", "alternating least squares", k) for k in range(tries)]
