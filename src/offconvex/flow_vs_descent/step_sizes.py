"""The source's experiment: gradient descent at step eta and at eta / r, compared at equal flow times."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from offconvex import runtime
from offconvex.descent import Gradients, Parameters, descend
from offconvex.files import Arrays
from offconvex.flow import flow
from offconvex.flow_vs_descent.dual import DualLoss
from offconvex.flow_vs_descent.model import PAPER_NETWORKS, images
from offconvex.flow_vs_descent.objective import network_loss
from offconvex.stored import Stored, StoredExperiment

NETWORKS = tuple(PAPER_NETWORKS)


@dataclass(frozen=True)
class StepSizes:
    """Both fully connected networks of the source on real images, full batch, float64.

    The settings are the source's, 10,000 iterations included; it takes its 1,000 images from MNIST.

    Attributes:
        count: training images.
        rate: largest step eta.
        ratios: r of the steps eta / r, 1 first.
        iterations: steps of size eta, one number per network.
        records: times recorded after the start, evenly spaced.
        seed: of the start.
        device: where it runs.
    """

    count: int = 1000
    rate: float = 1e-3
    ratios: tuple[int, ...] = (1, 2, 5, 10, 20)
    iterations: tuple[int, ...] = (10_000, 10_000)
    records: int = 200
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self):
        if self.ratios[0] != 1 or min(self.ratios) < 1 or not self.rate > 0 or self.records < 1:
            raise ValueError(
                "The ratios must start with 1, and ratios, step and records be positive; "
                f"got {self.ratios}, {self.rate}, {self.records}."
            )
        if len(self.iterations) != len(NETWORKS) or any(n % self.records for n in self.iterations):
            raise ValueError(
                f"Give iterations for each of {', '.join(NETWORKS)}, multiples of {self.records}; "
                f"got {self.iterations}."
            )

    def horizon(self, network: str) -> int:
        """Steps of size eta that a network takes."""
        return self.iterations[NETWORKS.index(network)]

    def times(self, network: str) -> Float[np.ndarray, " {self.records+1}"]:
        """(records + 1,) flow times recorded."""
        return self.rate * np.linspace(0, self.horizon(network), self.records + 1)


def step_parts(config: StepSizes) -> dict[str, tuple[str, int | None]]:
    """One part per network and step, the longest first, and the flow of the linear network."""
    runs = {f"{name}-{r}": (name, r) for r in sorted(config.ratios, reverse=True) for name in NETWORKS}
    return runs | {"linear-flow": ("linear", None)}


def run_steps(config: StepSizes, name: str, ratio: int | None, *, iterations: int | None = None) -> Arrays:
    """One run: "loss" (T,) and all "weights" (T, P) at its recorded times, or at those up to `iterations`.

    Args:
        config: settings.
        name: of the network.
        ratio: of the steps; None for the flow.
        iterations: of the run at step eta; by default all.
    """
    rt = runtime.resolve(config.device)
    network, data = PAPER_NETWORKS[name], images(rt, count=config.count)
    start = network.start(rt, config.seed, "start", name)
    if ratio is None:
        # Tolerances far below the distance between runs, 1e-4 and more; rounding is far below them.
        objective = network_loss(network, data)
        run = flow(objective, start, config.times(name), record=_flat, rtol=1e-9, atol=1e-11)
        return {"loss": run.loss[:, 0].cpu().numpy(), "weights": run["weights"][:, 0].cpu().numpy()}
    # The dual coordinates save time where the first layer is worth two large products.
    dual = DualLoss(network, data) if network.slope < 1 else None
    run = descend(
        dual or network_loss(network, data),
        dual.lift(start) if dual else start,
        steps=(iterations or config.horizon(name)) * ratio,
        step_size=config.rate / ratio,
        record=(lambda point, gradients: _flat(dual.layers(point, start), gradients)) if dual else _flat,
        record_every=config.horizon(name) // config.records * ratio,
    )
    return {"loss": run.loss[:, 0].cpu().numpy(), "weights": run["weights"][:, 0].cpu().numpy()}


def assemble_steps(config: StepSizes, results: Mapping[tuple, Arrays]) -> Arrays:
    """Losses and distances of all runs.

    Returns:
        per network, runs in the order of the ratios: "loss NAME" (runs, T); "travel NAME" (runs, T), distance from the
        start; "gap NAME" (runs, runs, T), distances between runs; "extrapolated gap NAME" (runs, T), distance to twice
        the finest run minus the next finest, which cancels the error of first order; "unit share NAME" (runs - 1, T),
        the largest share of one unit's incoming weights in the squared distance of the first run to each other one, 0
        at the start; for the linear network "flow loss" (T,), "flow gap" (runs, T) and "flow gap extrapolated" (T,),
        distances to the flow.
    """
    arrays: Arrays = {}
    for name in NETWORKS:
        runs = [results[name, ratio] for ratio in config.ratios]
        weights = [run["weights"] for run in runs]
        order = np.argsort(config.ratios)
        finest, next_finest = (config.ratios[order[-1]], config.ratios[order[-2]])
        limit = (finest * weights[order[-1]] - next_finest * weights[order[-2]]) / (finest - next_finest)
        arrays[f"loss {name}"] = np.stack([run["loss"] for run in runs])
        arrays[f"travel {name}"] = np.stack([distance(w, w[:1]) for w in weights])
        arrays[f"gap {name}"] = np.stack([[distance(a, b) for b in weights] for a in weights])
        arrays[f"extrapolated gap {name}"] = np.stack([distance(w, limit) for w in weights])
        arrays[f"unit share {name}"] = np.stack([unit_share(weights[0] - w, name) for w in weights[1:]])
        if name == "linear":
            exact = results["linear", None]
            arrays["flow loss"] = exact["loss"]
            arrays["flow gap"] = np.stack([distance(w, exact["weights"]) for w in weights])
            arrays["flow gap extrapolated"] = distance(limit, exact["weights"])
    return arrays


def slice_gap(runs: Stored[StepSizes], name: str, ratio: int, iterations: int) -> float:
    """Largest relative difference from the stored runs, of losses and distances, over the first iterations run again.

    The distance is the one to the run at step eta, or for that run itself to the start.

    Raises:
        ValueError: if the iterations are no multiple of those between two stored records.
    """
    config = runs.config
    every = config.horizon(name) // config.records
    if iterations < every or iterations % every:
        raise ValueError(
            f"`iterations` must be a positive multiple of {every}, the distance of records; got {iterations}."
        )
    fresh, first = (run_steps(config, name, r, iterations=iterations) for r in (ratio, 1))
    rows, row = len(fresh["loss"]), config.ratios.index(ratio)
    if ratio > 1:
        origin, kept = first["weights"], runs[f"gap {name}"][row, 0]
    else:
        origin, kept = fresh["weights"][:1], runs[f"travel {name}"][row]
    apart = np.abs(distance(fresh["weights"], origin)[1:] / kept[1:rows] - 1).max()
    loss = np.abs(fresh["loss"] / runs[f"loss {name}"][row, :rows] - 1).max()
    return float(max(loss, apart))


def distance(left: Float[np.ndarray, "*T P"], right: Float[np.ndarray, "*#T P"]) -> Float[np.ndarray, "*T"]:
    """Euclidean distances of two lists of points (T, P), (T,)."""
    return np.linalg.norm(left - right, axis=-1)


def law_deviation(
    gap: Float[np.ndarray, "runs runs T"], law: Float[np.ndarray, " runs"]
) -> Float[np.ndarray, "runs-1 T-1"]:
    """Relative deviations (runs - 1, T - 1) of a law for distances, up to a factor, from those of the first run.

    Args:
        gap: (runs, runs, T) distances between runs, equal at the first time.
        law: (runs,) the law; the last run's value sets the factor.
    """
    return np.abs(gap[0, 1:, 1:] / gap[0, -1, 1:] / (law[1:, None] / law[-1]) - 1)


def unit_share(difference: Float[np.ndarray, "T P"], name: str) -> Float[np.ndarray, " T"]:
    """Largest share (T,) of the weights into one unit in the squares of a difference (T, P) of a network's weights."""
    widths = PAPER_NETWORKS[name].widths
    sizes = np.repeat(widths[:-1], widths[1:])  # of the incoming weights, unit by unit
    squares = np.add.reduceat(difference**2, np.cumsum(sizes) - sizes, axis=1)
    whole = squares.sum(1)
    return np.divide(squares.max(1), whole, out=np.zeros_like(whole), where=whole > 0)


def _flat(layers: Parameters, _: Gradients) -> dict[str, torch.Tensor]:
    return {"weights": torch.cat([layer.flatten(1) for layer in layers], 1)}


STEP_SIZES = StoredExperiment("flow-step-sizes", "flow-vs-descent", StepSizes(), step_parts, run_steps, assemble_steps)
